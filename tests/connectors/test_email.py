"""Mail: what a message looks like, what cannot be smuggled into it, and how the line is kept safe."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import SourceError
from connectors.receivers.email import Email
from connectors.smtp import told
from tests.certificates import own_certificate
from tests.fake_mail import PASSWORD, USER, FakeMail
from tests.notices import incident_notice, new_incident


@pytest.fixture
def server() -> Iterator[FakeMail]:
    with FakeMail() as made:
        yield made


def plain(server: FakeMail, **options: Any) -> Email:
    given = {"host": "127.0.0.1", "port": server.port, "tls": "none", "sender": "vigia@banco.example"}
    return Email(**{**given, "to": "torre@banco.example", **options})


def test_text_and_html_arrive_as_they_are(server: FakeMail) -> None:
    notice = incident_notice()
    named = plain(server, sender="Vigía <vigia@banco.example>").send(notice)
    (message,) = server.taken
    text, html = (message.get_body([kind]) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == f"{notice.text}\n"
    assert html.get_content().strip() == notice.html
    assert (str(message["Subject"]), str(message["From"])) == (notice.subject, "Vigía <vigia@banco.example>")
    assert (message["Message-ID"], message["Auto-Submitted"]) == (named, "auto-generated")
    assert parsedate_to_datetime(message["Date"]).astimezone(UTC) == notice.at
    assert str(message["To"]) == "torre@banco.example"


def test_who_is_named_gets_it_and_nobody_else(server: FakeMail) -> None:
    plain(server).send(replace(incident_notice(), to="Ana Páez <ana@banco.example>"))
    assert str(server.taken[0]["To"]) == "Ana Páez <ana@banco.example>"


def test_without_html_it_is_text_alone(server: FakeMail) -> None:
    plain(server).send(replace(incident_notice(), html=""))
    assert server.taken[0].get_content_type() == "text/plain"


def test_what_follows_lies_under_the_first(server: FakeMail) -> None:
    incident, receiver = new_incident(), plain(server)
    told = [("first", 1), ("update", 2), ("end", 3), ("first", 4)]
    for event, number in told:
        receiver.send(incident_notice(incident, event, number=number))
    receiver.send(incident_notice(number=1))
    first, *later, other = server.taken
    assert "In-Reply-To" not in first
    assert {message["In-Reply-To"] for message in later} == {first["Message-ID"]}
    assert {message["References"] for message in later} == {first["Message-ID"]}
    assert len(server.mailbox) == 5
    assert "References" not in other


def test_the_names_of_a_message_name_no_client(server: FakeMail) -> None:
    notice = replace(incident_notice(event="update"), key="2026-03-03/pagos/900123456", thread="pagos/900123456")
    message = plain(server).written(notice)
    assert "900123456" not in message["Message-ID"] + message["References"]


@given(st.text(), st.text(alphabet=st.characters(codec="utf-8")))
def test_no_subject_and_no_text_becomes_a_header(subject: str, text: str) -> None:
    receiver = Email(host="nowhere", sender="vigia@banco.example", to="torre@banco.example")
    honest = list(receiver.written(incident_notice()).keys())
    made = receiver.written(replace(incident_notice(), subject=f"{subject}\r\nBcc: a@b.co", text=text))
    headers = made.as_string().encode("utf-8", "surrogatepass").split(b"\n\n")[0].splitlines()
    assert list(made.keys()) == honest
    assert not any(line.lower().startswith(b"bcc") for line in headers)


@pytest.mark.parametrize("to", ["a@b.co\nBcc: c@d.co", "a@b.co\r\nX: y", "a@b.co, c@d.co", "nadie", "@b.co", "ñ@b.co"])
def test_what_is_not_one_address_is_refused_and_nothing_sent(server: FakeMail, to: str) -> None:
    with pytest.raises(SourceError, match="must be one address") as error:
        plain(server).send(replace(incident_notice(), to=to))
    assert error.value.permanent
    assert "\n" not in str(error.value)
    assert server.taken == []


def test_without_any_recipient_it_is_told(server: FakeMail) -> None:
    with pytest.raises(SourceError, match="names no recipient") as error:
        plain(server, to="").send(incident_notice())
    assert error.value.permanent


def test_a_recipient_that_is_refused_is_told_without_the_servers_words(server: FakeMail) -> None:
    server.rcpt = ["550 5.1.1"]
    with pytest.raises(SourceError) as error:
        plain(server).send(incident_notice())
    assert str(error.value) == f"127.0.0.1:{server.port}: refuses the recipient (550)"
    assert (error.value.permanent, server.taken) == (True, [])


@pytest.mark.parametrize(("answer", "permanent"), [("554 5.7.1 spam", True), ("452 4.3.1 full", False)])
def test_a_refused_message_is_told_by_its_code(server: FakeMail, answer: str, *, permanent: bool) -> None:
    server.data = [answer]
    with pytest.raises(SourceError, match=answer[:3]) as error:
        plain(server).send(incident_notice())
    assert error.value.permanent is permanent


@pytest.mark.parametrize(
    ("error", "whole"),
    [
        (smtplib.SMTPAuthenticationError(535, b"no"), True),
        (smtplib.SMTPAuthenticationError(454, b"later"), False),
        (smtplib.SMTPSenderRefused(530, b"log in", "vigia@banco.example"), True),
        (smtplib.SMTPSenderRefused(552, b"too large", "vigia@banco.example"), False),
        (smtplib.SMTPRecipientsRefused({"x@banco.example": (550, b"nobody")}), False),
        (smtplib.SMTPRecipientsRefused({"x@banco.example": (530, b"log in")}), True),
        (smtplib.SMTPDataError(554, b"spam"), False),
        (smtplib.SMTPNotSupportedError("STARTTLS extension not supported by server."), True),
        (smtplib.SMTPNotSupportedError("SMTPUTF8 not supported by server."), False),
        (ssl.SSLCertVerificationError("no"), True),
        (TimeoutError(), False),
    ],
)
def test_what_befalls_every_message_is_told_from_what_befalls_one(error: Exception, *, whole: bool) -> None:
    assert told("mail:25", error, 1.0).whole is whole


def test_a_server_without_starttls_gets_nothing(server: FakeMail) -> None:
    receiver = plain(server, tls="starttls", user=USER, password=PASSWORD)
    for ask in (lambda: receiver.send(incident_notice()), receiver.check):
        with pytest.raises(SourceError, match="offers no STARTTLS") as error:
            ask()
        assert error.value.permanent
    assert (server.taken, server.tried) == ([], [])


def test_a_server_that_speaks_no_tls_gets_nothing(server: FakeMail) -> None:
    with pytest.raises(SourceError, match="no TLS can be agreed on") as error:
        plain(server, tls="tls").send(incident_notice())
    assert error.value.permanent


def test_a_wrong_password_is_told_and_not_quoted() -> None:
    ca, context = own_certificate()
    with FakeMail(starttls=context) as server:
        wrong = "wr0ng-s3cret"
        options = {"host": "localhost", "port": server.port, "sender": "vigia@banco.example", "user": USER}
        with pytest.raises(SourceError, match="refuses user and password") as error:
            Email(**options, password=wrong, ca_file=str(ca)).check()
        assert server.tried[0] == wrong.encode()
        assert (error.value.permanent, error.value.whole) == (True, True)
        assert wrong not in str(error.value)
        line = Email(**options, password=PASSWORD, ca_file=str(ca)).check()
    assert line == f"localhost:{server.port}: answers over STARTTLS, and lets us in"


def test_a_goodbye_that_fails_undoes_nothing(server: FakeMail, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(smtp: smtplib.SMTP) -> None:
        smtp.close()
        raise smtplib.SMTPServerDisconnected

    monkeypatch.setattr(smtplib.SMTP, "quit", gone)
    plain(server).send(incident_notice())
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"user": "x"}, "^user: needs password"),
        ({"password": "x"}, "^password: needs user"),
        ({"user": "x", "password": "y", "tls": "none"}, "^tls: a password goes over no open line"),
        ({"user": "x", "password": "ñ"}, "^password: .* plain ASCII"),
        ({"ca_file": "nowhere.pem"}, "^ca_file: no such file"),
        ({"sender": "nobody"}, "^sender: must be one address"),
        ({"to": "a@b.co, c@d.co"}, "^to: must be one address"),
        ({"host": ""}, "^host: is missing"),
    ],
)
def test_wrong_options_are_told_with_their_key(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Email(**{"host": "correo.banco.example", "sender": "vigia@banco.example", **options})
