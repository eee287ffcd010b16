"""Templates to pages: Spanish words at hand, everything escaped, a name that is missing is an error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import escape

from monitor import spanish
from monitor.reads import Door, Reader
from monitor.web.viewer import impersonal, viewer, who

__all__ = ["reader", "rendered", "who"]

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.globals["es"] = spanish
_FORM = re.compile(r'<form\b[^>]*\bmethod="post"[^>]*>', re.IGNORECASE)


def whole(rows: Sequence[Any]) -> int:
    """How many there are, with those whom the viewer may not see."""
    return getattr(rows, "whole", len(rows))


def theirs(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many of the clients counted are the viewer's, where that is not all: `; 3 suyos`."""
    many = len({row["client_id"] for row in rows})
    told = f"{spanish.number(many)} suyos" if many > 1 else "1 suyo" if many else "ninguno suyo"
    return f"; {told}" if viewer().partial else ""


def rendered(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The page that a template makes of these values, as far as whoever asks may see them; they are there as `viewer`.

    Each form that posts gets the mark that guards it against other pages.
    """
    here = viewer()
    page = _pages.get_template(template).render(viewer=here, **here.out(values))
    guarded = _FORM.sub(
        lambda form: f'{form.group()}<input type="hidden" name="csrf" value="{escape(here.csrf())}">', page
    )
    answer: HTMLResponse = impersonal(HTMLResponse(guarded, status))
    return answer


_pages.globals |= {"theirs": theirs, "whole": whole}


def reader(request: Request, door: Door) -> Reader:
    """Who asks to see one client, for a read that the caller has kept: the user or, without users, the address of the request."""
    here = viewer()
    here.noted = True
    return Reader(here.who or (request.client.host if request.client else ""), door)
