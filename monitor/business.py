"""Business time: how much time of service lies between two moments, and when so much of it will have passed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate

from monitor.calendar import Calendar

NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Year:
    """The spans of service of a local year, in UTC. gone: the service before each of them; whole: of all the year."""

    opens: list[datetime]
    closes: list[datetime]
    gone: list[timedelta]
    whole: timedelta


class ServiceHours:
    """A team's hours in the bank's zone: [opens, closes) in minutes of the local day, on business days or on every day.

    Each year's days are laid out once, so that a question costs a search in a list, however far apart the moments are.
    """

    def __init__(
        self, calendar: Calendar, *, opens: int = 0, closes: int = 24 * 60, business_days: bool = True
    ) -> None:
        if not 0 <= opens < closes <= 24 * 60:
            raise ValueError("must open before it closes, within one day")
        self._calendar = calendar
        self._opens, self._closes = timedelta(minutes=opens), timedelta(minutes=closes)
        self._business_days = business_days
        self._year = lru_cache(maxsize=64)(self._laid_out)

    @property
    def day(self) -> timedelta:
        """The service in a day on which there is any: what a promise in days counts by."""
        return self._closes - self._opens

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The service from start to end; none where the end is not later."""
        if end <= start:
            return NONE
        first, last = (time.astimezone(self._calendar.zone).year for time in (start, end))
        before = sum((self._year(year).whole for year in range(first, last)), NONE)
        return before + self._passed(last, end) - self._passed(first, start)

    def after(self, start: datetime, length: timedelta) -> datetime:
        """The first moment, in UTC, by which so much service has passed since start: a closing, never the next opening."""
        if length <= NONE:
            return start.astimezone(UTC)
        year = start.astimezone(self._calendar.zone).year
        wanted = self._passed(year, start) + length
        while wanted > self._year(year).whole:
            wanted -= self._year(year).whole
            year += 1
        laid = self._year(year)
        span = bisect_left(laid.gone, wanted) - 1
        return laid.opens[span] + (wanted - laid.gone[span])

    def opening(self, time: datetime) -> datetime:
        """The first moment from `time` on that is in service, in UTC."""
        year = time.astimezone(self._calendar.zone).year
        while True:
            laid = self._year(year)
            span = bisect_right(laid.closes, time)
            if span < len(laid.closes):
                return max(time.astimezone(UTC), laid.opens[span])
            year += 1

    def closing(self, time: datetime) -> datetime:
        """The first moment from `time` on that is out of service, in UTC. Not to be asked of hours that never close."""
        time = time.astimezone(UTC)
        while self.opening(time) == time:
            laid = self._year(time.astimezone(self._calendar.zone).year)
            time = laid.closes[bisect_right(laid.closes, time)]
        return time

    @property
    def always(self) -> bool:
        """Whether they never close."""
        return not self._business_days and self.day == timedelta(days=1)

    def _passed(self, year: int, time: datetime) -> timedelta:
        """The service of the year until then."""
        laid = self._year(year)
        span = bisect_right(laid.opens, time) - 1
        return laid.gone[span] + min(time, laid.closes[span]) - laid.opens[span] if span >= 0 else NONE

    def _laid_out(self, year: int) -> _Year:
        first = date(year, 1, 1)
        days = [first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days)]
        midnights = [
            datetime(day.year, day.month, day.day, tzinfo=self._calendar.zone)
            for day in days
            if not self._business_days or self._calendar.business(day)
        ]
        opens = [(midnight + self._opens).astimezone(UTC) for midnight in midnights]
        closes = [(midnight + self._closes).astimezone(UTC) for midnight in midnights]
        *gone, whole = accumulate((end - start for start, end in zip(opens, closes, strict=True)), initial=NONE)
        return _Year(opens, closes, gone, whole)


@dataclass(frozen=True, slots=True)
class Outside:
    """The time in which others do not serve."""

    service: ServiceHours

    def opening(self, time: datetime) -> datetime:
        """The first moment from `time` on that is out of their service."""
        return self.service.closing(time)
