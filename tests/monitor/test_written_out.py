"""Secrets written out in the file: told with their key, never with themselves, by `vigia check`, which then fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.written_out import written_out

SOURCE = '[sources.core]\nrole = "transactions"\nkind = "file"\npath = "x.csv"\n'
SECRET = "hunter2"  # noqa: S105 - of this test


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[monitor]\ndatabase = "postgresql+psycopg://vigia:hunter2@db/vigia"', "monitor.database"),
        ('[sources.a]\nkind = "sql"\nurl = "mysql+pymysql://lector:hunter2@db:3306/core"', "sources.a.url"),
        ('[sources.a]\nkind = "sql"\nurl = "postgresql://${U}@db/core?password=hunter2"', "sources.a.url"),
        ('[sources.a]\nkind = "http"\ntoken = "hunter2"', "sources.a.token"),
        ('[sources.a]\nkind = "http"\nclient_secret = "hunter2"', "sources.a.client_secret"),
        ('[sources.a]\nkind = "http"\nparams = { "api-key" = "hunter2" }', "sources.a.params.api-key"),
        (
            '[desks.a]\nkind = "pair"\ncase = { kind = "salesforce", client_secret = "hunter2" }',
            "desks.a.case.client_secret",
        ),
        ('[desks.a]\nkind = "teams"\nrefresh_token = "hunter2"', "desks.a.refresh_token"),
        ('[receivers.a]\nkind = "email"\npassword = "hunter2"', "receivers.a.password"),
        ('[receivers.a]\nkind = "teams"\nurl = "https://x.example/workflows/hunter2"', "receivers.a.url"),
        ('[receivers.a]\nkind = "apprise"\nurls = ["${A}", "slack://hunter2"]', "receivers.a.urls[1]"),
        (
            '[sources.a]\nrole = "cases"\nkind = "http"\nheaders = { X-Suscripcion = "hunter2" }',
            "sources.a.headers.X-Suscripcion",
        ),
        ('[desks.a]\nkind = "http"\nheaders = { X-Clave = "hunter2", X-Otra = "${K}" }', "desks.a.headers.X-Clave"),
        ('[sources.a]\nkind = "http"\nparams = { key = "hunter2" }', "sources.a.params.key"),
        ('[sources.a]\nkind = "http"\nparams = { code = "hunter2" }', "sources.a.params.code"),
        ('[sources.a]\nkind = "http"\nparams = { sig = "hunter2" }', "sources.a.params.sig"),
        (
            '[sources.a]\nkind = "http"\nparams = { "subscription-key" = "hunter2" }',
            "sources.a.params.subscription-key",
        ),
        ('[sources.a]\nkind = "http"\nurl = "https://api.banco.example/x?key=hunter2"', "sources.a.url"),
        ('[sources.a]\nkind = "http"\nurl = "https://api.banco.example/x?a=1&code=hunter2"', "sources.a.url"),
        ('[sources.a]\nkind = "http"\nurl = "https://api.banco.example/x?Subscription-Key=hunter2"', "sources.a.url"),
        ('[heartbeat]\nurl = "https://hc.example/hunter2"', "heartbeat.url"),
        ('[users.laura]\ntoken = "hunter2"', "users.laura.token"),
    ],
)
def test_a_secret_that_is_written_out_is_told_by_its_key(text: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    (fault,) = written_out(tmp_path / "config.toml")
    assert (fault.file, fault.key) == ("config.toml", key)
    assert SECRET not in str(fault)


@pytest.mark.parametrize(
    "text",
    [
        '[monitor]\ndatabase = "postgresql+psycopg://vigia:${file:/run/secrets/db}@db/vigia"',
        '[monitor]\ndatabase = "postgresql+psycopg://vigia@/vigia?host=/run"',
        '[sources.a]\nkind = "http"\ntoken = "${T}"\ncolumns = { token = "campo" }\ntoken_url = "https://x.example/oauth2/token"',
        '[sources.a]\nkind = "http"\nurl = "https://x.example/casos?desde=hoy"\npage_cursor = "token"',
        '[sources.a]\nkind = "sql"\nkey = "id"\nurl = "mysql+pymysql://db/core?ssl_key=/run/client.key"',
        '[desks.a]\nkind = "webpage"\nchange = "/casos?key={}"\nkey = "Clave"',
        '[sources.a]\nkind = "http"\nparams = { key = "${K}", canal = "web" }\nurl = "https://x.example/casos?key=${K}"',
        '[sources.a]\nrole = "metrics"\nkind = "prometheus"\nheaders = { X-Scope-OrgID = "banco" }',
        '[sources.a]\nrole = "cases"\nkind = "http"\nheaders = { X-Clave = "Clave ${K}" }',
        '[desks.a]\nkind = "webpage"\nfields = { password = "clave" }\npassword = ""',
        '[receivers.a]\nkind = "teams"\nurl = "http://127.0.0.1:8090/hook"',
        "broken =",
    ],
)
def test_what_names_its_place_or_is_no_secret_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    assert written_out(tmp_path / "config.toml") == []


def test_vigia_check_fails_with_its_line(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    more = '[desks.crm]\nkind = "http"\nurl = "https://crm.example/casos"\ntoken = '
    config.write_text(f'{SOURCE}{more}"hunter2"\n', encoding="utf-8")
    done = CliRunner().invoke(app, ["check", "--config", str(config)])
    assert (done.exit_code, SECRET in done.output) == (1, False)
    assert done.output.startswith("config.toml: desks.crm.token: is a secret and stands here for all to read")
    config.write_text(f'{SOURCE}{more}"${{CRM}}"\n', encoding="utf-8")
    assert CliRunner(env={"CRM": SECRET}).invoke(app, ["check", "--config", str(config)]).exit_code == 0
