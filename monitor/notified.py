"""Who was told of an incident, by which receiver and when, and whether it has got there: what people ask first when somebody calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from monitor import tables as t
from monitor.outbox import NOTIFY
from monitor.standing import Row, rows
from monitor.store import Store

SENT, WAITING, FAILED, SUMMED = "sent", "waiting", "failed", "summed"
SOME = 500
"""Threads that one query asks about."""


def notified(store: Store, incident_id: str) -> list[Row]:
    """A row for each recipient of each receiver, whoever was to be told first first.

    receiver, recipient ('' where the receiver has one place for all), role (whose clients are theirs, '' nobody's); n: messages that went
    out; first_at, last_at: of these (None: none yet); told_at: when the newest was written. state: of the newest message (waiting: not
    tried yet; failed: with `error`, and tried again at `due_at`, None where it was given up; summed: there is none of its own, it was told
    among others); event: first, update or end.
    """
    h = t.threads.c
    threads = rows(
        store, t.threads.select().where(h.subject == incident_id).order_by(h.began_at, h.receiver, h.recipient)
    )
    began = {row["receiver"]: row["began_at"] for row in reversed(threads)}
    threads.sort(key=lambda row: (began[row["receiver"]], row["receiver"]))
    names = [f"{row['subject']}:{row['receiver']}:{row['recipient']}" for row in threads]
    messages = _messages(store, names)
    return [_told(row, messages[name]) for row, name in zip(threads, names, strict=True)]


def first_told(found: Iterable[Row]) -> list[Row]:
    """Of each receiver: when its first message had gone out (`at`), and to how many recipients it has told so far (`n`)."""
    by_receiver: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        if row["first_at"]:
            by_receiver[row["receiver"]].append(row)
    return [
        {"receiver": name, "at": min(row["first_at"] for row in told), "n": len(told)}
        for name, told in by_receiver.items()
    ]


def _messages(store: Store, names: list[str]) -> dict[str, list[Row]]:
    """By thread, in the order in which they go out."""
    o = t.outbox.c
    columns = (o.case_key, o.state, o.created_at, o.sent_at, o.due_at, o.error, o.payload)
    found: dict[str, list[Row]] = defaultdict(list)
    for start in range(0, len(names), SOME):
        here = o.case_key.in_(names[start : start + SOME]), o.action == NOTIFY
        for row in rows(store, t.outbox.select().with_only_columns(*columns).where(*here).order_by(o.id)):
            found[row["case_key"]].append(row)
    return found


def _told(thread: Row, messages: list[Row]) -> Row:
    basis = thread["told"].get("basis", {})
    out = [row["sent_at"] for row in messages if row["sent_at"]]
    newest = messages[-1] if messages else None
    waits = next((row for row in messages if not row["sent_at"]), None)  # what waits first holds the others up
    state = SUMMED if newest is None else SENT if waits is None else FAILED if waits["error"] else WAITING
    tried = state == FAILED and waits is not None and waits["state"] != "dead"
    return {
        "receiver": thread["receiver"],
        "recipient": basis.get("to", thread["recipient"]),
        "role": basis.get("role", ""),
        "n": len(out),
        "first_at": min(out, default=None),
        "last_at": max(out, default=None),
        "told_at": thread["told_at"],
        "state": state,
        "event": newest["payload"].get("event", "") if newest else "",
        "error": waits["error"] if waits else "",
        "due_at": waits["due_at"] if waits and tried else None,
    }
