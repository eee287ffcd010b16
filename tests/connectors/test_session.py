"""The HTTP session: what is asked again and for how long, logging in, and what never stands in an error."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import SourceError, circuit, login, session
from connectors.session import Session
from tests.fake_api import SECRET, TOKEN, FakeApi, Said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as made:
        yield made


class Patient(Session):
    """A session that notes how long it would sleep; its clock stands still."""

    def __init__(self, api: FakeApi, path: str = "/rows", **options: Any) -> None:
        plain = {"token": "", "token_url": "", "client_id": "", "client_secret": "", "scope": ""}
        plain |= {"timeout": timedelta(seconds=10)} | ({} if "token_url" in options else {"token": TOKEN})
        self.url = f"{api.url}{path}"
        super().__init__(self.url, **{**plain, **options})
        self.slept: list[float] = []
        self.now = 1000.0
        self.sleep, self.clock = self.slept.append, lambda: self.now

    def get(self, **asked: Any) -> Any:
        return self.ask("GET", self.url, **asked).body


def oauth(api: FakeApi, **options: Any) -> dict[str, str]:
    return {"token_url": f"{api.url}/token", "client_id": "vigia", "client_secret": SECRET, **options}


def fault(patient: Patient, **asked: Any) -> SourceError:
    with pytest.raises(SourceError) as error:
        patient.get(**asked)
    assert "\n" not in str(error.value)
    return error.value


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_is_temporary_is_asked_again_a_little_later_each_time(api: FakeApi, status: int) -> None:
    api.faults = [Said(status)] * 3
    patient = Patient(api)
    assert patient.get() == {"value": []}
    assert len(api.asked) == 4
    first, second, third = patient.slept
    assert (0.5 <= first <= 1.5, 1 <= second <= 2, 2 <= third <= 3) == (True, True, True)


def test_after_four_tries_it_is_told_and_not_permanent(api: FakeApi) -> None:
    api.faults = [Said(503)] * 9
    error = fault(Patient(api))
    assert (error.permanent, len(api.asked)) == (False, 4)
    assert str(error) == f"{api.url}/rows: 503 Service Unavailable"


@pytest.mark.parametrize(
    ("status", "permanent"), [(400, True), (403, True), (404, True), (408, False), (500, False), (501, False)]
)
def test_other_statuses_are_asked_once(api: FakeApi, status: int, permanent: bool) -> None:  # noqa: FBT001 - a table
    api.faults = [Said(status)]
    assert fault(Patient(api)).permanent is permanent
    assert len(api.asked) == 1


@pytest.mark.parametrize(("status", "whole"), [(401, True), (403, False), (400, False), (404, False), (500, False)])
def test_who_is_not_let_in_is_told_from_what_is_refused(api: FakeApi, status: int, whole: bool) -> None:  # noqa: FBT001 - a table
    api.faults = [Said(status)]
    assert fault(Patient(api)).whole is whole


def test_retry_after_is_honoured_in_seconds_and_as_a_date(api: FakeApi) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    api.faults = [Said(429, headers={"Retry-After": "7"}), Said(503, headers={"Retry-After": date})]
    patient = Patient(api)
    patient.get()
    assert patient.slept[0] == 7
    assert 10 < patient.slept[1] <= 20


def test_a_server_that_asks_for_long_is_left_alone_until_then(api: FakeApi) -> None:
    api.faults = [Said(429, headers={"Retry-After": "90"})]
    patient = Patient(api)
    assert not fault(patient).permanent
    patient.now += 89
    assert "left alone for another 1 s" in str(fault(patient))
    assert (len(api.asked), patient.slept) == (1, [])
    patient.now += 2
    assert patient.get() == {"value": []}


def test_no_request_of_a_server_binds_for_ever(api: FakeApi) -> None:
    api.faults = [Said(429, headers={"Retry-After": "99999999"})]
    patient = Patient(api)
    fault(patient)
    patient.now += session.LONGEST + 1
    assert patient.get() == {"value": []}


@pytest.mark.parametrize("past", ["0", "Fri, 31 Dec 1999 23:59:59 GMT"])
def test_who_asks_for_no_pause_gets_one(api: FakeApi, past: str) -> None:
    api.faults = [Said(429, headers={"Retry-After": past})] * 2
    patient = Patient(api)
    patient.get()
    assert len(patient.slept) == 2
    assert all(seconds >= 0.5 for seconds in patient.slept)


@pytest.mark.parametrize("odd", ["soon", "-5", "", "9" * 400, "Mon, 20 Nov 1995 19:12:08 +9999999999999999999"])
def test_an_odd_retry_after_does_no_harm(api: FakeApi, odd: str) -> None:
    api.faults = [Said(429, headers={"Retry-After": odd})]
    assert Patient(api).get() == {"value": []}


def test_a_slow_answer_is_given_up_and_asked_for_again(api: FakeApi) -> None:
    slow = threading.Event()
    api.faults = [Said(wait=slow)]
    assert Patient(api, timeout=timedelta(seconds=1.5)).get() == {"value": []}
    api.faults = [Said(wait=slow)] * 4
    error = fault(Patient(api, timeout=timedelta(seconds=0.1)))
    slow.set()
    assert (str(error), error.permanent) == (f"{api.url}/rows: no answer within 0.1 s", False)


def test_a_broken_off_answer_is_temporary(api: FakeApi) -> None:
    api.faults = [Said(body=[1], cut=True)]
    assert Patient(api).get() == {"value": []}


def test_refused_connection_is_told_in_words_without_the_query(api: FakeApi) -> None:
    api.close()
    patient = Patient(api)
    error = fault(patient, params={"api_key": "s3cret"})
    assert (error.permanent, len(patient.slept)) == (False, 3)
    assert str(error) == f"{api.url}/rows: no connection: Connection refused"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'[{"id": 1}, {"id"', "is not JSON: Expecting ':' delimiter: line 1 column 18 (char 17)"),
        (b"<html>log in</html>", "is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"[" * 100_000, "is not JSON: RecursionError"),
        (b'"\xff"', "is not JSON: UnicodeDecodeError"),
    ],
    ids=["cut", "html", "deep", "latin"],
)
def test_what_is_not_json_is_told_and_not_shown(api: FakeApi, text: bytes, told: str) -> None:
    api.faults = [Said(text=text)]
    error = fault(Patient(api))
    assert str(error) == f"{api.url}/rows: the answer (application/json) {told}"
    assert not error.permanent


def test_what_a_server_writes_into_the_type_of_its_answer_is_not_shown(api: FakeApi) -> None:
    said = {"Text/HTML; charset=utf-8": "text/html", f"text/{TOKEN}": "another type", f"{TOKEN}": "another type"}
    for kind, shown in said.items():
        api.faults = [Said(text=b"<html>", headers={"Content-Type": kind})]
        assert f": the answer ({shown}) is not JSON" in str(fault(Patient(api)))


def test_an_answer_is_bound_in_size(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.exchange.LIMIT", 1 << 20)
    api.faults = [Said(text=b" " * (3 << 20))]
    error = fault(Patient(api))
    assert (str(error), error.permanent) == (
        f"{api.url}/rows: an answer of more than 1 MB: ask for smaller pages",
        True,
    )


def test_an_answer_without_body_is_none(api: FakeApi) -> None:
    api.faults = [Said(204)]
    assert Patient(api).get() is None


@pytest.mark.parametrize("place", ["http://127.0.0.1:1/rows?key=s3cret", "/login"])
def test_a_redirect_is_told_and_not_followed(api: FakeApi, place: str) -> None:
    api.faults = [Said(302, headers={"Location": place})]
    error = fault(Patient(api))
    to = place.partition("?")[0] if "//" in place else f"{api.url}{place}"
    assert (str(error), error.permanent) == (f"{api.url}/rows: 302, moved to {to}", True)
    assert len(api.asked) == 1


@pytest.mark.parametrize("place", ["http://[bad/rows", "http://[bad"])
def test_a_redirect_to_no_address_is_told(api: FakeApi, place: str) -> None:
    api.faults = [Said(302, headers={"Location": place})]
    error = fault(Patient(api))
    assert (str(error), error.permanent) == (f"{api.url}/rows: an address that cannot be asked", True)


def test_the_token_goes_to_its_own_server_alone(api: FakeApi) -> None:
    patient = Patient(api)
    for other in ("http://localhost:1/rows", f"https://{api.url.partition('//')[2]}/rows", "file:///etc/passwd"):
        with pytest.raises(SourceError, match="another server") as error:
            patient.ask("GET", other)
        assert error.value.permanent
    assert api.asked == []


def test_a_netrc_and_a_proxy_of_the_environment_do_not_touch_a_loopback_address(
    api: FakeApi, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ana password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert Patient(api).get() == {"value": []}
    assert api.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


# ---- logging in ----------------------------------------------------------------------------------------------------


def test_a_wrong_token_is_permanent_and_hidden(api: FakeApi) -> None:
    error = fault(Patient(api, token="wr0ng-token"))
    assert (str(error), error.permanent) == (f"{api.url}/rows: 401 Unauthorized (InvalidToken)", True)
    assert len(api.asked) == 1


def test_credentials_are_changed_for_a_token_that_serves_many_requests(api: FakeApi) -> None:
    patient = Patient(api, **oauth(api))
    for _ in range(3):
        patient.get()
    assert (api.given, len(api.asked)) == (1, 3)


def test_a_token_is_renewed_before_its_end(api: FakeApi) -> None:
    patient = Patient(api, **oauth(api))
    patient.get()
    patient.now += 3600 - login.MARGIN - 1
    patient.get()
    assert api.given == 1
    patient.now += 2
    patient.get()
    assert (api.given, [a.headers["authorization"][-1] for a in api.asked]) == (2, ["1", "1", "2"])


def test_a_token_withdrawn_in_the_middle_is_renewed_once(api: FakeApi) -> None:
    api.uses = 2
    patient = Patient(api, **oauth(api))
    for _ in range(5):
        patient.get()
    assert api.given == 3
    api.faults = [Said(401)] * 2
    assert fault(patient).permanent
    assert len(api.asked) == 5 + 2 + 2


def test_a_login_that_is_refused_is_sent_once(api: FakeApi) -> None:
    sent, login = [], api._login
    api._login = lambda asked: sent.append(asked) or login(asked)  # type: ignore[method-assign, func-returns-value]
    patient = Patient(api, **oauth(api, client_secret="wr0ng"))
    error = fault(patient)
    assert (error.whole, error.fault, len(sent)) == (True, "login", 1)


def test_threads_share_a_token_and_its_renewal(api: FakeApi) -> None:
    patient = Patient(api, **oauth(api))
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            assert all(body == {"value": []} for body in pool.map(lambda _: patient.get(), range(24)))
            patient.now += 3600  # past its end
    assert api.given == 2


def test_a_server_that_keeps_failing_is_left_alone_and_tried_again_by_one_request(api: FakeApi) -> None:
    api.faults = [Said(503)] * (4 * circuit.FAILURES + 1)
    patient = Patient(api)
    for state in ("closed",) * circuit.FAILURES:
        assert patient.circuit.state == state
        fault(patient)
    asked = len(api.asked)
    error = fault(patient)
    assert (patient.circuit.state, len(api.asked), error.permanent) == ("open", asked, False)
    assert "asked again in 15 s" in str(error)
    patient.now += circuit.COOL
    assert patient.circuit.state == "half-open"
    fault(patient)  # the probe, which is not repeated
    assert (patient.circuit.state, len(api.asked)) == ("open", asked + 1)
    patient.now += 2 * circuit.COOL
    assert patient.get() == {"value": []}
    assert patient.circuit.state == "closed"


def test_one_probe_at_a_time() -> None:
    now = [0.0]
    broken = circuit.Circuit(lambda: now[0])
    for _ in range(circuit.FAILURES):
        assert broken.left() == 0
        broken.passed(well=False)
    now[0] = circuit.COOL
    assert [broken.left() for _ in range(3)] == [0, 1, 1]
    broken.passed(well=True)
    assert (broken.state, broken.left()) == ("closed", 0)


def elsewhere(act: Callable[[], object]) -> None:
    """In another thread, which has ended then."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


