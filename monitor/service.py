"""The daemon: APScheduler polls -> one judging thread -> outbox delivery; and its end.

Pollers only fetch, through a bounded queue. The judging thread alone decides and writes. Delivery has its own thread, so that a slow
desk holds nothing up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from time import perf_counter

import structlog
from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.schedulers.background import BackgroundScheduler

from connectors import SourceError
from monitor.config import Config
from monitor.intake import Intake, Rows
from monitor.judge import EVENTS, Done, Down, Judge, Stopped
from monitor.metrics import Metrics
from monitor.outbox import deliver
from monitor.store import Store
from monitor.windows import time_of

log = structlog.get_logger()

QUEUE = 64
"""Polls that may wait to be judged; past that, pollers wait."""
TOLD = 5
"""Rows left out of one poll that are told one by one."""
DELIVERY = timedelta(seconds=2)
STALE = timedelta(seconds=60)
"""Without a full cycle for this long (or three polls of the slowest source), not ready."""


def wall() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Service:
    """One Vigía: `cycle` for a single pass, `run` for the daemon."""

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        clock: Callable[[], datetime] = wall,
        ending: Callable[[], bool] = lambda: False,
    ) -> None:
        """ending: whether it is time to end before it has begun; raises Stopped then, while what is stored is read."""
        self.config, self.store, self.clock = config, store, clock
        self.metrics = Metrics(sources=config.sources, desks=config.desks)
        self.desks = {name: desk.make() for name, desk in config.desks.items()}
        self.errors: dict[str, str] = {}
        self.last_cycle: datetime | None = None
        self._queue: Queue[tuple[Intake, Rows | Down]] = Queue(QUEUE)
        self._stopping = Event()
        self._ending = Event()
        self._told_to_end = ending
        self._delivering = Lock()
        self._intakes: dict[str, Intake] = {}
        self._build()

    def _build(self) -> None:
        """Judge and pollers, from what is committed."""
        cursors = self.store.cursors()
        judge = Judge(self.config, self.store, self.clock, lambda: self._ending.is_set() or self._told_to_end())
        order = sorted(self.config.sources.values(), key=lambda s: s.block.role in EVENTS)
        intakes = {s.name: Intake(s, cursors.get(s.name, (None, None))[0]) for s in order}
        self.judge, self._intakes = judge, intakes
        pipeline = self.judge.pipeline
        known = pipeline.book.decisions.values()
        self.metrics.resume(pipeline.incidents.open.values(), pipeline.touched(), known, pipeline.portfolio.clients)

    # ---- one pass --------------------------------------------------------------------------------------------------

    def cycle(self) -> bool:
        """Poll every source until it is drained, judge, deliver. False if a source or a desk could not be used."""
        for intake in self._intakes.values():
            while (arrived := self._poll(intake)) is not None:
                self._step([arrived])
                if isinstance(arrived, Down) or arrived.drained:
                    break
        self.deliver()
        return not self.errors

    def _poll(self, intake: Intake) -> Rows | Down:
        began = perf_counter()
        try:
            rows = intake.poll(self.clock(), self.clock() - intake.config.block.start)
        except SourceError as error:
            return self._down(intake, str(error))
        except Exception as error:
            # One broken source must not stop the others.
            log.exception("a poll failed", source=intake.name)
            return self._down(intake, repr(error))
        if self.errors.pop(intake.name, None):
            log.info("source is back", source=intake.name)
        self._tell(rows)
        if rows.unknown_statuses:
            log.warning("statuses that no class names", source=rows.source, statuses=rows.unknown_statuses)
        self.metrics.polled(intake.name, perf_counter() - began)
        return rows

    def _tell(self, rows: Rows) -> None:
        """What could not be used: the first few, and how many; nothing usable at all is an error of the source."""
        for reject in rows.rejects[:TOLD]:
            log.warning("row left out", source=rows.source, where=reject.where, why=reject.why)
        if len(rows.rejects) > TOLD:
            log.warning("rows left out", source=rows.source, rows=len(rows.rejects), told=TOLD)
        if rows.rejects and not rows.table.num_rows:
            self.errors[rows.source] = (
                f"none of {len(rows.rejects)} rows could be used, such as {rows.rejects[0].where}"
            )

    def _down(self, intake: Intake, error: str) -> Down:
        if self.errors.get(intake.name) != error:
            log.warning("source is down", source=intake.name, error=error)
        self.errors[intake.name] = error
        self.metrics.source_error(intake.name)
        return Down(intake.name, error)

    def _step(self, arrived: list[Rows | Down]) -> Done:
        began = perf_counter()
        done = self.judge.step(arrived)
        now = self.clock()
        self._count(arrived, done, now, perf_counter() - began)
        for incident in done.changes.incidents.values():
            log.info(
                "incident", incident=incident.id, state=incident.state, severity=incident.severity, kind=incident.kind,
                product=incident.scope.product, channel=incident.scope.channel, since=incident.started_at.isoformat(),
            )  # fmt: skip
        if done.changes.decisions:
            fresh = [d for d in done.changes.decisions.values() if d.opened_at == done.at]
            actions = [str(decision.action) for decision in fresh] + ["tied"] * (
                len(done.changes.decisions) - len(fresh)
            )
            log.info("cases decided", **{action: actions.count(action) for action in sorted(set(actions))})
        if self.judge.judged_until is not None:
            self.last_cycle = now
        if done.untrained:
            log.info("a source was added: the models are built anew with its history")
            self._build()
        return done

    def _count(self, arrived: list[Rows | Down], done: Done, now: datetime, seconds: float) -> None:
        for item in arrived:
            if isinstance(item, Rows):
                counted = done.counted.get(item.source)
                self.metrics.counted(
                    item.source, rows=item.table.num_rows, late=counted.late if counted else 0,
                    too_late=counted.too_late if counted else 0, repeated=counted.repeated if counted else 0,
                    rejected=len(item.rejects), unknown=sum(item.unknown_statuses.values()),
                )  # fmt: skip
                if counted and item.role == "transactions":
                    self.metrics.transactions(counted.cells)
        for item in arrived:
            self.metrics.source(item.source, up=isinstance(item, Rows))
        for name, standing in self.judge.sources.items():
            lag = (now - standing.complete_until).total_seconds() if standing.complete_until else None
            self.metrics.source(name, up=not standing.down, lag=lag)
        if done.judged:
            start, end = done.judged
            self.metrics.judged(end - start, (now - time_of(end)).total_seconds(), seconds)
            self.metrics.statuses(self.judge.pipeline.status.values())
        self.metrics.decided(done.changes, self.judge.pipeline.portfolio.clients)
        self.metrics.cycle(now)

    def deliver(self) -> int:
        """Send what is due."""
        with self._delivering:
            sent = deliver(self.store, self.desks, self.clock, self._sent)
            waiting = self.store.waiting()
            self.metrics.outbox(len(waiting), (self.clock() - waiting[0]).total_seconds() if waiting else 0.0)
            return sent

    def _sent(self, desk: str, error: str) -> None:
        if error:
            self.errors[f"desk {desk}"] = error
            self.metrics.delivery_error(desk)
        else:
            self.errors.pop(f"desk {desk}", None)
            self.metrics.sent(desk)

    # ---- the daemon ------------------------------------------------------------------------------------------------

    def run(self, stop: Event, started: Callable[[], None] = lambda: None) -> None:
        """Until `stop` is set; then what was fetched is judged, what is due is sent, and all is closed."""
        judging = Thread(target=self._judge_forever, name="judging")
        judging.start()
        scheduler = self._scheduled()
        scheduler.start()
        started()
        stop.wait()
        log.info("stopping")
        self._ending.set()
        scheduler.shutdown(wait=True)
        self._stopping.set()
        judging.join()
        self.deliver()

    def _scheduled(self) -> BackgroundScheduler:
        defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults=defaults, executors={"default": {"type": "threadpool", "max_workers": 32}}
        )
        for name, source in self.config.sources.items():
            every = source.block.every.total_seconds()
            begins = datetime.now(UTC)
            scheduler.add_job(
                self._fetch, "interval", seconds=every, args=[name], id=f"poll {name}", next_run_time=begins
            )
        scheduler.add_job(self.deliver, "interval", seconds=DELIVERY.total_seconds(), id="deliver")
        scheduler.add_job(self.housekeep, "interval", hours=1, id="housekeep")
        scheduler.add_listener(self._missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
        return scheduler

    def _missed(self, event: object) -> None:
        self.metrics.missed_run()
        log.debug("a run was skipped, the one before still works", job=getattr(event, "job_id", ""))

    def _fetch(self, name: str) -> None:
        intake = self._intakes[name]
        while not self._ending.is_set():
            arrived = self._poll(intake)
            while not self._ending.is_set() and intake is self._intakes[name]:
                with contextlib.suppress(Full):
                    self._queue.put((intake, arrived), timeout=1)
                    break
            if isinstance(arrived, Down) or arrived.drained:
                return

    def _judge_forever(self) -> None:
        while not (self._stopping.is_set() and self._queue.empty()):
            waiting: list[tuple[Intake, Rows | Down]] = []
            with contextlib.suppress(Empty):
                waiting.append(self._queue.get(timeout=0.5))
                while True:
                    waiting.append(self._queue.get_nowait())
            # What was fetched before a step failed is fetched again, from the cursors that are committed.
            arrived = [item for intake, item in waiting if intake is self._intakes[intake.name]]
            self.metrics.queued(self._queue.qsize())
            if not arrived:
                continue
            try:
                self._step(arrived)
            except Stopped:
                log.info("stopped while history was read; the next start reads on")
                return
            except Exception:
                # What is in memory may be ahead of what is committed: begin again from the store.
                log.exception("a step failed; starting again from what is committed")
                if not self._rebuild():
                    return

    def _rebuild(self) -> bool:
        """Try until it works; False if it is time to end, with what is committed as it is."""
        while not self._stopping.wait(1):
            try:
                self._build()
            except Stopped:
                return False
            except Exception:
                log.exception("cannot start again yet")
            else:
                return True
        return False

    def housekeep(self) -> None:
        """Drop what is past its retention, and join the small blobs of days gone by."""
        now, kept = self.clock(), self.config.retention
        limits = {
            "cells": now - kept.cells, "ledger": now - 3 * self.config.monitor.hold - timedelta(hours=1),
            "incidents": now - kept.incidents, "clients": now - kept.clients, "outbox": now - kept.outbox,
        }  # fmt: skip
        dropped, joined = self.store.prune(limits), self.store.compact(now - timedelta(days=1))
        log.info("housekeeping", dropped=dropped, joined=joined)

    def ready(self) -> tuple[bool, str]:
        """Whether a full cycle has ended lately, and if not, why."""
        if self.last_cycle is None:
            return False, "todavía se lee la historia"
        slowest = max(source.block.every for source in self.config.sources.values())
        if self.clock() - self.last_cycle > max(STALE, 3 * slowest):
            return False, f"sin un ciclo completo desde {self.last_cycle.isoformat(timespec='seconds')}"
        if self.judge.sources and all(s.down for s in self.judge.sources.values()):
            return False, "ninguna fuente responde"
        return True, "listo"
