"""Bad files named after the mistake, and what is said of each: every fault, in one line, with file and key."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.reasons import Limits
from connectors import Case, SourceError
from connectors.kinds import kinds as of_connectors
from detectors import kinds
from monitor.config import Config, read_config
from monitor.faults import ConfigError
from monitor.kinds import duration

BAD = Path(__file__).parents[1] / "configs"
CORE = '[sources.core]\nrole = "transactions"\nkind = "file"\npath = "transactions.csv"\n'

CONFIGS: dict[str, list[str]] = {
    "bad_access": [
        "access.header: must be the name of a header of the proxy's own, such as X-Forwarded-User",
        "access.proxies[1]: '10.0.0.0/99' is no address or network, such as 127.0.0.1 or 10.1.0.0/16",
        "access.session: must be 1m to 30d",
        "access.metrics_token: is too short or too plain to be a token: at least 20 signs, as of `openssl rand -hex 24`",
        "access.open_metric: no such key; did you mean 'open_metrics'?",
    ],
    "bad_address": [
        "monitor.listen: must be host:port, such as 127.0.0.1:8080",
    ],
    "bad_causes": [
        "causes.returns: must be greater than or equal to 2",
        "causes.period: must be a whole number of minutes, at least 1m",
        "causes.recurrence: must be a length of time such as 10s, 5m, 1h30m or 30d",
        "causes.owners.pagos: must have at least 1 character",
        'causes.claims_chief: must be a text in "quotation marks"',
        "causes.owner: no such key; did you mean 'owners'?",
    ],
    "bad_country": [
        "monitor.country: must match pattern '^[A-Z]{2}$'",
    ],
    "bad_database": [
        "monitor.database: must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
    ],
    "bad_default": [
        "sources.core.defaults.product: must be a text or a number",
    ],
    "bad_delimiter": [
        "sources.core.delimiter: must be one plain character, not '::'",
    ],
    "bad_demo": [
        "demo.cases: the simulated bank stays on this machine: listen on 127.0.0.1",
    ],
    "bad_duration": [
        "monitor.lateness: must be a length of time such as 10s, 5m, 1h30m or 30d",
        "retention.cells: is longer than a hundred years",
    ],
    "bad_encoding": [
        "sources.core.encoding: 'utf-99' cannot be followed: use utf-8, latin-1, cp1252 or the like",
    ],
    "bad_http": [
        "sources.casos.url: must be an address such as https://host/path",
        "sources.clientes.nxt: no such key; did you mean 'next'?",
        "sources.clientes.token_url: needs client_id and client_secret",
        "sources.productos.since_form: must be 'iso', 's', 'ms' or 'number'",
        "sources.productos.overlap: must be a length of time such as 10s, 5m, 1h30m or 30d",
        "sources.productos.since: needs cursor",
        "desks.casos.columns.asunto: a case has no such field; there are: key, incident_id, ...",
    ],
    "bad_maintenance": [
        "maintenance[0].produc: no such key; did you mean 'product'?",
        "maintenance[1].from: must be a time, such as 2026-03-03T22:00 or 2026-03-03T22:00-05:00",
        "maintenance[1].until: must be a time, such as 2026-03-03T22:00 or 2026-03-03T22:00-05:00",
        "maintenance[2].product: must have at least 1 character",
        'maintenance[3].channel: must be a text in "quotation marks"',
        "maintenance[3].from: is missing",
    ],
    "bad_port": [
        "monitor.listen: the port must be 1 to 65535, as in 127.0.0.1:8080",
    ],
    "bad_promises": [
        "promises.calendars.noche.hours: must open before it closes, within one day, as in 08:00-18:00",
        "promises.calendars.tarde.hours: must be hours of the day such as 08:00-18:00",
        "promises.calendars.tarde.days: must be 'business' or 'all'",
        "promises.at_risk: must be less than or equal to 1",
        "promises.wating: no such key; did you mean 'waiting'?",
        "promise[0]: give exactly one of hours and days",
        "promise[1].calendar: is missing",
        "promise[1].days: must be greater than 0",
        "promise[1].product: no such key; did you mean 'products'?",
        "promise[2].products: must name something; without the key, it asks nothing",
        'promise[2].segments: must be a list such as ["a", "b"]',
        "promise[2].from: must be a valid date",
    ],
    "bad_rests": [
        "rests[0].on: web rests on itself",
        "rests[2].on: goes round in a circle: core -> web -> pagos -> core",
        "rests[3].on: rests[0] says already that web rests on pagos",
        "rests[4]: give exactly one of product and channel: what rests on the others",
        "rests[5].on: is missing",
        "rests[5].chanel: no such key; did you mean 'channel'?",
        "rests[6].product: must have at least 1 character",
        "rests[6].on: must name what it rests on",
    ],
    "bad_routes": [
        "teams.pagos.membres: no such key; did you mean 'members'?",
        "route[0].to: has 'postsale', which is no address; did you mean 'post_sale'?",
        "route[1].words: must be 'technical' or 'plain'",
        "route[1].news: must name incident, fault or breach; without the key, it is of incidents",
        "route[1].after: must be a length of time such as 10s, 5m, 1h30m or 30d",
        "route[2]: give at most one of during and outside",
        "route[3].at: must be times of the day, such as 07:30",
        "route[4]: a digest (at) is of incidents alone, and takes no `after`",
        "route[5]: a promise is told as it comes: give `breach` a route of its own, without `after`",
        "route[6]: a fault of Vigía's own has no manager: give `fault` a route of its own, without it",
        "route[7].teams: must name something; without the key, it asks nothing",
        "route[7].severity: must be 'minor', 'major' or 'critical'",
        "route[7].product: no such key; did you mean 'products'?",
        "route[8].to: must be addresses; without the key, it is the receiver's own",
    ],
    "bad_source_zone": [
        "sources.core.timezone: there is no time zone 'Bogota'; write it as America/Bogota",
        "sources.core.client_form: must be 'nit' or 'nit_dv'",
        "sources.core.every: must be a length of time such as 10s, 5m, 1h30m or 30d",
    ],
    "bad_sql_source": [
        "sources.core.url: not a database address such as postgresql+psycopg://user@host/name",
        "sources.both: give exactly one of table and query",
    ],
    "bad_steps": [
        "step[0].step: must be 'observe', 'approve' or 'automatic'",
        "step[0].products: must name something; without the key, it asks nothing",
        "step[1].step: is missing",
        "step[1].segments[0]: must be 'corporativo', 'empresarial' or 'pyme'",
        "step[1].stage: no such key; did you mean 'step'?",
        "step[2].products: must name something; without the key, it asks nothing",
        "step[2].segments: must name something; without the key, it is of all",
    ],
    "bad_time_format": [
        "sources.core.time_format: 'dd/mm/yyyy hh:mm' is no format of times: day, month and year at least, as in %d/%m/%Y %H:%M:%S",
        "sources.otra.decimal: must be '.' or ','",
    ],
    "bad_users": [
        "users.corta.token: is too short or too plain to be a token: at least 20 signs, as of `openssl rand -hex 24`",
        'users.ana.clients: must be "all", "own" or a list of segments: corporativo, empresarial, pyme',
        "users.berta.role: must be 'look', 'act' or 'administer'",
        'users.carla.clients: is missing: "all", "own" or a list of segments',
        "users.diana.email: is missing: own clients are known by it",
        "users.diana.token: is missing: without access.header nobody could be this user",
        "users.elsa.email: must be an address such as ana@banco.example",
        "users.gloria.rol: no such key; did you mean 'role'?",
        "users.hilda.token: is that of fanny already",
    ],
    "bad_weights": [
        "portfolio.segment: must be greater than or equal to 0",
        "portfolio.impact: must be a finite number",
        "portfolio.value: must be a number",
        "portfolio.products.pagos: must be less than or equal to 1",
        "portfolio.ways.failed: must be less than or equal to 1",
        "portfolio.open_from.pime.[key]: must be 'corporativo', 'empresarial', 'pyme' or 'default'",
    ],
    "bad_window": [
        "monitor.window: must be a whole number of minutes, at least 1m",
        "monitor.hold: must be a whole number of minutes, at least 1m",
    ],
    "bad_zone": [
        "monitor.timezone: there is no time zone 'America/Bogotá'; write it as America/Bogota",
    ],
    "beyond_loopback": [
        "monitor.listen: beyond loopback users are needed, as in [users.NAME]; or listen on 127.0.0.1",
    ],
    "columns_are_no_table": [
        "sources.core.columns: must be a table such as { a = 1 }",
        "sources.core.defaults: must be a table such as { a = 1 }",
        "sources.core.status: must be a table such as { a = 1 }",
    ],
    "default_of_wrong_type": [
        "sources.core.defaults.latency_ms: 'fast' is not a number",
    ],
    "desk_without_path": [
        "desks.local.path: is missing",
        "desks.local.produts: no such key; did you mean 'products'?",
    ],
    "maintenance_is_no_list": [
        "maintenance: must be a list of tables: write [[maintenance]]",
    ],
    "missing_options": [
        "sources.core.role: is missing",
        "sources.core.path: is missing",
    ],
    "missing_secret_file": [
        "monitor.database: secret file no/such/secret cannot be read: No such file or directory",
    ],
    "missing_variable": [
        "monitor.database: the environment has no VIGIA_NO_SUCH_VARIABLE",
        "monitor.listen: the environment has no VIGIA_NO_SUCH_VARIABLE",
    ],
    "no_source": [
        "sources: at least one source is needed, as in [sources.core]",
    ],
    "not_a_block": [
        "monitor: must be a block of keys",
        "portfolio: must be a block of keys",
        "desks: must be blocks, as in [desks.NAME]",
    ],
    "not_toml": [
        "is not TOML: Expected ']' at the end of a table declaration (at line 1, column 9)",
    ],
    "not_utf8": [
        "is not UTF-8 (byte 21)",
    ],
    "promise_is_no_list": [
        "promise: must be a list of tables: write [[promise]]",
    ],
    "promises_in_doubt": [
        "promise[3].calendar: no such calendar; there are habil",
        "promise[4]: until must not be before `from`",
        "promise[2]: is of cases that promise[0] is of too, at the same time: which one holds?",
    ],
    "proxies_without_header": [
        "access.header: is missing: proxies alone is not believed",
    ],
    "rests_is_no_list": [
        "rests: must be a list of tables: write [[rests]]",
    ],
    "route_is_no_list": [
        "route: must be a list of tables: write [[route]]",
    ],
    "routes_without_what_they_name": [
        "route[0].receiver: no such receiver; there is no [receivers.NAME]",
        "route[0].during: no such calendar; there are siempre",
        "route[1].receiver: no such receiver; there is no [receivers.NAME]",
        "route[1].outside: siempre never closes: nothing would ever be told",
        "teams.giros.members: is missing: route[1] tells them",
        "teams.giros.lead: is missing: route[1] tells them",
        "route[2].receiver: no such receiver; there is no [receivers.NAME]",
        "route[2].teams: no team 'canales'; there are giros",
    ],
    "rules_without_match": [
        "monitor.rules[0]: no file matches 'nowhere/*.toml'",
        "monitor.rules[1]: no file matches ''",
        "monitor.rules[2]: no file matches '/nowhere/**x.toml'",
    ],
    "source_is_no_block": [
        "sources.core: must be a block, as in [sources.core]",
    ],
    "sources_are_no_blocks": [
        "sources: must be blocks, as in [sources.NAME]",
    ],
    "status_twice": [
        "sources.core.status: 'Approved' is both ok and failed",
    ],
    "step_is_no_list": [
        "step: must be a list of tables: write [[step]]",
    ],
    "steps_in_doubt": [
        "step[3]: is of cases that step[1] is of too, and names as much: which one holds?",
        "step[4]: is of cases that step[1] is of too, and names as much: which one holds?",
        "step[4]: is of cases that step[3] is of too, and names as much: which one holds?",
        "step[5]: is of cases that step[0] is of too, and names as much: which one holds?",
    ],
    "unknown_block": [
        "monitr: no such block; there are monitor, retention, portfolio, causes, losses, demo, words, heartbeat, sources, desks, ...",
    ],
    "unknown_column": [
        "sources.core.columns.nit: clients have no such column; there are client_id, name, segment,...",
        "sources.core.defaults.segmento: clients have no such column; there are client_id, name, segment,...",
        "sources.core.defaults.id_type: clients have no such column; there are client_id, name, segment,...",
    ],
    "team_is_no_block": [
        "teams.pagos: must be a block, as in [teams.pagos]",
        "route[0].receiver: no such receiver; there is no [receivers.NAME]",
    ],
    "two_desks_for_the_rest": [
        "desks.segundo.products: is missing: desk primero takes all that no other takes already",
    ],
    "unknown_desk_kind": [
        "desks.sheet.kind: no desk kind 'sheet'; there are: bizagi, dataverse, ...",
    ],
    "unknown_key": [
        "monitor.latenes: no such key; did you mean 'lateness'?",
    ],
    "unknown_option": [
        "sources.core.delimeter: no such key; did you mean 'delimiter'?",
        "sources.core.colums: no such key; did you mean 'columns'?",
        "sources.core.table: no such key; there are client_form, columns, ...",
    ],
    "unknown_role": [
        "sources.core.role: must be 'transactions', 'metrics', 'cases', 'clients', 'holdings' or 'stories'",
    ],
    "unknown_source_kind": [
        f"sources.core.kind: no source kind 'files'; there are: {', '.join(of_connectors('sources'))}",
    ],
    "unknown_status_class": [
        "sources.core.status.faild: no such class; there are ok, failed, rejected, reversed, pending",
    ],
    "users_are_no_blocks": [
        "users.ana: must be a block, as in [users.ana]",
    ],
    "weights_of_nothing": [
        "portfolio: at least one weight must be more than 0",
    ],
    "wrong_type": [
        "monitor.window: must be a length of time such as 10s, 5m, 1h30m or 30d",
        'monitor.rules: must be a list such as ["a", "b"]',
    ],
}
"""What `vigia check` says of tests/configs/NAME.toml, after the file's name; `...` is whatever follows."""
RULES: dict[str, list[str]] = {
    "bad_by": [
        "rule.fallas.by[1]: must be 'product', 'channel', 'client_id' or 'series'",
    ],
    "bad_detector_option": [
        "rule.fallas.detector: detector kind 'seasonal' has no option dirction, only direction, rate, days, alpha, warmup, floor",
        "rule.rechazos.detector: direction must be up, down or both, not 'sideways'",
    ],
    "bad_name": [
        "rule.Fallas Altas.name: must match pattern '^[a-z0-9_]+$'",
        'rule[1].name: must be a text in "quotation marks"',
    ],
    "bad_severity": [
        "rule.fallas.severity: must be 'minor', 'major' or 'critical'",
    ],
    "bad_where": [
        "rule.fallas.where: knows no 'total'; there are product, channel, client_id, series",
    ],
    "bad_window": [
        "rule.fallas.window: must be a whole number of minutes, at least 1m",
        "rule.fallas.for: must be a length of time such as 10s, 5m, 1h30m or 30d",
        "rule.fallas.min_total: must be greater than or equal to 0",
    ],
    "duplicate_name": [
        "rule.fallas.when: knows no 'faild'; there are total, ok, ...",
        "rule.fallas.name: there is a rule of this name in duplicate_name.toml already",
    ],
    "forbidden_function": [
        "rule.fallas.when: may not use sum()",
    ],
    "masked": [
        "rule.fallas.severity: must be 'minor', 'major' or 'critical'",
        "rule.fallas.minimum: no such key; there are by, for, guide, keep_firing_for, kind, min_total, name, severity, when, where, window",
        "rule.fallas.when: knows no 'faild'; there are total, ok, ...",
        "rule.volumen.window: must be a whole number of minutes, at least 1m",
        "rule.volumen.min_change: must be a number",
        "rule.volumen.measure: knows no 'totl'; there are total, ok, ...",
    ],
    "missing_keys": [
        "rule[0].name: is missing",
        "rule[0].kind: is missing",
    ],
    "mixed_with_value": [
        "rule.mezcla.by: `value` is of metrics, the other measures are of transactions: one rule is of one or of the other",
        "rule.serie.by: `series` is of metrics, and this rule's measures are of transactions",
        "rule.cliente.by: metrics have no client_id",
    ],
    "no_comparison": [
        "rule.fallas.when: says neither yes nor no: write a comparison such as failed_rate > 0.05",
    ],
    "no_tables": [
        "rule[0]: must be a table, as in [[rule]]",
        "rule[1]: must be a table, as in [[rule]]",
    ],
    "not_a_list": [
        "rule: must be a list of tables: write [[rule]]",
    ],
    "not_toml": [
        "is not TOML: Expected ']]' at the end of an array declaration (at line 1, column 7)",
    ],
    "subquery": [
        "rule.fallas.when: may not use subquery",
    ],
    "text_with_number": [
        "rule.fallas.where: cannot be computed: Could not convert string 'a text' to INT32...",
        "rule.fallas.when: cannot be computed: Cannot compare values of type VARCHAR and type INTEGER_LITERAL - ...",
    ],
    "unknown_detector": [
        f"rule.fallas.detector: no detector kind 'seasonl', only {', '.join(kinds())}",
    ],
    "unknown_key": [
        "rules: no such key; a rule is a [[rule]]",
        "rule.fallas.severty: no such key; did you mean 'severity'?",
    ],
    "unknown_kind": [
        "rule.fallas.kind: no rule kind 'limits'; there are: absent, anomaly, due, excess, limit, shortfall",
    ],
    "unknown_measure": [
        "rule.fallas.when: knows no 'failure_rate'; there are total, ok, ...",
        "rule.volumen.measure: knows no 'totl'; there are total, ok, ...",
    ],
}
"""The same of tests/configs/rules/NAME.toml."""


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    return [str(fault) for fault in caught.value.faults]


