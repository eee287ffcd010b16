"""A mailbox on a real mail server: what is a case there, what has changed, and that nothing is sent twice."""

from __future__ import annotations

import imaplib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import Batch, Fault, SourceError, mails
from connectors.desks.imap import Imap
from connectors.imap_commands import Line, Selected
from connectors.imap_responses import folders
from connectors.mailbox import Mailbox
from connectors.sent import ARRIVAL
from connectors.utf7 import decoded, encoded
from tests.cases import CASE, NOW
from tests.dovecot import dovecot
from tests.fake_api import Said
from tests.fake_mail import PASSWORD
from tests.fakes import imap as fakes
from tests.fakes.server import START, Tool

WITHDRAWAL = replace(CASE, status="retirado", note="Vigía retira este caso.")


@pytest.fixture
def tool(tmp_path: Any) -> Iterator[Tool]:
    made = fakes.tool(tmp_path)
    yield made
    made.close()


def desk(tool: Tool, **options: Any) -> Imap:
    return Imap(**{**tool.desk, **options})


def rows(batch: Batch) -> list[dict[str, Any]]:
    assert batch.drained
    return batch.table.to_pylist()


def read(tool: Tool, **options: Any) -> tuple[list[dict[str, Any]], Batch]:
    batch = Imap(**{**tool.source, **options}).poll(None, NOW, None)
    return rows(batch), batch


def test_what_we_send_is_one_thread_with_our_key(tool: Tool) -> None:
    number = desk(tool).open(CASE)
    for _ in range(2):
        desk(tool).update(WITHDRAWAL)
    (_, flags, first), (_, _, answer) = tool.fake.messages()
    assert (first["Message-ID"], first["X-Vigia-Key"], first["Subject"]) == (number, CASE.key, CASE.subject)
    assert CASE.key not in number
    assert (answer["In-Reply-To"], answer["References"], answer["X-Vigia-Key"]) == (number, number, CASE.key)
    assert WITHDRAWAL.note in answer.get_body(["plain"]).get_content()
    assert "retirado" in flags
    assert [str(message["To"]) for message in (first, answer)] == [tool.source["user"]] * 2
    kept = tool.fake.messages("Vigia")
    assert [(message["Message-ID"], "Draft" in flags) for _, flags, message in kept] == [
        (number, False),
        (answer["Message-ID"], False),
    ]


def test_one_that_broke_off_is_not_sent_again_while_it_may_arrive(tool: Tool) -> None:
    tool.fake.late, tool.fake.after = [], [Said(cut=True)]
    with pytest.raises(SourceError, match="broke off"):
        desk(tool).open(CASE)
    with pytest.raises(SourceError, match="perhaps sent") as error:
        desk(tool).open(CASE)
    assert (error.value.permanent, error.value.fault, len(tool.fake.late)) == (False, "busy", 1)
    tool.fake.deliver(tool.fake.late[0])
    assert desk(tool).open(CASE) == desk(tool).open(CASE)
    assert (len(tool.fake.late), tool.count(CASE.key)) == (1, 1)


def test_one_that_broke_off_and_never_arrives_is_sent_again_and_both_are_one_case(tool: Tool) -> None:
    tool.fake.late, tool.fake.after = [], [Said(cut=True)]
    with pytest.raises(SourceError):
        desk(tool).open(CASE)
    later = desk(tool)
    later._sent.clock = lambda: datetime.now(UTC) + ARRIVAL
    number = later.open(CASE)
    tool.fake.deliver(*tool.fake.late)
    assert (len(tool.fake.late), tool.count(CASE.key)) == (2, 2)
    (row,), _ = read(tool)
    assert (row["case_id"], row["reported_by"]) == (number, "monitor")


@pytest.mark.parametrize("where", ["En curso", 'De "Atención"', "Trash"])
def test_one_that_broke_off_and_was_filed_before_we_looked_is_not_sent_again(tool: Tool, where: str) -> None:
    tool.fake.late, tool.fake.after = [], [Said(cut=True)]
    with pytest.raises(SourceError):
        desk(tool).open(CASE)
    tool.fake.deliver(tool.fake.late[0])
    folder = encoded(where).replace('"', r"\"")
    with tool.fake.line() as imap:
        for name in (f'"{folder}"', '"Otra"'):
            imap.create(name)
        imap.select("INBOX")
        assert imap.uid("MOVE", "1:*", f'"{folder}"')[0] == "OK"
    later = desk(tool)
    later._sent.clock = lambda: datetime.now(UTC) + ARRIVAL
    for _ in range(2):
        later.open(CASE)
    assert len(tool.fake.late) == 1
    assert [r"\Draft" in flags for _, flags, _ in tool.fake.messages("Vigia")] == [False]


