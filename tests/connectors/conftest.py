"""The same bank in three databases."""

from __future__ import annotations

import pytest

from tests.banks import BANKS, Bank, banks


@pytest.fixture(params=BANKS)
def bank(request: pytest.FixtureRequest) -> Bank:
    return banks(request.param, request)
