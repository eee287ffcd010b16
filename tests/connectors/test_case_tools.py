"""What is each case tool's own: its traps, and what it is told of in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors import Batch, Case, SourceError
from connectors.desks.bizagi import Bizagi
from connectors.desks.dataverse import Dataverse
from connectors.desks.helix import Helix
from connectors.desks.outlook import ARRIVAL, Outlook
from connectors.desks.pair import Pair
from connectors.desks.salesforce import Salesforce
from connectors.desks.sharepoint import Sharepoint
from connectors.desks.teams import Teams
from connectors.desks.webpage import Webpage
from connectors.fields import Fields
from connectors.kinds import load_source, tools
from connectors.letters import letter
from tests.fake_api import Asked, Said
from tests.fakes import bizagi, dataverse, helix, outlook, pair, salesforce, sharepoint, teams, webpage
from tests.fakes.server import REFRESH, Tool

NOW = datetime(2026, 3, 3, 14, tzinfo=UTC)
CASE = Case("VG-AF-1-900123456", "AF-1", "900123456", "pagos", "", NOW, 80, "Afectación en pagos", "Fallan pagos.")
FAKES: dict[type[Any], Any] = {
    Salesforce: salesforce, Helix: helix, Bizagi: bizagi, Sharepoint: sharepoint, Dataverse: dataverse,
    Outlook: outlook, Teams: teams, Webpage: webpage, Pair: pair,
}  # fmt: skip


class Bench:
    """A tool with its fake; `made` gives a new object of the kind."""

    def __init__(self, cls: type[Any], folder: Path) -> None:
        self.cls = cls
        self.tool: Tool = FAKES[cls].tool(folder)
        self.fake = self.tool.fake

    def made(self, **options: Any) -> Any:
        desk = self.cls(**{**self.tool.desk, **options})
        desk.session.sleep = lambda _: None
        return desk


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(request.param, tmp_path)
    yield made
    made.tool.close()


def of(*kinds: type[Any]) -> Any:
    return pytest.mark.parametrize("bench", kinds, indirect=True, ids=[kind.__name__ for kind in kinds])


def fault(act: Any, *given: Any) -> SourceError:
    with pytest.raises(SourceError) as error:
        act(*given)
    assert "\n" not in str(error.value)
    assert "900123456" not in str(error.value)
    return error.value


def drained(
    source: Any, cursor: Any = None, now: datetime = NOW, since: datetime | None = None
) -> tuple[list[Any], Batch]:
    rows: list[Any] = []
    for _ in range(20):
        batch: Batch = source.poll(cursor, now, since)
        rows, cursor = rows + batch.table.to_pylist(), batch.cursor
        if batch.drained:
            return rows, batch
    pytest.fail("not drained")


def test_a_case_tool_is_one_file_for_both() -> None:
    assert {
        "salesforce",
        "helix",
        "imap",
        "bizagi",
        "sharepoint",
        "dataverse",
        "outlook",
        "teams",
        "webpage",
        "local",
    } == set(tools())
    assert load_source("salesforce", "cases") is Salesforce
    with pytest.raises(LookupError, match=r"no source kind 'salesforce'; there are: .*\bfile\b"):
        load_source("salesforce", "clients")
    with pytest.raises(LookupError, match=r"no source kind 'salesfurce'; there are: .*salesforce"):
        load_source("salesfurce", "cases")


# ---- salesforce ------------------------------------------------------------------------------------------------------


@of(Salesforce)
def test_two_records_with_one_key_are_told_and_not_written_to(bench: Bench) -> None:
    for _ in range(2):
        bench.fake.made({salesforce.KEY: CASE.key})
    for act in (bench.made().open, bench.made().update):
        error = fault(act, CASE)
        assert error.permanent
        assert "Vigia_Key__c is not unique" in str(error)


@of(Salesforce)
def test_what_people_have_changed_stays_when_an_opening_is_repeated(bench: Bench) -> None:
    bench.made().open(CASE)
    (record,) = bench.fake.records.values()
    record |= {"Status": "Working", "Subject": "lo tiene operaciones"}
    bench.made().open(CASE)
    bench.made().update(replace(CASE, status="afectación superada", note="Terminó a las 8:00"))
    assert (record["Status"], record["Subject"], record["Vigia_Note__c"]) == (
        "Working", "lo tiene operaciones", "Terminó a las 8:00",
    )  # fmt: skip


@of(Salesforce)
def test_a_day_without_calls_left_passes_by_itself(bench: Bench) -> None:
    bench.fake.faults = [Said(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "of 900123456"}])]
    assert not fault(bench.made().open, CASE).permanent


@of(Salesforce)
def test_a_locator_that_is_gone_begins_the_round_again(bench: Bench) -> None:
    bench.tool.add(list(range(500)))
    first = bench.made().poll(None, NOW, None)
    bench.fake.locators.clear()
    rows, _ = drained(bench.made(), first.cursor)
    assert len(first.table.to_pylist() + rows) == 500


@of(Salesforce)
def test_a_field_that_is_not_there_is_told_by_check(bench: Bench) -> None:
    error = fault(bench.made(columns={"client_id": "NIT_c"}).check)
    assert (error.permanent, "INVALID_FIELD" in str(error)) == (True, True)


# ---- helix -----------------------------------------------------------------------------------------------------------


@of(Helix)
def test_a_note_stands_once_in_the_work_log(bench: Bench) -> None:
    bench.made().open(CASE)
    said = replace(CASE, status="afectación superada", note='Terminó a las "8:00"')
    bench.fake.after = [Said(500)]
    fault(bench.made().update, said)
    for _ in range(2):
        bench.made().update(said)
    assert [entry["values"]["Detailed Description"] for entry in bench.fake.log] == ['Terminó a las "8:00"']


@of(Helix)
def test_times_are_asked_for_as_the_users_locale_writes_them(bench: Bench) -> None:
    desk = bench.made(zone="America/Bogota")
    desk.poll(None, NOW, NOW)
    assert bench.fake.asked[-1].query["q"] == "'Last Modified Date' >= \"03/02/2026 09:00:00\""


NEW = "'Status' = \"New\" OR 'Status' = \"Assigned\""


@of(Helix)
@pytest.mark.parametrize("since", [None, NOW - timedelta(days=1)])
def test_an_incident_that_falls_out_of_what_counts_hides_no_other(bench: Bench, since: datetime | None) -> None:
    bench.tool.add(list(range(10)))
    bench.tool.change(9, "Closed")
    desk = bench.made(where=NEW, page_size=4)
    batch = desk.poll(None, NOW, since)
    rows = batch.table.to_pylist()
    bench.tool.change(1, "Resolved")
    more, batch = drained(desk, batch.cursor, since=since)
    assert [bench.tool.number(row["case_id"]) for row in rows + more] == list(range(9))
    bench.tool.change(4, "Assigned")
    (row,), _ = drained(desk, batch.cursor)
    assert (bench.tool.number(row["case_id"]), row["status"]) == (4, "Assigned")


@of(Helix)
def test_a_page_that_is_no_token_is_no_login(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.fake, "login", lambda _: Said(text=b"<html>Mid Tier</html>"))
    error = fault(bench.made().check)
    assert (error.permanent, "the answer has no token" in str(error)) == (True, True)


@of(Helix)
def test_what_helix_demands_and_does_not_get_is_told(bench: Bench) -> None:
    error = fault(bench.made(values={}).open, CASE)
    assert (error.permanent, "(9424)" in str(error)) == (True, True)


# ---- bizagi ----------------------------------------------------------------------------------------------------------


@of(Bizagi)
def test_open_cases_are_asked_for_in_turn_and_closed_ones_no_more(bench: Bench) -> None:
    bench.tool.add(list(range(10)))
    desk = bench.made(again=3, overlap=timedelta(0))
    _, batch = drained(desk)
    for case in bench.fake.cases.values():
        case["creationDate"] = "2026-03-01T10:00:00+00:00"  # long before the newest, as after some days
    for n in range(10):
        bench.tool.change(n, "retirado")
    cursor, seen = batch.cursor, 0
    for left in (7, 4, 1, 0):
        batch = desk.poll(cursor, NOW, None)
        cursor, seen = batch.cursor, seen + batch.table.num_rows
        assert len(cursor["open"]) == left
    assert seen == 10
    asked = len(bench.fake.asked)
    assert desk.poll(cursor, NOW, None).table.num_rows == 0
    assert len(bench.fake.asked) == asked + 1


@of(Bizagi)
def test_an_open_case_that_may_not_be_read_is_told_once_and_holds_up_no_other(bench: Bench) -> None:
    bench.tool.add([0, 1, 2])
    desk, right = bench.made(again=1, overlap=timedelta(0)), bench.fake.right
    _, batch = drained(desk)
    for case in bench.fake.cases.values():
        case["creationDate"] = "2026-03-01T10:00:00+00:00"  # long before the newest, as after some days
    bench.fake.right = lambda asked: Said(403) if asked.path.endswith("(2)") else right(asked)
    for n in range(3):
        bench.tool.change(n, "en curso")
    cursor, seen, told = batch.cursor, [], []
    for _ in range(9):
        batch = desk.poll(cursor, NOW, None)
        cursor, told = batch.cursor, [*told, *batch.notes]
        seen += [row["case_id"] for row in batch.table.to_pylist()]
    assert (seen, [note.where for note in told]) == (["RC-000000", "RC-000002"], [f"{bench.fake.url}: case 2"])
    bench.fake.right = right
    seen = []
    for _ in range(3):
        batch = desk.poll(cursor, NOW, None)
        cursor, seen = batch.cursor, seen + [row["case_id"] for row in batch.table.to_pylist()]
    assert seen == ["RC-000001"]


@of(Bizagi)
def test_a_case_without_an_open_activity_cannot_be_written_to(bench: Bench) -> None:
    bench.made().open(CASE)
    next(iter(bench.fake.cases.values()))["closed"] = True
    error = fault(bench.made().update, replace(CASE, status="afectación superada"))
    assert (error.permanent, "has no open activity" in str(error)) == (True, True)


# ---- delta queries -----------------------------------------------------------------------------------------------------


@of(Sharepoint, Dataverse)
def test_a_token_that_is_gone_starts_over_with_all_that_is_there(bench: Bench) -> None:
    bench.tool.add(list(range(300)))
    rows, batch = drained(bench.made())
    assert len(rows) == 300
    bench.fake.changes.forget()
    bench.tool.add([300])
    rows, batch = drained(bench.made(), batch.cursor)
    assert len(rows) == 301
    rows, _ = drained(bench.made(), batch.cursor)
    assert rows == []


@of(Sharepoint, Dataverse)
def test_a_server_that_knows_no_token_is_not_asked_over_and_over(bench: Bench) -> None:
    bench.tool.add([0])
    _, batch = drained(bench.made())
    bench.fake.changes.forget()
    _, batch = drained(bench.made(), batch.cursor)
    bench.fake.changes.forget()
    assert fault(bench.made().poll, batch.cursor, NOW + timedelta(minutes=1), None).permanent
    drained(bench.made(), batch.cursor, NOW + timedelta(minutes=6))


@of(Sharepoint, Dataverse)
def test_what_was_deleted_is_no_case(bench: Bench) -> None:
    bench.tool.add([0, 1])
    _, batch = drained(bench.made())
    held = bench.fake.items if hasattr(bench.fake, "items") else bench.fake.rows
    held.pop(name := next(iter(held)))
    bench.fake.changes.note(name)
    rows, _ = drained(bench.made(), batch.cursor)
    assert rows == []


ENDLESS = "<a " * 20_000
"""Markup that nobody can read."""


@of(Outlook, Teams, Sharepoint)
def test_an_item_that_cannot_be_read_is_told_and_the_others_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.tool.add([0, 1, 2])
    desk, seen = bench.made(), []
    shape = desk._delta._shape

    def odd(row: dict[str, Any]) -> dict[str, Any] | None:
        seen.append(row)
        if len(seen) == 2:
            content = None if bench.cls is Sharepoint else {"content": ENDLESS}
            row = {**row, "body": content, "subject": ""} if content else None  # type: ignore[assignment] - nobody expects it
        return shape(row)

    monkeypatch.setattr(desk._delta, "_shape", odd)
    batch = desk.poll(None, NOW, None)
    assert batch.table.num_rows == 2
    (reject,) = batch.rejects
    assert reject.where.endswith(": row 2")
    assert reject.why.startswith("cannot be read (")


@of(Teams)
def test_a_message_that_cannot_be_read_does_not_keep_ours_from_being_found(bench: Bench) -> None:
    number = bench.made().open(CASE)
    bench.fake.made(None, ENDLESS)
    assert bench.made().open(CASE) == number


@of(Webpage)
def test_a_page_that_cannot_be_read_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.fake, "right", lambda _: Said(text=ENDLESS.encode()))
    error = fault(bench.made().check)
    assert (error.fault, "too much of it has no end" in str(error)) == ("unreadable", True)


@of(Sharepoint)
def test_of_an_item_that_comes_twice_the_last_counts(bench: Bench) -> None:
    bench.tool.add([0, 1])
    bench.fake.changes.twice = True
    rows, _ = drained(bench.made())
    assert [row["subject"] for row in rows] == ["Caso 0", "Caso 1"]


@of(Sharepoint, Dataverse)
def test_what_is_older_than_the_first_start_is_passed_over(bench: Bench) -> None:
    bench.tool.add([0, 1, 600, 601] if bench.cls is Dataverse else [0, 1, 2, 3])
    held = list((bench.fake.items if hasattr(bench.fake, "items") else bench.fake.rows).values())
    for row in held[:2]:
        row["lastModifiedDateTime"] = row["modifiedon"] = "2026-01-01T00:00:00Z"
    rows, _ = drained(bench.made(), since=NOW - timedelta(days=30))
    assert len(rows) == 2


@of(Dataverse)
def test_signs_that_no_address_takes_do_not_keep_a_key_from_being_found(bench: Bench) -> None:
    odd = replace(CASE, key="VG/AF:1+900123456's")
    number = bench.made().open(odd)
    assert bench.made().open(odd) == number
    bench.made().update(replace(odd, status="retirado"))
    assert [row["statecode"] for row in bench.fake.rows.values()] == [2]


@of(Outlook, Teams, Sharepoint)
def test_what_is_told_only_in_part_is_read_whole(bench: Bench) -> None:
    bench.tool.add([0, 1])
    rows, batch = drained(bench.made())
    bench.tool.change(1, "en curso")
    (row,), batch = drained(bench.made(), batch.cursor)
    assert row == rows[1] | {"status": "en curso", "updated_at": row["updated_at"]}
    assert row["updated_at"] > rows[1]["updated_at"]
    if bench.cls is Outlook:
        assert not batch.rejects
    right = bench.fake.right
    for status, told in ((404, 0), (403, 1)):  # gone meanwhile; not for our eyes
        bench.tool.change(1, "resuelto")
        bench.fake.right = lambda asked, status=status: right(asked) if asked.path.endswith("delta") else Said(status)
        rows, batch = drained(bench.made(), batch.cursor)
        assert (rows, len(batch.rejects)) == ([], told)
        bench.fake.right = right


@of(Outlook, Teams)
def test_whoever_quotes_ours_speaks_for_themselves(bench: Bench) -> None:
    number = bench.made().open(CASE)
    quoted = f"<p>Sigue fallando. NIT: 900123456</p><hr>{letter(CASE)}"
    if bench.cls is Teams:
        bench.fake.made("RV", quoted)
    else:
        theirs = {"internetMessageId": "<c@x>", "subject": "RV", "conversationIndex": None, "body": {"content": quoted}}
        bench.fake.arrives(outlook.DESK, theirs)
    rows, batch = drained(bench.made())
    assert [(row["case_id"] == number, row.get("reported_by")) for row in rows] == [(True, "monitor"), (False, None)]
    assert bench.made().open(CASE) == number
    if bench.cls is Outlook:  # where the page does not say by what ours is proven, the mail does
        held = bench.fake.boxes[outlook.DESK]
        bench.fake.changes.told = _without_headers(bench.fake.changes.told)
        for name in list(held):
            bench.fake.changes.note(name)
        rows, _ = drained(bench.made(), batch.cursor)
        assert [row.get("reported_by") for row in rows] == ["monitor", None]


def _without_headers(told: Any) -> Any:
    def part(*given: Any) -> Said:
        said: Said = told(*given)
        for row in said.body["value"]:
            said.body["value"][said.body["value"].index(row)] = {k: v for k, v in row.items() if k != outlook.HEADERS}
        return said

    return part


# ---- outlook -----------------------------------------------------------------------------------------------------------


@of(Outlook)
def test_a_mail_whose_sending_was_not_confirmed_is_sent_once(bench: Bench) -> None:
    for lost in ([Said(500)], [None, Said(500)]):  # of the draft, of the sending
        key = f"{CASE.key}-{len(lost)}"
        bench.fake.after = [*lost]
        fault(bench.made().open, replace(CASE, key=key))
        bench.made().open(replace(CASE, key=key))
        assert bench.tool.count(key) == 1


@of(Outlook, Teams)
def test_a_message_with_a_password_is_the_clients_own(bench: Bench) -> None:
    desk = bench.made()
    content = "<p>NIT: 900123456</p><p>Clave: la cambié ayer</p>"
    row = desk._row({"id": "1", "subject": "No puedo entrar", "body": {"content": content}})
    assert row is not None
    assert (row["client_id"], "reported_by" in row) == ("900123456", False)


@pytest.mark.parametrize("carried", ["PROV-4711", 4711, {"a": 1}, "", None])
def test_what_people_write_where_our_key_is_kept_makes_no_case_ours(carried: Any) -> None:
    fields = Fields(reads={}, writes={}, given=None, key="Vendor Ticket Number", nested=False)
    assert "reported_by" not in fields.row({"Vendor Ticket Number": carried})
    for ours in (CASE.key, CASE.incident_id):
        assert fields.row({"Vendor Ticket Number": ours})["reported_by"] == "monitor"


@of(Outlook)
def test_a_note_is_one_answer_and_no_case(bench: Bench) -> None:
    bench.made().open(CASE)
    said = replace(CASE, status="afectación superada", note="Terminó a las 8:00")
    for _ in range(2):
        bench.made().update(said)
    sent = [message["subject"] for message in bench.fake.boxes[outlook.DESK].values()]
    assert sent == [CASE.subject, f"RE: {CASE.subject}"]
    rows, _ = drained(bench.made())
    assert [row["subject"] for row in rows] == [CASE.subject]


@of(Outlook)
def test_a_mail_that_has_not_arrived_yet_is_withdrawn_later(bench: Bench) -> None:
    bench.made().open(CASE)
    bench.fake.boxes[outlook.DESK].clear()
    desk, withdrawal = bench.made(), replace(CASE, status="retirado", note="Vigía retira este caso.")
    desk.clock = bench.fake.tick
    error = fault(desk.update, withdrawal)
    assert (error.permanent, "has not arrived yet" in str(error)) == (False, True)
    desk.clock = lambda: bench.fake.tick() + ARRIVAL  # somebody has deleted it: the answer says it all
    for _ in range(2):
        desk.update(withdrawal)
    assert ["Vigía retira" in m["body"]["content"] for m in bench.fake.boxes[outlook.DESK].values()] == [True]


@of(Outlook)
def test_a_withdrawal_leaves_peoples_categories(bench: Bench) -> None:
    bench.made().open(CASE)
    (mail,) = bench.fake.boxes[outlook.DESK].values()
    bench.fake.write(mail["id"], {"categories": ["Ana", "VIP"]})
    for _ in range(2):
        bench.made().update(replace(CASE, status="retirado"))
    assert bench.fake.boxes[outlook.DESK][mail["id"]]["categories"] == ["retirado", "Ana", "VIP"]
    bench.fake.write(mail["id"], {"categories": ["Ana", "retirado"]})
    (row,), _ = drained(bench.made())
    assert row["status"] == "retirado"


@of(Outlook)
def test_a_message_says_whose_it_is_and_its_flag_when_it_was_resolved(bench: Bench) -> None:
    bench.tool.add([7])
    (message,) = bench.fake.boxes[outlook.DESK].values()
    bench.fake.write(message["id"], {
        "flag": {"flagStatus": "complete", "completedDateTime": {"dateTime": "2026-03-03T12:00:00.0000000", "timeZone": "UTC"}},
    })  # fmt: skip
    (row,), _ = drained(bench.made(extract={"typology": r"(falla)"}))
    told = ("client_id", "subject", "typology", "resolved_at")
    assert [row[name] for name in told] == ["900.123.456-8", "Caso 7", "falla", "2026-03-03T12:00:00.0000000Z"]


# ---- teams -------------------------------------------------------------------------------------------------------------


@of(Teams)
def test_our_message_is_found_behind_many_newer_ones(bench: Bench) -> None:
    bench.fake.now = NOW
    number = bench.made().open(CASE)
    for n in range(120):
        bench.fake.made(None, f"<p>hola {n}</p>")
    assert bench.made().open(CASE) == number
    asked = len(bench.fake.asked)
    bench.made().open(replace(CASE, key="VG-2", opened_at=NOW + timedelta(days=1)))
    assert len(bench.fake.asked) == asked + 2  # one page, whose messages are all older than that case, and the writing


@of(Teams)
def test_who_has_not_looked_at_all_messages_writes_no_second(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.listed.MOST", 3)
    bench.fake.now = NOW
    number = bench.made().open(CASE)
    for n in range(149):
        bench.fake.made(None, f"<p>hola {n}</p>")
    assert bench.made().open(CASE) == number  # on the third page
    bench.fake.made(None, "<p>hola</p>")
    for act in (bench.made().open, bench.made().update):
        error = fault(act, CASE)
        assert (error.permanent, "more than 3 pages" in str(error)) == (True, True)
    assert bench.tool.count(CASE.key) == 1


@of(Teams)
def test_a_message_is_known_by_its_id(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.fake.now = NOW
    number = bench.made().open(CASE)
    for n in range(60):
        bench.fake.made(None, f"<p>hola {n}</p>")
    monkeypatch.setattr("connectors.listed.MOST", 1)
    bench.made().update(replace(CASE, number=number, status="retirado"))
    assert bench.tool.read(CASE.key)["status"] == "retirado"
    monkeypatch.undo()
    for other in ("1", next(name for name in bench.fake.messages if name != number)):  # gone, or somebody else's
        bench.made().update(replace(CASE, number=other, status="abierto"))
    assert bench.tool.read(CASE.key)["status"] == "abierto"


@of(Teams)
def test_a_refresh_token_is_replaced_by_the_newer_one_also_over_a_restart(bench: Bench, tmp_path: Path) -> None:
    login, held = bench.fake.login, tmp_path / "var" / "teams.token"

    def rotating(asked: Asked) -> Said | None:
        said: Said | None = login(asked)
        if said and said.status == 200:
            bench.fake.refresh = said.body["refresh_token"] = (
                f"s3cret-newer-{bench.fake.given}"  # the one before it ends
            )
        return said

    bench.fake.login = rotating
    for path in ("", str(held)):
        bench.fake.refresh = REFRESH
        desk = bench.made(token_file=path)
        for _ in range(2):
            desk.open(CASE)
            bench.fake.expire()
    assert held.stat().st_mode & 0o777 == 0o600
    bench.made(token_file=str(held)).open(CASE)
    assert fault(bench.made().open, CASE).whole, "in memory alone it is lost"
    bench.fake.refresh = "given-anew"
    bench.made(token_file=str(held), refresh_token="given-anew").open(CASE)
    bench.fake.expire()
    assert "token_file" not in bench.made(token_file=str(held), refresh_token="given-anew").check()
    bench.fake.refresh = REFRESH
    assert bench.made().check().endswith("give token_file")


@of(Teams)
def test_without_a_user_the_channel_is_read_only(bench: Bench) -> None:
    error = fault(bench.made(refresh_token="").open, CASE)
    assert (error.permanent, "403" in str(error)) == (True, True)


@of(Teams)
def test_answers_deleted_messages_and_those_of_the_system_are_no_cases(bench: Bench) -> None:
    bench.fake.made(None, "<p>otra cosa</p>", replyToId="1700000000000")
    bench.fake.made(None, "", deletedDateTime="2026-03-03T10:00:00.000Z")
    bench.fake.made(None, "<systemEventMessage/>", messageType="systemEventMessage")
    seen = [{"reactionType": "✅", "createdDateTime": "2026-03-03T12:00:00.000Z"}]
    bench.fake.made(None, "<p>Falla la pasarela</p><p>NIT: 900123456</p>", reactions=seen)
    (row,), _ = drained(bench.made())
    assert (row["subject"], row["client_id"], row["resolved_at"]) == (
        "Falla la pasarela",
        "900123456",
        "2026-03-03T12:00:00.000Z",
    )


# ---- a page ------------------------------------------------------------------------------------------------------------


@of(Webpage)
def test_a_page_without_a_form_is_read_only(bench: Bench) -> None:
    bare = bench.made(form="", change="")
    for act in (bare.open, bare.update):
        error = fault(act, CASE)
        assert (error.permanent, "is read-only" in str(error)) == (True, True)


@of(Webpage)
def test_what_a_page_lacks_is_told_by_name(bench: Bench) -> None:
    error = fault(bench.made(columns={"client_id": "Nit del cliente"}).check)
    assert (error.permanent, "headings Caso, Nit del cliente; there is: menú; Caso, NIT" in str(error)) == (True, True)
    error = fault(bench.made(fields={"key": "clave", "subject": "asunto"}).open, CASE)
    assert (error.permanent, "form has no field asunto" in str(error)) == (True, True)


@of(Webpage)
def test_a_row_with_other_cells_is_told_and_the_others_go_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    head = "<table><tr><th>Caso<th>NIT</tr>"
    rows = "<tr><td>1<td>900123456</tr><tr><td colspan=2>sin más</tr><tr><td>2</td><td>3</td><td>4</td></tr></table>"
    monkeypatch.setattr(bench.fake, "right", lambda _: Said(text=(head + rows).encode()))
    batch = bench.made().poll(None, NOW, None)
    assert batch.table["case_id"].to_pylist() == ["1"]
    assert [reject.why for reject in batch.rejects] == ["has 3 cells, and the table 2 headings"]


@of(Webpage)
def test_a_table_that_goes_on_is_not_taken_for_its_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.desks.webpage.MOST", 3)
    bench.fake.size = 5
    bench.tool.add(list(range(15)))
    assert bench.made().poll(None, NOW, None).table.num_rows == 15
    bench.tool.add([15])
    for act in (lambda: bench.made().poll(None, NOW, None), lambda: bench.made().open(CASE)):
        error = fault(act)
        assert (error.permanent, "has more than 3 pages" in str(error)) == (True, True)
    assert bench.tool.count(CASE.key) == 0


def listed(bench: Bench, *words: str) -> None:
    """The forms have a list for the status, as people write it: no `value`, no ends."""
    right = bench.fake.right

    def page(asked: Asked) -> Said:
        said: Said = right(asked)
        there = "<select name=estado>" + "".join(f"<option>{word}" for word in words) + "</select>"
        return replace(said, text=said.text.replace(b'<input name="estado">', there.encode())) if said.text else said

    bench.fake.right = page


WORDS = {"abierto": "Abierto", "afectación superada": "Resuelto", "retirado": "Anulado"}


@of(Webpage)
def test_the_forms_of_a_page_are_looked_at_before_they_are_needed(bench: Bench) -> None:
    assert (
        bench.made()
        .check()
        .endswith(
            "/casos: 0 rows; the form that opens a case has what is sent; the one that changes it is seen with a first case"
        )
    )
    bench.tool.add([0])
    assert (
        bench.made()
        .check()
        .endswith("1 rows; the form that opens a case has what is sent; so has the one that changes it")
    )
    error = fault(bench.made(fields={"key": "clave", "subject": "asunto"}).check)
    assert (error.permanent, "/casos/nuevo: its form has no field asunto" in str(error)) == (True, True)
    listed(bench, "", "Abierto", "Resuelto")
    error = fault(bench.made().check)
    assert error.permanent
    assert str(error).endswith(
        '/casos/nuevo: its list \'estado\' takes: Abierto, Resuelto; say which of them it is: statuses = { "abierto" = "..." }'
    )
    error = fault(bench.made(statuses=WORDS).check)
    assert "/casos/T-00001: its list 'estado' takes: Abierto, Resuelto; say which" in str(error)
    assert 'statuses = { "retirado" = "..." }' in str(error)
    assert "so has the one" in bench.made(statuses={word: WORDS[word] for word in list(WORDS)[:2]}).check()


@of(Webpage)
def test_a_page_is_sent_its_own_words_for_a_status(bench: Bench) -> None:
    listed(bench, "Nuevo", *WORDS.values())
    desk = bench.made(statuses={word: WORDS[word] for word in list(WORDS)[:2]}, columns={"status": "Estado"})
    desk.open(CASE)
    assert bench.tool.read(CASE.key)["status"] == "Abierto"
    for _ in range(2):
        desk.update(replace(CASE, status="afectación superada", note="Terminó."))
    assert bench.tool.read(CASE.key)["status"] == "Resuelto"
    posted = len([one for one in bench.fake.asked if one.method == "POST"])
    desk.update(replace(CASE, status="retirado"))
    assert len([one for one in bench.fake.asked if one.method == "POST"]) == posted


def ending(bench: Bench, path: str, *, inside: str = "") -> None:
    """The session ends once the page at `path` was given. inside: where who sends a form then is led to, if not to the log-in."""
    right, refused = bench.fake.right, bench.fake.refused

    def ends(asked: Asked) -> Said:
        said: Said = right(asked)
        if (asked.method, asked.path) == ("GET", path):
            bench.fake.expire()
            bench.fake.right = right
        return said

    bench.fake.right = ends
    if inside:
        bench.fake.refused = lambda: (
            Said(302, headers={"Location": inside}) if bench.fake.asked[-1].method == "POST" else refused()
        )


@of(Webpage)
@pytest.mark.parametrize("inside", ["", "/casos"])
def test_a_form_that_led_to_the_login_is_sent_again(bench: Bench, inside: str) -> None:
    ending(bench, "/casos/nuevo", inside=inside)
    number = bench.made().open(CASE)
    ending(bench, f"/casos/{number}", inside=inside)
    bench.made().update(replace(CASE, status="retirado", note="n"))
    assert (bench.tool.count(CASE.key), bench.tool.read(CASE.key)["status"]) == (1, "retirado")


SHOWN = [{"status": "Estado"}, {"status": "Estado", "note": "Nota"}, {}]
"""What a block says of the table's headings."""


