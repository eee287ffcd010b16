"""Digests: at their times of the bank's day, what happened since the last one, in one message a recipient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerts import Incident, IncidentState
from alerts.routing import ROLES, Addressee, Route, addressed, concerns, joined
from alerts.rows import plain
from alerts.silences import Silence
from monitor import tables as t
from monitor.concerned import Wake
from monitor.config import Config
from monitor.facts import Recipient, at_once, digest_facts
from monitor.hits import hits
from monitor.parts import Parts
from monitor.recipients import board, message, recipient, thread_row
from monitor.standing import Row, as_acted, rows, shut, still_failing
from monitor.store import Message, Store


class Digests:
    """The routes with `at`. Those of one receiver and the same times are told together; the thread of them says until when."""

    def __init__(self, config: Config, store: Store) -> None:
        self.config, self.store = config, store
        self._zone = ZoneInfo(config.monitor.timezone)
        self._sets: dict[tuple[str, tuple[time, ...]], list[Route]] = defaultdict(list)
        for route in config.routing.routes:
            if route.at:
                self._sets[route.receiver, route.at].append(route)

    def tell(self, now: datetime, began: Mapping[str, datetime], silences: Sequence[Silence], wake: Wake) -> int:
        """Those that are due; how many messages. What goes wrong with one is raised once the others are told."""
        made, parts = 0, Parts()
        for (receiver, at), routes in self._sets.items():
            with parts.part(receiver=receiver, what="digest"):
                made += self._tell(receiver, at, routes, now, began[receiver], silences=silences, wake=wake)
        parts.end()
        return made

    def _tell(
        self, receiver: str, at: tuple[time, ...], routes: Sequence[Route], now: datetime, began: datetime,
        *, silences: Sequence[Silence], wake: Wake,
    ) -> int:  # fmt: skip
        past, last, ahead = _around(now, at, self._zone)
        wake(ahead)
        subject = f"digest {','.join(f'{each:%H:%M}' for each in at)}"
        thread = t.threads.c
        mark = next(
            iter(rows(self.store, t.threads.select().where(thread.subject == subject, thread.receiver == receiver))),
            None,
        )
        since = datetime.fromisoformat(mark["told"]["until"]) if mark else max(past, began)
        if last <= since:
            return 0
        closed = [opens for route in routes if (opens := route.opening(now)) > now]
        if closed:
            wake(min(closed))
            return 0
        found = self._found(since, last, now, silences)
        messages, parts, shared = [], Parts(), self._shared(routes, found)
        once = at_once((one, self._to(who, words)) for (who, words), mine in shared.items() if who.role for one in mine)
        for (who, words), mine in sorted(shared.items(), key=lambda item: item[0][0].to):
            with parts.part(receiver=receiver, what="digest"):
                messages.append(self._message(subject, who, words, mine, since, last, now, once=once))
        if (
            parts.errors
        ):  # the mark stays: the next pass makes all of them again, and those that went out have their keys
            self.store.tell((), messages, now)
        parts.end()
        until = thread_row(
            subject, Addressee(receiver), mark["sequence"] + 1 if mark else 1, {"until": last.isoformat()}, now
        )
        self.store.tell([until], messages, now)
        return len(messages)

    def _found(self, since: datetime, until: datetime, now: datetime, silences: Sequence[Silence]) -> list[Row]:
        """What began or ended in [since, until), and what stands or was closed by hand and is in alert."""
        i = t.incidents.c
        there = self.store.incidents((i.state == IncidentState.FIRING) | (i.resolved_at >= since) | shut())
        still = still_failing(self.store, there := as_acted(self.store, there))
        found = [one for one in there if one.id in still or _happened(one, since, until)]
        held = [silence for silence in silences if silence.holds(now)]
        return [row for row in map(plain, found) if not any(silence.matches(row) for silence in held)]

    def _shared(self, routes: Sequence[Route], found: Sequence[Row]) -> dict[tuple[Addressee, Route], list[str]]:
        """The incidents that each is told of, in the words of the first route that tells them."""
        words, teams = {word for route in routes for word in route.to}, self.config.routing.teams
        segments = any(route.segments for route in routes)
        counts = hits(
            self.store, [row["id"] for row in found], roles=words & {*ROLES}, segments=segments, informed=False
        )
        ways: dict[Addressee, list[Route]] = defaultdict(list)
        mine: dict[Addressee, dict[str, None]] = defaultdict(dict)
        for route in routes:
            for row in (row for row in found if concerns(route, row, teams)):
                for who in addressed(route, row, teams, counts.get(row["id"], ())):
                    ways[who].append(route)
                    mine[who][row["id"]] = None
        return {(who, joined(ways[who])): list(listed) for who, listed in mine.items()}

    def _to(self, who: Addressee, route: Route) -> Recipient:
        return recipient(self.config, who, {"words": route.words, "segments": sorted(route.segments)})

    def _message(
        self, times: str, who: Addressee, route: Route, found: Sequence[str], since: datetime, until: datetime, now: datetime,
        *, once: dict[Any, Any],
    ) -> Message:  # fmt: skip
        """times: the subject of the mark; two digests of one receiver may come at the same time of the day."""
        address = board(self.config)
        facts = digest_facts(self.store, found, since, until, self._to(who, route), now, address=address, once=once)
        subject = f"{times} {until.astimezone(self._zone):%Y-%m-%d %H:%M}"
        return message(subject, who, 1, facts | {"event": "first", "why": []})


def _happened(one: Incident, since: datetime, until: datetime) -> bool:
    if one.state is IncidentState.FIRING:
        return one.detected_at < until
    return one.state is IncidentState.RESOLVED and any(
        moment and since <= moment < until for moment in (one.detected_at, one.resolved_at)
    )


def _around(now: datetime, at: Sequence[time], zone: ZoneInfo) -> tuple[datetime, datetime, datetime]:
    """The last two of these times of the day that have come, and the next one."""
    today = now.astimezone(zone).date()
    days = [today + timedelta(days=n) for n in (-2, -1, 0, 1, 2)]
    times = [datetime.combine(day, each, zone).astimezone(UTC) for day in days for each in at]
    gone = [moment for moment in times if moment <= now]
    return gone[-2], gone[-1], times[len(gone)]
