"""Signals to incidents: pending, firing, resolved; one incident a cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import AlertState, Changes, Incident, IncidentState, Signal
from alerts.incidents import Incidents, incident_key, together, worst
from rules import Grain, Scope, Severity, Spec, Verdict, Way
from tests.characters import ACEROS, CAFE, at

MINUTE = timedelta(minutes=1)
PAGOS = Scope("pagos", "web")
OF_ACEROS = Scope("pagos", "web", ACEROS.nit)
RULE = Spec(name="fallas", for_=timedelta(minutes=2), keep_firing_for=timedelta(minutes=3))


class Watch:
    """Minutes that pass, each with what the rules said of it."""

    def __init__(self, incidents: Incidents | None = None, **ways: Way) -> None:
        self.incidents = incidents or Incidents()
        self.changes = Changes()
        self.ways = ways

    def minute(self, clock: str | datetime, *said: tuple[Spec, Scope, Verdict]) -> Changes:
        """The windows whose last minute is this one."""
        end = (at(clock) if isinstance(clock, str) else clock) + MINUTE
        step = Changes()
        signals = [
            Signal(
                s,
                frozenset({self.ways.get(s.name, "failed")}),
                scope,
                end - s.grain.minutes * MINUTE,
                end,
                verdict,
                0.3,
            )
            for s, scope, verdict in said
        ]
        self.incidents.advance(signals, end, end + timedelta(seconds=10), step)
        self.changes.alerts |= step.alerts
        self.changes.incidents |= step.incidents
        return step

    def run(self, start: str, letters: str, spec: Spec = RULE, scope: Scope = PAGOS) -> None:
        """A letter a minute: B breach, h healthy, ? unknown, . no window at all."""
        meant = {"B": Verdict.BREACH, "h": Verdict.HEALTHY, "?": Verdict.UNKNOWN}
        for n, letter in enumerate(letters):
            self.minute(at(start) + n * MINUTE, *([(spec, scope, meant[letter])] if letter in meant else []))

    @property
    def open(self) -> list[Incident]:
        return list(self.incidents.open.values())

    @property
    def all(self) -> list[Incident]:
        return list(self.changes.incidents.values())


def test_for_counts_from_the_start_of_the_first_breaching_window():
    watch = Watch()
    watch.run("10:00", "hB")
    assert not watch.open
    watch.run("10:02", "B")
    (incident,) = watch.open
    assert (incident.started_at, incident.detected_at) == (at("10:01"), at("10:03:10"))


def test_a_window_as_long_as_for_fires_at_its_first_breach():
    watch = Watch()
    watch.run("10:04", "B", Spec(name="larga", grain=Grain(minutes=5), for_=timedelta(minutes=5)))
    assert watch.open[0].started_at == at("10:00")


def test_without_for_the_first_breach_fires():
    watch = Watch()
    watch.run("10:00", "B", Spec(name="ya"))
    assert watch.open[0].detected_at == at("10:01:10")


def test_a_pending_breach_that_heals_is_forgotten():
    watch = Watch()
    watch.run("10:00", "BhBhB")
    assert not watch.open
    assert [alert.state for alert in watch.incidents.alerts.values()] == [AlertState.PENDING]
    assert watch.incidents.alerts["fallas", PAGOS].since == at("10:04")


def test_an_old_pending_breach_does_not_count_for_a_new_one():
    watch = Watch()
    watch.run("10:00", "B")
    watch.run("11:00", "B")
    assert not watch.open
    watch.run("11:01", "B")
    assert watch.open[0].started_at == at("11:00")


def test_a_firing_incident_ends_once_it_has_been_healthy_for_keep_firing_for():
    watch = Watch()
    watch.run("10:00", "BBhh")
    assert watch.open
    watch.run("10:04", "h")
    (incident,) = watch.all
    assert incident.state is IncidentState.RESOLVED
    assert (incident.ended_at, incident.resolved_at) == (at("10:02"), at("10:05:10"))
    assert not watch.incidents.alerts


def test_flapping_gives_one_incident():
    watch = Watch()
    watch.run("10:00", "BB" + "hhB" * 10)
    assert len(watch.all) == len(watch.open) == 1


def test_unknown_moves_nothing():
    watch = Watch()
    watch.run("10:00", "B?B")
    assert watch.open[0].started_at == at("10:00")
    before = (dict(watch.incidents.alerts), watch.open)
    for _ in range(60):
        watch.minute("11:00", (RULE, PAGOS, Verdict.UNKNOWN))
    watch.minute("12:00")
    assert (dict(watch.incidents.alerts), watch.open) == before


def test_unknown_alone_neither_fires_nor_stays():
    watch = Watch()
    watch.run("10:00", "????")
    assert not watch.changes.alerts
    assert not watch.all


def test_two_rules_on_one_scope_are_one_incident():
    watch = Watch()
    other = Spec(name="reversos", severity=Severity.CRITICAL)
    watch.run("10:00", "BB")
    watch.minute("10:30", (other, PAGOS, Verdict.BREACH))
    (incident,) = watch.all
    assert incident.rules == ("fallas", "reversos")
    assert incident.severity is Severity.CRITICAL
    watch.run("10:31", "hhhhhh")
    assert watch.open, "the other rule still holds it"
    watch.run("10:40", "h", other)
    watch.run("11:10", "h", other)
    assert watch.all[0].state is IncidentState.RESOLVED
    assert watch.all[0].ended_at == at("10:31")


@pytest.mark.parametrize(("second", "wanted"), [("10:00", 1), ("10:05", 1), ("10:06", 2), ("10:20", 2)])
def test_two_products_of_one_channel_are_one_cause_if_they_begin_together(second, wanted):
    watch, quick = Watch(), Spec(name="ya", keep_firing_for=timedelta(hours=1))
    watch.run("10:00", "B", quick, Scope("pagos", "web"))
    watch.run(second, "B", quick, Scope("nomina", "web"))
    assert len(watch.open) == wanted
    if wanted == 1:
        assert watch.open[0].scope == Scope("", "web")


def test_one_product_through_two_channels_at_once_is_one_cause():
    watch, quick = Watch(), Spec(name="ya")
    watch.minute(
        "10:00", (quick, Scope("pagos", "web"), Verdict.BREACH), (quick, Scope("pagos", "h2h"), Verdict.BREACH)
    )
    assert [incident.scope for incident in watch.open] == [Scope("pagos", "")]


def test_what_shares_nothing_is_two_causes():
    watch, quick = Watch(), Spec(name="ya")
    watch.minute(
        "10:00", (quick, Scope("pagos", "web"), Verdict.BREACH), (quick, Scope("nomina", "h2h"), Verdict.BREACH)
    )
    assert len(watch.open) == 2


def test_a_wider_alert_takes_in_the_narrower_ones():
    watch, quick = Watch(), Spec(name="ya", keep_firing_for=timedelta(hours=1))
    wide = Spec(name="canal", severity=Severity.CRITICAL, keep_firing_for=timedelta(hours=1))
    watch.run("10:00", "B" * 9, quick, Scope("pagos", "web"))
    watch.run("10:06", "B" * 3, quick, Scope("nomina", "web"))
    oldest, newer = watch.open
    watch.incidents.open[newer.id] = newer = replace(newer, started_at=at("10:04"))
    watch.run("10:09", "B", wide, Scope("", "web"))
    (incident,) = watch.open
    assert (incident.id, incident.scope, incident.severity) == (oldest.id, Scope("", "web"), Severity.CRITICAL)
    merged = watch.changes.incidents[newer.id]
    assert (merged.state, merged.parent_id) == (IncidentState.MERGED, oldest.id)
    assert {alert.incident_id for alert in watch.incidents.alerts.values()} == {oldest.id}


def test_two_causes_one_after_the_other_stay_two_when_the_whole_channel_shows_them():
    watch, quick = Watch(), Spec(name="ya", keep_firing_for=timedelta(hours=1))
    watch.run("10:00", "B" * 30, quick, Scope("pagos", "web"))
    watch.run("10:20", "B" * 10, quick, Scope("nomina", "web"))
    watch.run("10:30", "B", Spec(name="canal"), Scope("", "web"))
    assert len(watch.open) == 2


def test_a_client_of_another_product_does_not_tie_two_causes_together_by_a_channels_alert():
    watch, quick = Watch(), Spec(name="ya", keep_firing_for=timedelta(hours=1))
    watch.minute("10:00", (quick, Scope("pagos", "web"), Verdict.BREACH))
    watch.minute("10:01", (Spec(name="canal"), Scope("", "web"), Verdict.BREACH))
    pagos = watch.open[0]
    watch.incidents.open[pagos.id] = replace(pagos, scope=Scope("pagos", "web"), shares=(("product", "pagos", 1.0),))
    watch.minute("10:02", (quick, Scope("nomina", "", ACEROS.nit), Verdict.BREACH))
    watch.minute("10:02", (quick, Scope("nomina", "h2h"), Verdict.BREACH))
    assert sorted(i.scope.product for i in watch.open) == ["nomina", "pagos"]


def test_an_incident_is_called_after_the_worst_that_it_does():
    assert worst(frozenset({"slow"})) == "slow"
    assert worst(frozenset({"slow", "pending", "failed"})) == "failed"


def test_a_client_in_an_incident_of_the_whole_product_is_no_incident_of_their_own():
    watch, quick = Watch(), Spec(name="ya")
    watch.run("10:00", "B" * 20, quick, Scope("pagos", "web"))
    watch.run("10:20", "B", quick, OF_ACEROS)
    assert [incident.scope for incident in watch.open] == [PAGOS]


def test_a_client_that_fails_when_the_product_no_longer_does_is_an_incident_of_their_own():
    watch, quick = Watch(), Spec(name="ya")
    watch.run("10:00", "B", quick, PAGOS)
    watch.run("10:22", "B", quick, OF_ACEROS)
    assert [incident.scope for incident in watch.open] == [PAGOS, OF_ACEROS]


def test_a_client_of_a_wider_cause_is_a_symptom_and_does_not_keep_it_open():
    watch = Watch()
    for n in range(3):
        watch.minute(f"10:0{n}", (RULE, PAGOS, Verdict.BREACH), (RULE, OF_ACEROS, Verdict.BREACH))
    for n in range(3, 6):
        watch.minute(f"10:0{n}", (RULE, PAGOS, Verdict.HEALTHY), (RULE, OF_ACEROS, Verdict.BREACH))
    (incident,) = watch.all
    assert (incident.state, incident.ended_at) == (IncidentState.RESOLVED, at("10:03"))
    assert not watch.incidents.alerts, "what the client still shows went with it"
    assert watch.changes.alerts["fallas", OF_ACEROS] is None


def test_a_client_alone_keeps_their_own_incident_open():
    watch = Watch()
    watch.run("10:00", "BBBBBB", scope=OF_ACEROS)
    assert [incident.scope for incident in watch.open] == [OF_ACEROS]


def test_a_client_without_windows_is_over_after_an_hour_and_a_pair_is_not():
    for scope, state in ((OF_ACEROS, IncidentState.RESOLVED), (PAGOS, IncidentState.FIRING)):
        watch = Watch()
        watch.run("10:00", "BB", scope=scope)
        watch.minute("11:01")
        assert watch.open
        watch.minute("11:02")
        assert watch.all[0].state is state


# ---- what is over ------------------------------------------------------------------------------------------------


class Looking(Watch):
    """Windows of an hour, which end when told."""

    def hour(self, end: str, spec: Spec, scope: Scope, verdict: Verdict) -> None:
        step = Changes()
        long = replace(spec, grain=Grain(minutes=60))
        signal = Signal(long, frozenset({"failed"}), scope, at(end) - 60 * MINUTE, at(end), verdict, 0.3)
        self.incidents.advance([signal], at(end), at(end), step)
        self.changes.incidents |= step.incidents


def ended(until: str = "10:30") -> Looking:
    """Pagos by web failed from ten o'clock to then, and is healthy since."""
    watch, quick = Looking(), Spec(name="ya", keep_firing_for=MINUTE)
    n = int((at(until) - at("10:00")) / MINUTE)
    watch.run("10:00", "B" * n + "hh", quick)
    assert not watch.open
    return watch


