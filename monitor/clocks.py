"""The clocks of service promises beside the cases that are shown: the client's own where it is linked, else ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from alerts import Action, TheirCase
from alerts.promises import Promises, first_word
from alerts.rows import plain
from monitor import tables as t
from monitor.standing import Row, over_at, tuples
from monitor.store import Store

STEP = 500
"""Cases that are looked up at once."""


def clocked(store: Store, rows: Sequence[Row], promises: Promises, now: datetime) -> list[Row]:
    """The rows of `people.cases`, each with its clock's state and due_at ('' and None where nothing is promised).

    Ours ends as the tool tells, once the case comes back from it by its number; until then, with its incident; or as it is taken back.
    """
    if not promises.promises:
        return [row | {"clock": "", "due_at": None} for row in rows]
    numbers = {number for row in rows for number in (row["linked_case_id"], row["reference"]) if number}
    held = {(case.source, case.case_id): case for case in store.their_cases(t.their_cases.c.case_id.in_(numbers))}
    back = {(case.case_id, case.client_id): case for case in held.values() if case.reported_by == "monitor"}
    changes = store.case_changes(t.case_changes.c.case_id.in_(numbers))
    i = t.incidents.c
    asked = t.incidents.select().with_only_columns(i.id, i.channel, over_at())
    incidents = {key: told for key, *told in tuples(store, asked.where(i.id.in_({row["incident_id"] for row in rows})))}
    found = []
    for row in rows:
        case = held.get((row["linked_source"], row["linked_case_id"]))
        if row["action"] == Action.OPEN:
            channel, over = incidents.get(row["incident_id"], ("", None))
            ours = TheirCase(
                row["key"], "", row["client_id"], row["opened_at"], row["opened_at"], row["product"],
                channel, "soporte",
            )  # fmt: skip
            number = row["reference"]
            there = back.get((number, row["client_id"])) or back.get((number, ""))
            ended = there.resolved_at or there.closed_at if there else over
            case = (
                replace(ours, resolved_at=ended)
                if there is None
                else replace(there, product=ours.product, reported_at=ours.opened_at)
            )
        if case and row["action"] == Action.OPEN and row["withdrawn_at"]:
            case = replace(case, resolved_at=case.resolved_at or row["withdrawn_at"])
        clock = case and promises.clock(
            case,
            now,
            changes=changes.get((case.source, case.case_id), ()),
            segment=row["segment"],
            priority=row["priority"],
        )
        found.append(row | {"clock": str(clock.state) if clock else "", "due_at": clock.due_at if clock else None})
    return found


def first_words(
    store: Store, cases: Sequence[TheirCase], known: Mapping[tuple[str, str], TheirCase]
) -> list[TheirCase]:
    """The rows with the client's first word that the state has of each; `known`: those that need not be looked up."""
    ids = sorted({case.case_id for case in cases if (case.source, case.case_id) not in known})
    held: dict[tuple[str, str], TheirCase] = {}
    for i in range(0, len(ids), STEP):
        for case in store.their_cases(t.their_cases.c.case_id.in_(ids[i : i + STEP])):
            held[case.source, case.case_id] = case
    return [first_word(held.get((case.source, case.case_id), case), case) for case in cases]


def clocked_theirs(
    store: Store, found: Sequence[TheirCase], decided: Sequence[Row], promises: Promises, segment: str, now: datetime
) -> list[Row]:
    """The cases of one client in the tools as rows, newest first: whether open, their clock, and the incident that they are tied to.

    decided: what was decided on the client's cases (rows of `people.cases`); a tied case has the priority of its decision.
    """
    tied = {(row["linked_source"], row["linked_case_id"]): row for row in decided if row["linked_case_id"]}
    by_number = {row["linked_case_id"]: row for row in decided if row["linked_case_id"] and not row["linked_source"]}
    changes = store.case_changes(t.case_changes.c.case_id.in_({case.case_id for case in found}))
    shown = []
    for case in sorted(found, key=lambda case: (case.reported_at, case.source, case.case_id), reverse=True):
        key = (case.source, case.case_id)
        row = tied.get(key) or by_number.get(case.case_id)
        clock = promises.clock(
            case,
            now,
            changes=changes.get(key, ()),
            segment=segment,
            priority=row["priority"] if row else None,
        )
        shown.append(
            plain(case)
            | {"open": case.open_at(now), "incident_id": row["incident_id"] if row else ""}
            | {"clock": str(clock.state) if clock else "", "due_at": clock.due_at if clock else None}
        )
    return shown
