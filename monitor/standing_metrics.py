"""What stands now, as Prometheus is told it: made when it is read, each family from one snapshot; a scrape meets no half of a change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isnan
from typing import NamedTuple

import numpy as np
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

from alerts import Alert, AlertState, Touch
from alerts.leads import Line
from alerts.priority import SEGMENTS
from monitor.metric_names import LATENCY, LEAD, spread, standing
from monitor.pipeline import Status
from monitor.places import Places, segment
from monitor.verdicts import Said, blind
from rules import Floats, Severity, Verdict

_WORST = (Verdict.HEALTHY, Verdict.UNKNOWN, Verdict.BREACH)
_MIDDLES = np.array([0.004, *(bound * 0.75 for bound in LATENCY[1:]), LATENCY[-1] * 1.5])
"""Of the latency's steps, in seconds."""
_SHOWN: Mapping[str, Callable[[Status], float]] = {
    "breach": lambda status: float(status.verdict == Verdict.BREACH),
    "unknown": lambda status: float(status.verdict == Verdict.UNKNOWN),
    "value": lambda status: status.value,
    "expected": lambda status: status.expected,
    "lower": lambda status: status.lower,
    "upper": lambda status: status.upper,
    "score_ratio": lambda status: status.score,
}


class Open(NamedTuple):
    """An incident that is open."""

    severity: Severity
    acknowledged: bool


class Standing:
    """What stands now. latency: counts by doubling step, by place; lines: who reported lately; touched: by incident, client and product."""

    def __init__(self, places: Places, rules: Iterable[str] = ()) -> None:
        self.places, self.rules = places, tuple(rules)
        self.statuses: Mapping[tuple[str, str, str], Status] = {}
        self.verdicts: Mapping[tuple[str, str], Verdict] = {}
        self.stale: Callable[[], bool] = lambda: False
        self.alerts: Mapping[str, tuple[int, int]] = {}
        self.open: Mapping[str, Open] = {}
        self.touched: Mapping[tuple[str, str, str], tuple[str, Touch]] = {}
        self.promises: Mapping[tuple[str, str], tuple[int, int]] = {}
        self.latency: Mapping[tuple[str, str], Floats] = {}
        self.lines: tuple[Line, ...] = ()

    def said(self, found: Iterable[Status]) -> None:
        """One a rule and place; where it has several series: one in breach, or else one that cannot say."""
        worst: dict[tuple[str, str, str], Status] = {}
        for status in found:
            key = (status.rule, *self.places.place(status.scope.product, status.scope.channel))
            old = worst.get(key)
            if old is None or _WORST.index(status.verdict) > _WORST.index(old.verdict):
                worst[key] = status
        self.statuses = worst

    def placed(self, said: Iterable[Said]) -> None:
        """The verdict on each place; on those that are counted as one, the worst."""
        worst: dict[tuple[str, str], Verdict] = {}
        for one in said:
            place = self.places.place(one.product, one.channel)
            worst[place] = max(one.verdict, worst.get(place, one.verdict), key=_WORST.index)
        self.verdicts = worst

    @property
    def words(self) -> Mapping[tuple[str, str, str], Status]:
        """What was said, as far as it holds now: nothing does where nothing was judged lately."""
        statuses = self.statuses
        return {key: blind(status) for key, status in statuses.items()} if self.stale() else statuses

    def raised(self, alerts: Iterable[Alert]) -> None:
        """How many scopes are pending, and how many fire, by rule."""
        counts = {rule: [0, 0] for rule in self.rules}
        for alert in alerts:
            counts.setdefault(alert.rule, [0, 0])[alert.state is AlertState.FIRING] += 1
        self.alerts = {rule: (pending, firing) for rule, (pending, firing) in counts.items()}

    def promised(self, found: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """By product and segment: open cases at risk, and late."""
        counts: dict[tuple[str, str], tuple[int, int]] = {}
        for (product, of), (risk, late) in found.items():
            key = (self.places.product(product), segment(of))
            before = counts.get(key, (0, 0))
            counts[key] = (before[0] + risk, before[1] + late)
        self.promises = counts

    def collect(self) -> Iterator[GaugeMetricFamily | HistogramMetricFamily]:
        """As prometheus_client asks for it."""
        yield self._latency()
        yield self._one("places_other", self.places.beyond)
        yield from self._rules()
        incidents = list(self.open.values())
        for name, some in (("open", incidents), ("acknowledged", [i for i in incidents if i.acknowledged])):
            severities = [incident.severity for incident in some]
            yield self._counts(f"incidents_{name}", {s: severities.count(s) for s in Severity})
        clients: dict[tuple[Touch, str], set[str]] = defaultdict(set)
        for (_, client, _), (of, touch) in self.touched.items():
            clients[touch, of].add(client)
        for touch in Touch:
            held = {of: len(found) for (what, of), found in clients.items() if what is touch}
            yield self._counts(f"clients_{touch}", dict.fromkeys(SEGMENTS, 0) | held)
        for place, state in enumerate(("at_risk", "breached")):
            family = standing(f"cases_{state}")
            for labels, counts in self.promises.items():
                family.add_metric(labels, counts[place])
            yield family
        yield from self._leads()

    def _one(self, name: str, value: float) -> GaugeMetricFamily:
        family = standing(name)
        family.add_metric((), value)
        return family

    def _counts(self, name: str, counts: Mapping[str, int]) -> GaugeMetricFamily:
        family = standing(name)
        for label, count in counts.items():
            family.add_metric([label], count)
        return family

    def _rules(self) -> Iterator[GaugeMetricFamily]:
        statuses = self.words
        for name, of in _SHOWN.items():
            family = standing(f"rule_{name}")
            for scope, status in statuses.items():
                if not isnan(value := float(of(status))):
                    family.add_metric(scope, value)
            yield family
        family, stale = standing("place_verdict"), self.stale()
        for labels, verdict in self.verdicts.items():
            family.add_metric(labels, _WORST.index(Verdict.UNKNOWN if stale else verdict))
        yield family
        for place, state in enumerate(AlertState):
            counts = dict.fromkeys(self.rules, 0) | {rule: found[place] for rule, found in self.alerts.items()}
            yield self._counts(f"rule_alerts_{state}", counts)

    def _latency(self) -> HistogramMetricFamily:
        family, bounds = spread("latency_seconds"), [*map(str, LATENCY), "+Inf"]
        for place, counts in self.latency.items():
            buckets = list(zip(bounds, np.cumsum(counts).tolist(), strict=True))
            family.add_metric(place, buckets, float(counts @ _MIDDLES))
        return family

    def _leads(self) -> Iterator[GaugeMetricFamily | HistogramMetricFamily]:
        lines = self.lines
        leads = [line.lead.total_seconds() for line in lines if line.lead is not None]
        family = spread("lead_time_seconds")
        # By hand: of a histogram with negative bounds the library tells neither sum nor count.
        for bound in LEAD:
            family.add_sample(f"{family.name}_bucket", {"le": str(float(bound))}, sum(lead <= bound for lead in leads))
        family.add_sample(f"{family.name}_bucket", {"le": "+Inf"}, len(leads))
        family.add_sample(f"{family.name}_count", {}, len(leads))
        family.add_sample(f"{family.name}_sum", {}, sum(leads))
        yield family
        for name, first in (("reached", True), ("spoke", False)):
            of = [segment(line.segment) for line in lines if line.first is first]
            yield self._counts(f"clients_{name}_first", {s: of.count(s) for s in dict.fromkeys((*SEGMENTS, *of))})
