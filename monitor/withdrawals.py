"""What tells a desk that a case is taken back; until it is tried, it can be taken back itself.

Once tried it may have arrived, whatever the answer was: then the desk's case is closed, and stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from alerts import Decision
from monitor import spanish as es
from monitor import tables as t
from monitor.database import insert
from monitor.outbox import TIED, withdrawal
from monitor.standing import Row, only, rows
from monitor.store import Store

NEVER = "taken back before it was sent"
"""The error of a message that is not sent, and never will be."""
ATONCE = 500
"""Keys that one query asks about."""


def withdrawals(store: Store, keys: Sequence[str]) -> dict[str, Row]:
    """By case, how far what takes it back has come: case_key, state, attempts, error, created_at."""
    o = t.outbox.c
    found: dict[str, Row] = {}
    told = t.outbox.select().with_only_columns(o.case_key, o.state, o.attempts, o.error, o.created_at)
    for start in range(0, len(keys), ATONCE):
        some = keys[start : start + ATONCE]
        where = (o.case_key.in_(some), o.action == "withdraw", o.error != NEVER)
        found |= {row["case_key"]: row for row in rows(store, told.where(*where).order_by(o.id))}
    return found


def takable(store: Store, decisions: Sequence[Decision]) -> set[str]:
    """Keys of those whose desk was never tried to be told. Where a desk has another side, it is told of all cases together: none there."""
    told, o = withdrawals(store, [one.key for one in decisions]), t.outbox.c
    others = only(t.outbox, "desk", o.desk.in_({f"{one.desk}{TIED}" for one in decisions})).distinct()
    tied = {row["desk"] for row in rows(store, others)}
    alone = (one for one in decisions if f"{one.desk}{TIED}" not in tied)
    return {one.key for one in alone if one.key not in told or _untried(told[one.key])}


def stop(c: Any, decision: Decision, now: datetime) -> bool:
    """Whether the desk will never be told, in a transaction that writes; else it may know by now, and the transaction is to be given up.

    A message that is not made yet finds its key taken.
    """
    o = t.outbox.c
    mine = (o.case_key == decision.key, o.action == "withdraw", o.error != NEVER)
    over = {"state": "sent", "error": NEVER}
    c.execute(t.outbox.update().where(*mine, o.state == "due", o.attempts == 0).values(over))
    if c.execute(t.outbox.select().with_only_columns(o.id).where(*mine).limit(1)).first():
        return False
    row = over | {
        "key": withdrawal(decision), "case_key": decision.key, "desk": decision.desk, "action": "withdraw", "payload": {},
        "attempts": 0, "due_at": now, "created_at": now,
    }  # fmt: skip
    c.execute(insert(c, t.outbox).values(row).on_conflict_do_nothing(index_elements=["key"]))
    return True


def why_not(store: Store, decision: Decision, now: datetime) -> str:
    """Why a withdrawal cannot be taken back any more, in Spanish."""
    told = withdrawals(store, [decision.key]).get(decision.key)
    if told is None or told["state"] == "sent":
        return "ya se retiró en su mesa: si hace falta, ábralo allá"
    if told["state"] == "dead":
        return f"no se pudo retirar en su mesa ({told['error']}) y ya no se intenta: ciérrelo o sígalo allá"
    if _untried(told):
        return "se retira en su mesa con los demás de la afectación: si hace falta, ábralo allá"
    since = es.length((now - told["created_at"]).total_seconds())
    why = told["error"] or "la mesa no ha contestado"
    return f"se está retirando en su mesa desde hace {since} ({why}) y ya pudo llegarle: si hace falta, ábralo allá"


def _untried(row: Row) -> bool:
    return bool(row["state"] == "due" and row["attempts"] == 0)