def shortened(lines: list[str], like: list[str]) -> list[str]:
    """The lines, cut where the expected ones leave off."""
    cut = {line.removesuffix("...") for line in like if line.endswith("...")}
    return [next((f"{start}..." for start in cut if line.startswith(start)), line) for line in lines]


def config(folder: Path, text: str = "") -> Config:
    (folder / "config.toml").write_text(text if "[sources" in text else f"{text}\n{CORE}")
    return read_config(folder / "config.toml")


# ---- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({file.stem for file in BAD.glob("*.toml")} | set(CONFIGS)))
def test_a_bad_config(name: str) -> None:
    expected = [f"{name}.toml: {line}" for line in CONFIGS[name]]
    assert shortened(faults(BAD / f"{name}.toml"), expected) == expected


@pytest.mark.parametrize("name", sorted({file.stem for file in (BAD / "rules").glob("*.toml")} | set(RULES)))
def test_a_bad_rule_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[monitor]\nrules = ["{BAD}/rules/{name}.toml"]\n{CORE}')
    expected = [f"{name}.toml: {line}" for line in RULES[name]]
    assert shortened(faults(tmp_path / "config.toml"), expected) == expected


TEN = [
    "config.toml: monitor.timezone: there is no time zone 'America/Bogotá'",
    "config.toml: monitor.latenes: no such key; did you mean 'lateness'?",
    "config.toml: sources.core.status.faild: no such class",
    'config.toml: sources.core.delimiter: must be one plain character, not "${VIGIA_TEST_PASSWORD}"',
    "config.toml: desks.hoja.kind: no desk kind 'sheet'",
    "config.toml: monitor.listen: beyond loopback",
    "reglas.toml: rule.fallas.severity: must be 'minor', 'major' or 'critical'",
    "reglas.toml: rule.fallas.when: knows no 'failure_rate'",
    "reglas.toml: rule.volumen.detector: no detector kind 'seasonl'",
    "reglas.toml: rule.volumen.name: there is a rule of this name in reglas.toml already",
]