@pytest.mark.parametrize("scope", [PAGOS, Scope("pagos"), Scope("", "web"), Scope("pagos", "web", ACEROS.nit)])
def test_what_looks_back_into_an_incident_that_is_over_is_no_news(scope):
    watch = ended()
    watch.hour("11:00", Spec(name="larga"), scope, Verdict.BREACH)
    assert not watch.open


def test_the_echo_survives_a_restart():
    watch = ended()
    again = Looking(Incidents(watch.incidents.alerts.values(), watch.all))
    again.hour("11:00", Spec(name="larga"), PAGOS, Verdict.BREACH)
    assert not again.open


@pytest.mark.parametrize(
    ("end", "scope"), [("11:00", Scope("pagos", "h2h")), ("11:00", Scope("nomina")), ("11:30", PAGOS)]
)
def test_what_is_elsewhere_or_began_after_its_end_is_news(end, scope):
    watch = ended()
    watch.hour(end, Spec(name="larga"), scope, Verdict.BREACH)
    assert [incident.scope for incident in watch.open] == [scope]


def test_what_was_over_long_ago_echoes_no_more():
    watch = ended()
    watch.minute("13:40")
    assert not watch.incidents.past


def test_an_echo_that_goes_on_becomes_news_once_it_looks_back_no_further_than_the_end():
    watch = ended()
    for n in range(60):
        watch.hour(f"10:{n:02}" if n > 31 else "10:32", Spec(name="larga"), PAGOS, Verdict.BREACH)
    assert not watch.open
    watch.hour("11:31", Spec(name="larga"), PAGOS, Verdict.BREACH)
    assert watch.open


