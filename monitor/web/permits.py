"""Who may do what, by method and path: the one table. What it does not name, and is not a mere look, is for who administers."""

from __future__ import annotations

import re

from monitor.access import Role

SAFE = ("GET", "HEAD", "OPTIONS")
_OPEN = ("/-/healthy", "/-/ready", "/entrar", "/favicon.ico")
"""For everybody, logged in or not. /metrics has a rule of its own."""
_API = r"(?:/api/v1)?"
_ACTS = re.compile(
    rf"{_API}/(?:incidents|afectaciones|cases|casos)(?:/[^/]+)+"  # acknowledge, note, assign, resolve, informed, useful, ...
    rf"|{_API}/(?:silences|silencios|maintenance|mantenimientos?)(?:/[^/]+)*"
    rf"|{_API}/(?:turno|handover|shift)(?:/[^/]+)*"
)
_ADMINISTERS = re.compile(r"/-/.*|/api/v1/(?:reads|users|purge)(?:/.*)?")
"""Even to look at. Purge and over-broad silences are for who administers, too: `monitor.web.viewer.must`."""


def needed(method: str, path: str) -> Role | None:
    """The least role for it; None: anybody."""
    safe = method in SAFE
    if path in _OPEN or (safe and path.startswith("/static/")):
        return None
    if path == "/salir":
        return Role.LOOK
    if _ADMINISTERS.fullmatch(path):
        return Role.ADMINISTER
    if safe:
        return Role.LOOK
    return Role.ACT if method in ("POST", "DELETE") and _ACTS.fullmatch(path) else Role.ADMINISTER