@pytest.mark.parametrize("well", [False, True])
def test_a_request_from_before_the_circuit_opened_ends_no_probe(*, well: bool) -> None:
    now = [0.0]
    broken = circuit.Circuit(lambda: now[0])
    for _ in range(circuit.FAILURES):
        assert broken.left() == 0
        broken.passed(well=False)
    now[0] = 1.0
    elsewhere(lambda: broken.passed(well=well))
    assert broken.left() == circuit.COOL - 1
    now[0] = circuit.COOL
    assert broken.left() == 0
    elsewhere(lambda: broken.passed(well=well))
    assert (broken.state, broken.left()) == ("half-open", 1)
    broken.passed(well=False)
    assert broken.left() == 2 * circuit.COOL


def test_what_a_server_refuses_opens_no_circuit(api: FakeApi) -> None:
    api.faults = [Said(404)] * 9
    patient = Patient(api)
    for _ in range(9):
        fault(patient)
    assert patient.circuit.state == "closed"


@pytest.mark.parametrize(
    ("body", "permanent", "word"),
    [
        ([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "of 900123456"}], False, "REQUEST_LIMIT_EXCEEDED"),
        ([{"errorCode": "INVALID_FIELD", "message": "900123456"}], True, "INVALID_FIELD"),
        ([{"messageType": "ERROR", "messageText": "of 900123456", "messageNumber": 302}], True, "302"),
        ({"error": {"code": "0x80060888", "message": "900123456"}}, True, "0x80060888"),
        ({"error": "900123456"}, True, ""),
        (
            {
                "message": "of 900123456",
                "typeKey": "WorkItemTrackingQueryResultSizeLimitExceededException",
                "errorCode": 0,
            },
            True,
            "WorkItemTrackingQueryResultSizeLimitExceededException",
        ),
    ],
)
def test_the_servers_word_for_an_error(api: FakeApi, body: Any, permanent: bool, word: str) -> None:  # noqa: FBT001 - a table
    api.faults = [Said(403, body)]
    error = fault(Patient(api))
    assert (str(error), error.permanent) == (f"{api.url}/rows: 403 Forbidden{f' ({word})' if word else ''}", permanent)


