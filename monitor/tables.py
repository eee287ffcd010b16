"""The tables of the state, as SQLAlchemy knows them; `monitor/migrations` makes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    case,
    func,
    select,
)

from monitor.board_tables import leads, months, pushed, stories
from monitor.columns import SERIAL, Money, Utc, counting, different, highest, metadata, written

__all__ = ["SERIAL", "Money", "Utc", "counting", "different", "highest", "metadata", "written"]
__all__ += ["leads", "months", "pushed", "stories"]


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False, server_default=None if key else "")


def _scope(*, key: bool = False) -> list[Column[str]]:
    return [_text(name, key=key) for name in ("product", "channel", "client_id", "series")]


meta = Table("meta", metadata, _text("key", key=True), _text("value"))

cursors = Table(
    "cursors",
    metadata,
    _text("source", key=True),
    Column("cursor", JSON, nullable=False),
    Column("complete_until", Utc),
)

cells = Table(
    "cells",
    metadata,
    Column("id", SERIAL, primary_key=True),
    _text("kind"),
    Column("first_minute", BigInteger, nullable=False),
    Column("last_minute", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Index("cells_by_minute", "kind", "last_minute"),
)

gaps = Table(
    "gaps",
    metadata,
    _text("source", key=True),
    Column("start", BigInteger, primary_key=True),
    Column("stop", BigInteger, nullable=False),
)

alerts = Table(
    "alerts",
    metadata,
    _text("rule", key=True),
    *_scope(key=True),
    _text("state"),
    Column("since", Utc, nullable=False),
    Column("last_breach", Utc, nullable=False),
    _text("incident_id"),
    *(Column(name, Float) for name in ("value", "expected", "score")),
)

incidents = Table(
    "incidents",
    metadata,
    _text("id", key=True),
    *_scope(),
    _text("kind"),
    _text("severity"),
    _text("state"),
    Column("started_at", Utc, nullable=False),
    Column("detected_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Column("resolved_at", Utc),
    Column("reopened_at", Utc),
    Column("rules", JSON, nullable=False),
    Column("ways", JSON, nullable=False),
    Column("shares", JSON),
    Column("reach", JSON),
    Column("symptoms", JSON),
    _text("parent_id"),
    _text("resolved_by"),
    _text("acknowledged_by"),
    _text("assigned_to"),
    _text("guide"),
    Column("value", Float),
    Column("expected", Float),
    Index("incidents_by_state", "state", "started_at"),
)

impacts = Table(
    "impacts",
    metadata,
    _text("incident_id", key=True),
    _text("client_id", key=True),
    _text("product", key=True),
    _text("touch"),
    Column("failures", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
    Column("amount", Money, nullable=False),
    Column("first_failure_at", Utc),
    Column("priority", Integer, nullable=False),
    Column("terms", JSON, nullable=False),
    _text("weights"),
    Column("exposed_at", Utc),
    Column("chance", Float),
    Column("next_use_at", Utc),
    Index("impacts_by_client", "client_id"),
    Index("impacts_by_priority", "incident_id", "touch", "priority", "client_id", "product"),
)

decisions = Table(
    "decisions",
    metadata,
    _text("key", key=True),
    _text("incident_id"),
    _text("client_id"),
    _text("product"),
    _text("action"),
    _text("reason"),
    Column("opened_at", Utc, nullable=False),
    Column("priority", Integer, nullable=False),
    _text("desk"),
    _text("linked_case_id"),
    _text("linked_source"),
    Column("client_reported_at", Utc),
    Column("confidence", Float),
    _text("confirmed_by"),
    *(Column(name, Utc) for name in ("informed_at", "promoted_at", "withdrawn_at", "decided_at")),
    _text("approved_by"),
    Column("undone", JSON),
    _text("waited"),
    Index("decisions_by_incident", "incident_id", "client_id"),
    Index("decisions_by_client", "client_id"),
)

their_cases = Table(
    "their_cases",
    metadata,
    _text("source", key=True),
    _text("case_id", key=True),
    *(
        _text(name)
        for name in ("client_id", "product", "channel", "kind", "status", "reported_by", "subject", "typology", "level")
    ),
    Column("opened_at", Utc, nullable=False),
    Column("reported_at", Utc, nullable=False),
    *(Column(name, Utc) for name in ("resolved_at", "closed_at", "updated_at")),
    *(Column(name, Integer, nullable=False, server_default="0") for name in ("returns", "reopened")),
    Index("their_cases_by_client", "client_id"),
    Index("their_cases_by_number", "case_id"),
)

case_changes = Table(
    "case_changes",
    metadata,
    _text("source", key=True),
    _text("case_id", key=True),
    Column("at", Utc, primary_key=True),
    _text("status"),
    _text("kind"),
    _text("level"),
)

clients = Table(
    "clients",
    metadata,
    _text("client_id", key=True),
    *(_text(name) for name in ("name", "segment", "post_sale", "substitute", "manager", "group_id", "sector")),
    Column("value_rank", BigInteger),
    Column("sensitivity", Float),
    *(Index(f"clients_by_{role}", role) for role in ("post_sale", "substitute", "manager")),
)

holdings = Table(
    "holdings",
    metadata,
    _text("client_id", key=True),
    _text("product", key=True),
    _text("channel", key=True),
    Column("since", Utc),
    Column("until", Utc),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    _text("case_key"),
    _text("desk"),
    _text("action"),
    Column("payload", JSON, nullable=False),
    _text("state"),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("sent_at", Utc),
    _text("reference"),
    _text("error"),
    Index("outbox_due", "state", "due_at"),
    Index("outbox_by_case", "case_key", "id"),
)

escalations = Table(
    "escalations",
    metadata,
    _text("key", key=True),
    _text("cause"),
    *(Column(name, Utc, nullable=False) for name in ("first_at", "last_at", "escalated_at")),
    Column("returns", Integer, nullable=False),
    Column("incidents", JSON, nullable=False),
    Column("owners", JSON, nullable=False),
    _text("desk"),
    Index("escalations_by_cause", "cause"),
)

acts = Table(
    "acts",
    metadata,
    Column("id", SERIAL, primary_key=True),
    _text("incident_id"),
    Column("at", Utc, nullable=False),
    _text("who"),
    _text("action"),
    *(_text(name) for name in ("text", "case_key", "about", "request_key", "door", "hash")),
    Index("acts_by_incident", "incident_id"),
)
"""What people did, each chained to the one before by its hash (see `monitor.trail`)."""

doubts = Table(
    "doubts",
    metadata,
    *(_text(name, key=True) for name in ("incident_id", "client_id", "product", "channel", "id", "state", "source")),
    Column("at", Utc, nullable=False),
    Column("amount", Money, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("settled_at", Utc),
    _text("settled_as"),
    Index("doubts_by_client", "client_id"),
)

verdicts = Table(
    "verdicts",
    metadata,
    *(_text(name, key=True) for name in ("product", "channel")),
    *(Column(name, Integer, nullable=False) for name in ("healthy", "unknown", "breach")),
)
"""Of each product and channel that is watched: in how many ways it was found so at the last minute judged (`meta`: judged_until)."""

reads = Table(
    "reads",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("at", Utc, nullable=False),
    *(_text(name) for name in ("who", "client_id", "door", "subject")),
    Column("refused", Integer, nullable=False, server_default="0"),
    Index("reads_by_client", "client_id", "at"),
)
"""Who has looked at which client, or at what with several clients in it (subject), when, and by which door (cli, api, page)."""

_TOLD = ("client_id", "product", "channel", "segment", "kind", "typology", "status", "level", "reported_by", "state")
clocks = Table(
    "clocks", metadata, *(_text(name, key=True) for name in ("source", "case_id")), *map(_text, _TOLD),
    *(Column(name, Integer, nullable=False) for name in ("returns", "reopened")),
    Column("opened_at", Utc, nullable=False), *(Column(name, Utc) for name in ("ended_at", "due_at")),
    Column("seconds", Float, nullable=False), Column("kept_at", Utc, nullable=False),
    *map(_text, ("decision", "read")), Column("turns_at", Utc),
)  # fmt: skip
"""How each case's promise stands (`monitor.kept_clocks`), from `kept_at` until `turns_at`; state '' where nothing is promised.

