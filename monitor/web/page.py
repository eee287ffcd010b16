"""Templates to pages: in the reader's language and light, everything escaped, a name that is missing is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from hashlib import md5
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from markupsafe import escape

from monitor.languages import Code, Language, words
from monitor.reads import Door, Reader
from monitor.standing import Row
from monitor.web import charts
from monitor.web.permits import SAFE
from monitor.web.viewer import impersonal, viewer, who
from monitor.web.wording import explained, plural_in, worded

__all__ = ["LOOK", "Look", "act_as", "looked", "part", "reader", "remember", "rendered", "who"]

LANGUAGES: tuple[Code, ...] = ("es", "en")
LIGHTS = ("auto", "light", "dark")
YEAR = 365 * 86400
SHIFT = 12 * 3600
"""For how long a browser remembers who acts: the desk's machine is somebody else's by then."""
LONGEST = 200
"""Signs of a name."""
FARTHEST = 9
"""Digits of the number of a page that are read."""
HERE = Path(__file__).parent
_PATH = re.compile(r"https?://[^/]+(/(?:incidents/[\w-]+|turno|casos)?)(?:[?#].*)?$")
_FORM = re.compile(r"""<form\b[^>]*\bmethod=["']?post\b[^>]*>""", re.IGNORECASE)


@dataclass(frozen=True)
class Look:
    """How a reader wants a page (`lang`, `theme`), and which one it is: its path and query.

    served: the sections that there are; held: the tag of the page that its reader has already; by: who acts, by their own word, where
    the configuration has no users ('': they have not said). came: of what a form asks for, the page that it stood on ('': it is no form).
    """

    lang: Code = "es"
    theme: str = "auto"
    path: str = "/"
    query: tuple[tuple[str, str], ...] = ()
    served: frozenset[str] = frozenset()
    held: str = ""
    by: str = ""
    came: str = ""

    @property
    def words(self) -> Language:
        """Those of its language."""
        return words(self.lang)

    def home(self, **query: str) -> str:
        """The first page, with this query."""
        return f"/?{urlencode(query)}"

    def link(self, **changes: Any) -> str:
        """The same page with some of its query changed; None takes a key away."""
        kept = [(key, value) for key, value in self.query if key not in changes]
        text = urlencode(kept + [(key, str(value)) for key, value in changes.items() if value is not None])
        return f"{self.path}?{text}" if text else self.path

    def asked(self, key: str) -> str:
        """What the query says of a key, '' where nothing."""
        return next((value for name, value in self.query if name == key), "")


LOOK: ContextVar[Look] = ContextVar("look", default=Look())  # noqa: B039 - frozen
"""Of the page that is being made."""


def looked(request: Request, served: frozenset[str] = frozenset()) -> Look:
    """What the query says, else the cookies; `lang` and `theme` are no part of the page's own query."""
    pairs = request.query_params.multi_items()
    wish = {name: request.query_params.get(name) or request.cookies.get(name, "") for name in ("lang", "theme")}
    return Look(
        "en" if wish["lang"] == "en" else "es",
        wish["theme"] if wish["theme"] in LIGHTS else "auto",
        request.url.path,
        tuple((key, value) for key, value in pairs if key not in wish),
        served,
        request.headers.get("if-none-match", ""),
        unquote(request.cookies.get("by", ""))[:LONGEST].strip(),
        came_from(request.method, request.headers.get("referer", "")),
    )


def came_from(method: str, referer: str) -> str:
    """The page to go back to after what a form asked for could not be done: an incident's or one of all, never a client's."""
    if method in SAFE:
        return ""
    path = _PATH.match(referer)
    return path[1] if path else "/"


def remember(request: Request, response: Response, look: Look) -> None:
    """Keep what the query asked for, for the pages to come."""
    for name, value in (("lang", str(look.lang)), ("theme", look.theme)):
        if request.query_params.get(name) == value:
            response.set_cookie(name, value, max_age=YEAR, samesite="lax", httponly=True)


