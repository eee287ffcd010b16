"""The daemon: APScheduler polls -> one judging thread -> outbox delivery; and its end.

Pollers only fetch, through a bounded queue. The judging thread alone decides and writes. Each desk has its own delivery, so that
a slow one holds nothing up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from queue import Empty
from threading import Event, Thread
from time import perf_counter

import structlog

from connectors import Fault, SourceError
from monitor.boards import Boards
from monitor.config import Config
from monitor.fetched import Fetched
from monitor.going_down import Downs
from monitor.hearing import Hearing
from monitor.intake import Intake, Rows, let_go, tell_committed
from monitor.jobs import scheduled
from monitor.judge import Done, Down, Judge, Stopped
from monitor.lateness import EVENTS, behind, still
from monitor.left_out import tell_left_out, tell_odd
from monitor.logs import kind_and_place
from monitor.metrics import Metrics
from monitor.notices import Notices
from monitor.portrait import outlook
from monitor.readiness import local, ready
from monitor.receiving import Refreshing, made, tellers
from monitor.refusals import keep, recall
from monitor.seldom import tell_seldom
from monitor.sending import Sending
from monitor.store import Store
from monitor.too_late import TooLate
from monitor.troubles import Runs, troubles
from monitor.waiting import Waiting
from monitor.windows import time_of

log = structlog.get_logger()

LAST = 20.0
"""Seconds that what is being asked may take when all ends, and as many that what is then due may."""
PAUSE = 1.0
"""Seconds before it begins again after a step that failed."""
FAILED = 2
"""Steps that fail in a row before it is not ready."""


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
        self.metrics = Metrics.of(config)
        self.metrics.reloaded(clock(), taken=True)
        self.errors, self._downs, self.too_late = dict[str, str](), Downs(), TooLate()
        receivers = made(config)
        self.sending = Sending(config, store, clock, self.metrics, self.errors, tellers(config, store, receivers))
        self.refreshing = Refreshing(config, store, receivers, clock)
        self.boards = Boards(config, store, clock, self.metrics, self.errors)
        self.runs, self.troubled = Runs(clock), dict[str, datetime]()
        wrong = partial(troubles, self)
        self.notices = Notices(config, store, clock, uncapped=[*self.refreshing], troubles=wrong)
        self.last_cycle: datetime | None = None
        self.failed: tuple[int, str] = (0, "")
        """How many steps in a row have failed, and the last one's error."""
        self._queue = Waiting()
        self.metrics.queued(self._queue.many, self._queue.filled)
        fresh = outlook(config).fresh
        self.metrics.stale(lambda: abs(self.clock() - time_of(self.judge.judged_until or 0)) > fresh)
        self.metrics.behind, self.metrics.still = partial(behind, self), partial(still, self)
        self._stopping = Event()
        self._ending = Event()
        self._told_to_end = ending
        self._intakes: dict[str, Intake] = {}
        self._asking: set[str] = set()
        every = {name: source.block.every for name, source in config.sources.items()}
        self.hearing = Hearing(clock, every, config.monitor.patience)
        self._build()

    def _build(self) -> None:
        """Judge and pollers, from what is committed."""
        cursors = self.store.cursors()
        judge = Judge(self.config, self.store, self.clock, lambda: self._ending.is_set() or self._told_to_end())
        order = sorted(self.config.sources.values(), key=lambda s: s.block.role in EVENTS)
        intakes = {s.name: Intake(s, *cursors.get(s.name, ())) for s in order}
        self.judge, self._intakes = judge, intakes
        pipeline = self.judge.pipeline
        self.hearing.begin(intakes)
        for name, standing in judge.sources.items():
            self._complete(name, standing.complete_until)
        known = pipeline.book.decisions.values()
        live = (*pipeline.incidents.open.values(), *pipeline.recent.values())
        self.metrics.resume(live, pipeline.impacts, known, pipeline.portfolio.clients)

    # ---- one pass --------------------------------------------------------------------------------------------------

    def cycle(self) -> bool:
        """Poll every source until it is drained, judge, deliver. False if a source, a desk or a board could not be used."""
        self.notices.begin()
        refusals = {name: intake.refusals for name, intake in self._intakes.items()}
        recall(self.store, refusals)
        for intake in self._intakes.values():
            while (arrived := self._poll(intake)) is not None:
                self.hearing.begin(self._intakes)  # one by one: who was not asked yet is not silent
                self._step([arrived])
                if arrived.drained:
                    break
        keep(self.store, refusals)
        let_go(self._intakes.values())
        self.notices.tell()
        self.deliver()
        self.boards.all()
        return not self.errors

    def _poll(self, intake: Intake) -> Rows | Down:
        began, asked = perf_counter(), self.clock()
        try:
            rows = intake.poll(self.clock(), self.clock() - intake.config.block.start)
        except SourceError as error:
            return replace(self._down(intake, str(error), error.fault), since=asked)
        except Exception as error:
            # One broken source must not stop the others.
            log.exception("a poll failed", source=intake.name)
            return replace(self._down(intake, kind_and_place(error)), since=asked)
        finally:
            self.hearing.answered(intake.name)
            self.metrics.circuits(source=intake.name, state=intake.circuit)
        if not rows.useless or intake.name not in self.errors:
            tell_left_out(rows)
        if rows.wrong:
            self._down(intake, rows.wrong, "unreadable")
        elif rows.drained and self.errors.pop(intake.name, ""):  # one that still has some to give may fail at its next
            log.info("source is back", source=intake.name)
        if rows.lost:
            log.warning("rows are lost", source=rows.source, what=rows.lost)
            self.metrics.source_error(rows.source, "unreadable")
        tell_odd(rows)
        if intake.fresh and rows.drained and rows.table.num_rows:
            intake.fresh = False
            tell_seldom(intake, rows, self.config.monitor.patience)
        self.metrics.polled(intake.name, perf_counter() - began)
        if intake.role in (*EVENTS, "cases") and not rows.wrong:
            self._complete(intake.name, rows.complete_until)
        return rows

    def _complete(self, name: str, until: datetime | None) -> None:
        self.hearing.complete(name, until)
        self.metrics.outside.lags("source", name, partial(self.hearing.lag, name))

    def _down(self, intake: Intake, error: str, fault: Fault = "other") -> Down:
        self._downs.tell(intake.name, error, fault, already=intake.name in self.errors)
        self.errors[intake.name] = error
        self.metrics.source_error(intake.name, fault)
        return Down(intake.name, error)

    def _step(self, arrived: list[Rows | Down]) -> Done:
        began, until = perf_counter(), self.judge.judged_until
        for item in arrived:
            self.hearing.lost.discard(item.source)
        for name in self.hearing.silent():
            error = f"no answer since {local(self, self.hearing.heard[name])}"
            since = self.hearing.due(name)
            arrived = [*arrived, replace(self._down(self._intakes[name], error, "timeout"), since=since)]
            self.hearing.lost.add(name)
        done = self.judge.step(arrived)
        tell_committed(self._intakes, [item for item in arrived if isinstance(item, Rows)])
        now = self.clock()
        self._count(arrived, done, now, perf_counter() - began)
        for incident in done.changes.incidents.values():
            log.info(
                "incident", incident=incident.id, state=incident.state, severity=incident.severity, kind=incident.kind,
                product=incident.scope.product, channel=incident.scope.channel, since=incident.started_at.isoformat(),
            )  # fmt: skip
        for escalation in (one.escalation for one in done.changes.escalated):
            tell = log.info if escalation.desk else log.warning
            tell(
                "root cause escalated",
                case=escalation.key,
                returns=escalation.returns,
                desk=escalation.desk or "none takes it",
            )
        if done.changes.decisions:
            fresh = [d for d in done.changes.decisions.values() if d.opened_at == done.at]
            tied = [d for d in done.changes.decisions.values() if d.opened_at != done.at and d.linked_case_id]
            actions = [str(decision.action) for decision in fresh] + ["tied"] * len(tied)
            log.info("cases decided", **{action: actions.count(action) for action in sorted(set(actions))})
        self.failed = (0, "")
        if self.judge.judged_until != until:
            self.last_cycle = now
            self.metrics.cycle(now)
        if done.untrained:
            log.info("a source was added: the models are built anew with its history")
            self._build()
        return done

    def _count(self, arrived: list[Rows | Down], done: Done, now: datetime, seconds: float) -> None:
        for item in arrived:
            if isinstance(item, Rows):
                self.metrics.counted(
                    item.source, rows=item.table.num_rows, rejected=item.rejected,
                    unknown=sum(item.unknown_statuses.values()), wrong_digit=item.wrong_digits,
                )  # fmt: skip
        for source, counted in done.counted:
            self.metrics.counted(source, late=counted.late, too_late=counted.too_late, repeated=counted.repeated)
            self.too_late.came(source, counted.too_late, counted.oldest, now)
            if self.config.sources[source].block.role == "transactions":
                self.metrics.transactions(counted.cells)
        for item in arrived:
            self.metrics.source(item.source, up=isinstance(item, Rows) and not item.wrong)
        for name, standing in self.judge.sources.items():
            self.metrics.source(name, up=not standing.down, lag=self.hearing.lag(name))
        if done.judged:
            start, end = done.judged
            self.metrics.judged(end - start, (now - time_of(end)).total_seconds(), seconds)
            pipeline = self.judge.pipeline
            self.metrics.statuses(self.judge.words, pipeline.incidents.alerts.values(), self.judge.said or ())
            self.metrics.held(pipeline.windows.held)
        self.metrics.decided(done.changes, self.judge.pipeline.portfolio.clients)
        self.metrics.stepped(now)

    def deliver(self) -> int:
        """Send what is due."""
        return self.sending.all()

    # ---- the daemon ------------------------------------------------------------------------------------------------

    def run(self, stop: Event, started: Callable[[], None] = lambda: None) -> None:
        """Until `stop` is set; then what was fetched is judged, what is due is sent, and all is closed."""
        self.begin()
        started()
        stop.wait()
        log.info("stopping")
        self.pause()
        self.sending.rest(LAST)

    def begin(self, *, anew: bool = False) -> None:
        """Poll, judge and deliver, in threads of its own, until `pause`. anew: from what is committed, whatever memory holds."""
        self._ending.clear()
        self._stopping.clear()
        self._judging = Thread(target=self._judge_forever, args=[anew], name="judging")
        self._judging.start()
        self._scheduler = scheduled(self)
        self.runs.keep(job.id for job in self._scheduler.get_jobs())
        self._scheduler.start()

    def pause(self) -> None:
        """Wait for what is being asked and sent, judge and commit what was fetched; nothing works then, until `begin`."""
        self._ending.set()
        ending = Thread(target=self._scheduler.shutdown, daemon=True)
        ending.start()
        ending.join(LAST)
        if self.hanging:
            log.warning("not waited for any longer", hanging=self.hanging)
        self._stopping.set()
        self._judging.join()
        let_go(self._intakes.values())

    def ending(self) -> bool:
        """Whether it is time to end."""
        return self._ending.is_set()

    @property
    def hanging(self) -> list[str]:
        """The sources, desks and boards that are being asked this moment; after the end of `run`, that have not answered in time."""
        return sorted(self._asking) + self.sending.hanging + self.boards.hanging

    def asked(self, name: str) -> bool:
        """Whether the source is being asked this moment, and has not answered yet; or history is read, which takes its time."""
        return self.judge.judged_until is None or (name in self._asking and not self.hearing.waiting(name))

    def missed(self, event: object) -> None:
        """The scheduler skipped a run."""
        self.metrics.missed_run()
        self.runs.skipped(getattr(event, "job_id", ""))
        log.debug("a run was skipped, the one before still works", job=getattr(event, "job_id", ""))

    def fetch(self, name: str) -> None:
        """Poll a source until it is drained, and hand what it brings to the judging thread."""
        if name in self._asking:
            return  # a poll of before a pause hangs still: two would each hand over the same rows
        self._asking.add(name)
        try:
            self._drain(name)
        finally:
            self._asking.discard(name)

    def _drain(self, name: str) -> None:
        before: Fetched | None = None
        while not self._ending.is_set():
            intake = self._intakes[name]
            fetched, handed = Fetched(intake, self._poll(intake), perf_counter()), False
            with self.hearing.waits(name):
                while not (handed or self._ending.is_set()) and intake is self._intakes[name]:
                    handed = fetched.handed(self._queue, before)
            if handed and fetched.arrived.drained:
                return
            before = fetched if handed else None  # all was built anew meanwhile: it is read on from what is committed

    def _judge_forever(self, anew: bool) -> None:  # noqa: FBT001 - a thread's
        if anew and not self._rebuild():
            return
        while not (self._stopping.is_set() and self._queue.empty()):
            waiting: list[Fetched] = []
            with contextlib.suppress(Empty):
                waiting.append(self._queue.get(timeout=0.5))
                while True:
                    waiting.append(self._queue.get_nowait())
            # What was fetched before a step failed is fetched again, from the cursors that are committed.
            arrived = [one.arrived for one in waiting if one.intake is self._intakes[one.intake.name]]
            try:
                if arrived or self.hearing.silent():
                    self._step(arrived)
                    for one in waiting:
                        self.metrics.outside.judged(perf_counter() - one.answered)
            except Stopped:
                log.info("stopped while history was read; the next start reads on")
                return
            except Exception as error:
                # What is in memory may be ahead of what is committed: begin again from the store.
                log.exception("a step failed; starting again from what is committed")
                self._fail(error)
                if not self._rebuild():
                    return
            finally:
                for one in waiting:
                    one.judged.set()

    def _fail(self, error: Exception) -> None:
        self.failed = (self.failed[0] + 1, kind_and_place(error))
        self.metrics.step_error()

    def _rebuild(self) -> bool:
        """Try until it works; False if it is time to end, with what is committed as it is."""
        while not self._stopping.wait(PAUSE):
            try:
                self._build()
            except Stopped:
                return False
            except Exception as error:
                log.exception("cannot start again yet")
                self._fail(error)
            else:
                return True
        return False

    @property
    def failures(self) -> tuple[int, str]:
        """How many steps in a row have failed, and the last one's error; as long as it may be chance, none."""
        return self.failed if self.failed[0] >= FAILED else (0, "")

    def ready(self) -> tuple[bool, str]:
        """Whether a full cycle has ended lately and people can be told; if not, why; and if so, what is not seen all the same."""
        return ready(self)
