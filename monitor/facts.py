"""What a notice says, as facts (schema `vigia.notice/1`): the same for every receiver; words are made of them when they are sent.

Times are ISO 8601 in UTC, money is a decimal in text. Names and NITs of clients stand there only for who answers for them, and
are taken out of what people have written; all others are counts, asked of the database as such: an incident with 100,000 clients costs
whoever has none of them no row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from alerts import Incident, IncidentState
from alerts.rows import plain
from monitor import tables as t
from monitor.discretion import masked, mentioned, without_clients
from monitor.failing import failing, nowhere
from monitor.guides import Guides, guides
from monitor.languages import words
from monitor.people import as_json, found_incident
from monitor.standing import Row, as_acted, last_failed, lasted, only, rows
from monitor.store import Act, Store
from monitor.theirs import Own, Together
from monitor.touching import asked, counts, segments

SCHEMA = "vigia.notice/1"
NEXT = {"critical": timedelta(minutes=30), "major": timedelta(hours=1), "minor": timedelta(hours=2)}
"""By severity: when the next news of what goes on comes at the latest."""
ROUND = timedelta(minutes=5)
"""To which moments told to people are put up."""
SIGNALS = 10
"""Of an incident's alerts, those of places, told at most."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a notice is for. role: whose clients are listed by name, those whose post_sale, substitute or manager is `to` ('': nobody's).

    segments: only clients of these are listed or counted (none: of all). to: '' where the receiver has an address of its own.
    """

    receiver: str
    to: str = ""
    words: Literal["technical", "plain"] = "technical"
    language: Literal["es", "en"] = "es"
    role: Literal["", "post_sale", "substitute", "manager"] = ""
    segments: frozenset[str] = frozenset()


def incident_facts(
    store: Store,
    incident_id: str,
    recipient: Recipient,
    now: datetime,
    *,
    address: str = "",
    measures: Mapping[str, str] | None = None,
    known: Guides | None = None,
    once: dict[Any, Any] | None = None,
    since: datetime | None = None,
) -> dict[str, Any]:
    """An incident as one recipient is told of it. address: of the board, for links.

    measures: what each rule measures, by its name, for the unit of its values (without it they are plain numbers); known: the guides (None:
    the shipped ones). once: `at_once`, kept by whoever tells many recipients at one moment, so that what they share is asked once.
    since: when this recipient was told last; who was found affected after it is new, and comes first.
    """
    once = {} if once is None else once
    (incident,) = asked(once, incident_id, lambda: as_acted(store, [found_incident(store, incident_id)]))
    alike = incident.id, recipient.segments
    many, by_segment = asked(once, alike, lambda: (counts(store, *alike), segments(store, *alike)))
    mine = _own(store, incident.id, recipient, once)
    for row in mine.named:
        row["new"] = _since(row["affected_at"], since)
    hit = sorted(mine.named, key=lambda row: not row["new"])
    named = {row["client_id"]: row["client"] for row in hit}
    still = asked(once, ("still", incident.id), lambda: last_failed(store, [incident]))
    told = _told(incident, many, named, now, still)
    say = words(recipient.language).name
    told["names"] = {key: say(told[key]) if told[key] else "" for key in ("product", "channel")}
    measures = measures or {}
    told["measure"] = measures.get(incident.rules[0], "") if incident.rules else ""
    signals = asked(once, ("signals", incident.id), lambda: _signals(store, incident.id))
    told["signals"] = [row | {"measure": measures.get(row["rule"], "")} for row in signals]
    told["failing"] = asked(once, ("failing", incident.id), lambda: failing(store, plain(incident)))
    known = known or guides(recipient.language)
    told["nowhere"] = asked(once, ("nowhere", *sorted(known.sent_to)), lambda: nowhere(store, known.sent_to))
    guide = known.of(told)
    facts = _facts("incident", recipient, now) | _written(
        {
            "incident": told,
            "clients": {
                "affected": many["affected"],
                "exposed": many["exposed"],
                "segments": by_segment,
                "own": [],
                "own_more": mine.more,
                "own_exposed": mine.exposed,
                "others": many["affected"] + many["exposed"] - len(hit) - mine.more - mine.exposed,
            },
            "done": _done(store, incident.id, named, once),
            "links": {
                "incident": f"{address}/incidents/{incident.id}",
                "guide": f"{address}/guias/{guide.id}",
                "clients": f"{address}/clientes",
            },
            "next_at": _next(incident, now),
        }
    )
    facts["clients"]["own"] = hit
    return facts


def at_once(told: Iterable[tuple[str, Recipient]] = ()) -> dict[Any, Any]:
    """What is kept between recipients who are told at one moment. told: of which incident each; their clients are read together."""
    return {Together: Together(told)}


def fault_facts(fault: Mapping[str, Any], recipient: Recipient, now: datetime, *, address: str = "") -> dict[str, Any]:
    """A fault of Vigía's own: its key, severity, since and what."""
    told = {key: fault[key] for key in ("key", "severity", "since", "what")}
    return _facts("fault", recipient, now) | _written({"fault": told, "links": {"board": f"{address}/"}})