def act_as(response: Response, by: str) -> None:
    """Remember who acts from this browser, so that it is asked once; '' forgets."""
    if by := by.strip()[:LONGEST]:
        response.set_cookie("by", quote(by, safe=""), max_age=SHIFT, samesite="lax", httponly=True)
    else:
        response.delete_cookie("by", samesite="lax", httponly=True)


def _environment(lang: Code) -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(worded(lang), plural_in(lang), newstyle=True)  # type: ignore[attr-defined]  # of the extension
    told: Any = made.globals["ngettext"]
    made.globals["ngettext"] = _counted(told, words(lang).number)
    made.globals |= {"es": words(lang), "charts": charts, "lang": lang, "explained": explained(lang)}
    return made


def _counted(told: Callable[..., str], number: Callable[[float], str]) -> Callable[..., str]:
    """The extension's, with %(num)s as numbers are written: 1.186."""

    @pass_context
    def ngettext(context: Any, one: str, more: str, many: int, **holes: Any) -> str:
        return told(context, one, more, many, **({"num": number(many)} | holes))

    return ngettext


_pages = {lang: _environment(lang) for lang in LANGUAGES}


def rendered(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The page that a template makes of these values, as far as whoever asks may see them; they are there as `viewer`.

    Each form that posts gets the mark that guards it against other pages. What the reader has already is not sent again.
    """
    look, here = LOOK.get(), viewer()
    if status != HTTPStatus.OK:
        look = replace(look, path="/", query=())  # why there is no page must not tell what was asked for
    page = _pages[look.lang].get_template(template).render(look=look, viewer=here, **here.out(values))
    guarded = _FORM.sub(
        lambda form: f'{form.group()}<input type="hidden" name="csrf" value="{escape(here.csrf())}">', page
    )
    tag = f'"{md5(guarded.encode(), usedforsecurity=False).hexdigest()}"'
    same = status == HTTPStatus.OK and look.held == tag
    made = HTMLResponse("" if same else guarded, HTTPStatus.NOT_MODIFIED if same else status, {"ETag": tag})
    answer: HTMLResponse = impersonal(made)
    return answer


def reader(request: Request, door: Door) -> Reader:
    """Who asks to see one client, for a read that the caller has kept: the user or, without users, the address of the request."""
    here = viewer()
    here.noted = True
    return Reader(here.who or (request.client.host if request.client else ""), door)


def part(
    rows: Sequence[Any],
    key: str = "page",
    size: int = 50,
    whole: Callable[[Sequence[Any]], Sequence[Row]] = list,
    *,
    typed: str = "",
) -> dict[str, Any]:
    """The page of a long list that the query asks for by `key`, of those rows that whoever asks may see.

    rows: of this page; number: which of how many `pages` (from 1); many: how many rows there are in all, and `seen` of these.
    whole: makes rows of those of the page, where the list is of something shorter with a client_id. typed: by what somebody looked for
    them: then only what they see is counted, for a number that changes with each sign would spell out who else there is.
    """
    sight = viewer().sight
    seen = rows if sight.clients is None else [row for row in rows if _client(row) in sight]
    return cut(
        len(seen if typed else rows), len(seen), lambda size, offset: whole(seen[offset : offset + size]), key, size
    )


def cut(
    many: int, seen: int, some: Callable[[int, int], Sequence[Row]], key: str = "page", size: int = 50
) -> dict[str, Any]:
    """The same of a list that lies elsewhere. some: its rows that may be seen, so many of them, from that one on."""
    wish = LOOK.get().asked(key)
    pages = max(1, -(-seen // size))
    number = min(max(int(wish[:FARTHEST]), 1), pages) if wish.isascii() and wish.isdigit() else 1
    shown = some(size, (number - 1) * size)
    return {"rows": shown, "number": number, "pages": pages, "many": many, "seen": seen, "key": key}


def _client(row: Any) -> str:
    return str(row.get("client_id", "") if isinstance(row, Mapping) else row.client_id)
