"""Delivery: claim, send, confirm; never confirm before sending.

A crash between sending and confirming sends again: the desk knows the case by its key, and no second one comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from re import escape, sub
from typing import Any

import structlog

from alerts import Client, Decision, Doubt, Incident
from alerts.messages import Words, case_text, closed_text, end_text, reopened_text, return_text, withdrawn_text
from alerts.rows import plain
from connectors import Case, CaseDesk, Fault, SourceError
from monitor import spanish
from monitor.claims import claim, confirm, number_of, put_off
from monitor.logs import kind_and_place
from monitor.store import Message, Store

LEASE = timedelta(minutes=2)
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=10)
WITHDRAWN = "retirado"
"""The status of a case that we took back."""
A_DAY = timedelta(days=1) // LONGEST_WAIT
"""Attempts."""
PATIENCE = timedelta(days=1)
"""So old is a notice that is refused for good when it is given up: what follows in its thread, and is as old, is refused but once."""
SEVERAL = 3
"""Clients one after the other of whom a desk takes nothing for want of a right: then it is asked whether it lets us in at all."""
DOUBLINGS = 16
"""Of the wait at most: a desk may be away for days, and no length of time is doubled so often."""

NOTIFY = "notify"
"""The action of a message to a receiver."""
TIED = ".incident"
"""What follows a desk's name, a message's key and action and a case's key for the desk's other side (see `connectors.desks.pair`)."""
PROMOTE = "promote"
"""The action of a message that a case is an incidente by now."""
Tell = Callable[[Mapping[str, Any]], str]
"""Sends a notice that waits in the outbox (its row); the other side's number for it."""
NOBODY: Mapping[str, Tell] = {}

log = structlog.get_logger()


def receiver_name(name: str) -> str:
    """What stands for a receiver where a desk's name would: no desk is called so."""
    return f"receivers.{name}"


def with_tied(desks: Mapping[str, CaseDesk]) -> dict[str, CaseDesk]:
    """The desks, and of each that has one what is told after it has taken a message: no other desk is called so."""
    found: dict[str, CaseDesk] = {}
    for name, desk in desks.items():
        found[name] = desk
        if then := getattr(desk, "then", None):
            found[f"{name}{TIED}"] = then
    return found


def to_open(decision: Decision, incident: Incident, client: Client, zone: tzinfo) -> Message:
    """The message that opens a client's preventive case; its words are in the bank's zone."""
    subject, body = case_text(incident, decision, _words(incident, client, zone))
    return Message(
        decision.key, decision.key, decision.desk, "open", _payload(decision, incident, subject, body, "abierto") | {"kind": "soporte"}
    )  # fmt: skip


def to_end(
    decision: Decision, incident: Incident, client: Client, zone: tzinfo, doubts: Sequence[Doubt] = ()
) -> Message:
    """The message that tells a case that it is over: its incident, or the last other one for which it stood.

    doubts: the operations that it left in doubt for the client.
    """
    words = _words(incident, client, zone)
    subject, body = case_text(incident, decision, words)
    note = {"note": end_text(incident, words, doubts)}
    payload = _payload(decision, incident, subject, body, "afectación superada") | note
    return Message(_named(decision, "end", incident), decision.key, decision.desk, "update", payload)


def to_close(decision: Decision, incident: Incident, client: Client, zone: tzinfo) -> Message:
    """The message that tells a case that its incident was closed by hand while it fails: it stays open."""
    return _open_still(decision, incident, client, zone, "closed", closed_text)


def to_reopen(decision: Decision, incident: Incident, client: Client, zone: tzinfo) -> Message:
    """The message that tells a case that its incident, closed by hand, is not over."""
    return _open_still(decision, incident, client, zone, "again", reopened_text)


def to_return(decision: Decision, incident: Incident, client: Client, zone: tzinfo) -> Message:
    """The message that tells a case, whose incident is over, that it stands for another one."""
    return _open_still(decision, incident, client, zone, "again", return_text)


def _open_still(
    decision: Decision,
    incident: Incident,
    client: Client,
    zone: tzinfo,
    what: str,
    note: Callable[[Incident, Words], str],
) -> Message:
    words = _words(incident, client, zone)
    subject, body = case_text(incident, decision, words)
    payload = _payload(decision, incident, subject, body, "abierto") | {"note": note(incident, words)}
    return Message(_named(decision, what, incident), decision.key, decision.desk, "update", payload)


