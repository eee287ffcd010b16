"""What is shipped to run Vigía elsewhere: boards as their script makes them, alerts with their tests, files that their tools accept."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import read_config
from monitor.metric_names import NAMES
from monitor.migrations.versions import v0019_views, v0051_boards
from tests.boards import DEPLOY, FOLDER, boards, panels, queries, variables
from tests.programs import needed

pytestmark = pytest.mark.filterwarnings(
    "ignore:Prefer using dashboardv2"
)  # the classic form is what every Grafana provisions
ROOT = DEPLOY.parent
VIEWS = v0019_views.VIEWS | v0051_boards.VIEWS
GRAFANA = DEPLOY / "grafana"
UIDS = {
    "vigia-torre": "Torre de control",
    "vigia-cliente": "Cliente 360",
    "vigia-casos": "Casos y ANS",
    "vigia-salud": "Salud de Vigía",
}
BOARDS = boards()
EACH = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
RULES = yaml.safe_load((DEPLOY / "prometheus" / "vigia.rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# ---- Grafana -------------------------------------------------------------------------------------------------------


def test_the_boards_are_what_their_script_makes() -> None:
    spec = importlib.util.spec_from_file_location("build_boards", GRAFANA / "build.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert script.boards() == there, "run `make boards`"


@EACH
def test_a_board_is_valid_by_grafanas_models(board: dict[str, Any]) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: PLC0415 - seconds
    from grafana_foundation_sdk.cog.plugins import register_default_plugins  # noqa: PLC0415
    from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: PLC0415

    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert again == board, "what Grafana's models do not know would be lost"


def test_four_boards_with_addresses_that_do_not_change() -> None:
    assert {uid: board["title"] for uid, board in BOARDS.items()} == UIDS
    assert all(board["uid"] == uid for uid, board in BOARDS.items())


@EACH
def test_every_panel_says_what_it_shows_and_what_it_means_when_empty(board: dict[str, Any]) -> None:
    found = list(panels(board))
    assert len(found) > 10
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        assert panel["title"], panel["id"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"].get("noValue"), panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24, panel["title"]
        assert panel["targets"], panel["title"]


@EACH
def test_panels_ask_only_what_is_shipped(board: dict[str, Any]) -> None:
    """Metrics that there are, views and no tables, data sources that are provisioned, variables of the board."""
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "vigia.yaml").read_text(encoding="utf-8"))
    uids = {one["uid"]: one["type"] for one in sources["datasources"]}
    known = {f"vigia_{name}" for name in NAMES} | {
        f"vigia_{name}_total" for name, one in NAMES.items() if one.kind == "counter"
    }
    mine = {one["name"] for one in board["templating"]["list"]}
    for query in (*queries(board), *variables(board)):
        assert query.source in uids, query.where
        if query.source == "vigia-postgres":
            asked = re.findall(r"(?:FROM|JOIN) (\w+)", query.text.replace("epoch FROM", ""))
            assert set(asked) <= VIEWS.keys(), query.where
        named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bvigia_\w+", query.text)}
        assert {n for n in named if "process" not in n and not n.startswith("vigia_lector")} <= known, query.where
        words = set(re.findall(r"\$\{?(\w+)", query.text)) - {"__timeFilter", "__range", "__interval", "__searchFilter"}
        assert words <= mine, query.where


@EACH
def test_clients_are_asked_of_the_database_alone(board: dict[str, Any]) -> None:
    for query in (*queries(board), *variables(board)):
        assert query.source == "vigia-postgres" or "client" not in re.sub(r"vigia_clients_\w+", "", query.text), (
            query.where
        )


def test_links_lead_to_the_incident_its_guide_and_the_client() -> None:
    text = json.dumps(BOARDS["vigia-torre"])
    for address in (
        "${vigia}/incidents/${__data.fields.afectacion}",
        "${vigia}/guias/${__data.fields.guia}",
        "var-client=${__data.fields.nit}",
    ):
        assert address in text
    for path in (GRAFANA / "provisioning").rglob("*.yaml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["apiVersion"] == 1


# ---- Prometheus and Alertmanager -----------------------------------------------------------------------------------


def test_the_alerts_about_vigia_fire_when_they_should() -> None:
    promtool = needed("promtool")
    run(promtool, "check", "rules", "vigia.rules.yml", folder=DEPLOY / "prometheus")
    run(promtool, "test", "rules", "vigia.test.yml", folder=DEPLOY / "prometheus")
    run(promtool, "check", "config", "--syntax-only", "prometheus.yml", folder=DEPLOY / "prometheus")


def test_alertmanagers_configuration_is_accepted() -> None:
    assert "SUCCESS" in run(needed("amtool"), "check-config", "alertmanager.yml", folder=DEPLOY / "alertmanager")


def test_every_alert_has_its_test_and_its_page() -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus" / "vigia.test.yml").read_text(encoding="utf-8"))["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    pages = re.findall(r"^## (\w+)$", (ROOT / "docs" / "salud.md").read_text(encoding="utf-8"), re.MULTILINE)
    for rule in RULES:
        assert rule["alert"] in fired
        assert rule["alert"] in pages
        assert rule["annotations"]["runbook_url"].endswith(f"#{rule['alert'].lower()}")
        assert {"summary", "description"} <= rule["annotations"].keys()
        assert rule["labels"]["severity"] in ("critical", "major", "minor", "none")
        named = (re.sub(r"_bucket$", "", name) for name in re.findall(r"vigia_\w+", rule["expr"]))
        assert {n for n in named if "process" not in n} <= {
            f"vigia_{name}{'_total' if one.kind == 'counter' else ''}" for name, one in NAMES.items()
        }


# ---- compose and systemd -------------------------------------------------------------------------------------------


def test_all_that_compose_mounts_is_there_and_every_image_has_its_version() -> None:
    for name, service in COMPOSE["services"].items():
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", service["image"]), name
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], mount
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        assert set(service.get("depends_on", ())) <= COMPOSE["services"].keys()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert "PASSWORD" not in " ".join(
            k for k in service.get("environment", {}) if not k.endswith(("_FILE", "__FILE"))
        )
        assert name == "vigia" or "healthcheck" in service, "the image of Vigía has its own"
    told = (DEPLOY / "secrets" / "README.md").read_text(encoding="utf-8")
    for name, secret in COMPOSE["secrets"].items():
        assert secret["file"] == f"./secrets/{name}"
        assert f"`{name}`" in told


def test_the_configuration_of_compose_is_the_shipped_one_but_for_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIA_DEMO_TOKEN", "of-this-test")
    text = (DEPLOY / "config.toml").read_text(encoding="utf-8")
    for name in ("database", "operator_token", "metrics_token"):
        (tmp_path / name).write_text(f"a long enough secret, {name}", encoding="utf-8")
    (tmp_path / "config.toml").write_text(text.replace("/run/secrets", str(tmp_path)), encoding="utf-8")
    read = read_config(tmp_path / "config.toml")
    assert read.monitor.listen == "0.0.0.0:8080"
    shipped = (ROOT / "config.toml").read_text(encoding="utf-8")
    assert text.partition("\n[demo]")[2] == shipped.partition("\n[demo]")[2], (
        "what comes after the first block is the same"
    )


def test_systemds_unit_is_accepted() -> None:
    unit = (DEPLOY / "systemd" / "vigia.service").read_text(encoding="utf-8")
    assert {"[Unit]", "[Service]", "[Install]"} <= set(unit.splitlines())
    for line in unit.splitlines():
        assert not line or line.startswith(("#", "[")) or re.fullmatch(r"[A-Z]\w+=.*", line), line
    if shutil.which("systemd-analyze"):
        stated = unit.replace("/opt/vigia/bin/vigia", "/bin/true")
        assert "ExecStart" in stated