decision: our own's key; read: what it was made of, `monitor.kept_clocks` alone knows how.
"""

threads = Table(
    "threads",
    metadata,
    *(_text(name, key=True) for name in ("subject", "receiver", "recipient")),
    Column("sequence", Integer, nullable=False),
    Column("told", JSON, nullable=False),
    Column("began_at", Utc, nullable=False),
    Column("told_at", Utc, nullable=False),
    Column("ended_at", Utc),
    Index("threads_by_time", "receiver", "told_at"),
)
"""What each recipient was last told of an incident or a fault (subject)."""

silences = Table(
    "silences",
    metadata,
    _text("id", key=True),
    Column("matchers", JSON, nullable=False),
    _text("reason"),
    _text("author"),
    *(Column(name, Utc, nullable=False) for name in ("created_at", "starts_at", "until")),
    _text("ended_by"),
    Column("ended_at", Utc),
)

works = Table(
    "works",
    metadata,
    _text("id", key=True),
    *(_text(name) for name in ("product", "channel", "cron", "reason", "author")),
    Column("created_at", Utc, nullable=False),
    *(Column(name, Utc) for name in ("starts_at", "until")),
    Column("minutes", Integer),
    _text("ended_by"),
    Column("ended_at", Utc),
)
"""Maintenance that people have declared, beside the configuration's: once (starts_at, until) or by a cron line (minutes long)."""

