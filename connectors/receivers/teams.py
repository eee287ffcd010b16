"""Notices as Adaptive Cards in a Teams channel or chat, by a workflow's address."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors import SourceError
from connectors.addresses import LOOPBACK
from connectors.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors import Notice

LIMIT = 28_000
"""Bytes of a message that Teams takes (28 KB), with a little to spare."""
COLOURS = {"critical": "attention", "major": "warning", "minor": "accent"}
WORDS: Mapping[str, Mapping[str, str]] = {
    "es": {
        "product": "Producto", "channel": "Canal", "severity": "Severidad", "affected": "Clientes afectados",
        "exposed": "Clientes expuestos", "cases_opened": "Casos preventivos", "open": "Ver en Vigía", "guide": "Guía",
        "cut": "… y {n} líneas más, en Vigía", "critical": "crítica", "major": "alta", "minor": "baja",
    },
    "en": {
        "product": "Product", "channel": "Channel", "severity": "Severity", "affected": "Affected clients",
        "exposed": "Exposed clients", "cases_opened": "Preventive cases", "open": "See in Vigía", "guide": "Guide",
        "cut": "… and {n} more lines, in Vigía", "critical": "critical", "major": "major", "minor": "minor",
    },
}  # fmt: skip
SHOWN = ("product", "channel", "severity", "affected", "exposed", "cases_opened")


class Teams:
    """One card a notice: subject, figures, text, and a button to the incident's page.

    url: of the workflow ("when a Teams webhook request is received"): a secret as a whole, of which no more than the server stands in
    an error. timeout: of one answer.

    A text that is longer than Teams takes is cut after its lines, with the number of those left out. A workflow cannot tell a repeat:
    a card whose answer was lost comes twice. What names a recipient of its own is refused: all of the channel would read it.
    """

    SECRET = ("url",)

    def __init__(self, *, url: str, timeout: timedelta = timedelta(seconds=20)) -> None:
        self.session = Session(url, timeout=timeout, hidden=True)
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise ValueError("url: must begin with https://")
        self._url = url

    def send(self, notice: Notice) -> str:
        """Post the card; Teams has no number for it."""
        if notice.to:
            raise SourceError("a channel is no place for what one recipient may read", permanent=True, fault="refused")
        headers = {"Content-Type": "application/json"}
        self.session.ask("POST", self._url, body=written(notice), headers=headers, repeat=False, parse=False)
        return ""

    def check(self) -> str:
        """Whether its server answers; the workflow itself is left alone, for whatever comes there is posted."""
        self.session.reach(self._url)
        return f"{self.session.shown}: its server answers; whether the workflow posts, the first card shows"


def written(notice: Notice) -> bytes:
    """The message as it is sent, of LIMIT bytes at most."""
    lines = [line for line in notice.text.splitlines() if line.strip()]
    fits, over = 0, len(lines) + 1
    while over - fits > 1:  # so many lines fit, so many do not
        tried = (fits + over) // 2
        fits, over = (tried, over) if len(_message(notice, lines, tried)) <= LIMIT else (fits, tried)
    return _message(notice, lines, fits)


def _message(notice: Notice, lines: list[str], kept: int) -> bytes:
    words = WORDS.get(str(notice.facts.get("language")), WORDS["es"])
    told = {**notice.facts.get("fault", {}), **notice.facts.get("incident", {})}
    told |= {key: name for key, name in told.get("names", {}).items() if name}
    severity = str(told.get("severity", ""))
    over = notice.event == "end" and not told.get("still_failing")  # closed by hand, it may fail on
    colour = "good" if over else COLOURS.get(severity, "default")
    figures = [
        _line(
            f"{words[name]}: ", words.get(str(told[name]), str(told[name])) if name == "severity" else str(told[name])
        )
        for name in SHOWN
        if told.get(name) not in (None, "")
    ]
    text = [_line("", line) for line in lines[:kept]]
    if kept < len(lines):
        text.append(_line("", words["cut"].format(n=len(lines) - kept)))
    title = {"type": "TextRun", "text": notice.subject, "size": "large", "weight": "bolder", "color": colour}
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            {"type": "RichTextBlock", "inlines": [title]},
            {"type": "Container", "items": figures},
            {"type": "Container", "separator": True, "items": text},
        ],
    }
    if actions := [_button(words[word], address) for word, address in _links(notice)]:
        card["actions"] = actions
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]}, ensure_ascii=False).encode()


def _line(title: str, text: str) -> dict[str, Any]:
    """A line that is shown as it is: a TextRun knows no Markdown, so that no client's name becomes a link."""
    runs = [{"type": "TextRun", "text": title, "weight": "bolder"}] if title else []
    return {"type": "RichTextBlock", "spacing": "small", "inlines": [*runs, {"type": "TextRun", "text": text}]}


def _links(notice: Notice) -> list[tuple[str, str]]:
    links = notice.facts.get("links", {})
    found = (("open", links.get("incident") or links.get("board")), ("guide", links.get("guide")))
    return [(word, address) for word, address in found if str(address).startswith(("https://", "http://"))]


def _button(title: str, address: str) -> dict[str, str]:
    return {"type": "Action.OpenUrl", "title": title, "url": address}
