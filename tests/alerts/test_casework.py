"""Cases in stages, and what people do with them, over the book of cases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import Action, Changes, Decision, Impact, Incident, IncidentState, TheirCase, Touch
from alerts.cases import CaseBook
from alerts.casework import ACTS, acted, may
from alerts.decided import case_key
from alerts.reasons import APPROVAL, BUDGET, FEW, OBSERVED, UNDONE, WITHDRAWN, Limits
from alerts.stages import Stage, Staged, Stages
from rules import Scope, Severity
from tests.characters import ACEROS, CAFE, TEXTILES, Character, at

INCIDENT = Incident(
    id="AF-1", scope=Scope("pagos", "web"), kind="failed", severity=Severity.MAJOR, state=IncidentState.FIRING,
    started_at=at("10:00"), detected_at=at("10:02"), rules=("fallas",), ways=frozenset({"failed"}),
)  # fmt: skip
CLIENTS = {who.nit: who.client for who in (ACEROS, TEXTILES, CAFE)}
WHO = "turno"


class Day:
    """The book of a day, at one desk."""

    def __init__(self, stage: Stage = Stage.AUTOMATIC, *cases: TheirCase, per_hour: int | None = None) -> None:
        self.limits = Limits(
            {"mesa": per_hour} if per_hour else {}, {"default": 3}, Stages((Staged(stage, frozenset({"pagos"})),))
        )
        self.book, self.changes = CaseBook((), cases, {"mesa"}), Changes()

    def minute(self, clock: str, *who: Character, incident: Incident = INCIDENT, hits: int = 3) -> None:
        """They are hurt by now."""
        impacts = [
            Impact(incident.id, w.nit, "pagos", Touch.AFFECTED, hits, priority=50 - n) for n, w in enumerate(who)
        ]
        self.book.know([incident])
        self.book.decide(incident, impacts, at(clock), lambda _: "mesa", self.changes, self.limits, CLIENTS)
        self.book.attach(lambda *_: ["pagos"], at(clock), self.changes)
        self.book.release(at(clock), {incident.id}, self.limits, self.changes)

    def does(self, clock: str, action: str, who: Character, case: TheirCase | None = None) -> Decision:
        after = acted(self.of(who), action, WHO, at(clock), case)
        self.book.note(after, self.changes)
        return after

    def of(self, who: Character, incident: Incident = INCIDENT) -> Decision:
        return self.book.decisions[case_key(incident.id, who.nit)]

    def again(self) -> None:
        """As after a restart."""
        said = self.book.approved, self.book.withdrawn
        self.book = CaseBook(self.book.decisions.values(), self.book.cases.values(), {"mesa"})
        self.book.approved, self.book.withdrawn = said
        self.changes = Changes()


# ---- stages --------------------------------------------------------------------------------------------------------


def test_observed_nothing_is_opened_nor_linked_and_all_is_shown():
    day = Day(Stage.OBSERVE, ACEROS.reports("09:50"))
    for clock in ("10:02", "10:05", "11:30"):
        day.minute(clock, ACEROS, CAFE)
    assert {(d.action, d.reason) for d in day.book.decisions.values()} == {(Action.NONE, OBSERVED)}
    assert day.of(ACEROS).client_reported_at == at("09:50"), "what would have been is seen"
    assert day.of(ACEROS).lead_seconds is None
    assert not may(day.of(CAFE), "approve")


def test_in_approve_they_wait_until_each_is_approved():
    day = Day(Stage.APPROVE)
    day.minute("10:02", ACEROS, CAFE)
    assert {(d.action, d.reason) for d in day.book.decisions.values()} == {(Action.NONE, APPROVAL)}
    assert day.does("10:03", "approve", CAFE).approved_by == WHO
    day.again()
    day.minute("10:04", ACEROS, CAFE)
    assert (day.of(CAFE).action, day.of(CAFE).opened_at, day.of(CAFE).approved_by) == (Action.OPEN, at("10:04"), WHO)
    assert (day.of(ACEROS).action, day.of(ACEROS).reason) == (Action.NONE, APPROVAL)


def test_approved_while_too_few_failures_it_opens_once_there_are_enough():
    day = Day(Stage.APPROVE)
    day.minute("10:02", CAFE, hits=1)
    assert day.of(CAFE).reason == FEW
    day.does("10:03", "approve", CAFE)
    day.minute("10:04", CAFE, hits=2)
    assert day.of(CAFE).action is Action.NONE
    day.minute("10:05", CAFE, hits=3)
    assert day.of(CAFE).action is Action.OPEN


def test_an_approved_incident_is_approved_for_those_to_come_and_the_budget_holds():
    day = Day(Stage.APPROVE, per_hour=1)
    day.book.approved["AF-1"] = WHO
    day.minute("10:02", ACEROS, CAFE)
    day.minute("10:03", ACEROS, CAFE, TEXTILES)
    assert (day.of(ACEROS).action, day.of(ACEROS).approved_by) == (Action.OPEN, WHO)
    assert {(day.of(w).action, day.of(w).reason) for w in (CAFE, TEXTILES)} == {(Action.NONE, BUDGET)}
    day.minute("11:02", ACEROS, CAFE, TEXTILES)
    assert day.of(CAFE).action is Action.OPEN


def test_their_own_open_case_needs_no_approval():
    day = Day(Stage.APPROVE, ACEROS.reports("09:50"))
    day.minute("10:02", ACEROS, CAFE)
    assert day.of(ACEROS).action is Action.LINK
    day.book.cases.learn([CAFE.reports("10:03", case_id="C-2")])
    day.minute("10:03", ACEROS, CAFE)
    assert (day.of(CAFE).action, day.of(CAFE).linked_case_id) == (Action.LINK, "C-2")


def test_who_waits_goes_on_as_the_stage_changes():
    day = Day(Stage.OBSERVE)
    day.minute("10:02", CAFE)
    day.limits = Limits()
    day.minute("10:05", CAFE)
    assert day.of(CAFE).action is Action.OPEN


# ---- withdraw ------------------------------------------------------------------------------------------------------


def test_withdrawn_it_is_not_opened_again_and_takes_no_credit_for_what_comes_later():
    day = Day()
    day.minute("10:02", ACEROS)
    day.does("10:05", "withdraw", ACEROS)
    day.again()
    day.minute("10:06", ACEROS)
    assert not day.changes.decisions
    day.book.cases.learn([ACEROS.reports("10:10")])
    day.minute("10:10", ACEROS)
    held = day.of(ACEROS)
    assert (held.action, held.withdrawn_at, held.linked_case_id) == (Action.OPEN, at("10:05"), "C-10:10")
    assert held.lead_seconds is None
    assert replace(held, withdrawn_at=at("10:11")).lead_seconds == 480, "while it stood, it was first"


def test_who_waits_is_withdrawn_from_the_list():
    day = Day(Stage.APPROVE)
    day.minute("10:02", CAFE)
    assert (day.does("10:03", "withdraw", CAFE).reason, day.of(CAFE).withdrawn_at) == (WITHDRAWN, at("10:03"))
    day.book.approved["AF-1"] = WHO
    day.minute("10:04", CAFE)
    assert day.of(CAFE).action is Action.NONE


def test_in_a_withdrawn_incident_nothing_is_opened_for_those_to_come():
    day = Day(Stage.AUTOMATIC, CAFE.reports("10:00"))
    day.minute("10:02", ACEROS)
    day.book.withdrawn.add("AF-1")
    day.minute("10:04", ACEROS, CAFE, TEXTILES)
    assert [(day.of(w).action, day.of(w).reason) for w in (CAFE, TEXTILES)] == [(Action.NONE, WITHDRAWN)] * 2
    assert day.of(TEXTILES).withdrawn_at == at("10:04")


@pytest.mark.parametrize("idle", [{"withdrawn_at": at("10:25")}, {"action": Action.NONE, "reason": OBSERVED}])
def test_a_case_is_tied_rather_to_what_still_stands(idle):
    later = replace(INCIDENT, id="AF-2", started_at=at("10:20"), detected_at=at("10:22"))
    day = Day()
    day.minute("10:02", ACEROS)
    day.minute("10:22", ACEROS, incident=later)
    day.book.note(replace(day.of(ACEROS, later), **idle), day.changes)
    day.book.cases.learn([ACEROS.reports("10:30")])
    day.book.know([INCIDENT, later])
    day.book.attach(lambda *_: ["pagos"], at("10:30"), day.changes)
    assert (day.of(ACEROS).linked_case_id, day.of(ACEROS, later).linked_case_id) == ("C-10:30", "")


# ---- links ---------------------------------------------------------------------------------------------------------


def test_a_link_says_how_sure_it_is_and_confirmed_it_is_sure():
    day = Day(Stage.AUTOMATIC, ACEROS.reports("09:50", product="pagos"), CAFE.reports("09:55", source="otra"))
    day.minute("10:02", ACEROS, CAFE)
    sure, doubtful = day.of(ACEROS).confidence, day.of(CAFE).confidence
    assert sure is not None
    assert doubtful is not None
    assert doubtful < 0.6 < sure < 1
    assert (day.does("10:05", "confirm", CAFE).confidence, day.of(CAFE).confirmed_by) == (1.0, WHO)


def test_a_confirmed_tie_is_not_taken_away_by_a_later_incident():
    over = replace(INCIDENT, state=IncidentState.RESOLVED, ended_at=at("10:10"), resolved_at=at("10:15"))
    later = replace(INCIDENT, id="AF-2", started_at=at("10:20"), detected_at=at("10:22"))
    for confirmed in (False, True):
        day = Day()
        day.minute("10:02", ACEROS)
        day.book.cases.learn([ACEROS.reports("10:21")])
        day.minute("10:21", ACEROS, incident=over)
        if confirmed:
            day.does("10:21", "confirm", ACEROS)
        day.book.know([over, later])
        day.minute("10:22", ACEROS, incident=later)
        assert bool(day.of(ACEROS).client_reported_at) is confirmed


def test_an_undone_tie_takes_its_figures_with_it_and_does_not_come_back():
    day = Day()
    day.minute("10:02", ACEROS)
    day.book.cases.learn([ACEROS.reports("10:10")])
    day.minute("10:10", ACEROS)
    assert day.of(ACEROS).lead_seconds == 480
    undone = day.does("10:20", "undo", ACEROS)
    assert (undone.action, undone.linked_case_id, undone.lead_seconds, undone.confidence) == (
        Action.OPEN,
        "",
        None,
        None,
    )
    day.minute("10:21", ACEROS)
    day.again()
    day.minute("10:22", ACEROS)
    assert day.of(ACEROS).linked_case_id == ""
    day.book.cases.learn([ACEROS.reports("10:23")])
    day.minute("10:23", ACEROS)
    assert day.of(ACEROS).linked_case_id == "C-10:23", "another case is another matter"


def test_undone_a_link_leaves_room_for_a_preventive_case():
    day = Day(Stage.AUTOMATIC, ACEROS.reports("09:50"))
    day.minute("10:02", ACEROS)
    assert day.does("10:10", "undo", ACEROS).reason == UNDONE
    day.again()
    day.minute("10:11", ACEROS)
    assert (day.of(ACEROS).action, day.of(ACEROS).opened_at, day.of(ACEROS).desk) == (Action.OPEN, at("10:11"), "mesa")
    assert day.of(ACEROS).undone == (("mesa", "C-09:50"),)


def test_undone_a_link_another_case_of_theirs_may_stand_for_it():
    day = Day(Stage.AUTOMATIC, ACEROS.reports("09:50"), ACEROS.reports("09:55"))
    day.minute("10:02", ACEROS)
    assert day.of(ACEROS).linked_case_id == "C-09:50"
    day.does("10:10", "undo", ACEROS)
    day.minute("10:11", ACEROS)
    assert (day.of(ACEROS).action, day.of(ACEROS).linked_case_id) == (Action.LINK, "C-09:55")


@pytest.mark.parametrize(("stage", "reason"), [(Stage.APPROVE, APPROVAL), (Stage.OBSERVE, OBSERVED)])
def test_undone_a_link_the_stage_holds(stage, reason):
    day = Day(Stage.AUTOMATIC, ACEROS.reports("09:50"))
    day.minute("10:02", ACEROS)
    day.limits = replace(day.limits, stages=Stages((Staged(stage),)))
    day.does("10:10", "undo", ACEROS)
    day.minute("10:11", ACEROS)
    assert (day.of(ACEROS).action, day.of(ACEROS).reason) == (Action.NONE, reason)


def test_undone_a_link_nothing_is_opened_beside_what_stands_already():
    """A merged incident brings a decision of its own on the client."""
    day = Day(Stage.AUTOMATIC, ACEROS.reports("09:50"))
    day.minute("10:02", ACEROS)
    other = replace(day.of(ACEROS), key="VG-AF-0", action=Action.OPEN, linked_case_id="", client_reported_at=None)
    day.book.note(other, day.changes)
    day.does("10:10", "undo", ACEROS)
    day.minute("10:11", ACEROS)
    assert (day.of(ACEROS).action, day.of(ACEROS).reason) == (Action.NONE, UNDONE)


def test_a_case_that_was_let_go_may_be_about_another_incident():
    later = replace(INCIDENT, id="AF-2", started_at=at("10:08"), detected_at=at("10:09"))
    day = Day()
    day.minute("10:02", ACEROS)
    day.minute("10:09", ACEROS, incident=later)
    day.book.know([INCIDENT, later])
    day.book.cases.learn([ACEROS.reports("10:10")])
    day.book.attach(lambda *_: ["pagos"], at("10:10"), day.changes)
    assert day.of(ACEROS, later).linked_case_id == "C-10:10"
    day.book.note(acted(day.of(ACEROS, later), "undo", WHO, at("10:20")), day.changes)
    day.book.attach(lambda *_: ["pagos"], at("10:21"), day.changes)
    assert (day.of(ACEROS).linked_case_id, day.of(ACEROS, later).linked_case_id) == ("C-10:10", "")


def test_attributed_it_is_a_persons_word_and_moves_the_figures():
    day = Day()
    day.minute("10:02", ACEROS)
    day.book.cases.learn([ACEROS.reports("10:10"), ACEROS.reports("10:20")])
    day.minute("10:20", ACEROS)
    told = day.does("10:30", "attribute", ACEROS, day.book.cases["mesa", "C-10:20"])
    assert (told.linked_case_id, told.lead_seconds, told.confidence, told.confirmed_by) == ("C-10:20", 1080, 1.0, WHO)
    assert told.undone == (("mesa", "C-10:10"),)
    day.minute("10:31", ACEROS)
    assert day.of(ACEROS) == told
    back = day.does("10:40", "attribute", ACEROS, day.book.cases["mesa", "C-10:10"])
    assert (back.linked_case_id, back.undone) == ("C-10:10", (("mesa", "C-10:20"),))
    assert acted(back, "attribute", WHO, at("10:41"), day.book.cases["mesa", "C-10:10"]) is back


def test_attributed_while_waiting_an_open_case_stands_for_it():
    day = Day(Stage.APPROVE)
    day.minute("10:02", CAFE)
    told = day.does("10:30", "attribute", CAFE, CAFE.reports("10:20", product="swift"))
    assert (told.action, told.opened_at, told.lead_seconds) == (Action.LINK, at("10:30"), -600)


def test_a_link_that_is_attributed_to_a_later_case_takes_no_credit():
    day = Day(Stage.AUTOMATIC, ACEROS.reports("09:50"))
    day.minute("10:02", ACEROS)
    told = day.does("10:30", "attribute", ACEROS, ACEROS.reports("10:20"))
    assert (told.action, told.lead_seconds) == (Action.LINK, -600)


# ---- any act -------------------------------------------------------------------------------------------------------


def test_informed_and_promoted_are_noted_once():
    day = Day()
    day.minute("10:02", ACEROS)
    for action, name in (("informed", "informed_at"), ("promote", "promoted_at")):
        day.does("10:10", action, ACEROS)
        assert getattr(day.does("10:20", action, ACEROS), name) == at("10:10")


@pytest.mark.parametrize("action", [action for action in ACTS if action != "reinstate"])
def test_an_act_that_makes_no_sense_changes_nothing(action):
    day = Day(Stage.OBSERVE)
    day.minute("10:02", CAFE)
    gone = replace(day.of(CAFE), reason=WITHDRAWN, withdrawn_at=at("10:03"))
    assert acted(gone, action, WHO, at("10:04")) is gone


ALL = (ACEROS, TEXTILES, CAFE)
happenings = st.one_of(
    st.tuples(st.just("report"), st.sampled_from(ALL)),
    st.tuples(st.just("hurt"), st.sampled_from(ALL)),
    st.tuples(st.sampled_from(["approve", "withdraw", "confirm", "undo"]), st.sampled_from(ALL)),
    st.tuples(st.sampled_from(["approve all", "withdraw all"]), st.just(ACEROS)),
)


def happens(day: Day, clock: str, what: str, who: Character, hurt: list[Character]) -> None:
    """One of these, and the minute that follows."""
    action, _, whole = what.partition(" ")
    if action == "report":
        day.book.cases.learn([who.reports(clock)])
    if whole:
        day.book.approved |= {"AF-1": WHO} if action == "approve" else {}
        day.book.withdrawn |= {"AF-1"} if action == "withdraw" else set()
    for each in hurt if whole else [who]:
        if action in ACTS and case_key("AF-1", each.nit) in day.book.decisions:
            day.does(clock, action, each)
    day.minute(clock, *hurt)


@given(st.sampled_from(Stage), st.sampled_from([None, 1]), st.lists(happenings, max_size=14))
def test_whatever_people_do_a_restart_changes_nothing_and_what_they_said_holds(stage, per_hour, story):
    stayed, restarted = Day(stage, per_hour=per_hour), Day(stage, per_hour=per_hour)
    hurt: dict[str, Character] = {}
    for n, (what, who) in enumerate(story):
        hurt |= {who.nit: who} if what == "hurt" else {}
        before = dict(stayed.book.decisions)
        for day in (stayed, restarted):
            happens(day, f"10:{2 + n:02d}", what, who, list(hurt.values()))
        restarted.again()
        assert restarted.book.decisions == stayed.book.decisions
        for key, was in before.items():
            now = stayed.book.decisions[key]
            assert {*was.undone} <= {*now.undone}
            assert (now.linked_source, now.linked_case_id) not in now.undone
            if was.withdrawn_at:
                assert (now.action, now.opened_at, now.withdrawn_at) == (was.action, was.opened_at, was.withdrawn_at)
    if stage is Stage.OBSERVE:
        assert {d.action for d in stayed.book.decisions.values()} <= {Action.NONE}
