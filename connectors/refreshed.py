"""A user's refresh token: each log-in brings a newer one, which outlives the first (90 days at Microsoft) for as long as it is used."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from connectors import SourceError
from connectors.login import Login, oauth

GRANT = "refresh_token"


class Refreshed:
    """Gives a log-in the newest of the tokens that descend from `given`. path: of the file that holds it over a restart ('': memory alone).

    Only its owner may read that file. One that descends from another token than the block now has is passed over.
    """

    def __init__(self, login: Login, given: str, path: str) -> None:
        self._of, self._path = sha256(given.encode()).hexdigest()[:16], Path(path) if path else None
        self._form = {**login.form, "grant_type": GRANT, GRANT: self._kept() or given}
        login.form, login.read = self._form, self._read

    def check(self) -> str:
        """What is to be known of it; raises SourceError if the file cannot be written."""
        if self._path is None:
            return "the newer refresh tokens are held in memory alone, and the first ends (after 90 days at Microsoft): give token_file"
        there = next(folder for folder in self._path.absolute().parents if folder.exists())
        if not os.access(self._path if self._path.exists() else there, os.W_OK):
            raise SourceError(f"{self._path}: may not be written (token_file)", permanent=True, fault="refused")
        return ""

    def _read(self, text: bytes) -> tuple[str, float | None]:
        token, life = oauth(text)
        newer = json.loads(text).get(GRANT) if token else None
        if isinstance(newer, str) and newer and newer != self._form[GRANT]:
            self._form[GRANT] = newer
            with suppress(OSError):  # `check` tells it; it still serves until the end
                self._write(newer)
        return token, life

    def _kept(self) -> str:
        if self._path:
            with suppress(OSError, ValueError, TypeError, AttributeError):
                held = json.loads(self._path.read_text(encoding="utf-8"))
                if held.get("of") == self._of and isinstance(newest := held.get(GRANT), str):
                    return newest
        return ""

    def _write(self, newest: str) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            json.dump({"of": self._of, GRANT: newest}, out)
        fresh.replace(self._path)
