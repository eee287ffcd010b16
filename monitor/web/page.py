"""Templates to pages: Spanish words at hand, everything escaped, a name that is missing is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from monitor import spanish
from monitor.reads import Door, Reader

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.globals["es"] = spanish


def rendered(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The page that a template makes of these values."""
    return HTMLResponse(_pages.get_template(template).render(**values), status)


def reader(request: Request, door: Door) -> Reader:
    """Who asks: the address that the request comes from."""
    return Reader(request.client.host if request.client else "", door)


def who(request: Request) -> str:  # noqa: ARG001 - nobody is named yet
    """The user who asks; '' where the configuration has no users, and whoever acts says who they are."""
    return ""
