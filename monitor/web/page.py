"""Templates to pages: in the reader's language and light, everything escaped, a name that is missing is an error."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import md5
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from monitor.languages import Code, Language, words
from monitor.reads import Door, Reader
from monitor.web import charts
from monitor.web.wording import plural_in, worded

LANGUAGES: tuple[Code, ...] = ("es", "en")
LIGHTS = ("auto", "light", "dark")
YEAR = 365 * 86400
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Look:
    """How a reader wants a page (`lang`, `theme`), and which one it is: its path and query.

    served: the sections that there are; held: the tag of the page that its reader has already.
    """

    lang: Code = "es"
    theme: str = "auto"
    path: str = "/"
    query: tuple[tuple[str, str], ...] = ()
    served: frozenset[str] = frozenset()
    held: str = ""

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
CSRF: ContextVar[str] = ContextVar("csrf", default="")
"""What a form on the page must bring back; '' where nothing is asked for."""


USER: ContextVar[str] = ContextVar("user", default="")
"""Who has signed in; '' where nobody has to: forms then ask for a name."""


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
    )


def remember(request: Request, response: Response, look: Look) -> None:
    """Keep what the query asked for, for the pages to come."""
    for name, value in (("lang", str(look.lang)), ("theme", look.theme)):
        if request.query_params.get(name) == value:
            response.set_cookie(name, value, max_age=YEAR, samesite="lax", httponly=True)


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
    made.globals |= {"es": words(lang), "charts": charts, "lang": lang, "csrf": CSRF.get, "user": USER.get}
    return made


_pages = {lang: _environment(lang) for lang in LANGUAGES}


def rendered(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The page that a template makes of these values, as its reader wants it."""
    look = LOOK.get()
    made = HTMLResponse(_pages[look.lang].get_template(template).render(look=look, **values), status)
    tag = f'"{md5(made.body, usedforsecurity=False).hexdigest()}"'
    if status == HTTPStatus.OK and look.held == tag:
        return HTMLResponse(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    made.headers["ETag"] = tag
    return made


def reader(request: Request, door: Door) -> Reader:
    """Who asks: the address that the request comes from."""
    return Reader(request.client.host if request.client else "", door)


@dataclass(frozen=True)
class Part:
    """One page of a long list: its rows, which of how many pages it is (from 1), and how many rows there are in all."""

    rows: Sequence[Any]
    number: int
    pages: int
    many: int
    key: str
    size: int


def part(rows: Sequence[Any], key: str = "page", size: int = 50) -> Part:
    """The page of a list that the query asks for by `key`."""
    wish = LOOK.get().asked(key)
    pages = max(1, -(-len(rows) // size))
    number = min(max(int(wish), 1), pages) if wish.isascii() and wish.isdigit() else 1
    return Part(rows[(number - 1) * size : number * size], number, pages, len(rows), key, size)
