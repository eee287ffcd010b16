"""POST /-/reload: the configuration and its rules, read anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from monitor.faults import ConfigError
from monitor.web.viewer import impersonal


def routes(reload: Callable[[], None]) -> APIRouter:
    """200 once it is in force; 422 with what is wrong, a fault a line, and nothing has changed. reload: as `Live.reload`."""
    router = APIRouter(include_in_schema=False, default_response_class=PlainTextResponse)

    @router.post("/-/reload")
    def read_anew() -> Any:
        try:
            reload()
        except ConfigError as error:
            return impersonal(PlainTextResponse(f"{error}\n", 422))
        return impersonal(PlainTextResponse("La configuración se leyó de nuevo y está en vigor.\n"))

    return router
