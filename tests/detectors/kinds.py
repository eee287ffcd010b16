"""How the tests make each kind: with options that let it speak soon."""

from __future__ import annotations

from typing import Any

import pytest

from detectors import kinds

OPTIONS: dict[str, dict[str, Any]] = {kind: {} for kind in kinds()}

QUICK = ("ewma", "seasonal")
"""Those that live in arrays."""

MEASURED = tuple(kind for kind in kinds() if kind != "count")
"""Those that take any number; a count cannot be negative, and has tests of its own."""

every_kind = pytest.mark.parametrize("kind", kinds())
quick_kind = pytest.mark.parametrize("kind", QUICK)
measured_kind = pytest.mark.parametrize("kind", MEASURED)
