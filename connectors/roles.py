"""The columns of each role: what a fact is called, and of which type it is, whatever tool it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

TIME = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(18, 2)

ROLES: Mapping[str, pa.Schema] = {
    "transactions": pa.schema(
        [
            ("timestamp", TIME),
            ("product", pa.string()),
            ("channel", pa.string()),
            ("client_id", pa.string()),
            ("status", pa.string()),
            ("error_code", pa.string()),
            ("latency_ms", pa.float64()),
            ("amount", MONEY),
            ("count", pa.int64()),
            ("id", pa.string()),
        ]
    ),
    "metrics": pa.schema(
        [
            ("timestamp", TIME),
            ("series", pa.string()),
            ("value", pa.float64()),
            ("product", pa.string()),
            ("channel", pa.string()),
        ]
    ),
    "cases": pa.schema(
        [
            ("case_id", pa.string()),
            ("client_id", pa.string()),
            ("product", pa.string()),
            ("channel", pa.string()),
            ("kind", pa.string()),
            ("typology", pa.string()),
            ("status", pa.string()),
            ("opened_at", TIME),
            ("resolved_at", TIME),
            ("closed_at", TIME),
            ("updated_at", TIME),
            ("level", pa.string()),
            ("returns", pa.int64()),
            ("reopened", pa.int64()),
            ("reported_by", pa.string()),
            ("reported_at", TIME),
            ("subject", pa.string()),
        ]
    ),
    "clients": pa.schema(
        [
            ("client_id", pa.string()),
            ("name", pa.string()),
            ("segment", pa.string()),
            ("value_rank", pa.int64()),
            ("sensitivity", pa.float64()),
            ("post_sale", pa.string()),
            ("substitute", pa.string()),
            ("manager", pa.string()),
            ("group_id", pa.string()),
            ("sector", pa.string()),
        ]
    ),
    "holdings": pa.schema(
        [
            ("client_id", pa.string()),
            ("product", pa.string()),
            ("channel", pa.string()),
            ("since", TIME),
            ("until", TIME),
        ]
    ),
    "stories": pa.schema(
        [
            ("story_id", pa.string()),
            ("sprint", pa.string()),
            ("sprint_start", TIME),
            ("sprint_end", TIME),
            ("title", pa.string()),
            ("state", pa.string()),
            ("planned_at", TIME),
            ("done_at", TIME),
            ("updated_at", TIME),
        ]
    ),
}
"""Our names and types, by role. A text that a source lacks is '', never null; a number or a time it lacks is null."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "transactions": ("timestamp", "status"),
    "metrics": ("timestamp",),
    "cases": ("case_id", "opened_at"),
    "clients": ("client_id",),
    "holdings": ("client_id", "product"),
    "stories": ("story_id", "sprint"),
}
"""What a row must have to mean anything: a row without it is rejected, told and counted; the others go on."""

STATUSES = ("ok", "failed", "rejected", "reversed", "pending", "other")
"""Status classes. `other` is what no class names: counted in `total`, and reported."""
