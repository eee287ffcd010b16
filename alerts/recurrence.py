"""What comes again: the same client and the same error, the same client and the same product.

A thing is *repeated* if one of the same series went before it within the window: from `window` before it, that moment itself left
out, up to it. The first of a series is not repeated; nor is one that comes after a rest of a whole window, which begins the series anew.
Of two at the same moment the second by its number is the repeated one. What it takes to say which series it is of must be known: a case
without a client or a product is neither repeated nor the first of anything, and is counted apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar

from alerts import Impact, Incident, IncidentState, TheirCase, Touch

MONTH = timedelta(days=30)
OURS = "monitor"
T = TypeVar("T")


def series(
    found: Iterable[T], of: Callable[[T], Hashable], at: Callable[[T], tuple[datetime, str]], window: timedelta
) -> list[list[T]]:
    """The runs of two and more of the same `of`, each less than `window` after the one before; in order of their beginnings.

    at: when each was, and its number. All but the first of each are repeated.
    """
    runs: dict[Hashable, list[list[T]]] = {}
    for one in sorted(found, key=at):
        mine = runs.setdefault(of(one), [])
        if mine and at(one)[0] - at(mine[-1][-1])[0] < window:
            mine[-1].append(one)
        else:
            mine.append([one])
    longer = [run for mine in runs.values() for run in mine if len(run) > 1]
    return sorted(longer, key=lambda run: at(run[0]))


# ---- incidents -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hit:
    """An incident that affected a client on a product. error: its error code where its failures share one, else how it hurt."""

    client_id: str
    product: str
    error: str
    incident_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A client hit again: by the same error on the product or, where error is '', on the product by whatever it was.

    incidents: all of the series, in order of time, the first of which is no repetition.
    """

    client_id: str
    product: str
    error: str
    incidents: tuple[str, ...]
    first_at: datetime
    last_at: datetime

    @property
    def repeated(self) -> int:
        """How many of them are repetitions."""
        return len(self.incidents) - 1


def code_of(incident: Incident) -> str:
    """The error code that its failures share, or ''."""
    return next((value for dimension, value, _ in incident.shares if dimension == "error_code"), "")


def hits(incidents: Iterable[Incident], impacts: Iterable[Impact]) -> list[Hit]:
    """Whom they affected on which product; those that were merged are told by what they went into, exposed clients were not hit."""
    told = {i.id: i for i in incidents if i.state is not IncidentState.MERGED}
    return [
        Hit(m.client_id, m.product, code_of(i) or i.kind, i.id, i.started_at)
        for m in impacts
        if m.touch is Touch.AFFECTED and m.client_id and m.product and (i := told.get(m.incident_id))
    ]


def same_error(found: Iterable[Hit], window: timedelta = MONTH) -> list[Recurrence]:
    """The same client, product and error again."""
    runs = series(found, lambda h: (h.client_id, h.product, h.error), _hit_at, window)
    return [_recurrence(run, run[0].error) for run in runs]


def same_product(found: Iterable[Hit], window: timedelta = MONTH) -> list[Recurrence]:
    """The same client and product again, by whatever error; two errors of one incident are one hit."""
    once = {(h.client_id, h.product, h.incident_id): h for h in found}
    return [_recurrence(run) for run in series(once.values(), lambda h: (h.client_id, h.product), _hit_at, window)]


def _hit_at(hit: Hit) -> tuple[datetime, str]:
    return hit.at, hit.incident_id


def _recurrence(run: Sequence[Hit], error: str = "") -> Recurrence:
    first, last = run[0], run[-1]
    ids = tuple(hit.incident_id for hit in run)
    return Recurrence(first.client_id, first.product, error, ids, first.at, last.at)


# ---- the clients' cases --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """Tasa de reincidencia: repeated cases of a client / cases x 100. unknown: cases that nobody can place, in neither number."""

    cases: int
    repeated: int
    unknown: int

    @property
    def percent(self) -> float | None:
        """None where there are no cases to speak of."""
        return 100 * self.repeated / self.cases if self.cases else None


def repeated(
    cases: Iterable[TheirCase], window: timedelta = MONTH, *, typology: bool = False
) -> list[tuple[TheirCase, TheirCase]]:
    """Each repeated case of a client with the one that it repeats; by when the client first spoke.

    Of the same client and product, with `typology` also of the same typology; across all tools. Ours (reported by the monitor) are no
    client's word and are left out.
    """
    known = [case for case in cases if _placed(case, typology=typology)]
    runs = series(known, lambda case: _words(case, typology=typology), _spoken, window)
    return [(case, before) for run in runs for before, case in pairwise(run)]


def rate(
    cases: Iterable[TheirCase],
    since: datetime,
    until: datetime,
    window: timedelta = MONTH,
    *,
    typology: bool = False,
) -> Rate:
    """Of the clients' cases first spoken of in [since, until). `cases` should reach back `window` before it: what they repeat."""
    held = [case for case in cases if case.reported_by != OURS]
    within = [case for case in held if since <= _spoken(case)[0] < until]
    placed = sum(_placed(case, typology=typology) for case in within)
    again = repeated((case for case in held if _spoken(case)[0] < until), window, typology=typology)
    return Rate(placed, sum(_spoken(case)[0] >= since for case, _ in again), len(within) - placed)


def _words(case: TheirCase, *, typology: bool) -> tuple[str, ...]:
    words = (case.client_id, case.product.strip().casefold())
    return (*words, case.typology.strip().casefold()) if typology else words


def _placed(case: TheirCase, *, typology: bool) -> bool:
    return case.reported_by != OURS and all(_words(case, typology=typology))


def _spoken(case: TheirCase) -> tuple[datetime, str]:
    return min(case.reported_at, case.opened_at), f"{case.source}/{case.case_id}"