@of(Webpage)
@pytest.mark.parametrize("columns", SHOWN)
@pytest.mark.parametrize(
    "said", [Said(text=b"<p>Error: estado no permitido</p>"), Said(302, headers={"Location": "/casos"})]
)
def test_a_form_that_changes_nothing_is_no_update(bench: Bench, columns: dict[str, str], said: Said) -> None:
    desk, change = bench.made(columns=columns), replace(CASE, status="retirado", note="n")
    desk.open(CASE)
    right = bench.fake.right
    bench.fake.right = lambda asked: said if asked.method == "POST" else right(asked)
    if said.status == 302 and not columns:  # nothing else tells
        desk.update(change)
        return
    error = fault(desk.update, change)
    assert (error.permanent, error.whole, "is as it was before" in str(error)) == (True, False, True)


@of(Webpage)
@pytest.mark.parametrize("columns", SHOWN)
def test_an_update_that_was_made_before_is_one(bench: Bench, columns: dict[str, str]) -> None:
    desk = bench.made(columns=columns)
    desk.open(CASE)
    for _ in range(2):
        desk.update(replace(CASE, status="retirado", note="dos\nlíneas"))


@of(Webpage)
@pytest.mark.parametrize("form", ["<form><input type=password name=contrasena></form>", ""])
def test_who_lets_nobody_in_is_told_as_a_whole(bench: Bench, form: str) -> None:
    bench.fake.login = lambda asked: Said(text=form.encode()) if asked.path == "/entrar" else None
    error = fault(bench.made().check)
    assert (error.whole, error.fault) == (True, "login")


