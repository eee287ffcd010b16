"""The HTTP desk: one case a key, also if the answer is lost after the tool has written."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors import Case, SourceError
from connectors.desks.http import Http
from tests import cases
from tests.fake_api import TOKEN, FakeApi, Said

if TYPE_CHECKING:
    from collections.abc import Iterator

CASE = replace(cases.CASE, key="VG-AF-1/900123456", incident_id="AF-1", body="Desde las 7:00 fallan pagos.")
FORMS: dict[str, dict[str, Any]] = {
    "put": {},
    "find": {"find": "clave", "rows": "value", "columns": {"key": "clave"}},
}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as made:
        yield made


@pytest.fixture(params=FORMS)
def desk(request: pytest.FixtureRequest, api: FakeApi) -> Http:
    return made(api, **FORMS[request.param])


def made(api: FakeApi, **options: Any) -> Http:
    desk = Http(**{"url": f"{api.url}/cases", "token": TOKEN, **options})
    desk.session.sleep = lambda _: None
    return desk


def opened(desk: Http, case: Case = CASE) -> str:
    """As the outbox does: asked again until it works."""
    with suppress(SourceError):
        return desk.open(case)
    return desk.open(case)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_an_error_after_the_tool_has_written_leaves_one_case(api: FakeApi, desk: Http, status: int) -> None:
    lost = Said(status)
    api.after = [lost] if not desk.find else [None, lost]
    assert opened(desk) == "T-1"
    assert desk.open(CASE) == "T-1"
    assert len(api.cases) == 1


def test_an_answer_that_comes_too_late_leaves_one_case(api: FakeApi) -> None:
    slow = threading.Event()
    api.after = [Said(wait=slow)]
    desk = made(api, timeout=timedelta(seconds=1.5))
    assert opened(desk) == "T-1"
    slow.set()
    assert len(api.cases) == 1


def test_a_tool_that_heeds_no_idempotency_key_is_asked_for_the_case_first(api: FakeApi) -> None:
    api.idempotent = False
    api.after = [None, Said(504)]
    desk = made(api, **FORMS["find"])
    assert opened(desk) == "T-1"
    assert [asked.method for asked in api.asked] == ["GET", "POST", "GET"]
    assert len(api.cases) == 1


def test_a_tool_that_heeds_no_key_gets_one_case_of_two_at_once(api: FakeApi) -> None:
    api.idempotent = False
    both, numbers = threading.Barrier(2), []

    def opens(desk: Http) -> None:
        read = desk._read

        def reads(key: str) -> Any:
            found = read(key)
            with suppress(threading.BrokenBarrierError):
                both.wait(0.3)  # both have looked, unless they take turns
            return found

        desk._read = reads  # type: ignore[method-assign]
        numbers.append(desk.open(CASE))

    threads = [threading.Thread(target=opens, args=[made(api, **FORMS["find"])]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len({*numbers}), len(api.cases)) == (1, 1)


def test_what_is_sent_names_the_key_and_us(api: FakeApi, desk: Http) -> None:
    desk.open(CASE)
    (sent,) = [asked for asked in api.asked if asked.method in ("PUT", "POST")]
    assert sent.headers["idempotency-key"] == CASE.key
    assert sent.path == ("/cases" if desk.find else "/cases/VG-AF-1%2F900123456")
    key = "clave" if desk.find else "key"
    assert sent.body == {
        key: CASE.key, "incident_id": "AF-1", "client_id": "900123456", "product": "pagos", "channel": "",
        "opened_at": "2026-03-03T12:00:00+00:00", "priority": 80, "subject": "Afectación en pagos",
        "body": "Desde las 7:00 fallan pagos.", "kind": "soporte", "status": "abierto", "note": "", "reported_by": "monitor",
    }  # fmt: skip


def test_columns_name_nest_and_leave_out(api: FakeApi) -> None:
    made(
        api, columns={"client_id": "cliente.nit", "product": "cliente.producto", "subject": "asunto", "body": ""}
    ).open(CASE)
    sent = api.asked[0].body
    assert sent["cliente"] == {"nit": "900123456", "producto": "pagos"}
    assert sent["asunto"] == CASE.subject
    assert not {"body", "subject", "client_id"} & set(sent)


def test_an_update_sends_the_status_and_the_text_and_leaves_what_people_wrote(api: FakeApi, desk: Http) -> None:
    desk.open(CASE)
    api.cases[CASE.key]["subject"] = "Lo que escribió una persona"
    desk.update(replace(CASE, status="afectación superada", note="Normal desde las 8:00."))
    case = api.cases[CASE.key]
    assert (case["status"], case["note"]) == ("afectación superada", "Normal desde las 8:00.")
    assert case["subject"] == "Lo que escribió una persona"


def test_an_update_of_an_unknown_key_is_permanent(desk: Http) -> None:
    with pytest.raises(SourceError, match=f"no case with key {CASE.key}") as error:
        desk.update(CASE)
    assert error.value.permanent


def test_a_tool_that_ignores_the_search_does_not_lend_us_another_case(api: FakeApi) -> None:
    desk = made(api, **{**FORMS["find"], "find": "buscar"})
    desk.open(CASE)
    assert desk.open(replace(CASE, key="another")) == "T-2"


def test_a_refusal_is_permanent_and_names_neither_client_nor_secret(api: FakeApi) -> None:
    api.faults = [Said(422, {"error": {"code": "InvalidField", "message": "900123456 is unknown"}})]
    with pytest.raises(SourceError) as error:
        made(api).open(CASE)
    assert str(error.value) == f"{api.url}/cases: 422 Unprocessable Entity (InvalidField)"
    assert error.value.permanent


def test_a_case_without_number_is_read_back_and_then_told(api: FakeApi) -> None:
    with pytest.raises(SourceError, match=r"its case has no 'numero': it has: .*id") as error:
        made(api, number="numero").open(CASE)
    assert error.value.permanent
    assert [asked.method for asked in api.asked] == ["PUT", "GET"]


def test_check_asks_for_nothing_that_is_there(api: FakeApi, desk: Http) -> None:
    assert desk.check() == f"{api.url}/cases: answers"
    with pytest.raises(SourceError, match="401"):
        made(api, token="another").check()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"columns": {"keey": "clave"}}, r"columns.keey: a case has no such field; there are: key, "),
        ({"rows": "value"}, "rows: needs find"),
        ({"find": "clave", "columns": {"key": ""}}, "find: needs columns.key"),
        ({"url": "casos"}, "url: must be an address"),
    ],
)
def test_impossible_options(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Http(**{"url": "https://host/cases", **options})


@pytest.mark.parametrize(("status", "words"), [(405, "405 Method Not Allowed"), (501, "501 Not Implemented")])
def test_a_method_that_the_tool_does_not_have_is_named(api: FakeApi, status: int, words: str) -> None:
    desk = made(api)
    opened(desk)
    api.faults = [Said(status)]
    with pytest.raises(SourceError, match=rf"/cases: {words}, to PATCH$"):
        desk.update(CASE)
