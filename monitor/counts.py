"""How many each open incident touches: counted by the database, and kept until the judging thread changes the incident.

A board is asked for every few seconds by everybody, and a hundred thousand clients are not counted anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from alerts import Action
from monitor import tables as t
from monitor.store import Store

Row = dict[str, Any]
COUNTED = {Action.OPEN: "cases_opened", Action.LINK: "cases_linked", Action.NONE: "cases_left"}
NOTHING: Row = dict.fromkeys(("affected", "exposed", "priority", *COUNTED.values()), 0)
_MOST = 2000
"""Incidents and sets of them that are kept."""

_lock = Lock()
_kept: WeakKeyDictionary[Store, dict[Any, tuple[Any, Any]]] = WeakKeyDictionary()


def counts(store: Store, ids: Sequence[str]) -> dict[str, Row]:
    """By incident: clients affected and exposed, the highest priority among the affected, cases by what was decided."""
    kept = _of(store)
    as_of = {key: store.changed.get(key, 0) for key in ids}
    known = {key: held[1] for key in ids if (held := kept.get(key)) and held[0] == as_of[key]}
    wanted = [key for key in ids if key not in known]
    if wanted:
        fresh = _counted(store, wanted)
        _keep(kept, {key: (as_of[key], row) for key, row in fresh.items()})
        known |= fresh
    return known


def touched(store: Store, ids: Sequence[str]) -> tuple[int, int]:
    """Clients affected by any of these incidents, and the others who are exposed to one; each is counted once."""
    kept, key = _of(store), ("touched",)
    as_of = tuple(sorted((one, store.changed.get(one, 0)) for one in ids))
    if (held := kept.get(key)) and held[0] == as_of:
        return held[1]  # type: ignore[no-any-return]
    found = _rows(store, t.by_touch(t.impacts.c.incident_id.in_(ids))) if ids else []
    answer = next(((row["affected"], row["touched"] - row["affected"]) for row in found), (0, 0))
    _keep(kept, {key: (as_of, answer)})
    return answer


def until_changed(store: Store, name: str, as_of: Any, made: Callable[[], Any]) -> Any:
    """What `made` says, kept under a name until any incident or client changes, somebody acts, or it is wanted as of something else."""
    acts = t.acts.select().with_only_columns(t.acts.c.id).order_by(t.acts.c.id.desc()).limit(1)
    newest = [row["id"] for row in _rows(store, acts)]
    kept, key, stands = _of(store), (name,), (sum(store.changed.values()), newest, as_of)
    found = kept.get(key)
    if found is None or found[0] != stands:
        found = stands, made()
        _keep(kept, {key: found})
    return found[1]


def _counted(store: Store, ids: Sequence[str]) -> dict[str, Row]:
    found = {key: dict(NOTHING) for key in ids}
    for row in _rows(store, t.by_touch(t.impacts.c.incident_id.in_(ids), t.impacts.c.incident_id)):
        told = {"affected": row["affected"], "exposed": row["touched"] - row["affected"], "priority": row["top"]}
        found[row["incident_id"]] |= told
    for row in _rows(store, t.by_action(t.decisions.c.incident_id.in_(ids))):
        kept = Action.NONE if row["withdrawn"] else Action(row["action"])
        found[row["incident_id"]][COUNTED[kept]] += row["n"]
    return found


def _of(store: Store) -> dict[Any, tuple[Any, Any]]:
    with _lock:
        return _kept.setdefault(store, {})


def _keep(kept: dict[Any, tuple[Any, Any]], fresh: dict[Any, tuple[Any, Any]]) -> None:
    with _lock:
        if len(kept) > _MOST:
            kept.clear()
        kept |= fresh


def _rows(store: Store, query: Any) -> list[Row]:
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
