"""Whom the routes tell of the daemon's own faults, and what of them is news: as for incidents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from alerts.routing import Addressee, Route, opening
from alerts.threads import Standing
from monitor import tables as t
from monitor.concerned import News, Thread, Wake, news_of, threads
from monitor.routes import Routing
from monitor.store import Store
from monitor.troubles import Trouble
from rules import Severity

FAULT = "fault:"
"""What a fault's subject begins with."""


def fault_news(
    store: Store, routing: Routing, troubles: Sequence[Trouble], now: datetime, wake: Wake
) -> Iterator[News]:
    """What is owed now of each fault, and of each that is over and not told so; a receiver's own is told by the others."""
    routes = [route for route in routing.routes if "fault" in route.news]
    known = threads(store, t.threads.c.subject.startswith(FAULT)) if routes else {}
    standing = {f"{FAULT}{trouble.key}": trouble for trouble in troubles}
    for subject in sorted({*standing, *known}):
        told, done = known.get(subject, {}), set()
        for route in routes:
            for who in (Addressee(route.receiver, to) for to in route.to or ("",)):
                if who not in done and subject != f"{FAULT}receiver:{who.receiver}":
                    done.add(who)
                    if news := _of(subject, route, who, standing.get(subject), told.get(who), now=now, wake=wake):
                        yield news


def _of(
    subject: str,
    route: Route,
    who: Addressee,
    trouble: Trouble | None,
    thread: Thread | None,
    *,
    now: datetime,
    wake: Wake,
) -> News | None:
    said = trouble or _remembered(subject, thread)
    if said is None or (thread is None and Severity(said.severity).rank < route.severity.rank):
        return None
    first = opening(route, said.since + route.after, ()) if thread is None else now
    if (at := max(first, opening(route, now, ()))) > now:
        wake(at)
        return None
    fault = {"key": said.key, "severity": said.severity, "since": said.since.isoformat(), "what": said.what}
    basis = {"to": who.to, "role": "", "words": route.words, "segments": [], "fault": fault}
    stands = Standing(said.severity, trouble is not None)
    late = bool(route.after)
    return news_of(subject, who, stands, basis, thread, fact=said, escalated=late, now=now, wake=wake)


def _remembered(subject: str, thread: Thread | None) -> Trouble | None:
    """A fault that is over, as it was told; None if it was not, or its end was."""
    if thread is None or not thread.told.open:
        return None
    fault = thread.told.basis["fault"]
    since = datetime.fromisoformat(fault["since"])
    return Trouble(subject.removeprefix(FAULT), fault["severity"], since, fault["what"])