def test_folders_are_listed_however_a_server_writes_them() -> None:
    said = [
        rb'(\HasNoChildren) "." INBOX', rb'(\Noselect \HasChildren) "/" "Todo"', rb'(\NonExistent) "/" Nada',
        rb'() NIL "a \"b\" \\c"', (rb'() "/" {6}', b"Atenci"), b"", rb'(\Sent) "\\" Atenci&APM-n/x y', None,
    ]  # fmt: skip
    assert list(folders(said)) == ["INBOX", 'a "b" \\c', "Atenci", "Atención/x y"]


def test_one_that_was_refused_is_sent_again_at_once(tool: Tool) -> None:
    tool.fake.after, tool.fake.late = [Said(500)], []
    with pytest.raises(SourceError, match=r"refuses it \(451\)"):
        desk(tool).open(CASE)
    desk(tool).open(CASE)
    assert len(tool.fake.late) == 2


def test_one_that_people_have_moved_is_not_sent_again(tool: Tool) -> None:
    number = desk(tool).open(CASE)
    tool.fake.flag(number, r"\Deleted", "+")
    with tool.fake.line() as imap:
        imap.expunge()
    assert desk(tool).open(CASE) == number
    assert tool.count(CASE.key) == 0
    late = desk(tool)
    with pytest.raises(SourceError, match="has not arrived yet"):
        late.update(WITHDRAWAL)
    late._sent.clock = lambda: datetime.now(UTC) + ARRIVAL
    late.update(WITHDRAWAL)
    assert [answer["In-Reply-To"] for _, _, answer in tool.fake.messages()] == [number]