def test_ten_mistakes_are_ten_lines_and_no_secret() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "monitor", "check", "--config", str(BAD / "ten" / "config.toml")],
        env=os.environ | {"VIGIA_TEST_PASSWORD": "hunter 2's"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout) == (1, "")
    lines = checked.stderr.splitlines()
    assert len(lines) == len(TEN)
    for line, start in zip(lines, TEN, strict=True):
        assert line.startswith(start)
    assert "hunter" not in checked.stderr


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert faults(tmp_path / "nothing.toml") == ["nothing.toml: no such file"]
    assert faults(tmp_path) == [f"{tmp_path.name}: cannot be read: Is a directory"]


@pytest.mark.parametrize("key", ["timezone", "database", "listen", "country"])
def test_what_was_filled_in_is_never_told(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIA_TEST_SECRET", "qwerty'\\")
    (tmp_path / "secret").write_text("asdfgh\n")
    for secret in ("${VIGIA_TEST_SECRET}", "${file:secret}"):
        with pytest.raises(ConfigError) as caught:
            config(tmp_path, f'[monitor]\n{key} = "{secret}"')
        (told,) = caught.value.faults
        assert told.key == f"monitor.{key}"
        assert "qwerty" not in str(told)
        assert "asdfgh" not in str(told)


def test_the_demos_token_is_known_where_there_is_a_demo_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIGIA_DEMO_TOKEN", raising=False)
    desk = '[desks.casos]\nkind = "http"\nurl = "http://127.0.0.1:8090/casos"\ntoken = "${VIGIA_DEMO_TOKEN}"\n'
    with pytest.raises(ConfigError, match=r"desks\.casos\.token: the environment has no VIGIA_DEMO_TOKEN"):
        config(tmp_path, desk)
    assert config(tmp_path, f'{desk}[demo]\ndatabase = "bank.db"\n').desks["casos"].make()
    monkeypatch.setenv("VIGIA_DEMO_TOKEN", "otro")
    desk_made = config(tmp_path, f'{desk}[demo]\ndatabase = "bank.db"\n').desks["casos"].make()
    assert desk_made.session._token() == "Bearer otro"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ("", "07:00:00-05:00"),
        ('[monitor]\ntimezone = "UTC"\n[desks.libro]\nkind = "local"\npath = "var/casos.csv"\n', "12:00:00+00:00"),
        ('[desks.libro]\nkind = "local"\npath = "var/casos.csv"\ntimezone = "Asia/Tokyo"\n', "21:00:00+09:00"),
    ],
)
def test_the_cases_that_people_read_are_in_the_banks_time(tmp_path: Path, block: str, told: str) -> None:
    (desk,) = config(tmp_path, block).desks.values()
    desk.make().open(Case("k", "i", "900123456", "pagos", "", datetime(2026, 3, 3, 12, tzinfo=UTC), 80, "", ""))
    assert f",2026-03-03 {told}," in (tmp_path / "var" / "casos.csv").read_text()


