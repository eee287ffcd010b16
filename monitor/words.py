"""Facts to words: subject, text and HTML of a notice, in its language, by the bank's own templates where there are some.

A template is LANGUAGE/NEWS.WORDS.PART (es/incident.plain.html) or, where all words are alike, LANGUAGE/NEWS.PART. One that cannot be used
(it does not parse, names what is not there, fails) leaves its part to the shipped one, and is told; nobody is left untold because of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import cache
from itertools import takewhile
from pathlib import Path
from traceback import extract_tb
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from monitor import blocks, languages
from monitor.faults import Fault
from monitor.guides import guides

Part = Literal["subject", "text", "html"]
SHIPPED = Path(__file__).parent / "templates"
BOGOTA = ZoneInfo("America/Bogota")
TONES = {"critical": "#a3211b", "major": "#9a5200", "minor": "#4c5a68", "over": "#1f6b45"}
"""The colour behind a message's title, dark enough for white letters; over: of what has ended."""
_TIMES = frozenset({"at", "since", "from", "until"})
PARTIALS = ("own.html", "letter.text", "list.text", "list.html", "phrases.text", "frame.html", "parts.html")
"""What templates are put together from; the bank may have its own of these, too."""
_EMPTY: Mapping[str, Any] = {
    "event": "first",
    "why": (),
    "incident": {"state": ""},
    "next_at": None,
    "overtaken": False,
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A notice in words. faults: the bank's templates that could not be used for it, by file and line."""

    subject: str
    text: str
    html: str
    faults: tuple[Fault, ...] = ()


def rendered(facts: Mapping[str, Any], words: blocks.Words, *, zone: tzinfo = BOGOTA, quiet: bool = False) -> Rendered:
    """The notice's words. facts: of `monitor.facts`, with what routing adds. zone: the bank's. quiet: faults are not logged."""
    faults: list[Fault] = []
    seen = _seen(facts, words, zone)
    seen["letter"] = _part("letter", seen, words, faults).split("\n\n") if _is_letter(seen) else []
    subject, text, html = (_part(part, seen, words, faults) for part in get_args(Part))
    told = tuple(dict.fromkeys(faults))
    for fault in () if quiet else told:
        log.warning("template not used", template=fault.file, where=fault.key, error=fault.what)
    return Rendered(" ".join(subject.split()), text, html, told)


def _part(part: str, seen: Mapping[str, Any], words: blocks.Words, faults: list[Fault]) -> str:
    """A part by the bank's template, else by the shipped one, else as bare as can be."""
    file = "letter.text" if part == "letter" else part
    named = [f"{seen['news']}.{seen['words']}.{part}", f"{seen['news']}.{part}"] if part != "letter" else [file]
    for folder in dict.fromkeys((words.templates, "")):
        try:
            room = environment(seen["language"], folder, html=part == "html")
            told = _tidy(room.select_template(named).render(**seen))
            return told.replace("$ ", "$&nbsp;") if part == "html" else told  # an amount is never broken
        except Exception as error:  # noqa: BLE001 - whatever a template does, its reader is told
            faults.append(fault_of(error, named[-1]))
    return _bare(part, seen)


class Shelves(FileSystemLoader):
    """Folders of templates, the first that has a file goes: also one that is put there later."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """As the face of Jinja has it."""
        source, file, fresh = super().get_source(environment, template)
        before = list(
            takewhile(lambda path: path != Path(file), (Path(folder) / template for folder in self.searchpath))
        )
        return source, file, lambda: fresh() and not any(path.exists() for path in before)


@cache
def environment(language: languages.Code, folder: str = "", *, html: bool) -> Environment:
    """Where templates are rendered: in a sandbox where the folder is the bank's own."""
    shelves = [SHIPPED / language, SHIPPED / "any"]
    kind: type[Environment] = Environment
    if folder:
        shelves, kind = [Path(folder) / language, *shelves], ImmutableSandboxedEnvironment
    # What is said alike is a template of text in HTML, too: it is compiled apart for each, so that names are escaped there.
    made = kind(
        loader=Shelves(shelves),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"w": languages.words(language), "tones": TONES}
    made.filters["place"] = languages.words(language).place
    return made


def fault_of(error: Exception, asked: str) -> Fault:
    """What is wrong with a template, by file and line; never with a value that it was rendered with."""
    if isinstance(error, TemplateSyntaxError):
        return Fault(_short(error.filename or asked), f"line {error.lineno}", str(error.message))
    places = [
        (frame.filename, frame.lineno) for frame in extract_tb(error.__traceback__) if _is_template(frame.filename)
    ]
    file, line = places[-1] if places else (asked, None)
    what = str(error.message or error) if isinstance(error, TemplateError) else type(error).__name__
    return Fault(_short(file), f"line {line}" if line else "", what)


def _is_template(file: str) -> bool:
    return file.endswith(get_args(Part))


def _short(file: str) -> str:
    return "/".join(Path(file).parts[-2:])


def _seen(facts: Mapping[str, Any], words: blocks.Words, zone: tzinfo) -> dict[str, Any]:
    """What templates see: the facts with times in the bank's zone and money as numbers, and what follows from them."""
    seen: dict[str, Any] = dict(_EMPTY) | _read(facts, zone)
    incident = seen["incident"]
    seen |= {"start": seen.get("from"), "zone": zone, "now": seen["at"], "over": incident["state"] == "resolved"}
    seen["shut"] = seen["over"] and incident.get("still_failing", False)
    grave = seen.get("fault", incident)
    seen["tone"] = TONES[
        "over"
        if (seen["over"] or seen["event"] == "end") and not seen["shut"]
        else str(grave.get("severity") or "minor")
    ]
    if "id" in incident:
        guide = guides(seen["language"], words.guides).of(incident)
        board = str(seen["links"].get("guide", "")).partition("/guias/")[0]
        seen |= {"guide": guide, "guide_link": f"{board}/guias/{guide.id}"}
    return seen


def _is_letter(seen: Mapping[str, Any]) -> bool:
    return bool(seen["news"] == "incident" and seen["words"] == "plain")


def _read(value: Any, zone: tzinfo, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _read(part, zone, str(name)) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_read(part, zone) for part in value]
    if isinstance(value, str) and value and (key in _TIMES or key.endswith("_at")):
        return datetime.fromisoformat(value).astimezone(zone)
    return Decimal(value) if key == "amount" and isinstance(value, str) else value


def _tidy(text: str) -> str:
    """No trailing blanks, and never two empty lines."""
    lines: list[str] = []
    for line in map(str.rstrip, text.strip().splitlines()):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines)


def _bare(part: str, seen: Mapping[str, Any]) -> str:
    """Where not even the shipped template can be used: that there is news, and where to read it."""
    told = str(seen["incident"].get("id") or seen["news"])
    link = str(seen.get("links", {}).get("incident", ""))
    return f"Vigía: {told}" if part == "subject" or not link.startswith("http") else f"Vigía: {told} {link}"
