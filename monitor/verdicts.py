"""What the rules now say of each product and channel: written by the judging thread, read by whoever asks how a client is.

UNKNOWN is never healthy: not where no rule can tell, not where a source is dark, and not where nothing was judged lately.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import nan
from typing import TYPE_CHECKING

from monitor import tables as t
from monitor.standing import rows
from monitor.store import Store
from rules import Scope, Verdict

if TYPE_CHECKING:
    from monitor.pipeline import Status  # whoever only reads needs nothing that judges

FRESH = timedelta(minutes=5)
"""For how long what was judged last is told as present where the configuration says nothing else."""
STANDS = 120
"""Minutes for which a rule's word on a place stands where it has nothing new to say: some speak only of minutes with rows."""
SERIES_STANDS = 48 * 60
"""The same on an indicator: a day's figure that comes the day after is nearly two days old before the next one does."""


@dataclass(frozen=True, slots=True)
class Said:
    """In how many of the ways that its rules watch for a place is well, hurts, or nobody can tell. '' is all of a dimension."""

    product: str
    channel: str
    healthy: int = 0
    unknown: int = 0
    breach: int = 0

    @property
    def verdict(self) -> Verdict:
        """In breach where it hurts in any way, healthy where it is found well in most of them, and else UNKNOWN.

        Where nobody can tell whether it fails, none of them counts as well.
        """
        if self.breach:
            return Verdict.BREACH
        return Verdict.HEALTHY if self.healthy > self.unknown else Verdict.UNKNOWN


def valid(statuses: Iterable[Status], until: int, dark: Mapping[Scope, int]) -> list[Status]:
    """What each rule's last word is worth at the end of minute `until` - 1: UNKNOWN where it says nothing of now.

    dark: when a source that feeds a scope was last not known. What was said before is no word on now; nor is what was said
    longer than STANDS ago, of an indicator SERIES_STANDS.
    """
    found = []
    for status in statuses:
        since = max(dark.get(status.scope, 0), until - (SERIES_STANDS if status.scope.series else STANDS))
        found.append(status if status.until > since else blind(status))
    return found


def blind(status: Status) -> Status:
    """The same of which nobody can tell."""
    return replace(status, verdict=Verdict.UNKNOWN, value=nan, expected=nan, score=nan, lower=nan, upper=nan)


def summed(statuses: Iterable[Status], ways: Mapping[str, Collection[str]]) -> list[Said]:
    """By place, sorted, from words that stand. ways: how what each rule sees hurts, by its name."""
    worst: dict[tuple[str, str], dict[str, Verdict]] = {}
    for status in statuses:
        if status.scope.client_id or status.scope.series:
            continue  # one client's, or an indicator's: neither says how a product is
        place = (status.scope.product, status.scope.channel)
        found = worst.setdefault(place, {})
        for way in ways.get(status.rule, ()):
            found[way] = min(status.verdict, found.get(way, status.verdict), key=_WEIGHT.index)
    counted = ((place, _sure(found).count) for place, found in sorted(worst.items()))
    return [
        Said(*place, count(Verdict.HEALTHY), count(Verdict.UNKNOWN), count(Verdict.BREACH)) for place, count in counted
    ]


def _sure(found: Mapping[str, Verdict]) -> list[Verdict]:
    blind = found.get("failed") is Verdict.UNKNOWN
    return [Verdict.UNKNOWN if blind and v is Verdict.HEALTHY else v for v in found.values()]


_WEIGHT = (Verdict.BREACH, Verdict.HEALTHY, Verdict.UNKNOWN)
"""Of several rules that watch for the same: a breach outweighs, and who can tell speaks for who cannot."""


@dataclass(frozen=True)
class Present:
    """The last word on every place. judged_at: the end of the last minute judged; stale: that is too long ago to be told as present."""

    said: dict[tuple[str, str], Said]
    judged_at: datetime | None
    stale: bool

    def of(self, product: str, channel: str) -> tuple[Verdict, str]:
        """The verdict on a product through a channel ('': through all), and why nobody can tell, or ''.

        The narrowest place that the rules watch speaks: that all of a product is well says little of a small channel of it.
        Why: stale (nothing was judged lately), unwatched (no rule has seen it), undecided (those that watch it cannot tell).
        """
        if self.stale:
            return Verdict.UNKNOWN, "stale"
        through = [said for place, said in self.said.items() if place[0] == product and place[1]]
        if channel and through:
            heard = [said for said in through if said.channel == channel]
        else:
            whole = self.said.get((product, "")) if product else None
            heard = [whole] if whole else through
        if not product:
            heard = [said for said in self.said.values() if (said.product, said.channel) == ("", channel)]
        if not heard:
            return Verdict.UNKNOWN, "unwatched"
        found = {said.verdict for said in heard}
        if Verdict.BREACH in found:
            return Verdict.BREACH, ""
        return (Verdict.HEALTHY, "") if found == {Verdict.HEALTHY} else (Verdict.UNKNOWN, "undecided")


def present(store: Store, now: datetime, fresh: timedelta = FRESH) -> Present:
    """As the state has it. fresh: how old the last minute judged may be."""
    said = {(row["product"], row["channel"]): Said(**row) for row in rows(store, t.verdicts.select())}
    mark = store.marks().get("judged_until")
    judged = datetime.fromtimestamp(60 * int(mark), UTC) if mark else None
    # What lies ahead was judged by a clock that was wrong.
    return Present(said, judged, judged is None or abs(now - judged) > fresh)