def test_rules_of_one_name_in_two_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text('[[rule]]\nname = "fallas"\nkind = "limit"\nwhen = "failed > 5"\n')
    with pytest.raises(ConfigError, match=r"b\.toml: rule\.fallas\.name: there is a rule of this name in a\.toml"):
        config(tmp_path, '[monitor]\nrules = ["*.toml", "a.toml"]'.replace("*", "[ab]"))


# ---- what is right --------------------------------------------------------------------------------------------------


def test_defaults_are_enough(tmp_path: Path) -> None:
    found = config(tmp_path)
    assert found.monitor.database == f"sqlite:///{tmp_path}/var/vigia.db"
    assert (list(found.sources), list(found.desks)) == (["core"], ["local"])
    assert len(found.rules()) > 3
    assert found.desk_of("anything") == "local"
    assert found.demo is None


def test_paths_are_relative_to_the_file_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there" / "config.toml").write_text(
        f'[monitor]\ndatabase = "sqlite:////absolute/vigia.db"\n{CORE}'
        '[sources.bank]\nrole = "clients"\nkind = "sql"\nurl = "sqlite:///bank.db"\ntable = "clients"\n'
    )
    found = read_config(Path("there/config.toml"))
    assert found.monitor.database == "sqlite:////absolute/vigia.db"
    for name, file in (("core", "transactions.csv"), ("bank", "bank.db")):
        with pytest.raises(SourceError, match=f"{tmp_path}/there/{file}"):
            found.sources[name].make().check()