def test_an_id_is_made_of_scope_and_first_bad_minute():
    ids = []
    for _ in range(2):
        watch = Watch()
        watch.run("10:00", "hBB")
        ids.append(watch.open[0].id)
    assert ids[0] == ids[1] == incident_key(PAGOS, at("10:01"))
    assert len({incident_key(PAGOS, at("10:02")), incident_key(Scope("pagos"), at("10:01")), ids[0]}) == 3


def test_an_incident_closed_by_hand_does_not_reopen_while_its_alert_still_fires():
    watch = Watch()
    watch.run("10:00", "BB")
    done = watch.incidents.close(watch.open[0].id, "turno", at("10:02:30"), watch.changes)
    assert (done.state, done.resolved_by, done.resolved_at) == (IncidentState.RESOLVED, "turno", at("10:02:30"))
    watch.run("10:03", "BBB")
    assert not watch.open
    watch.run("10:06", "hhhh")
    assert not watch.incidents.alerts
    watch.run("10:20", "BB")
    assert watch.open[0].started_at == at("10:20")


LONG = Spec(name="fallas", for_=timedelta(minutes=2))
"""Over only after twenty healthy minutes."""


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("BBhhh", "hhhBB", "10:08"),  # five minutes healthy, part of them before it was closed
        ("BBhhhhhhhhhh", "hhBB", "10:14"),
        ("BBB", "hhhhhBB", "10:08"),
        ("BBB", "hhhhBBB", ""),
        ("BBhhh", "hBhhhhBB", ""),
        ("BBB", "BBBBBBBBB", ""),
        ("BBB", "???????BB", ""),
    ],
)
def test_what_was_closed_by_hand_and_healthy_for_a_while_fails_anew_as_another(before: str, after: str, wanted: str):
    watch = Watch()
    watch.run("10:00", before, LONG)
    (first,) = watch.open
    closed = at("10:00") + len(before) * MINUTE + timedelta(seconds=30)
    watch.incidents.close(first.id, "turno", closed, watch.changes)
    watch = Watch(Incidents(watch.incidents.alerts.values(), watch.all))  # after a restart
    for n, letter in enumerate(after):
        watch.run(f"10:{len(before) + n:02}", letter, LONG)
    assert [incident.started_at for incident in watch.open] == ([at(wanted)] if wanted else [])
    assert first.id not in watch.incidents.open


