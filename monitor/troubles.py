"""The daemon's own faults, as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitor import tables as t
from monitor.bereft import bereft, spanish
from monitor.claims import GONE
from monitor.lateness import EVENTS
from monitor.outbox import NOTIFY
from monitor.readiness import ahead, local, overdue
from monitor.standing import rows

if TYPE_CHECKING:
    from monitor.service import Service

SILENT = timedelta(minutes=5)
"""For so long a desk or receiver may not answer, or a job fail or hang, before it is told."""
WAITING = timedelta(minutes=15)
"""For so long a message may wait."""
TOLD = timedelta(days=1)
"""For so long after a notice was given up it is a fault: one, however many more follow."""
PREFIX = "receivers."
"""What a receiver's name begins with where a desk's would stand."""
HANGS = "sigue trabajando cuando ya debería empezar de nuevo"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of the daemon that stands. key: the same fault is the same key (source:core, receiver:torre); what: in words."""

    key: str
    severity: str
    since: datetime
    what: str


class Runs:
    """How the scheduled jobs go: `wrong`, by job, since when it fails or hangs, and how."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock, self.wrong = clock, dict[str, tuple[datetime, str]]()

    def ran(self, job: str) -> None:
        """It ended as it should."""
        self.wrong.pop(job, None)

    def failed(self, job: str, error: BaseException) -> None:
        """It ended otherwise. Of the error only its kind is kept: its text may name a client."""
        since, _ = self.wrong.get(job, (self.clock(), ""))
        self.wrong[job] = (since, f"falla: {type(error).__name__}")

    def stuck(self, job: str) -> str:
        """How it has failed or hung for SILENT by now; '' where it has not."""
        since, how = self.wrong.get(job, (None, ""))
        return how if since and self.clock() - since >= SILENT else ""

    def keep(self, jobs: Iterable[str]) -> None:
        """These are the jobs that there are now."""
        known = set(jobs)
        self.wrong = {job: how for job, how in self.wrong.items() if job in known}

    def skipped(self, job: str) -> None:
        """It could not begin, for it still works."""
        self.wrong.setdefault(job, (self.clock(), HANGS))


def troubles(service: Service, now: datetime) -> list[Trouble]:
    """What stands, worst first. Ask often: since when something does not answer is known from the first time that it was seen."""
    seen = service.troubled

    def since(key: str, known: datetime | None = None) -> datetime:
        return min(filter(None, (seen.get(key), known)), default=now)

    found: dict[str, tuple[Trouble, timedelta]] = {}
    for trouble, patience in (*_sources(service, since), *_outbox(service, now, since), *_inside(service, since)):
        found.setdefault(trouble.key, (trouble, patience))
    service.troubled = {key: trouble.since for key, (trouble, _) in found.items()}
    told = [trouble for trouble, patience in found.values() if now - trouble.since >= patience]
    return sorted(told, key=lambda trouble: (trouble.severity != "critical", trouble.key))


Since = Callable[..., datetime]
Found = Iterator[tuple[Trouble, timedelta]]
"""Each with how long it may last before it is told."""


def _sources(service: Service, since: Since) -> Found:
    errors, standing = dict(service.errors), service.judge.sources
    for name, source in service.config.sources.items():
        if name in errors:
            began = standing[name].down_since if name in standing else None
            severity = "critical" if source.block.role in EVENTS else "major"
            key, what = f"source:{name}", f"la fuente {name} no responde: {errors[name]}"
            yield Trouble(key, severity, since(key, began), what), service.config.monitor.patience
        elif name in standing and standing[name].stands_still(service.config.monitor.patience):
            key = f"source:{name}"
            what = f"la fuente {name} responde, pero no da por completo nada más: se juzga sin ella"
            yield Trouble(key, "critical", since(key, standing[name].unmoved_since), what), timedelta(0)
    for name, what in (late := service.too_late).in_words(service.clock()).items():
        yield Trouble(f"late:{name}", "major", late[name].since, f"{what}: no cuentan"), timedelta(0)


def _outbox(service: Service, now: datetime, since: Since) -> Found:
    o, errors = t.outbox.c, dict(service.errors)
    waits = t.outbox.select().where(o.state.in_(("due", "sending")))
    waited = rows(service.store, waits.with_only_columns(o.desk).distinct())
    gone = bereft(service.store, service.sending.desks)
    for name, keys in gone.items():
        yield Trouble(f"desk:{name}", "major", since(f"desk:{name}"), spanish(name, len(keys))), SILENT
    for name in sorted(row["desk"] for row in waited if f"desk {row['desk']}" in errors and row["desk"] not in gone):
        key, who = _place(name)
        yield Trouble(key, "major", since(key), f"{who} no recibe: {errors[f'desk {name}']}"), SILENT
    unheard = (o.action == NOTIFY) | (o.error == GONE)
    lost = (o.state == "dead") & unheard & (o.due_at > now - TOLD)
    given_up: dict[str, list[datetime]] = {}
    for row in rows(service.store, t.outbox.select().with_only_columns(o.desk, o.due_at).where(lost)):
        given_up.setdefault(row["desk"], []).append(row["due_at"])
    for name, times in sorted(given_up.items()):
        key, who = _place(name)
        why = (
            "avisos que en un día no se pudieron entregar"
            if name.startswith(PREFIX)
            else "mensajes que esperaban a que vuelva"
        )
        what = f"{who}: {why} y ya no se envían: {len(times)}"
        yield Trouble(f"undelivered:{key}", "major", since(key, min(*times, now)), what), timedelta(0)
    for name, error in dict(service.refreshing.errors).items():
        key, who = _place(f"{PREFIX}{name}")
        yield Trouble(key, "major", since(key), f"{who} no recibe lo que sigue: {error}"), SILENT
    for name in (name for name in service.boards if f"board {name}" in errors):
        key = f"board:{name}"
        yield Trouble(key, "major", since(key), f"el tablero {name} no recibe: {errors[f'board {name}']}"), SILENT
    if oldest := rows(service.store, waits.with_only_columns(o.created_at).order_by(o.id).limit(1)):
        began = oldest[0]["created_at"]
        minutes = int((now - began).total_seconds() // 60)
        yield Trouble("outbox", "major", began, f"hay mensajes sin enviar desde hace {minutes} minutos"), WAITING


def _inside(service: Service, since: Since) -> Found:
    """Judging itself, and the jobs around it."""
    failures, last = service.failures
    if failures:
        what = f"no se puede juzgar, {failures} intentos seguidos fallaron: {last}"
        yield Trouble("steps", "critical", since("steps"), what), timedelta(0)
    if told := ahead(service):
        yield Trouble("judging", "critical", since("judging"), told), timedelta(0)
    if service.last_cycle and overdue(service):
        what = f"sin un ciclo completo desde {local(service, service.last_cycle)}"
        yield Trouble("judging", "critical", service.last_cycle, what), timedelta(0)
    for job, (began, how) in dict(service.runs.wrong).items():
        kind, _, name = job.partition(" ")
        if kind == "poll" and how == HANGS:
            continue  # history may take long to read; a source that does not answer is told as such
        if kind == "deliver" and f"desk {name}" in service.sending.hanging:
            key, who = _place(name)
        else:
            key, who = f"job:{job}", f"la tarea «{job}»"
        yield Trouble(key, "major", since(key, began), f"{who} {how}"), SILENT


def _place(name: str) -> tuple[str, str]:
    """A desk's or a receiver's key, and what people call it."""
    if name.startswith(PREFIX):
        name = name.removeprefix(PREFIX)
        return f"receiver:{name}", f"el receptor {name}"
    return f"desk:{name}", f"el destino de casos {name}"
