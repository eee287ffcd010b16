"""Salesforce and Helix side by side, for a pair of desks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.fakes import helix, salesforce
from tests.fakes.server import Tool

CASE_NUMBER, INCIDENT_NUMBER = "SRMS Request", "Helix_Number__c"


class Both(salesforce.Salesforce):
    """The side of the cases, which all is about; `incidents` is the other side."""

    incidents: helix.Helix

    def close(self) -> None:
        super().close()
        self.incidents.close()


def tool(folder: Path) -> Tool:
    cases, incidents = salesforce.tool(folder, Both), helix.tool(folder)
    cases.fake.incidents = incidents.fake
    case = {"kind": "salesforce", "other": INCIDENT_NUMBER, **cases.desk}
    incident = {"kind": "helix", "other": CASE_NUMBER, **incidents.desk}
    return replace(
        cases, desk={"case": case, "incident": incident}, source={"kind": "salesforce", **cases.source},
        broken={"case": case | {"client_secret": "wr0ng"}, "incident": incident},
    )  # fmt: skip