def test_what_is_still_seen_by_another_rule_does_not_make_a_new_failure_of_it():
    """A rule that cannot tell keeps the closed one alive: what begins after a healthy while is no part of it for all that."""
    watch = Watch()
    blind = replace(LONG, name="ciega")
    watch.run("10:00", "BB", LONG)
    watch.run("10:00", "BB", blind)
    (first,) = watch.open
    watch.run("10:02", "hhhhh", LONG)
    watch.incidents.close(first.id, "turno", at("10:07:30"), watch.changes)
    watch.run("10:07", "h", LONG)
    watch.run("10:08", "BB", LONG)
    assert [incident.started_at for incident in watch.open] == [at("10:08")]


def test_what_healed_after_it_was_closed_by_hand_and_is_reopened_has_ended_when_it_did():
    watch = Watch()
    watch.run("10:00", "BBhhh", LONG)
    (first,) = watch.open
    watch.incidents.close(first.id, "turno", at("10:05:30"), watch.changes)
    watch.run("10:05", "hhhh", LONG)
    watch.incidents.reopen(first.id, at("10:09:30"), watch.changes)
    watch.run("10:09", "h", LONG)
    last = watch.changes.incidents[first.id]
    assert (last.state, last.ended_at) == (IncidentState.RESOLVED, at("10:02"))


