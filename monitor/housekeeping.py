"""What is done for its own sake, at its times: old data dropped, how promises stand kept for boards."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from monitor.claims import give_up
from monitor.kept_clocks import keep_clocks
from monitor.leading import reported
from monitor.retention import compact, prune
from monitor.sla import LATELY
from monitor.trail import HEAD

if TYPE_CHECKING:
    from monitor.service import Service

log = structlog.get_logger()


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
    dropped = prune(store, limits)
    joined = compact(store, now - timedelta(days=1))
    log.info("housekeeping", dropped=dropped, joined=joined, acts_head=store.marks().get(HEAD, ""))


def watch_promises(service: Service) -> None:
    """How the promises of all open cases stand, kept for boards and told to the metrics; and who spoke first lately."""
    now = service.clock()
    service.metrics.promises(keep_clocks(service.store, service.config.promises, now))
    service.metrics.led(reported(service.store, now - LATELY))