def breach_facts(
    store: Store, cases: Sequence[Row], recipient: Recipient, now: datetime, *, address: str = ""
) -> dict[str, Any]:
    """Promises at risk or late: rows of `people.cases` with their clocks. Of the recipient's role, those of their clients alone."""
    known = {row["client_id"]: row for row in rows(store, t.clients.select().where(_of(cases)))}
    theirs = {key for key, row in known.items() if recipient.role and row[recipient.role] == recipient.to}
    told = []
    for case in cases:
        mine = case["client_id"] in theirs
        segment = known[case["client_id"]]["segment"] if case["client_id"] in known else ""
        if (recipient.role and not mine) or (recipient.segments and segment not in recipient.segments):
            continue
        kept = ("incident_id", "product", "priority", "opened_at", "clock", "due_at", "informed_at")
        told.append(
            {key: case.get(key) for key in kept}
            | {"reference": case.get("reference") or case.get("linked_case_id") or "", "segment": segment}
            | {"client_id": case["client_id"] if mine else "", "client": case.get("client", "") if mine else ""}
            | {"link": f"{address}/incidents/{case['incident_id']}" if case["incident_id"] else f"{address}/"}
        )
    return _facts("breach", recipient, now) | _written({"cases": told, "links": {"board": f"{address}/"}})


def digest_facts(
    store: Store,
    incident_ids: Sequence[str],
    start: datetime,
    until: datetime,
    recipient: Recipient,
    now: datetime,
    *,
    address: str = "",
    once: dict[Any, Any] | None = None,
) -> dict[str, Any]:
    """What happened in [start, until): a row an incident, each with the recipient's own clients. With a role, those that touch them."""
    listed, others = _listed(store, incident_ids, recipient, now, address, once=once)
    told = {"incidents": listed, "others": others, "from": start, "until": until, "links": {"board": f"{address}/"}}
    return _facts("digest", recipient, now) | _written(told)


def summary_facts(
    store: Store,
    incident_ids: Sequence[str],
    recipient: Recipient,
    now: datetime,
    *,
    address: str = "",
    once: dict[Any, Any] | None = None,
) -> dict[str, Any]:
    """What was held back so that nobody is flooded: rows as a digest's, of all of them."""
    every, _ = _listed(store, incident_ids, recipient, now, address, once=once, all_of_them=True)
    return _facts("summary", recipient, now) | _written({"incidents": every, "links": {"board": f"{address}/"}})


def _listed(
    store: Store,
    incident_ids: Sequence[str],
    recipient: Recipient,
    now: datetime,
    address: str,
    *,
    once: dict[Any, Any] | None,
    all_of_them: bool = False,
) -> tuple[list[Row], int]:
    """Worst first; and how many were left out, for they touch none of the recipient's clients."""
    once = {} if once is None else once
    found = as_acted(store, store.incidents(t.incidents.c.id.in_(list(incident_ids))))
    still, listed = asked(once, ("still", *incident_ids), lambda: last_failed(store, found)), []
    for incident in sorted(found, key=lambda one: (-one.severity.rank, one.started_at, one.id)):
        mine = _own(store, incident.id, recipient, once)
        if recipient.role and not mine and not all_of_them:
            continue
        named = {row["client_id"]: row["client"] for row in mine.named}
        alike = incident.id, recipient.segments
        many = asked(once, ("counts", *alike), partial(counts, store, *alike))
        row = _told(incident, many, named, now, still)
        theirs = {"own": mine.named, "own_more": mine.more, "own_exposed": mine.exposed}
        listed.append(row | theirs | {"link": f"{address}/incidents/{incident.id}"})
    return listed, len(found) - len(listed)