def test_an_incident_closed_by_hand_ends_where_its_last_alert_was_in_breach():
    watch, other = Watch(), Spec(name="reversos", keep_firing_for=timedelta(minutes=1))
    watch.minute("10:00", (other, PAGOS, Verdict.BREACH))
    watch.run("10:01", "BBBBBB")
    watch.run("10:07", "h", other)
    watch.run("10:07", "BBB")
    done = watch.incidents.close(watch.open[0].id, "turno", at("10:10:30"), watch.changes)
    assert done.ended_at == at("10:10")


def test_closing_what_is_not_open_changes_nothing():
    watch = Watch()
    assert watch.incidents.close("AF-x", "turno", at("10:00"), watch.changes) is None
    watch.incidents.acknowledge("AF-x", "turno", watch.changes)
    assert not watch.all


def test_who_has_seen_it_is_noted():
    watch = Watch()
    watch.run("10:00", "BB")
    watch.incidents.acknowledge(watch.open[0].id, "turno", watch.changes)
    watch.run("10:02", "B")
    assert watch.open[0].acknowledged_by == "turno"


def test_a_rule_that_is_no_more_is_forgotten_and_what_only_it_held_up_is_over():
    watch = Watch()
    watch.run("10:00", "BB")
    watch.minute("10:02", (Spec(name="ya"), Scope("nomina", "h2h"), Verdict.BREACH))
    watch.incidents.forget({"ya": Spec(name="ya")}, at("10:05"), watch.changes)
    assert [incident.scope.product for incident in watch.open] == ["nomina"]
    assert watch.changes.alerts["fallas", PAGOS] is None
    (gone,) = [incident for incident in watch.all if incident.scope == PAGOS]
    assert (gone.state, gone.resolved_at) == (IncidentState.RESOLVED, at("10:05"))


def test_after_a_restart_it_goes_on_where_it_was():
    whole, first = Watch(), Watch()
    whole.run("10:00", "BBhB")
    first.run("10:00", "BB")
    second = Watch(Incidents(first.incidents.alerts.values(), first.all))
    second.run("10:02", "hB")
    assert second.incidents.alerts == whole.incidents.alerts
    assert second.open == whole.open


def test_another_rule_of_the_same_cause_does_not_reopen_what_was_closed_by_hand():
    watch = Watch()
    watch.run("10:00", "BBB")
    watch.incidents.close(watch.open[0].id, "turno", at("10:03:30"), watch.changes)
    watch.run("10:03", "BBB", spec=Spec(name="volumen"))
    assert not watch.open
    again = Watch(Incidents(watch.incidents.alerts.values(), watch.all))  # after a restart
    again.run("10:06", "B", spec=Spec(name="reversos"))
    assert not again.open
    for spec in (RULE, Spec(name="volumen"), Spec(name="reversos")):
        again.run("10:30", "h", spec=spec)
    assert not again.incidents.closed
    again.run("10:40", "BB")
    assert len(again.open) == 1