def test_wrong_credentials_are_permanent_told_with_the_servers_word_and_hidden(api: FakeApi) -> None:
    error = fault(Patient(api, **oauth(api, client_secret="wr0ng-secret")))
    assert (str(error), error.permanent) == (f"{api.url}/token: 401 Unauthorized (invalid_client)", True)
    assert api.asked == []


def test_no_secret_in_a_repr(api: FakeApi) -> None:
    for patient in (Patient(api), Patient(api, **oauth(api))):
        patient.get()
        assert "s3cret" not in repr(patient)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"url": "cases"}, "url: must be an address"),
        ({"url": "ftp://host/x"}, "url: must be an address"),
        ({"url": "http://host:99999/"}, "url: must be an address"),
        ({"url": "https://ana:s3cret@host/"}, "url: holds a name or password"),
        ({"token_url": "https://host/token"}, "token_url: needs client_id and client_secret"),
        ({"token_url": "host", "client_id": "a", "client_secret": "b"}, "token_url: must be an address"),
        ({"token": "a", "token_url": "https://host/t", "client_id": "a", "client_secret": "b"}, "token: give either"),
        ({"client_secret": "s3cret"}, "client_secret: needs token_url"),
        ({"token": "s3cret\nX: y"}, "token: holds a sign"),
        ({"timeout": timedelta(0)}, "timeout: must be more"),
    ],
)
def test_impossible_options(options: dict[str, Any], told: str) -> None:
    plain = {"token": "", "token_url": "", "client_id": "", "client_secret": "", "scope": ""}
    given = {"url": "https://host/", "timeout": timedelta(seconds=1), **plain, **options}
    with pytest.raises(ValueError, match=told) as error:
        Session(**given)
    assert "s3cret" not in str(error.value)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_any_printable_token_can_be_sent(token: str) -> None:
    Session(
        "https://host/",
        token=token,
        token_url="",
        client_id="",
        client_secret="",
        scope="",
        timeout=timedelta(seconds=1),
    )


