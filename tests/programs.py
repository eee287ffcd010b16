"""Programs that a bare machine may lack: a test that needs one skips by its name, and fails where nothing may skip."""

from __future__ import annotations

import os
import shutil

import pytest


def needed(name: str) -> str:
    """The program's path."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("VIGIA_TEST_ALL") == "1":
            pytest.fail(f"{name} is not installed, and VIGIA_TEST_ALL=1 lets nothing skip")
        pytest.skip(f"{name} is not installed")
    return found