def test_a_product_and_a_channel_that_fail_at_once_meet_in_what_they_share_and_a_metric_is_a_cause_of_its_own():
    wide, other, meter = Scope(product="pagos"), Scope(channel="web"), Scope(series="cpu")
    for order in permutations((wide, other, meter)):
        watch = Watch()
        for n in range(3):
            watch.minute(f"10:0{n}", *((RULE, scope, Verdict.BREACH) for scope in order))
        assert sorted(incident.scope for incident in watch.open) == sorted([PAGOS, meter])


scopes = st.builds(
    Scope, st.sampled_from(["", "pagos", "nomina"]), st.sampled_from(["", "web", "h2h"]), st.sampled_from(["", ACEROS.nit, CAFE.nit])
).filter(lambda scope: any(scope.values))  # fmt: skip


@given(scopes, scopes)
def test_what_holds_two_scopes_together_lies_within_their_widest_and_does_not_ask_which_came_first(one, other):
    found = together(one, other)
    assert found == together(other, one)
    assert together(one, one) == one
    assert found.overlaps(one)
    assert found.overlaps(other)
    if not one.overlaps(other):
        assert found in (one.widened(other), replace(one.widened(other), client_id=""))


@given(st.lists(st.tuples(st.integers(0, 40), scopes, st.integers(1, 15)), min_size=1, max_size=6))
def test_every_firing_alert_is_of_an_open_incident_and_each_cause_has_one_id(stories):
    """Merged ones point to one that is there; nobody is left behind when all have healed."""
    watch, quick = Watch(), Spec(name="ya", keep_firing_for=2 * MINUTE)
    for n in range(75):
        said = {scope: Verdict.HEALTHY for start, scope, length in stories if n >= start + length}
        said |= {scope: Verdict.BREACH for start, scope, length in stories if start <= n < start + length}
        watch.minute(at("10:00") + n * MINUTE, *((quick, scope, verdict) for scope, verdict in said.items()))
        firing = [a for a in watch.incidents.alerts.values() if a.state is AlertState.FIRING]
        assert {alert.incident_id for alert in firing} <= set(watch.incidents.open)
    known = watch.changes.incidents
    assert all(incident.id == key for key, incident in known.items())
    for incident in known.values():
        if incident.state is IncidentState.MERGED:
            assert known[incident.parent_id].started_at <= incident.started_at
        else:
            assert incident.state is IncidentState.RESOLVED
            assert incident.started_at < incident.ended_at <= incident.resolved_at


def test_an_alert_that_nothing_is_heard_of_for_a_day_is_over():
    watch = Watch()
    watch.run("10:00", "BB")
    watch.minute(at("10:01", day=1))
    assert watch.open
    watch.minute(at("10:03", day=1))
    assert not watch.open
    assert watch.all[-1].ended_at == at("10:02")


def test_a_rule_that_looks_at_another_grain_now_lets_its_old_alerts_go():
    watch = Watch()
    watch.run("10:00", "BB")
    watch.incidents.forget({"fallas": replace(RULE, grain=Grain(by=("product",)))}, at("10:05"), watch.changes)
    assert not watch.open


def test_what_fails_in_three_ways_at_three_places_within_minutes_is_three_causes():
    watch = Watch(reversos="reversed", rechazos="rejected")
    for clock, rule, product, channel in (
        ("10:00", "fallas", "pagos", "h2h"),
        ("10:02", "reversos", "tarjetas", "web"),
        ("10:04", "rechazos", "adquirencia", "h2h"),
    ):
        told = (Scope(product, channel), Scope(product), Scope("", channel))
        watch.minute(clock, *((Spec(name=rule), scope, Verdict.BREACH) for scope in told))
    assert [i.reach for i in watch.open] == [
        Scope("pagos", "h2h"),
        Scope("tarjetas", "web"),
        Scope("adquirencia", "h2h"),
    ]


