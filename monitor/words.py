"""The words of a notice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.blocks import Words


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is sent."""

    subject: str
    text: str
    html: str


def rendered(facts: Mapping[str, Any], words: Words) -> Rendered:  # noqa: ARG001 - until there are templates
    """The facts in words."""
    return Rendered(f"{facts['news']}: {', '.join(facts['why'])}", json.dumps(facts, ensure_ascii=False), "")