def _named(decision: Decision, what: str, incident: Incident) -> str:
    """A message's key: a case may be told the same of several incidents, and of one that was reopened."""
    other = [incident.id] if incident.id != decision.incident_id else []
    anew = [f"{incident.reopened_at.astimezone(UTC):%Y%m%dT%H%M%S}"] if incident.reopened_at else []
    return ":".join([decision.key, what, *other, *anew])


def to_promote(decision: Decision, incident: Incident, client: Client, zone: tzinfo, *, over: bool) -> Message:
    """The message that tells a desk which wants to know it that N2 has made an incidente of a case; over: the failure has ended."""
    subject, body = case_text(incident, decision, _words(incident, client, zone))
    payload = _payload(decision, incident, subject, body, "afectación superada" if over else "abierto")
    return Message(f"{decision.key}:{PROMOTE}", decision.key, decision.desk, PROMOTE, payload)


def to_withdraw(
    decision: Decision, incident: Incident, client: Client, zone: tzinfo, left: Collection[str] | None = None
) -> Message:
    """The message that takes a case back.

    left: the kinds of those at its desk that still stand for what it was opened for (None: they were told that it is over).
    """
    words = _words(incident, client, zone)
    subject, body = case_text(incident, decision, words)
    told = {"note": withdrawn_text(incident, words), "left": None if left is None else sorted(left)}
    payload = _payload(decision, incident, subject, body, WITHDRAWN) | told
    return Message(withdrawal(decision), decision.key, decision.desk, "withdraw", payload)


def withdrawal(decision: Decision) -> str:
    """The key of the message that takes the case back: another one each time that it is."""
    at = decision.withdrawn_at
    return f"{decision.key}:withdraw" + (f":{at.astimezone(UTC):%Y%m%dT%H%M%S%f}" if at else "")


def _words(incident: Incident, client: Client, zone: tzinfo) -> Words:
    row = plain(incident)

    def time(value: datetime | None) -> str:
        return f"{value.astimezone(zone):%d/%m/%Y %H:%M}" if value else ""

    ended = time(incident.ended_at or incident.resolved_at)
    nit = f"NIT {spanish.nit(client.client_id)}"
    return Words(
        where=spanish.place(row),
        what=spanish.kind(row),
        since=time(incident.started_at),
        detected=time(incident.detected_at),
        ended=ended,
        closed=f"{incident.resolved_at.astimezone(zone):%H:%M}" if incident.resolved_at else "",
        client=f"{client.name} ({nit})" if client.name else nit,
        post_sale=f"Posventa: {client.post_sale}. " if client.post_sale else "",
    )


def _payload(decision: Decision, incident: Incident, subject: str, body: str, status: str) -> dict[str, Any]:
    return {
        "key": decision.key, "incident_id": decision.incident_id, "client_id": decision.client_id, "product": decision.product,
        "channel": incident.scope.channel, "opened_at": decision.opened_at.isoformat(), "priority": decision.priority,
        "kind": kind_of(decision), "subject": subject, "body": body, "status": status,
    }  # fmt: skip


def kind_of(decision: Decision) -> str:
    """The kind of our case."""
    return "incidente" if decision.promoted_at else "soporte"


