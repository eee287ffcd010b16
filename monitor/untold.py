"""What a desk is still to be told of a case, as its row tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def untold(row: Mapping[str, Any]) -> bool:
    """Whether our case was taken back and its desk does not know it yet."""
    return bool(row["action"] == "open" and row.get("withdrawn_at") and row.get("delivery", "sent") != "sent")