handovers = Table(
    "handovers",
    metadata,
    _text("id", key=True),
    *(Column(name, Utc, nullable=False) for name in ("at", "since")),
    *(_text(name) for name in ("author", "to", "text", "told")),
)
"""Signed hand-overs of a shift: what the author added (text) to what stood then (told)."""

traces = Table(
    "traces",
    metadata,
    _text("incident_id", key=True),
    Column("start", BigInteger, nullable=False),
    Column("curves", JSON, nullable=False),
)
"""What an incident looks like minute by minute from `start` on: seen, expected, lower, upper (see `monitor.traces`)."""


def by_touch(where: Any, *keys: Any) -> Any:
    """How many clients are affected, how many touched at all, and the highest priority of the affected (0: none), by keys.

    Columns affected, touched, top: all in an index, of which no row of the table is read.
    """
    i = impacts.c
    hit = i.touch == "affected"
    many = different(case((hit, i.client_id))).label("affected"), different(i.client_id).label("touched")
    top = func.coalesce(func.max(case((hit, i.priority), else_=0)), 0).label("top")
    return select(*keys, *many, top).where(where).group_by(*keys)


def by_action(where: Any) -> Any:
    """How many decisions there are, by incident, what was decided, and whether it was withdrawn: incident_id, action, withdrawn, n."""
    d = decisions.c
    keys = (d.incident_id, d.action, d.withdrawn_at.is_not(None))
    return (
        select(d.incident_id, d.action, keys[2].label("withdrawn"), func.count().label("n"))
        .where(where)
        .group_by(*keys)
    )


def by_client(where: Any) -> Any:
    """How each client is touched: client_id, touch, the highest priority of such touches, on how many products they are affected."""
    i = impacts.c
    hit = i.touch == "affected"
    priority = func.coalesce(func.max(case((hit, i.priority))), func.max(i.priority)).label("priority")
    products = func.count(case((hit & (i.product != ""), i.product)).distinct()).label("products")
    return select(i.client_id, func.min(i.touch).label("touch"), priority, products).where(where).group_by(i.client_id)


def again(where: Any) -> Any:
    """The clients whom more than one incident has affected."""
    i = impacts.c
    hit = select(i.client_id).where(i.touch == "affected", where)
    return hit.group_by(i.client_id).having(func.count(i.incident_id.distinct()) > 1)


def newest_key(thread: Any) -> Any:
    """The outbox's key of a thread's newest message. thread: columns of `threads`."""
    return thread.subject + ":" + thread.receiver + ":" + thread.recipient + ":" + written(thread.sequence)


def still_told() -> Any:
    """Keys of the newest messages of what still stands: receivers are told them again. Promises' threads never end, and are not."""
    thread = threads.c
    open_ = threads.select().with_only_columns(newest_key(thread))
    return open_.where(thread.ended_at.is_(None), thread.subject != "breach")
