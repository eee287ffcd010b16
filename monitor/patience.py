"""How far each source is, and when the others are judged without it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.cells import PLAYED
from monitor.windows import minute_of

UNMOVED = timedelta(minutes=15)
"""For so long a source may answer, and have no more, without vouching for any more of the time: longer than a folder waits for a file."""
UNREAD = timedelta(hours=1)
"""For so long a source may have more and more to give without coming near to now, before the others go on without it."""
KEPT = ("down_since", "failed_at", "unmoved_since", "unmoved_at", "newest", "lost_from")
"""What of a Standing is kept from one process to the next. `behind_since` is not: while nobody reads, no source is slow."""
DARK, SINCE = "dark", "standings"
"""The marks that keep it."""


@dataclass(slots=True)
class Standing:
    """How far a source is.

    complete_until: it vouches for everything before (None until its first reading has ended); down: its last poll failed; down_since: when
    its polls began to fail, until it has gone on since; failed_at: when one failed last; unmoved_since, unmoved_at: the first and the
    last answer that had no more and did not go on; behind_since: when it first gave a page with more to come, until it came near to now;
    dark_from: the first minute that was judged without it, until it has caught up; played: the minute in which what it tells of that
    one is known, later ones PLAYED a minute;
    while its first reading goes on: newest, of the rows that could be used; lost_from, from when on it is not known, by a page of no use.
    """

    complete_until: datetime | None = None
    down: bool = False
    down_since: datetime | None = None
    failed_at: datetime | None = None
    unmoved_since: datetime | None = None
    unmoved_at: datetime | None = None
    behind_since: datetime | None = None
    dark_from: int | None = None
    played: int = 0
    newest: datetime | None = None
    lost_from: datetime | None = None

    def failed(self, now: datetime, since: datetime | None = None) -> None:
        """A poll failed; since: when it was asked, or was to answer, if it hangs: our patience counts from there."""
        self.down, self.down_since, self.failed_at = True, self.down_since or since or now, now

    def answered(self, now: datetime, until: datetime | None, *, drained: bool, patience: timedelta) -> None:
        """A poll brought what it brought, and vouches `until` (None: for nothing). Before `complete_until` is set to it."""
        self.down = False
        moved = until is not None and (self.complete_until is None or until > self.complete_until)
        # One that gives rows and fails by turns has not come back.
        if moved or (self.failed_at and now - self.failed_at > patience):
            self.down_since = self.failed_at = None
        if moved or not drained:
            self.unmoved_since = self.unmoved_at = None
        else:
            self.unmoved_since, self.unmoved_at = self.unmoved_since or now, now
        near = drained or (until is not None and now - until <= patience)
        self.behind_since = None if near else self.behind_since or now

    def waited_for(self, now: datetime, patience: timedelta) -> bool:
        """Whether the others wait for it. Once they have gone on without it they do not, until it has caught up, however long it takes."""
        return self.dark_from is None and not self.given_up(now, patience)

    def caught_up(self) -> None:
        """What was judged without it, it has told of."""
        self.dark_from, self.played = None, 0

    def play(self, first: int, closing: int) -> None:
        """Set `played` for a page that begins with minute `first`, while `closing` is the first open minute.

        What it tells of follows what it told before, and where it tells more slowly than that is played, it is known as it comes.
        """
        if self.dark_from is not None:
            self.played = max(self.played, closing - max(first - self.dark_from, 0) // PLAYED)

    def given_up(self, now: datetime, patience: timedelta) -> bool:
        """Whether the others wait no longer: it is down, or fails again and again, for longer than that; stands still; or stays behind."""
        if self.behind_since and now - self.behind_since > UNREAD:
            return True
        if self.down_since and self.failed_at:
            return (now if self.down else self.failed_at) - self.down_since > patience or self.stands_still(patience)
        return self.stands_still(patience)

    def stands_still(self, patience: timedelta) -> bool:
        """Whether it answers and vouches for nothing more. One that never did has made the others wait for its first reading already."""
        if not self.unmoved_since or not self.unmoved_at:
            return False
        return self.unmoved_at - self.unmoved_since > (UNMOVED if self.complete_until else patience)


def fails_since(marks: Mapping[str, str]) -> dict[str, datetime]:
    """By source that closes minutes, since when its polls fail, of those whose do, as it was committed."""
    kept = json.loads(marks.get(SINCE, "{}"))
    return {name: datetime.fromisoformat(one["down_since"]) for name, one in kept.items() if one.get("down_since")}


class Standings(dict[str, Standing]):
    """Of the sources that close minutes, by name."""

    def __init__(self, names: Iterable[str], patience: timedelta, lateness: timedelta) -> None:
        super().__init__((name, Standing()) for name in names)
        self._patience, self._lateness = patience, lateness

    def marks(self) -> dict[str, str]:
        """What `recall` takes, committed with every step: a process that lives for one cycle is as patient as one that stays."""
        dark = {name: (one.dark_from, one.played) for name, one in self.items() if one.dark_from is not None}
        since = {name: {key: at.isoformat() for key in KEPT if (at := getattr(one, key))} for name, one in self.items()}
        return {DARK: json.dumps(dark), SINCE: json.dumps({name: kept for name, kept in since.items() if kept})}

    def recall(self, marks: Mapping[str, str], gaps: Iterable[tuple[str, int, int]]) -> None:
        """As it was committed; `complete_until` is set before. gaps: they tell who was judged without, where the marks do not yet."""
        for name, kept in json.loads(marks.get(SINCE, "{}")).items():
            for key, at in kept.items() if name in self else ():
                setattr(self[name], key, datetime.fromisoformat(at))
        if DARK in marks:
            for name, (first, played) in json.loads(marks[DARK]).items():
                if name in self:
                    self[name].dark_from, self[name].played = first, played
            return
        for name, start, stop in gaps:
            one = self.get(name)
            if one and one.complete_until and stop > minute_of(one.complete_until):
                one.dark_from = min(start, one.dark_from or start)

    def dark(self) -> list[int]:
        """The first minute that was judged without each of those that have not caught up: what they tell next goes on from there."""
        return [first for one in self.values() if (first := one.dark_from) is not None]

    def unasked(self, gaps: Iterable[tuple[str, int, int]], until: int) -> Iterator[tuple[str, int, int]]:
        """Of what was judged, before `until`, what one was not asked for: it was not configured then, and nobody noted it as left out.

        gaps: what was noted, in order.
        """
        noted = list(gaps)
        for name, one in self.items():
            reach = minute_of(one.complete_until) if one.complete_until else until
            for source, start, stop in noted:
                if source == name and start <= reach:
                    reach = max(reach, stop)
            if reach < until:
                yield name, reach, until

    def answered(self, name: str) -> int:
        """The first minute that it does not vouch for."""
        until = self[name].complete_until
        return minute_of(until - self._lateness) if until else 0

    def closed(self, now: datetime, *, watching: bool) -> int | None:
        """The first minute that is still open, by their own word; None where none has said.

        watching: something has been judged already. Then one whose first reading goes on is left out, and else waited for.
        """
        known = {name: one.complete_until for name, one in self.items() if one.complete_until}
        waited = {name for name, one in self.items() if one.waited_for(now, self._patience)}
        if not known or (not watching and waited - known.keys()):
            return None
        return minute_of(min(known[name] for name in (waited & known.keys() or known)) - self._lateness)

    def left_out(self, start: int, until: int) -> Iterator[tuple[str, int, int]]:
        """Of [start, until), which is judged now, the minutes that are judged without one: unknown, not zero."""
        for name, one in self.items():
            if (answered := self.answered(name)) < until:
                first = max(answered, start)
                one.dark_from = first if one.dark_from is None else one.dark_from
                yield name, first, until
