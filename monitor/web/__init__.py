"""The outside face: the board for the control tower, the API, metrics, and whether all is well.

Everything is served from here: no page loads anything from elsewhere.
"""

from __future__ import annotations

from monitor.web.app import app
from monitor.web.server import Server, serve

__all__ = ["Server", "app", "serve"]