def deliver(
    store: Store,
    desks: Mapping[str, CaseDesk],
    clock: Callable[[], datetime],
    sent: Callable[[str, str, Fault], None] = lambda desk, error, fault: None,  # noqa: ARG005 - told to nobody
    *,
    receivers: Mapping[str, Tell] = NOBODY,
    only: str | None = None,
    but: Collection[str] = (),
    resting: dict[str, datetime] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Send all that is due; `sent` is told of each with its desk and the error, if any, and its kind. How many were sent.

    receivers: by the name that stands in a message's `desk` (see `receiver_name`), what sends a notice. only: to this desk (None: to all),
    but: not to these; a desk that does not answer is left alone until the next call. resting: until when those are left alone that
    let nobody in (a log-in is tried once a rest, not once a message); kept by the caller from call to call. stop: asked
    before each, for a desk may take long.
    """
    resting = {} if resting is None else resting
    denied: dict[str, set[str]] = {}
    done, paused = 0, {*but, *(desk for desk, until in resting.items() if clock() < until)}
    while not stop() and (only not in paused) and (message := claim(store, clock(), LEASE, only=only, but=paused)):
        desk = message["desk"]
        try:
            reference = _send(store, desks, receivers, message)
        except Exception as error:  # noqa: BLE001 - whatever a desk raises, it is that desk's trouble alone
            why = str(error) if isinstance(error, SourceError) else f"{type(error).__name__}: {error}"
            permanent = isinstance(error, SourceError) and error.permanent
            whole = isinstance(error, SourceError) and error.whole
            # A right that lacks may be one to a single record (403): of the others it is seen whether they pass.
            lacks = permanent and not whole and isinstance(error, SourceError) and error.fault == "login"
            if lacks:
                whose = denied.setdefault(desk, set())
                whose.add(message["payload"].get("client_id") or message["key"])
                whole = len(whose) == SEVERAL and _shut(desks.get(desk))
            wait = min(FIRST_WAIT * 2 ** min(message["attempts"], DOUBLINGS), LONGEST_WAIT)
            # Permanent means until somebody mends it: a case that was decided on is never given up, only asked for less often;
            # what follows on it, for a day, for it may be gone from its tool; a notice likewise, for its recipient may be nobody.
            # Nothing is given up because of a desk or receiver that can take nothing at all.
            young = clock() - message["created_at"] < PATIENCE
            often = message["attempts"] + 1 < A_DAY
            patient = {"open": True, PROMOTE: True, NOTIFY: young or lacks, "update": often or lacks, "withdraw": often}
            dead = permanent and not whole and not patient.get(message["action"].removesuffix(TIED), lacks)
            # After a rest another one's turn comes first: one that alone is refused so may not keep all others waiting.
            pause = LONGEST_WAIT + FIRST_WAIT if whole else LONGEST_WAIT if permanent else wait
            put_off(store, message["id"], why, clock() + pause, dead=dead)
            # What a tool answers names the case, and a case's key names its client: the whole of it is in the outbox alone.
            named = (message["case_key"], message["payload"].get("client_id", ""))
            ours = not isinstance(error, SourceError)
            shown = (
                kind_and_place(error)
                if ours
                else why
                if not any(named)
                else sub("|".join(map(escape, filter(None, named))), "...", why)
            )
            raised = kind_and_place(error)
            log.warning("not delivered", desk=desk, action=message["action"], error=shown, raised=raised, given_up=dead)
            sent(desk, shown, error.fault if isinstance(error, SourceError) else "other")
            if whole:
                resting[desk] = clock() + LONGEST_WAIT
            if whole or not permanent:
                paused.add(desk)
        else:
            confirm(store, message["id"], reference, clock(), _then(desks, message))
            sent(desk, "", "other")
            denied.pop(desk, None)
            done += 1
    return done


def _shut(desk: CaseDesk | None) -> bool:
    """Whether a desk lets us in to nothing; a receiver cannot be asked without telling somebody, and is taken to."""
    if desk is None:
        return True
    try:
        desk.check()
    except Exception as error:  # noqa: BLE001 - as in `deliver`
        return not isinstance(error, SourceError) or error.permanent
    return False


def _then(desks: Mapping[str, CaseDesk], message: Mapping[str, Any]) -> list[Message]:
    """The same to the desk's other side, which waits for it and holds up nothing of its own."""
    key, case_key, desk, action = (f"{message[name]}{TIED}" for name in ("key", "case_key", "desk", "action"))
    return [Message(key, case_key, desk, action, dict(message["payload"]))] if desk in desks else []


def _send(
    store: Store, desks: Mapping[str, CaseDesk], receivers: Mapping[str, Tell], message: Mapping[str, Any]
) -> str:
    if message["action"] == NOTIFY:
        tell = receivers.get(message["desk"])
        if tell is None:
            raise SourceError(f"there is no [{message['desk']}] any more", permanent=True)
        return tell(message)
    desk = desks.get(message["desk"])
    if desk is None:
        # Whoever takes a desk out of the configuration may put it back: its cases wait.
        raise SourceError(f"there is no desk {message['desk']!r} any more", permanent=True, whole=True)
    payload = message["payload"]
    opened_at = datetime.fromisoformat(payload["opened_at"]).astimezone(UTC)
    number = number_of(store, message["case_key"].removesuffix(TIED))
    case = Case(**payload | {"opened_at": opened_at, "number": number})
    action = message["action"].removesuffix(TIED)
    if action == "open":
        return desk.open(case)
    if action != PROMOTE:
        desk.update(case)
    elif promote := getattr(desk, PROMOTE, None):
        promote(case)
    return str(message["reference"])