def test_three_places_with_nothing_in_common_that_fail_alike_at_once_are_one_cause():
    watch = Watch()
    places = [Scope("pagos", "web"), Scope("giros", "h2h"), Scope("recaudos", "swift")]
    watch.minute("10:00", *((Spec(name="fallas"), scope, Verdict.BREACH) for scope in places[:2]))
    assert len(watch.open) == 2
    watch.minute("10:01", (Spec(name="fallas"), places[2], Verdict.BREACH))
    (incident,) = watch.open
    assert incident.reach == Scope()


def test_what_is_slow_and_an_hour_later_fails_has_failed_for_another_reason():
    watch = Watch(lentitud="slow")
    watch.run("09:00", "BB" * 60, Spec(name="lentitud"))
    watch.run("09:10", "B", Spec(name="otra"))
    assert [i.kind for i in watch.open] == ["failed"]
    watch = Watch(lentitud="slow")
    watch.run("09:00", "BB" * 60, Spec(name="lentitud"))
    watch.run("10:40", "B", Spec(name="fallas"))
    assert [i.kind for i in watch.open] == ["slow", "failed"]


def test_a_hint_that_something_is_new_yields_to_the_rule_that_knows_how_it_hurts():
    watch = Watch(Incidents(hints={"codigo"}), rechazos="rejected")
    watch.minute("10:00", (Spec(name="codigo", guide="nuevo"), PAGOS, Verdict.BREACH))
    watch.minute("10:01", (Spec(name="rechazos", guide="rechazos"), PAGOS, Verdict.BREACH))
    (incident,) = watch.open
    assert (incident.ways, incident.kind, incident.guide) == ({"rejected"}, "rejected", "rechazos")
    watch.minute("10:02", (Spec(name="codigo"), Scope("pagos"), Verdict.BREACH))
    assert watch.open[0].ways == {"rejected"}


def test_what_is_new_and_only_rejects_is_not_of_one_cause_with_what_fails_beside_it():
    """A whole channel's failures are those of the product that fails there; nor is the other called after them when both are made one."""
    beside, codigo = Scope("adquirencia", PAGOS.channel), Spec(name="codigo")
    for ways, many in (({"failed"}, 1), ({"rejected"}, 2)):
        watch = Watch(Incidents(hints={"codigo"}), codigo="failed", rechazos="rejected")
        watch.minute("10:00", (Spec(name="fallas"), PAGOS, Verdict.BREACH), (codigo, beside, Verdict.BREACH))
        (new,) = (one for one in watch.open if one.rules == ("codigo",))
        assert watch.incidents.called(new, frozenset(ways), Changes()).kind == min(ways)
        watch.minute("10:01", (Spec(name="fallas"), Scope("", PAGOS.channel), Verdict.BREACH))
        assert len(watch.open) == many
    watch = Watch(Incidents(hints={"codigo"}), rechazos="rejected")
    watch.minute("10:00", (Spec(name="rechazos"), PAGOS, Verdict.BREACH), (codigo, beside, Verdict.BREACH))
    (new,) = (one for one in watch.open if one.rules == ("codigo",))
    watch.incidents.called(new, frozenset({"failed", "rejected"}), Changes())
    watch.minute("10:01", (Spec(name="rechazos"), Scope("", PAGOS.channel), Verdict.BREACH))
    assert [(one.kind, one.ways, len(one.rules)) for one in watch.open] == [("rejected", {"rejected"}, 2)]


def test_a_rule_that_knows_too_little_to_end_its_alert_is_over_when_one_that_knows_says_so():
    busy = replace(RULE, name="altas")
    for spoken, still in (({}, 1), ({"fallas": ("altas",)}, 0)):
        watch = Watch(Incidents(spoken=spoken))
        watch.minute("10:00", (RULE, PAGOS, Verdict.BREACH), (busy, PAGOS, Verdict.BREACH))
        watch.minute("10:01", (RULE, PAGOS, Verdict.BREACH), (busy, PAGOS, Verdict.BREACH))
        for n in range(2, 6):
            watch.minute(f"10:0{n}", (RULE, PAGOS, Verdict.HEALTHY), (busy, PAGOS, Verdict.UNKNOWN))
        assert len(watch.open) == still