# ---- a case and its incident -------------------------------------------------------------------------------------------

OTHER = replace(CASE, key="VG-AF-1-800197268", client_id="800197268", body="Del otro cliente.")


def both(bench: Bench) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The cases and the incidents that there are."""
    return list(bench.fake.records.values()), list(bench.fake.incidents.incidents.values())


class Sides:
    """A pair made anew, of which both sides are told, one after the other, as the outbox tells them."""

    def __init__(self, bench: Bench, **options: Any) -> None:
        self.pair = bench.made(**options)

    def open(self, case: Case) -> str:
        number = str(self.pair.open(case))
        self.pair.then.open(replace(case, number=number))
        return number

    def update(self, case: Case) -> None:
        self.pair.update(case)
        self.pair.then.update(case)

    def promote(self, case: Case) -> None:
        self.pair.then.promote(case)


@of(Pair)
def test_cases_and_their_one_incident_carry_each_others_number(bench: Bench) -> None:
    numbers = [Sides(bench).open(case) for case in (CASE, OTHER, CASE)]
    cases, (incident,) = both(bench)
    assert [case["CaseNumber"] for case in cases] == numbers[:2]
    assert {case[pair.INCIDENT_NUMBER] for case in cases} == {incident["Incident Number"]}
    assert incident[pair.CASE_NUMBER] == numbers[0]
    assert [one["values"]["Detailed Description"] for one in bench.fake.incidents.log] == [
        f"Caso {n}" for n in numbers[:2]
    ]
    assert incident[helix.KEY] == CASE.incident_id
    assert not any(word in str(incident) for word in ("900123456", "800197268", "Del otro"))


@of(Pair)
@pytest.mark.parametrize("after", range(3))
def test_an_answer_lost_on_the_way_leaves_one_incident_tied(bench: Bench, after: int) -> None:
    bench.fake.incidents.after = [None] * after + [Said(500)]  # made, written to, noted
    fault(Sides(bench).open, CASE)
    number = Sides(bench).open(CASE)
    (case,), (incident,) = both(bench)
    assert (incident[pair.CASE_NUMBER], case[pair.INCIDENT_NUMBER]) == (number, incident["Incident Number"])
    assert len(bench.fake.incidents.log) == 1


@of(Pair)
def test_the_incident_is_told_once_that_it_is_over(bench: Bench) -> None:
    for case in (CASE, OTHER):
        Sides(bench).open(case)
    for case in (CASE, OTHER):
        Sides(bench).update(replace(case, status="afectación superada", note=f"Terminó para {case.client_id}"))
    assert [one["values"]["Detailed Description"] for one in bench.fake.incidents.log][2:] == [
        "Afectación AF-1: afectación superada"
    ]
    assert [case["Vigia_Note__c"] for case in both(bench)[0]] == ["Terminó para 900123456", "Terminó para 800197268"]


@of(Pair)
def test_an_incident_whose_affectation_was_merged_is_told_that_it_is_over(bench: Bench) -> None:
    Sides(bench).open(CASE)
    for _ in range(2):
        Sides(bench).update(replace(CASE, incident_id="AF-2", status="afectación superada", note="Terminó"))
    notes = [one["values"]["Detailed Description"] for one in bench.fake.incidents.log]
    assert notes[1:] == ["Afectación AF-1: afectación superada"]
    late = replace(OTHER, incident_id="AF-2")  # opened once it had been merged
    Sides(bench).open(late)
    Sides(bench).update(replace(late, status="afectación superada", note="Terminó"))
    notes = [one["values"]["Detailed Description"] for one in bench.fake.incidents.log]
    assert notes[3:] == ["Afectación AF-2: afectación superada"]


@of(Pair)
def test_an_incident_that_is_not_there_is_told_where_nothing_was_merged(bench: Bench) -> None:
    bench.made().open(CASE)
    error = fault(Sides(bench).update, replace(CASE, status="afectación superada"))
    assert (error.permanent, "no case with key AF-1" in str(error)) == (True, True)


@of(Pair)
@pytest.mark.parametrize(
    ("promoted_only", "left", "over"),
    [(False, ["soporte"], False), (False, [], True), (False, None, False), (True, ["soporte"], True), (True, ["incidente"], False)],
)  # fmt: skip
def test_an_incident_is_taken_back_with_the_last_of_its_cases(
    bench: Bench,
    promoted_only: bool,  # noqa: FBT001 - a table
    left: list[str] | None,
    over: bool,  # noqa: FBT001 - a table
) -> None:
    desk, case = Sides(bench, promoted_only=promoted_only), replace(CASE, kind="incidente")
    desk.open(case)
    for _ in range(2):
        desk.update(replace(case, incident_id="AF-2", status="retirado", note="Vigía retira este caso.", left=left))
    notes = [one["values"]["Detailed Description"] for one in bench.fake.incidents.log]
    assert notes[1:] == (["Afectación AF-1: todos sus casos fueron retirados"] if over else [])
    (incident,) = both(bench)[1]
    assert (incident["Status"] == "Cancelled") is over


@of(Pair)
def test_an_incident_may_wait_until_a_case_is_promoted(bench: Bench) -> None:
    waiting = Sides(bench, promoted_only=True)
    for case in (CASE, OTHER):
        waiting.open(case)
        waiting.update(replace(case, status="afectación superada", note="Terminó"))
    assert len(both(bench)[1]) == 0
    for _ in range(2):
        waiting.promote(replace(CASE, kind="incidente"))
    (case, other), (incident,) = both(bench)
    assert case[pair.INCIDENT_NUMBER] == incident["Incident Number"]
    assert pair.INCIDENT_NUMBER not in other
    assert [one["values"]["Detailed Description"] for one in bench.fake.incidents.log] == [f"Caso {case['CaseNumber']}"]


@of(Pair)
def test_one_that_was_promoted_after_the_end_is_told_that_it_is_over(bench: Bench) -> None:
    Sides(bench, promoted_only=True).open(CASE)
    for _ in range(2):
        Sides(bench, promoted_only=True).promote(replace(CASE, kind="incidente", status="afectación superada"))
    assert [one["values"]["Detailed Description"] for one in bench.fake.incidents.log][1:] == [
        "Afectación AF-1: afectación superada"
    ]


@of(Pair)
def test_what_is_wrong_in_an_inner_block_is_told_with_its_key(bench: Bench) -> None:
    case, incident = bench.tool.desk["case"], bench.tool.desk["incident"]
    for given, told in (
        ({"case": case | {"kind": "local"}}, r"case.kind: must be one that can be tied: helix, salesforce"),
        ({"incident": incident | {"usernam": "a"}}, r"incident.usernam: no such key; there are url, username"),
        ({"incident": incident | {"other": ""}}, r"incident.other: is missing"),
        ({"case": case | {"url": "banco"}}, r"case.url: must be an address"),
    ):
        with pytest.raises(ValueError, match=told):
            bench.made(**given)


@pytest.mark.parametrize(
    ("cls", "options", "told"),
    [
        (Webpage, {"login": "/entrar"}, "login: needs username and password"),
        (Webpage, {"change": "/casos"}, "change: must have {}"),
        (Webpage, {"form": "/nuevo"}, "fields: must say which field"),
        (Webpage, {"columns": {"nit": "NIT"}}, "columns.nit: a case has no such field"),
        (Outlook, {"mailbox": "a@b.example", "client_id": "a", "client_secret": "b"}, "tenant: must be"),
        (
            Outlook,
            {
                "mailbox": "a@b.example",
                "client_id": "a",
                "client_secret": "b",
                "tenant": "t",
                "extract": {"client_id": "NIT"},
            },
            "extract.client_id: must have one group",
        ),
        (
            Teams,
            {"team": "t", "channel": "c", "client_id": "a", "client_secret": "b", "refresh_token": "r"},
            "user: must be the id",
        ),
        (Helix, {"username": "a", "password": "b", "zone": "Bogota"}, "zone: 'Bogota' is not a time zone"),
        (Helix, {"username": "a", "password": "b", "zone": "America"}, "zone: 'America' is not a time zone"),
        (
            Bizagi,
            {"process": "p", "client_id": "a", "client_secret": ""},
            "token_url: needs client_id and client_secret",
        ),
        (Salesforce, {"client_id": "a", "client_secret": "b", "key": ""}, "key: must say"),
    ],
)
def test_impossible_options(cls: type[Any], options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        cls(**{"url": "https://banco.example", **options})
