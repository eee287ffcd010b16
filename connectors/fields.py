"""What a case tool calls a case's fields: ours = theirs, for reading its cases and for writing ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from connectors import Case, SourceError, answers
from connectors.roles import ROLES

WRITTEN = (*(field.name for field in fields(Case) if field.name not in ("left", "number")), "reported_by")
"""What a tool can be sent of a case. `reported_by` is always `monitor`: read back, ours are not the client's own."""
READ = (*ROLES["cases"].names, "id_type")
PRESENT = ("status", "note")
"""What an update writes; all else is for the people who work the case."""
OURS = "monitor"
FORM = r"(?:VG|AF)-\S.*"
"""How a key of ours looks, a case's or an affectation's: what else stands where keys are kept, people wrote, and it is about
something else."""


def no_case(place: str, key: str) -> SourceError:
    """What it means that a tool does not have the case which it is to change."""
    return SourceError(f"{place}: there is no case with key {key}", permanent=True, fault="refused")


class Fields:
    """One tool's names. Dots reach nested ones, '' leaves one out.

    reads, writes: what the tool is known to call them; given: `columns` of the block, which go before; key: where the tool keeps our
    key; statuses: our word -> its own, if it has a list of its own: a word that is not in it changes no status; nested: whether a dot
    in a name that is written reaches into an object; longest: how many signs its fields hold: what is longer it refuses, and is cut.
    """

    def __init__(
        self,
        *,
        reads: Mapping[str, str],
        writes: Mapping[str, str],
        given: Mapping[str, str] | None,
        key: str,
        statuses: Mapping[str, Any] | None = None,
        nested: bool = True,
        longest: Mapping[str, int] | None = None,
    ) -> None:
        for name in given or {}:
            if name not in WRITTEN and name not in READ:
                there = ", ".join(dict.fromkeys((*WRITTEN, *READ)))
                raise ValueError(f"columns.{name}: a case has no such field; there are: {there}")
        if not key:
            raise ValueError("key: must say where the tool keeps our key")
        self.key, self.statuses, self.nested = key, dict(statuses or {}), nested
        self._longest = longest or {}
        self.reads = {**reads, **{name: theirs for name, theirs in (given or {}).items() if name in READ}}
        self._writes = {
            **writes,
            **{name: theirs for name, theirs in (given or {}).items() if name in WRITTEN},
            "key": key,
        }

    def asked(self) -> list[str]:
        """Their names of all that is read."""
        return list(dict.fromkeys(theirs for theirs in (*self.reads.values(), self.key) if theirs))

    def row(self, theirs: Mapping[str, Any]) -> dict[str, Any]:
        """A case of theirs under our names; one that carries a key of ours is ours."""
        ours = {name: answers.reached(theirs, there) for name, there in self.reads.items() if there}
        carried = answers.reached(theirs, self.key)
        return ours | ({"reported_by": OURS} if isinstance(carried, str) and re.match(FORM, carried.strip()) else {})

    def sent(self) -> list[str]:
        """Their names of all that is written."""
        return list(dict.fromkeys(self._writes[name] for name in WRITTEN if self._writes.get(name)))

    @property
    def written(self) -> Mapping[str, str]:
        """Their names of what is written, by ours; '' of what is left out."""
        return self._writes

    def opening(self, case: Case) -> dict[str, Any]:
        """What the tool is sent to open a case, with its key."""
        return self._sent(case, WRITTEN)

    def present(self, case: Case) -> dict[str, Any]:
        """What the tool is sent when the case has changed."""
        return self._sent(case, PRESENT)

    def _sent(self, case: Case, names: tuple[str, ...]) -> dict[str, Any]:
        sent: dict[str, Any] = {}
        for name in names:
            value = getattr(case, name, OURS)
            if name == "status" and self.statuses:
                value = self.statuses.get(value)
            if isinstance(value, dict):
                sent |= value  # a status that is several of its fields
                continue
            if value in (None, "") or not self._writes.get(name):
                continue
            most = self._longest.get(self._writes[name])
            if most and isinstance(value, str) and len(value) > most:
                value = f"{value[: most - 1]}…"
            *heads, last = self._writes[name].split(".") if self.nested else [self._writes[name]]
            place = sent
            for head in heads:
                place = place.setdefault(head, {})
            place[last] = value.isoformat() if isinstance(value, datetime) else value
        return sent