def test_a_mark_at_the_beginning_of_the_file_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f"\ufeff{CORE}", encoding="utf-8")
    assert list(read_config(tmp_path / "config.toml").sources) == ["core"]


def test_secrets_are_filled_in_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIA_TEST_USER", "vigia")
    (tmp_path / "password").write_text("s3cr3t\n")
    found = config(
        tmp_path, '[monitor]\ndatabase = "postgresql+psycopg://${VIGIA_TEST_USER}:${file:password}@localhost/vigia"'
    )
    assert found.monitor.database == "postgresql+psycopg://vigia:s3cr3t@localhost/vigia"


def test_each_product_has_its_desk(tmp_path: Path) -> None:
    local = 'kind = "local"\npath = "casos.csv"\n'
    found = config(tmp_path, f'[desks.rest]\n{local}[desks.pagos]\n{local}products = ["pagos"]\n')
    assert [found.desk_of(product) for product in ("pagos", "swift", "")] == ["pagos", "rest", "rest"]


def test_the_limits_of_desks_and_segments(tmp_path: Path) -> None:
    local = 'kind = "local"\npath = "casos.csv"\n'
    desks = f'[desks.rest]\n{local}[desks.pagos]\n{local}products = ["pagos"]\nper_hour = 40\n'
    found = config(tmp_path, f"{desks}[portfolio]\nopen_from = {{ pyme = 5, default = 2 }}\n").limits
    assert (found.per_hour, found.open_from) == ({"pagos": 40}, {"pyme": 5, "default": 2})
    assert config(tmp_path).limits == Limits()


def test_rules_are_made_anew_each_time(tmp_path: Path) -> None:
    found = config(tmp_path)
    for one, other in zip(found.rules(), found.rules(), strict=True):
        assert one is not other
        assert one.spec == other.spec


@given(st.text() | st.from_regex(r"\A[0-9]{1,25}(\.[0-9]+)?(ms|s|m|h|d|w)\Z"))
def test_any_text_is_a_length_of_time_or_refused(text: str) -> None:
    try:
        found = duration(text)
    except ValueError:
        return
    assert found.total_seconds() >= 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("1h30m", 5400), ("500ms", 0.5), ("1.5m", 90), ("2w", 1209600)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert duration(text).total_seconds() == seconds
