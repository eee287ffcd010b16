"""Service promises newly late or at risk: told once each, those of one look in one message a recipient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from alerts import Decision
from alerts.promises import ClockState
from alerts.routing import ROLES, Addressee, Hit, Route, addressed, concerns, joined
from alerts.threads import GAP, LONG_AGO
from monitor import tables as t
from monitor.claims import opened_as, whose
from monitor.config import Config
from monitor.facts import breach_facts
from monitor.kept_clocks import urgent_now
from monitor.parts import Parts
from monitor.recipients import board, message, recipient, thread_row
from monitor.standing import Row, rows
from monitor.store import Store
from rules import Severity

EVERY = timedelta(minutes=1)
"""Between two looks at the promises."""
CASE = "case:"
TOGETHER = "breach"
_GRAVITY = {ClockState.AT_RISK: Severity.MINOR, ClockState.BREACHED: Severity.MAJOR}
"""What a route's `severity` lets through."""

Threads = Mapping[tuple[str, str, str], Row]


class Breaches:
    """The routes whose news are breaches. Those who answer for no client read the case's number, never whose it is."""

    def __init__(self, config: Config, store: Store) -> None:
        self.config, self.store = config, store
        self._routes = [route for route in config.routing.routes if "breach" in route.news]
        self._next = LONG_AGO

    def tell(self, now: datetime) -> int:
        """What is newly late or at risk; how many messages."""
        if not self._routes or not self.config.promises.promises or now < self._next:
            return 0
        urgent = urgent_now(self.store, self.config.promises, now)[0]
        cases = {f"{CASE}{row['source']}/{row['case_id']}": row for row in urgent}
        held = self._threads()
        news = self._news(cases, held, now)
        parts = Parts()
        for (who, route), mine in news.items():
            with parts.part(receiver=who.receiver, what="breach"):
                self._write(who, route, mine, held, now)
        over = [row | {"ended_at": now, "sequence": row["sequence"] + 1} for row in held.values() if _over(row, cases)]
        if over:
            self.store.tell(over, (), now)
        parts.end()
        self._next = now + EVERY
        return len(news)

    def _threads(self) -> Threads:
        subject = t.threads.c.subject
        found = rows(self.store, t.threads.select().where(subject.startswith(CASE) | (subject == TOGETHER)))
        return {(row["subject"], row["receiver"], row["recipient"]): row for row in found}

    def _news(
        self, cases: Mapping[str, Row], held: Threads, now: datetime
    ) -> dict[tuple[Addressee, Route], dict[str, Row]]:
        """By recipient, in the words of the first route that tells them: what they do not know yet."""
        hits, teams = self._hits(cases), self.config.routing.teams
        ways: dict[Addressee, list[Route]] = defaultdict(list)
        news: dict[Addressee, dict[str, Row]] = defaultdict(dict)
        for route in (route for route in self._routes if route.opening(now) <= now):
            for subject, case in cases.items():
                row = case | {"severity": _GRAVITY[case["clock"]]}
                if not concerns(route, row, teams):
                    continue
                for who in addressed(route, row, teams, [hits[case["client_id"]]]):
                    if _new(held.get((subject, who.receiver, who.name)), case["clock"]) and _may(held, who, now):
                        ways[who].append(route)
                        news[who][subject] = case
        return {(who, joined(ways[who])): mine for who, mine in news.items()}

    def _hits(self, cases: Mapping[str, Row]) -> dict[str, Hit]:
        ids = {case["client_id"] for case in cases.values()}
        known = {client.client_id: client for client in self.store.clients(t.clients.c.client_id.in_(ids))}
        return {
            client_id: Hit(1, client.segment, {role: getattr(client, role) for role in ROLES}) if client else Hit(1)
            for client_id, client in ((client_id, known.get(client_id)) for client_id in ids)
        }

    def _write(self, who: Addressee, route: Route, cases: Mapping[str, Row], held: Threads, now: datetime) -> None:
        before = held.get((TOGETHER, who.receiver, who.name))
        sequence = before["sequence"] + 1 if before else 1
        to = recipient(self.config, who, {"words": route.words, "segments": sorted(route.segments)})
        facts = breach_facts(self.store, self._tied([*cases.values()]), to, now, address=board(self.config))
        threads = [thread_row(TOGETHER, who, sequence, {}, now)]
        for subject, case in cases.items():
            known = held.get((subject, who.receiver, who.name))
            threads.append(
                thread_row(subject, who, known["sequence"] + 1 if known else 1, {"clock": case["clock"]}, now)
            )
        self.store.tell(threads, [message(TOGETHER, who, sequence, facts | {"event": "first", "why": ["new"]})], now)

    def _tied(self, cases: Sequence[Row]) -> list[Row]:
        """With the incident that each is tied to ('' where there is none), and when post-sale told the client."""
        numbers = {case["case_id"] for case in cases}
        ours = opened_as(self.store, numbers)
        d = t.decisions.c
        decided = self.store.decisions(d.linked_case_id.in_(numbers) | d.key.in_({*numbers, *(key for key, _ in ours)}))
        by: dict[str, list[Decision]] = defaultdict(list)
        for one in decided:
            for number in {one.key, one.linked_case_id or one.key, *(number for key, number in ours if key == one.key)}:
                by[number].append(one)
        tied = []
        for case in cases:
            mine = whose(case["client_id"], by.get(str(case["case_id"]), ()))
            about = (
                {"incident_id": mine.incident_id, "informed_at": mine.informed_at, "priority": mine.priority}
                if mine
                else {}
            )
            nothing = {"incident_id": "", "informed_at": None, "priority": None}
            tied.append(case | nothing | about | {"reference": case["case_id"]})
        return tied


def _new(row: Row | None, clock: str) -> bool:
    return (
        row is None or row["ended_at"] is not None or (row["told"]["clock"] != clock and clock == ClockState.BREACHED)
    )


def _may(held: Threads, who: Addressee, now: datetime) -> bool:
    """Whether the last such message is long enough ago."""
    last = held.get((TOGETHER, who.receiver, who.name))
    return last is None or last["told_at"] + GAP <= now


def _over(row: Row, cases: Mapping[str, Row]) -> bool:
    return row["subject"].startswith(CASE) and row["ended_at"] is None and row["subject"] not in cases
