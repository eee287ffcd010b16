"""The decisions by incident and by client are those that say so, whatever is merged and forgotten."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alerts import Action, Decision
from alerts.decided import Decided, case_key
from alerts.reasons import BUDGET, OURS
from tests.characters import at

INCIDENTS, CLIENTS = ("AF-1", "AF-2", "AF-3"), ("900", "901")


def decision(incident: str, client: str, reason: str) -> Decision:
    action = Action.NONE if reason == BUDGET else Action.OPEN
    return Decision(case_key(incident, client), incident, client, "pagos", action, reason, at("10:00"))


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("keep"), st.sampled_from(INCIDENTS), st.sampled_from(CLIENTS), st.sampled_from((BUDGET, OURS))
        ),
        st.tuples(st.just("merge"), st.sampled_from(INCIDENTS), st.sampled_from(INCIDENTS)),
        st.tuples(st.just("forget"), st.sampled_from(INCIDENTS)),
    ),
    max_size=25,
)


@given(steps)
def test_by_incident_and_by_client(told: list[tuple[str, ...]]) -> None:
    decided = Decided()
    for act, incident, *rest in told:
        if act == "keep":
            held = decided.get(case_key(incident, rest[0]))
            kept = decision(incident, *rest)
            decided.keep(replace(kept, incident_id=held.incident_id) if held else kept)
        elif act == "forget":
            decided.forget(incident)
        elif rest[0] != incident:
            for one in decided.leave(incident):
                decided.keep(replace(one, incident_id=rest[0]))
        for name in INCIDENTS:
            mine = {d.key for d in decided.values() if d.incident_id == name}
            clients = {decided[key].client_id for key in mine}
            assert {d.key for d in decided.of_incident(name)} == mine
            assert {d.key for d in decided.around(name)} == {d.key for d in decided.values() if d.client_id in clients}
            for client in CLIENTS:
                assert bool(decided.of(name, client)) is (client in clients)
        for client in CLIENTS:
            assert {d.key for d in decided.of_client(client)} == {
                d.key for d in decided.values() if d.client_id == client
            }
        assert decided.held == {d.key for d in decided.values() if d.reason == BUDGET}
