"""What a service does at its times: polls, deliveries, notices, boards, promises, months, housekeeping, the heartbeat.

Each job has a thread of its own when it needs one, so none waits for another, however many hang; and none begins while it still works.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from monitor.heartbeat import Pulse
from monitor.housekeeping import EVERY, housekeep, watch_promises
from monitor.months import keep_months
from monitor.turns import Turns

if TYPE_CHECKING:
    from monitor.service import Service

DELIVERY = timedelta(seconds=2)
NOTICES = timedelta(seconds=5)
"""How often it is asked whether somebody is to be told something."""
WATCH = timedelta(minutes=1)
"""How often the promises of open cases are looked at."""
SPACING = timedelta(milliseconds=100)
"""Between the first polls of two sources; less where they are too many for their interval. So they stay apart for ever."""


class Punctual(ThreadPoolExecutor):  # type: ignore[misc]  # APScheduler has no types
    """As many threads as there are jobs. due: for when each job's newest run was meant, by its id."""

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs)
        self.due: dict[str, datetime] = {}

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        self.due[job.id] = run_times[0]
        super()._do_submit_job(job, run_times)


SETTLED = timedelta(minutes=3)
"""After the start, before the months are counted."""


def scheduled(service: Service) -> BackgroundScheduler:
    """The jobs of a service, not yet started."""
    defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    scheduler = BackgroundScheduler(timezone=UTC, job_defaults=defaults)
    began, sources = datetime.now(UTC), service.config.sources

    turns = {name: Turns(source.block.every, partial(service.asked, name)) for name, source in sources.items()}

    def poll(name: str) -> None:
        for late in turns[name].begins(threads.due[f"poll {name}"], datetime.now(UTC)):
            service.metrics.outside.begun(name, late)
        service.fetch(name)

    def left_out(event: Any) -> None:
        kind, _, name = event.job_id.partition(" ")
        if kind == "poll":
            turns[name].left_out(event.scheduled_run_times[0])

    for place, name in enumerate(sorted(sources)):
        every = sources[name].block.every
        first = began + place * min(SPACING, every / len(sources))
        scheduler.add_job(
            poll, "interval", seconds=every.total_seconds(), args=[name], id=f"poll {name}", next_run_time=first
        )
    for desk in service.sending:
        job = f"deliver {desk or 'to desks of the past'}"
        how = [desk, service.ending]
        scheduler.add_job(service.sending.to, "interval", seconds=DELIVERY.total_seconds(), args=how, id=job)
    notify = {"seconds": NOTICES.total_seconds(), "id": "notices", "next_run_time": datetime.now(UTC)}
    scheduler.add_job(service.notices.tell, "interval", **notify)
    for name in service.refreshing:
        scheduler.add_job(service.refreshing.refresh, "interval", minutes=1, args=[name], id=f"refresh {name}")
    for name in service.boards:
        seconds = service.config.boards[name].block.every.total_seconds()
        how = [name, service.ending]
        scheduler.add_job(service.boards.push, "interval", seconds=seconds, args=how, id=f"board {name}")
    keep = [service.store, service.config, service.clock]
    begins = datetime.now(UTC) + SETTLED
    scheduler.add_job(
        keep_months, "interval", seconds=EVERY.total_seconds(), args=keep, id="months", next_run_time=begins
    )
    watch = {"seconds": WATCH.total_seconds(), "id": "promises", "next_run_time": datetime.now(UTC)}
    scheduler.add_job(watch_promises, "interval", args=[service], **watch)
    scheduler.add_job(housekeep, "interval", seconds=EVERY.total_seconds(), args=[service], id="housekeep")
    if heart := service.config.heartbeat:
        pulse = Pulse(heart.url, service.ready, service.metrics)
        scheduler.add_job(pulse.beat, "interval", seconds=heart.every.total_seconds(), id="heartbeat")
    threads = Punctual(len(scheduler.get_jobs()))
    scheduler.add_executor(threads)
    scheduler.add_listener(left_out, EVENT_JOB_MAX_INSTANCES)
    scheduler.add_listener(service.missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    scheduler.add_listener(lambda event: service.runs.ran(event.job_id), EVENT_JOB_EXECUTED)
    scheduler.add_listener(lambda event: service.runs.failed(event.job_id, event.exception), EVENT_JOB_ERROR)
    scheduler.add_listener(lambda _: service.metrics.job_error(), EVENT_JOB_ERROR)
    return scheduler