# ---- receivers' needs ----------------------------------------------------------------------------------------------


def test_of_an_address_that_is_a_secret_no_more_than_the_server_is_told(api: FakeApi) -> None:
    hidden = Patient(api, "/workflows/s3cret", hidden=True)
    told = [fault(hidden)]
    api.faults = [Said(302, headers={"Location": "/login/s3cret"})]
    told.append(fault(hidden))
    api.faults = [Said(text=b"{")]
    told.append(fault(hidden))
    hidden.url = "http://elsewhere.example/s3cret"
    told.append(fault(hidden))
    assert all("s3cret" not in str(error) and f"{api.url}/..." in str(error) for error in told)


def test_an_answer_that_does_not_matter_is_not_understood(api: FakeApi) -> None:
    api.faults = [Said(202, text=b"OK"), Said(500)]
    assert Patient(api).get(parse=False) is None
    with pytest.raises(SourceError, match="500"):
        Patient(api).get(parse=False)


def test_bytes_are_sent_as_they_are(api: FakeApi) -> None:
    api.faults = [Said()]
    patient = Patient(api)
    patient.ask("POST", patient.url, body='{"a":  "ñ"}'.encode(), headers={"Content-Type": "application/json"})
    assert api.asked[0].text == '{"a":  "ñ"}'


def test_user_and_password_are_sent_instead_of_a_token(api: FakeApi) -> None:
    api.faults = [Said()]
    Patient(api, token="", user="vigia", password="contraseña").get()
    assert api.asked[0].headers["authorization"] == "Basic dmlnaWE6Y29udHJhc2XDsWE="


@pytest.mark.parametrize("options", [{"user": "x"}, {"password": "x"}, {"user": "x", "password": "y", "token": "z"}])
def test_half_a_log_in_is_refused(api: FakeApi, options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^user: needs password"):
        Patient(api, **{"token": "", **options})


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500, 503])
def test_who_answers_at_all_is_reached(api: FakeApi, status: int) -> None:
    api.faults = [Said(status, headers={"Location": "/x"})]
    patient = Patient(api, "/workflows/s3cret")
    patient.reach(patient.url)
    assert [asked.path for asked in api.asked] == ["/"]
