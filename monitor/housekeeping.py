"""What is done for its own sake, at its times: old data dropped, how promises stand kept for boards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from monitor import tables as t
from monitor.claims import give_up
from monitor.kept_clocks import keep_clocks
from monitor.leading import reported
from monitor.months import keep_months
from monitor.retention import compact, prune
from monitor.sla import LATELY
from monitor.trail import HEAD

if TYPE_CHECKING:
    from monitor.service import Service

log = structlog.get_logger()


EVERY = timedelta(hours=1)
"""How often the house is kept, and the months are counted."""
KEPT_AT = "housekept_at"
"""The mark of a Vigía that no scheduler works for: when it was last done."""


def keep_house(service: Service) -> bool:
    """All of it, where nobody else does it at its times: promises now, the rest where EVERY has passed; whether it had."""
    watch_promises(service)
    now, last = service.clock(), service.store.marks().get(KEPT_AT)
    if last and abs(now - datetime.fromisoformat(last)) < EVERY:  # one that lies ahead is of a clock that was wrong
        return False
    keep_months(service.store, service.config, service.clock)
    housekeep(service)
    service.store.put(t.meta, [{"key": KEPT_AT, "value": now.isoformat()}])
    return True


def housekeep(service: Service) -> None:
    """Drop what is past its retention, and join the small blobs of days gone by."""
    now, store, kept = service.clock(), service.store, service.config.retention
    limits = {
        "cells": now - kept.cells, "ledger": now - 3 * service.config.monitor.hold - timedelta(hours=1),
        "incidents": now - kept.incidents, "clients": now - kept.clients, "outbox": now - kept.outbox,
    }  # fmt: skip
    for desk, many in give_up(store, service.sending.desks, limits["outbox"], now).items():
        service.metrics.given_up(desk, many)
        log.error("a desk is gone, and what waited for it is given up", desk=desk, messages=many)
    hold = service.judge.windows.hold
    dropped = prune(store, limits, spared=[(a - hold, a + hold) for a in service.judge.sources.dark()])
    joined = compact(store, now - timedelta(days=1))
    log.info("housekeeping", dropped=dropped, joined=joined, acts_head=store.marks().get(HEAD, ""))


def watch_promises(service: Service) -> None:
    """How the promises of all open cases stand, kept for boards and told to the metrics; and who spoke first lately."""
    now = service.clock()
    service.metrics.promises(keep_clocks(service.store, service.config.promises, now))
    service.metrics.led(reported(service.store, now - LATELY))
