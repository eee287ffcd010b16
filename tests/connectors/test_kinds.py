"""Kinds are found by their files."""

from __future__ import annotations

import pytest

from connectors.kinds import kinds, load
from connectors.sources.file import File


def test_a_file_is_a_kind() -> None:
    assert {"file", "sql"} <= set(kinds("sources"))
    assert load("sources", "file") is File


def test_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(LookupError, match=r"no source kind 'fiel'; there are: .*file"):
        load("sources", "fiel")
