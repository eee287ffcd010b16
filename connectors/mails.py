"""Mails that are cases: how ours are written, and what is read out of one as it came, however odd."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.utils import format_datetime
from hashlib import sha256
from html import escape

from connectors.markup import Markup

KEY = "X-Vigia-Key"
"""The header in which a mail of ours bears its case's key."""


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail says.

    name: its Message-ID or, where it has none, one made of what it holds; content: HTML; opens: whether it is the first of a
    conversation that somebody began: no answer, no report of a mail server; key: the one that it bears, or ''.
    """

    name: str
    subject: str
    content: str
    opens: bool
    key: str


def read(raw: bytes) -> Mail:
    """A mail as it came, or its beginning. Raises ValueError for what cannot be made out at all."""
    try:
        return _read(raw)
    except Exception as error:  # noqa: BLE001 - the parser raises whatever it stumbles on
        raise ValueError(f"cannot be read as a mail ({type(error).__name__})") from None


def _read(raw: bytes) -> Mail:
    message = message_from_bytes(raw, policy=policy.default)
    plain = {
        name.lower(): _clean(value) for name, value in message.raw_items()
    }  # as it came: the parser refuses many an id
    if not plain:
        raise LookupError
    report = message.get_content_type() == "multipart/report" or plain.get("auto-submitted", "").startswith(
        "auto-replied"
    )
    body = message.get_body(("html", "plain"))
    return Mail(
        plain.get("message-id") or f"<{sha256(raw).hexdigest()[:40]}@sin-message-id>",
        _clean(message.get("Subject", "")), _html(body) if body is not None else "",
        not report and not plain.keys() & {"in-reply-to", "references"}, plain.get(KEY.lower(), ""),
    )  # fmt: skip


def _clean(text: object) -> str:
    return " ".join(str(text).encode("utf-8", "replace").decode().split())


def written(
    *, name: str, sender: Address, to: Address, subject: str, html: str, key: str, at: datetime, answers: str = ""
) -> EmailMessage:
    """A mail of ours, as text and HTML. answers: the Message-ID of the one to which it is an answer."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"], message["Message-ID"] = sender, to, name
    message["Subject"] = " ".join("".join(c if c.isprintable() else " " for c in subject).split())
    message["Date"] = format_datetime(at)
    if answers:
        message["In-Reply-To"] = message["References"] = answers
    message[KEY] = key
    message["Auto-Submitted"], message["X-Auto-Response-Suppress"] = "auto-generated", "All"
    message.set_content(Markup(html).text)
    message.add_alternative(html, subtype="html")
    return message


def _html(part: MIMEPart) -> str:
    """What it says; of an encoding that nobody knows, what can be read of it."""
    raw = part.get_payload(decode=True)
    held = raw if isinstance(raw, bytes) else b""
    try:
        text = held.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        text = held.decode("utf-8", "replace")
    if part.get_content_type() == "text/html":
        return text
    return "<br>".join(escape(line) for line in text.splitlines())
