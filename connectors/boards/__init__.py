"""Boards that others build: what is pushed to them. One file is one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from connectors.roles import TIME

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 2_000
"""Rows of one push, at most."""

_TEXT, _WHOLE, _NUMBER, _MONEY = pa.string(), pa.int64(), pa.float64(), pa.decimal128(38, 2)
_VERSIONED = {"id": _TEXT, "version": _WHOLE, "sent_at": TIME}

SHEETS: Mapping[str, pa.Schema] = {
    name: pa.schema([*_VERSIONED.items(), *columns.items()])
    for name, columns in {
        "incidents": {
            "product": _TEXT, "channel": _TEXT, "kind": _TEXT, "severity": _TEXT, "state": _TEXT, "started_at": TIME,
            "detected_at": TIME, "ended_at": TIME, "resolved_at": TIME, "affected": _WHOLE, "exposed": _WHOLE, "cases_opened": _WHOLE,
            "cases_linked": _WHOLE, "cases_left": _WHOLE, "priority": _WHOLE,
        },
        "impacts": {
            "incident_id": _TEXT, "client_id": _TEXT, "client": _TEXT, "segment": _TEXT, "product": _TEXT, "touch": _TEXT,
            "failures": _WHOLE, "missing": _WHOLE, "amount": _MONEY, "first_failure_at": TIME, "priority": _WHOLE,
        },
        "cases": {
            "incident_id": _TEXT, "client_id": _TEXT, "client": _TEXT, "segment": _TEXT, "product": _TEXT, "action": _TEXT,
            "reason": _TEXT, "priority": _WHOLE, "decided_at": TIME, "opened_at": TIME, "desk": _TEXT, "client_reported_at": TIME,
            "informed_at": TIME, "promoted_at": TIME, "withdrawn_at": TIME, "lead_seconds": _NUMBER,
        },
        "indicators": {
            "month": _TEXT, "name": _TEXT, "unit": _TEXT, "value": _NUMBER, "numerator": _NUMBER, "denominator": _NUMBER,
            "formula": _TEXT,
        },
    }.items()
}  # fmt: skip
"""By sheet, its columns. id: what the row is about; version: milliseconds since 1970 at which it was sent: of an id the highest is how it
stands now, the others how it stood before. What is no more comes once again with its `touch` or `action` ''."""
