"""A case in one tool and the incident of technology in another, each with the other's number: one trace from end to end."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any, get_type_hints

from connectors import Case, SourceError
from connectors.kinds import kinds, load

ENDED = "afectación superada"
WITHDRAWN = "retirado"
INCIDENT = "incidente"


class Pair:
    """A client's case in one desk, and in another one incident for all the cases of an affectation.

    case, incident: the blocks of the two desks, each with its kind and `other`, the field for the other's number; both kinds can be tied
    (salesforce, helix). promoted_only: whether the incident waits until N2 makes an `incidente` of one of its cases, and is tied to
    those alone; else it is opened with the first.

    This desk is the client's case alone, and stands by itself, however the other one is; what it took is then told to `then`, the
    incident's side, as a message with a patience of its own.
    """

    def __init__(self, *, case: dict[str, Any], incident: dict[str, Any], promoted_only: bool = False) -> None:
        self.case = _made("case", case)
        self.then = _Incident(self.case, _made("incident", incident), promoted_only=promoted_only)
        self.session = self.case.session

    def open(self, case: Case) -> str:
        """The number of the client's case."""
        return str(self.case.open(case))

    def update(self, case: Case) -> None:
        """Tell the client's case."""
        self.case.update(case)

    def check(self) -> str:
        """Whether both answer; where neither does, the causes of both."""
        said, wrong = [], []
        for one in (self.case, self.then):
            try:
                said.append(str(one.check()))
            except SourceError as error:
                wrong.append(error)
        if len(wrong) > 1:
            first, words = wrong[0], "; ".join(map(str, wrong))
            raise SourceError(words, permanent=first.permanent, whole=first.whole, fault=first.fault) from None
        if wrong:
            raise wrong[0]
        return "; ".join(said)


class _Incident:
    """The incident of an affectation, told of each of its cases once that is in its own tool.

    The incident's key is the affectation's id, and it says nothing of a client: what fails and where. Each case bears its number; the
    incident bears the first case's, and all of them in its log. Opened, tied and told again after a crash, nothing comes twice. It is
    told that it is over with its cases, also where the affectation was merged into another since; and it is taken back with the last
    of them.
    """

    def __init__(self, case: Any, incident: Any, *, promoted_only: bool) -> None:
        self.case, self.incident, self._promoted_only = case, incident, promoted_only
        self.session = incident.session

    def open(self, case: Case) -> str:
        """The number of the incident, tied to the case; '' while it waits for a promotion."""
        if not self._due(case):
            return ""
        other = str(self.incident.open(_of_all(case)))
        number = case.number or str(self.case.open(case))
        self.case.tie(case.key, other)
        self.incident.tie(case.incident_id, number)
        return other

    def update(self, case: Case) -> None:
        """Tell the incident, once, that it is over, or that no case of it is left."""
        first = opened_for(case)
        if self._due(case) and case.status == ENDED:
            self._tell(case, ENDED, ENDED, *{first: 0, case.incident_id: 0})
        elif self._due(case) and case.status == WITHDRAWN and self._last(case):
            self._tell(case, WITHDRAWN, "todos sus casos fueron retirados", first)

    def promote(self, case: Case) -> None:
        """The case is an `incidente` by now: an incident that waited for it is opened, and tied to it."""
        if self._promoted_only:
            self.open(case)
            self.update(case)

    def check(self) -> str:
        """Whether it answers."""
        return str(self.incident.check())

    def _due(self, case: Case) -> bool:
        return not self._promoted_only or case.kind == INCIDENT

    def _last(self, case: Case) -> bool:
        return case.left is not None and not (INCIDENT in case.left if self._promoted_only else case.left)

    def _tell(self, case: Case, status: str, what: str, *affectations: str) -> None:
        """Each of the incidents that there is; of one that was merged there may be none."""
        for one in affectations:
            try:
                told = replace(_of_all(case), key=one, incident_id=one, status=status, note=f"Afectación {one}: {what}")
                self.incident.update(told)
            except SourceError as error:
                merged = opened_for(case) != case.incident_id
                if not (merged and error.permanent and f"no case with key {one}" in str(error)):
                    raise


def opened_for(case: Case) -> str:
    """The affectation for which it was opened: its key names it, and it may have been merged into another since."""
    head, tail = "VG-", f"-{case.client_id}"
    named = case.key.startswith(head) and case.key.endswith(tail) and case.client_id
    return case.key.removeprefix(head).removesuffix(tail) if named else case.incident_id


def _of_all(case: Case) -> Case:
    """What a client's case says of the affectation, and nothing of the client."""
    body = f"{case.subject}. Afectación {case.incident_id}, detectada por Vigía."
    return replace(case, key=case.incident_id, client_id="", body=body, note="")


def _made(name: str, block: dict[str, Any]) -> Any:
    """The desk of an inner block; raises ValueError, beginning with the key."""
    kind, given = block.get("kind"), {key: value for key, value in block.items() if key != "kind"}
    tied = [known for known in kinds("desks") if hasattr(load("desks", known), "tie")]
    if kind not in tied:
        raise ValueError(f"{name}.kind: must be one that can be tied: {', '.join(tied)}")
    made = load("desks", kind)
    types = get_type_hints(made.__init__)
    there = {
        key: one
        for key, one in inspect.signature(made).parameters.items()
        if types[key] in (str, int) or "dict" in str(types[key])
    }
    for key in given:
        if key not in there:
            raise ValueError(f"{name}.{key}: no such key; there are {', '.join(there)}")
    for key in (*(key for key, one in there.items() if one.default is one.empty), "other"):
        if not given.get(key):
            raise ValueError(f"{name}.{key}: is missing")
    try:
        return made(**given)
    except ValueError as error:
        raise ValueError(f"{name}.{error}") from None