def test_a_server_without_keywords_is_told_by_the_answer_alone(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    number, there = desk(tool).open(CASE), Line.select

    def without(line: Line, name: str, **how: bool) -> Selected:
        return replace(there(line, name, **how), open=False)

    monkeypatch.setattr(Line, "select", without)
    desk(tool).update(WITHDRAWAL)
    (_, flags, _), (_, _, answer) = tool.fake.messages()
    assert "retirado" not in flags
    assert answer["In-Reply-To"] == number


def test_what_is_not_there_is_made_and_may_have_any_name(tool: Tool) -> None:
    number = desk(tool, sent='Enviados de "Vigía" & Cía').open(CASE)
    assert [m["Message-ID"] for _, _, m in tool.fake.messages(encoded('Enviados de \\"Vigía\\" & Cía'))] == [number]


def test_a_mailbox_without_sender_is_only_read(tool: Tool) -> None:
    for act in (lambda: Imap(**tool.source).open(CASE), lambda: Imap(**tool.source).update(CASE)):
        with pytest.raises(SourceError, match="only read: the block has no `sender`") as error:
            act()
        assert error.value.permanent


def test_whoever_copies_a_key_of_ours_is_not_us(tool: Tool) -> None:
    number = desk(tool).open(CASE)
    copied = f"NIT: {CASE.client_id}\r\nClave: {CASE.key}".encode()
    tool.fake.deliver(b"Message-ID: <1@x>\r\n\r\nClave: la cambi\xe9", b"Message-ID: <2@x>\r\n\r\n" + copied)
    tool.fake.deliver(f"Message-ID: <3@x>\r\nX-Vigia-Key: {CASE.key}\r\n\r\nNIT: 900123456".encode())
    found, _ = read(tool)
    assert len(found) == 4
    assert [row["case_id"] for row in found if row.get("reported_by")] == [number]


HTML = "<html><head><style>p {}</style></head><body><p>NIT: 900.123.456-8</p><p>fall&oacute;</p></body></html>"
ODD = {
    "html": f"Subject: =?iso-8859-1?Q?fall=F3?=\r\nContent-Type: text/html\r\n\r\n{HTML}".encode(),
    "latin": "Subject: x\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nNIT: 900.123.456-8\r\nfalló".encode("latin-1"),
    "unknown": b"Subject: x\r\nContent-Type: text/plain; charset=x-nada\r\n\r\nNIT: 900.123.456-8\r\n\xf3",
    "worse": b"Subject: x\r\nContent-Type: text/plain; charset=idna\r\n\r\nNIT: 900.123.456-8\r\n\xf3",
    "torn": b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n\r\nNIT: 900.123.456-8\r\n',
    "id": b"Message-ID: <[@x>\r\n\r\nNIT: 900.123.456-8",
    "raw": b"Subject: fall\xf3\r\n\r\nNIT: 900.123.456-8",
}  # fmt: skip


def test_odd_mails_are_read_all_the_same(tool: Tool) -> None:
    tool.fake.deliver(*ODD.values())
    found, batch = read(tool)
    assert batch.rejects == ()
    assert [row["client_id"] for row in found] == ["900.123.456-8"] * len(ODD)
    assert found[0]["subject"] == "falló"
    assert len({row["case_id"] for row in found}) == len(ODD)


def test_one_that_is_no_mail_is_told_and_the_others_go_on(tool: Tool) -> None:
    tool.fake.deliver(fakes.mail(1), b"\0", fakes.mail(2))
    found, batch = read(tool)
    assert [tool.number(row["case_id"]) for row in found] == [1, 2]
    (reject,) = batch.rejects
    assert reject.where == f"localhost:{tool.source['port']}: message 2 of INBOX"
    assert "cannot be read as a mail" in reject.why


def test_one_whose_markup_is_odd_is_read_and_one_without_end_is_told(tool: Tool) -> None:
    html = b"Message-ID: <%d@x>\r\nContent-Type: text/html\r\n\r\n<p>NIT: 900.123.456-8</p>%b"
    tool.fake.deliver(*(html % one for one in enumerate((b"<![foo]>", b"\r\n<a <a <a" * 6000, b"fin"))))
    found, batch = read(tool)
    assert [(row["case_id"], row["client_id"]) for row in found] == [
        ("<0@x>", "900.123.456-8"),
        ("<2@x>", "900.123.456-8"),
    ]
    assert [reject.why for reject in batch.rejects] == ["its markup cannot be read: too much of it has no end"]


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading(raw: bytes) -> None:
    with suppress(ValueError):
        found = mails.read(raw)
        assert found.name
        assert found == mails.read(raw)


def test_a_big_mail_is_read_as_far_as_what_it_says(tool: Tool) -> None:
    parts = b"--x\r\n\r\nNIT: 900.123.456-8\r\n--x\r\nContent-Type: application/zip\r\n\r\n" + b"A" * 3_000_000
    tool.fake.deliver(b'Message-ID: <big@x>\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n' + parts)
    with desk(tool).session.opened() as line:
        line.select("INBOX")
        assert len(line.fetch([1], 1000)[1].text or b"") == 1000
    (row,), _ = read(tool)
    assert (row["case_id"], row["client_id"]) == ("<big@x>", "900.123.456-8")


def test_answers_reports_and_repeats_are_no_cases(tool: Tool) -> None:
    answer, away = fakes.mail(2, "In-Reply-To: <n1@cliente.example>"), fakes.mail(3, "Auto-Submitted: auto-replied")
    bounce = b'Message-ID: <b@x>\r\nContent-Type: multipart/report; boundary="x"\r\n\r\n--x\r\n\r\nno\r\n--x--'
    tool.fake.deliver(fakes.mail(1), answer, away, bounce, fakes.mail(1))
    tool.fake.deliver(fakes.mail(4), flags=r"\Deleted")
    found, _ = read(tool)
    assert [tool.number(row["case_id"]) for row in found] == [1]


def test_a_keyword_is_the_status_and_resolved_stays_when_it_was(tool: Tool) -> None:
    tool.add([1, 2])
    source = Imap(**tool.source, done=["solución dada"])
    cursor = source.poll(None, NOW, None).cursor
    tool.change(1, "solución dada")
    tool.fake.flag("<n1@cliente.example>", "$Forwarded NonJunk", "+")
    batch = source.poll(cursor, NOW + timedelta(minutes=1), None)
    (row,) = rows(batch)
    assert (row["status"], row["resolved_at"]) == ("solución dada", (NOW + timedelta(minutes=1)).isoformat())
    tool.fake.flag("<n1@cliente.example>", r"\Seen", "+")
    batch = source.poll(batch.cursor, NOW + timedelta(minutes=2), None)
    assert rows(batch) == []
    tool.fake.flag("<n1@cliente.example>", keyword := fakes.keyword("solución dada"), "-")
    (row,) = rows(batch := source.poll(batch.cursor, NOW + timedelta(minutes=3), None))
    assert (row["resolved_at"], row.get("status")) == (None, None)
    assert keyword == "soluci&APM-n_dada"
    assert batch.cursor["states"] == {}


def test_changes_are_seen_without_condstore_too(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Line.select

    def without(line: Line, name: str, **how: bool) -> Selected:
        return replace(there(line, name, **how), modseq=0)

    monkeypatch.setattr(imaplib.IMAP4, "enable", lambda *_: None)
    monkeypatch.setattr(Line, "select", without)
    tool.add(list(range(5)))
    source = Imap(**tool.source)
    cursor = source.poll(None, NOW, None).cursor
    tool.change(3, "en curso")
    batch = source.poll(cursor, NOW, None)
    assert [(tool.number(row["case_id"]), row["status"]) for row in rows(batch)] == [(3, "en curso")]
    assert rows(source.poll(batch.cursor, NOW, None)) == []


def test_with_condstore_only_what_has_changed_is_asked_for(tool: Tool) -> None:
    tool.add(list(range(5)))
    with desk(tool).session.opened() as line:
        before = line.select("INBOX")
    tool.change(3, "en curso")
    with desk(tool).session.opened() as line:
        box = line.select("INBOX")
        assert list(line.flags(box, before.modseq, 100)) == [4]
        assert list(line.flags(box, before.modseq, 1)) == []
        assert list(line.flags(replace(box, modseq=0), before.modseq, 2)) == [4, 5]


def test_more_changes_than_a_page_come_one_page_after_the_other(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.desks.imap.PAGE", 2)
    tool.add(list(range(5)))
    source = Imap(**tool.source)
    batch, found = source.poll(None, NOW, None), []
    while not batch.drained:
        batch = source.poll(batch.cursor, NOW, None)
    for n in range(5):
        tool.change(n, "en curso")
    for _ in range(3):
        batch = source.poll(batch.cursor, NOW, None)
        found += [tool.number(row["case_id"]) for row in batch.table.to_pylist()]
    assert (found, batch.drained) == ([0, 1, 2, 3, 4], True)


def test_a_folder_made_anew_is_read_again_under_the_same_numbers(tool: Tool) -> None:
    cursor, source = None, Imap(**tool.source, folder="Casos")
    with tool.fake.line() as imap:
        for _ in range(2):
            imap.create("Casos")
            imap.append("Casos", "", imaplib.Time2Internaldate(START), fakes.mail(1))
            imap.append("Casos", "", imaplib.Time2Internaldate(START), fakes.mail(2))
            batch = source.poll(cursor, NOW, None)
            assert [tool.number(row["case_id"]) for row in rows(batch)] == [1, 2]
            cursor = batch.cursor
            assert rows(source.poll(cursor, NOW, None)) == []
            imap.delete("Casos")


def test_what_is_older_than_the_first_start_is_not_read(tool: Tool) -> None:
    tool.fake.deliver(fakes.mail(1), at=NOW - timedelta(days=30))
    tool.fake.deliver(fakes.mail(2), at=NOW - timedelta(days=3))
    source = Imap(**tool.source)
    batch = source.poll(None, NOW, NOW - timedelta(days=10))
    assert [tool.number(row["case_id"]) for row in rows(batch)] == [2]
    assert rows(source.poll(batch.cursor, NOW, NOW - timedelta(days=10))) == []


@pytest.mark.parametrize(
    ("options", "words", "fault"),
    [
        ({"ca_file": ""}, "its certificate cannot be verified", "login"),
        ({"password": "wr0ng"}, r"refuses user and password \(AUTHENTICATIONFAILED\)", "login"),
        ({"host": "127.0.0.1", "port": 1}, "no connection: Connection refused", "unreachable"),
        ({"folder": "Nada"}, "refuses the folder 'Nada': it is not there; there are: INBOX", "refused"),
    ],
)
def test_what_fails_is_told_in_words(tool: Tool, options: dict[str, Any], words: str, fault: Fault) -> None:
    with pytest.raises(SourceError, match=words) as error:
        desk(tool, **options).poll(None, NOW, None)
    assert error.value.fault == fault
    assert error.value.permanent is (fault != "unreachable")
    assert error.value.whole is (fault != "unreachable"), "a folder that is gone takes no message at all"


def test_starttls_lets_in_too(tool: Tool) -> None:
    assert Imap(**{**tool.source, "tls": "starttls", "port": dovecot().plain}).check().endswith("0 messages in INBOX")


@contextmanager
def saying(*said: bytes) -> Iterator[int]:
    """A server that says these lines, one after each line that it hears, the first at once; then it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            line, _ = server.accept()
            with line, line.makefile("rb") as heard:
                tag = b""
                for one in said:
                    line.sendall(one.replace(b"TAG", tag))
                    tag = heard.readline().partition(b" ")[0]

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
    thread.join(60)


def test_a_server_without_starttls_gets_no_password(tool: Tool) -> None:
    with saying(b"* OK hi\r\n", b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n") as port:
        with pytest.raises(SourceError, match="offers no STARTTLS; no password was sent") as error:
            desk(tool, tls="starttls", host="127.0.0.1", port=port).check()
        assert (error.value.whole, error.value.fault) == (True, "login")


@pytest.mark.parametrize(
    ("said", "words", "fault"),
    [
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "no IMAP", "unreadable"),
        ([b"* BYE too many\r\n"], "speaks no IMAP", "unreadable"),
        ([b"* OK [CAPABILITY IMAP4rev1] hi"], "no answer within 0.5 s", "timeout"),
        ([], "broke off", "unreachable"),
        ([b"* OK hi\r\n", b"a NO no\r\n"], "no IMAP", "unreadable"),
    ],
)
def test_a_server_that_speaks_otherwise_is_told_in_words(said: list[bytes], words: str, fault: Fault) -> None:
    with saying(*said) as port:
        options: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": port,
            "tls": "starttls",
            "user": "x",
            "password": "s3cret",
        }
        line = Mailbox(**options, ca_file="", timeout=timedelta(seconds=0.5 if fault == "timeout" else 20))
        with pytest.raises(SourceError, match=words) as error, line.opened():
            pass
    assert (error.value.fault, error.value.permanent) == (fault, False)
    assert "\n" not in str(error.value)


def test_a_server_that_keeps_failing_is_left_alone(tool: Tool) -> None:
    source = desk(tool, port=1)
    faults = []
    for _ in range(4):
        with pytest.raises(SourceError) as error:
            source.check()
        faults.append(error.value.fault)
    assert faults == ["unreachable"] * 3 + ["resting"]
    assert source.session.circuit.state == "open"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"host": ""}, "^host: is missing"),
        ({"password": ""}, "^password: is missing"),
        ({"password": "ñ"}, "^password: .* plain ASCII"),
        ({"user": "a\r\nb"}, "^password: user and password"),
        ({"ca_file": "nowhere.pem"}, "^ca_file: no such file"),
        ({"folder": "a\nb"}, "^folder: must be"),
        ({"sent": ""}, "^sent: must be"),
        ({"timeout": timedelta(0)}, "^timeout: must be"),
        ({"sender": "nadie"}, "^sender: must be one address"),
        ({"sender": "vigia@banco.example", "user": "BANCO\\pasarela"}, "^mailbox: must be one address"),
        ({"extract": {"cliente": "(x)"}}, "^extract.cliente: "),
        ({"sender": "vigia@banco.example", "smtp_password": "s3cret"}, "^smtp_password: needs smtp_user"),
        ({"sender": "vigia@banco.example", "smtp_password": "s3cret", "smtp_tls": "none"}, "^smtp_password: needs"),
    ],
)
def test_wrong_options_are_told_with_their_key(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Imap(**{"host": "correo.banco.example", "user": "pasarela@banco.example", "password": PASSWORD, **options})


@given(st.text())
def test_names_of_folders_come_back_as_they_were(text: str) -> None:
    try:
        text.encode("utf-16-be")
    except UnicodeEncodeError:
        return
    assert encoded(text).isascii()
    assert decoded(encoded(text)) == text