def _own(store: Store, incident_id: str, recipient: Recipient, once: dict[Any, Any]) -> Own:
    """Those affected are named: whoever is exposed alone has nothing to be told yet, and would bury the others."""
    together: Together = asked(once, Together, Together)
    return together.own(store, incident_id, recipient)


def _since(at: str | None, since: datetime | None) -> bool:
    return bool(since and at and datetime.fromisoformat(at) > since)


def _facts(news: str, recipient: Recipient, now: datetime) -> dict[str, Any]:
    told = {"schema": SCHEMA, "news": news, "words": recipient.words, "language": recipient.language}
    return told | {"at": now.isoformat()}


def _told(incident: Incident, many: Row, named: Mapping[str, str], now: datetime, still: Mapping[str, datetime]) -> Row:
    """The incident's row with its counts; about one client alone: who, to those alone whose client it is."""
    row = without_clients(plain(incident), named)
    about = incident.scope.client_id
    return row | many | {
        "one_client": bool(about),
        "client": named.get(about, ""),
        "minutes": lasted(incident, now, still.get(incident.id)),
        "still_failing": incident.id in still,
    }  # fmt: skip


def _signals(store: Store, incident_id: str) -> list[Row]:
    """What its rules see now, by place; what they see at single clients is for the board."""
    a = t.alerts.c
    few = t.alerts.select().where(a.incident_id == incident_id, a.client_id == "").order_by(a.score.desc(), a.rule)
    kept = ("rule", "product", "channel", "series", "state", "since", "value", "expected")
    return [{key: row[key] for key in kept} for row in rows(store, few.limit(SIGNALS))]


def _done(store: Store, incident_id: str, named: Mapping[str, str], once: dict[Any, Any]) -> list[Row]:
    """What people did, in order: to the incident, and to the recipient's own clients' cases; of those of others, how many."""
    acts, said, others, owners = asked(once, ("done", incident_id), lambda: _said(store, incident_id))
    texts = masked(said, others, named)
    told: list[Row] = []
    for act, text, about in zip(acts, texts[::2], texts[1::2], strict=True):
        row: Row = {"at": act.at, "who": act.who, "action": act.action, "text": text, "about": about, "cases": 0}
        if not act.case_key or owners.get(act.case_key) in named:
            told.append(row)
            continue
        alike = (one for one in told if one["cases"] and (one["who"], one["action"]) == (act.who, act.action))
        if (before := next(alike, None)) is not None:
            told.remove(before)
        told.append(row | {"text": "", "about": "", "cases": 1 + (before["cases"] if before else 0)})
    return told


def _said(store: Store, incident_id: str) -> tuple[list[Act], list[str], Mapping[str, str], Mapping[str, str]]:
    """What people did, what they wrote with it, the clients who may be meant there, and whose the cases are, by their keys."""
    acts = store.acts(incident_id=incident_id)
    said = [text for act in acts for text in (act.text, act.about)]
    d = t.decisions.c
    theirs = d.key.in_(only(t.acts, "case_key", t.acts.c.incident_id == incident_id))
    owners = rows(store, t.decisions.select().with_only_columns(d.key, d.client_id).where(theirs))
    return acts, said, mentioned(store, said), {row["key"]: row["client_id"] for row in owners}


def _next(incident: Incident, now: datetime) -> datetime | None:
    if incident.state is not IncidentState.FIRING:
        return None
    latest = now + NEXT[incident.severity]
    over = timedelta(minutes=latest.minute % 5, seconds=latest.second, microseconds=latest.microsecond)
    return latest - over + (ROUND if over else timedelta(0))


def _of(cases: Sequence[Row]) -> Any:
    return t.clients.c.client_id.in_({case["client_id"] for case in cases})


def _written(facts: Row) -> Row:
    """As JSON has it."""
    told: Row = json.loads(as_json(facts, indent=None))
    return told
