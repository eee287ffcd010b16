"""What a notice says, as facts (schema `vigia.notice/1`): the same for every receiver; words are made of them when they are sent.

Times are ISO 8601 in UTC. Names and NITs of clients stand there only for the recipient who answers for them; all others are counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from monitor import people
from monitor.store import Store

SCHEMA = "vigia.notice/1"


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
    store: Store, incident_id: str, recipient: Recipient, now: datetime, *, address: str = ""
) -> dict[str, Any]:
    """An incident as one recipient is told of it. address: of the board, for links."""
    found = people.incident(store, incident_id, now)
    return {
        "schema": SCHEMA,
        "news": "incident",
        "at": now.isoformat(),
        "words": recipient.words,
        "language": recipient.language,
        "incident": json.loads(people.as_json(found)),
        "links": {"incident": f"{address}/incidents/{incident_id}"},
    }
