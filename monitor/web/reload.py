"""POST /-/reload: the configuration and its rules, read anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from monitor.faults import ConfigError
from monitor.web.viewer import impersonal, viewer


def routes(reload: Callable[[str], Sequence[str]]) -> APIRouter:
    """200 once it is in force, with what is to be known of it; 422 with what is wrong, a line each, and nothing has changed.

    reload: as `Live.reload`.
    """
    router = APIRouter(include_in_schema=False, default_response_class=PlainTextResponse)

    @router.post("/-/reload")
    def read_anew() -> Any:
        try:
            known = reload(viewer().who)
        except ConfigError as error:
            return impersonal(PlainTextResponse(f"{error}\n", 422))
        said = ("La configuración se leyó de nuevo y está en vigor.", *known)
        return impersonal(PlainTextResponse("".join(f"{line}\n" for line in said)))

    return router
