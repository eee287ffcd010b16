"""What is kept quiet, over the API: silences, and declared maintenance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request

from monitor import silencing, works
from monitor.access import Role
from monitor.maintenance import Declared
from monitor.people import Refused
from monitor.standing import Row
from monitor.store import Store
from monitor.web import act_shapes as s
from monitor.web.acts import WHY_NOT, Key
from monitor.web.page import who
from monitor.web.viewer import must

By = Annotated[s.By, Query(description="Who does it.")]
Whole = Annotated[bool, Query(alias="all", description="What is over as well.")]


def routes(store: Store, clock: Callable[[], datetime], written: tuple[Declared, ...]) -> APIRouter:
    """/api/v1/silences and /api/v1/maintenance. written: the maintenance of the configuration."""
    router = APIRouter(prefix="/api/v1", responses=WHY_NOT)
    zone = str(clock().tzinfo)

    @router.get("/silences", response_model=list[s.Silence], tags=["silences"])
    def silences(*, whole: Whole = False) -> list[Row]:
        """Those in force, the first to end first."""
        return silencing.listed(store, clock(), whole=whole)

    @router.post("/silences", response_model=s.Silence, tags=["silences"])
    def silence(new: s.NewSilence, request: Request, key: Key = "") -> Row:
        """Make one; what would keep quiet too much is refused without `force`, which is for who administers."""
        _may_force(force=new.force)
        now, author = clock(), who(request) or new.by
        if (new.until is None) == (new.lasts is None):
            raise Refused("diga hasta cuándo (until) o por cuánto tiempo (lasts), uno de los dos")
        until = new.until or now + (new.lasts or now - now)
        return silencing.add(
            store,
            {str(name): value for name, value in new.matchers.items()},
            author,
            new.reason,
            now,
            until,
            force=new.force,
            request_key=key,
        )

    @router.delete("/silences/{silence_id}", response_model=s.Silence, tags=["silences"])
    def unsilence(silence_id: str, request: Request, by: By = "", key: Key = "") -> Row:
        """End one now."""
        return silencing.end(store, silence_id, who(request) or by, clock(), request_key=key)

    @router.get("/maintenance", response_model=list[s.Maintenance], tags=["maintenance"])
    def maintenance(*, whole: Whole = False) -> list[Row]:
        """What is declared, in the configuration and by people, and when it is next."""
        return works.listed(store, written, clock(), zone, whole=whole)

    @router.post("/maintenance", response_model=s.Named, tags=["maintenance"])
    def declare(new: s.NewMaintenance, request: Request, key: Key = "") -> Row:
        """Declare it; what is very wide or long is refused without `force`, which is for who administers."""
        _may_force(force=new.force)
        made = works.add(
            store, who(request) or new.by, new.reason, clock(), zone, product=new.product, channel=new.channel, start=new.starts_at,
            until=new.until, cron=new.cron, lasts=new.lasts, force=new.force, request_key=key,
        )  # fmt: skip
        return {"id": made}

    @router.delete("/maintenance/{maintenance_id}", response_model=s.Named, tags=["maintenance"])
    def end_maintenance(maintenance_id: str, request: Request, by: By = "", key: Key = "") -> Row:
        """End it now, or before it begins."""
        return {"id": works.end(store, maintenance_id, who(request) or by, clock(), request_key=key)}

    return router


def _may_force(*, force: bool) -> None:
    if force:
        must(Role.ADMINISTER)
