"""The notifier: what each recipient should have been told by now, against what they were told; the difference goes to the outbox.

A pass reads the store, decides (`alerts.routing`, `alerts.threads`), and commits threads and messages together. It may run at any
time, by anybody, again: only a thread's next number makes a message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from alerts.routing import Addressee
from alerts.silences import Silence
from alerts.threads import LONG_AGO, NEW, Tally, Told, free, ordered
from monitor import tables as t
from monitor.breaches import Breaches
from monitor.concerned import LATELY, Concerned, News
from monitor.config import Config
from monitor.digests import Digests
from monitor.facts import Recipient, at_once, fault_facts, incident_facts, summary_facts
from monitor.fault_news import fault_news
from monitor.guides import guides
from monitor.parts import Parts
from monitor.patience import SINCE
from monitor.recipients import board, message, recipient, thread_row
from monitor.standing import Row, rows
from monitor.store import Message, Store
from monitor.troubles import Trouble
from rules import Severity

log = structlog.get_logger()

LONGEST = timedelta(seconds=30)
"""Between two looks at everything, though nothing new is seen."""
Troubles = Callable[[datetime], Sequence[Trouble]]


def nothing_wrong(_now: datetime) -> Sequence[Trouble]:
    """No fault of the daemon."""
    return ()


class Notices:
    """Tells by the routes of the configuration. uncapped: receivers that sort out for themselves how much people hear."""

    def __init__(
        self,
        config: Config,
        store: Store,
        clock: Callable[[], datetime],
        *,
        uncapped: Sequence[str] = (),
        troubles: Troubles = nothing_wrong,
    ) -> None:
        self.config, self.store, self.clock, self.troubles = config, store, clock, troubles
        self.concerned = Concerned(store, config.routing, list(config.receivers))
        self.digests = Digests(config, store)
        self.breaches = Breaches(config, store)
        self._per_hour = {name: None if name in uncapped else r.block.per_hour for name, r in config.receivers.items()}
        self._measures = {rule.spec.name: rule.shown for rule in config.rules()}
        self._once: dict[Any, Any] = {}
        self._parts = Parts()
        self._seen: object = None
        self._wake = LONG_AGO

    def begin(self) -> Mapping[str, datetime]:
        """Since when each receiver is told anything: what was over before the first pass that knew of it is no news."""
        if not self.config.receivers:
            return {}
        mark = t.threads.c.subject == "", t.threads.c.recipient == ""
        known = {row["receiver"]: row["began_at"] for row in rows(self.store, t.threads.select().where(*mark))}
        now = self.clock()
        if fresh := [name for name in self.config.receivers if name not in known]:
            self.store.tell([thread_row("", Addressee(name), 1, {}, now) for name in fresh], (), now)
        return dict.fromkeys(fresh, now) | known

    def tell(self) -> int:
        """One pass; how many messages it made. Cheap where nothing is new."""
        if not self.config.routing.routes:
            return 0
        now = self.clock()
        troubles = self.troubles(now)
        silences = [
            Silence(**row) for row in rows(self.store, t.silences.select().where(t.silences.c.until >= now - LATELY))
        ]
        seen = (self._newest(), silences, [(trouble.key, trouble.severity) for trouble in troubles])
        if seen == self._seen and now < self._wake:
            return 0
        began, self._wake, self._seen = self.begin(), now + LONGEST, None
        news: dict[Addressee, list[News]] = defaultdict(list)
        made, self._parts = 0, Parts()
        with self._parts.part(what="incidents"):
            for one in self.concerned.news(now, began, silences, self._wake_at):
                news[one.who].append(one)
        with self._parts.part(what="faults"):
            for one in fault_news(self.store, self.config.routing, troubles, now, self._wake_at):
                news[one.who].append(one)
        self._once = at_once((one.subject, self._to(one)) for mine in news.values() for one in mine if one.who.role)
        tallies = self._tallies() if news else {}
        for who, mine in _by_address(news):
            with self._parts.part(receiver=who.receiver):
                made += self._send(who, mine, *tallies.get(who, (0, Tally())), now)
        self._once = {}
        with self._parts.part(what="digests"):
            made += self.digests.tell(now, began, silences, self._wake_at)
        with self._parts.part(what="breaches"):
            made += self.breaches.tell(now)
        self._parts.end()  # before it counts as seen: it is tried again at the next pass
        self._seen = seen
        return made

    def _wake_at(self, moment: datetime) -> None:
        self._wake = min(self._wake, moment)

    def _newest(self) -> object:
        """What changes when something that may be told does: judged minutes and people's acts."""
        last = t.acts.select().with_only_columns(t.acts.c.id).order_by(t.acts.c.id.desc()).limit(1)
        marks = {key: value for key, value in self.store.marks().items() if key != SINCE}  # a failed poll is no news
        return marks, rows(self.store, last)

    # ---- one recipient ---------------------------------------------------------------------------------------------

    def _send(self, who: Addressee, news: Sequence[News], sequence: int, tally: Tally, now: datetime) -> int:
        """All that is owed to one address, as far as the cap goes, committed together. How many messages."""
        cap = self._per_hour[who.receiver]
        order = [news[i] for i in ordered([(one.standing, one.subject) for one in news])]
        capped = [one for one in order if cap is not None and not _free(one)]
        room = len(capped) if cap is None else tally.room(cap, now)
        singly = [one for one in order if one not in capped] + capped[:room]
        held = capped[room:]
        written = [self._written(one, now) for one in singly]
        threads = [row for row, _ in filter(None, written)]
        messages = [message for _, message in filter(None, written)]
        summary_at = tally.summary_at
        if held:
            due = tally.summary_due(now, critical=any(_critical(one) for one in held))
            if due <= now:
                failed = len(self._parts.errors)
                for role in dict.fromkeys(one.who for one in held):
                    mine = [one for one in held if one.who == role]
                    with self._parts.part(receiver=who.receiver, what="summary"):
                        messages.append(self._summary(role, mine, sequence + 1, now))
                        threads += [_thread(one, now, summed=True) for one in mine]
                summary_at = now if len(self._parts.errors) == failed else summary_at
            else:
                self._wake_at(due)
        if cap is not None and messages:
            sent = [*tally.lately(now), *[now] * len(messages)]
            kept = {"sent": [at.isoformat() for at in sent], "summary_at": summary_at and summary_at.isoformat()}
            threads.append(thread_row("tally", Addressee(who.receiver, who.to), sequence + 1, kept, now))
        if messages:
            self.store.tell(threads, messages, now)
        return len(messages)

    def _written(self, news: News, now: datetime) -> tuple[Row, Message] | None:
        """The thread as it is from now on, and the message; None where it cannot be told."""
        row = _thread(news, now)
        to = self._to(news)
        address = board(self.config)
        try:
            if isinstance(news.fact, Trouble):
                facts = fault_facts(news.basis["fault"], to, now, address=address)
            else:
                known, once = guides(to.language, self.config.words.guides, self.config.named), self._once
                facts = incident_facts(
                    self.store,
                    news.subject,
                    to,
                    now,
                    address=address,
                    measures=self._measures,
                    known=known,
                    once=once,
                    since=news.thread.told_at if news.thread else None,
                )
        except Exception:
            # One that cannot be told must not keep the others from being told; it is tried again.
            log.exception("not told", subject=news.subject, receiver=news.who.receiver)
            return None
        if to.words == "plain":
            row["told"]["promised"] = facts.get("next_at")  # whoever forwards it has given the bank's word
        said = {"event": news.owed.event, "why": list(news.owed.why)}
        return row, message(news.subject, news.who, row["sequence"], facts | said)

    def _to(self, news: News) -> Recipient:
        return recipient(self.config, news.who, news.basis)

    def _summary(self, who: Addressee, held: Sequence[News], sequence: int, now: datetime) -> Message:
        """All that is held back for one in one role, in one message."""
        named = [one.basis["segments"] for one in held]
        segments = {segment for some in named for segment in some} if all(named) else set()
        to = recipient(self.config, who, {**held[0].basis, "segments": segments})
        incidents = [one.subject for one in held]
        facts = summary_facts(self.store, incidents, to, now, address=board(self.config), once=self._once)
        return message("summary", who, sequence, facts | {"event": "first", "why": []})

    def _tallies(self) -> dict[Addressee, tuple[int, Tally]]:
        found = {}
        for row in rows(self.store, t.threads.select().where(t.threads.c.subject == "tally")):
            kept = row["told"]
            sent = tuple(map(datetime.fromisoformat, kept["sent"]))
            last = datetime.fromisoformat(kept["summary_at"]) if kept["summary_at"] else None
            found[Addressee(row["receiver"], row["recipient"])] = (row["sequence"], Tally(sent, last))
        return found


def _by_address(news: Mapping[Addressee, list[News]]) -> list[tuple[Addressee, list[News]]]:
    """One who answers for some and stands in for others has one cap."""
    found: dict[Addressee, list[News]] = defaultdict(list)
    for who, mine in news.items():
        found[Addressee(who.receiver, who.to)] += mine
    return sorted(found.items(), key=lambda item: (item[0].receiver, item[0].to))


def _free(news: News) -> bool:
    """Whether no cap holds it back; the daemon's own faults are few."""
    return isinstance(news.fact, Trouble) or free(news.thread.told if news.thread else None, news.owed, news.standing)


def _critical(news: News) -> bool:
    return NEW in news.owed.why and news.standing.severity == Severity.CRITICAL


def _thread(news: News, now: datetime, *, summed: bool = False) -> Row:
    """The thread as it is from now on."""
    thread = news.thread
    kept = Told.of(news.standing, news.basis, summed=summed).kept()
    row = thread_row(news.subject, news.who, (thread.sequence if thread else 0) + 1, kept, now)
    return row | {
        "began_at": thread.began_at if thread else now,
        "ended_at": None if news.standing.open or news.standing.failing else now,
    }
