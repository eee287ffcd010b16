"""The web server, in a thread of its own: signals and logs stay the daemon's business."""

from __future__ import annotations

import logging
import socket
import time
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

PATIENCE = 5.0
"""Seconds to wait for the start, and for open requests at the end."""


class Server:
    """Serves from when it is made until `stop`. address: http://host:port, with the port that was found for port 0."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self._socket.getsockname()[1]}"
        quiet = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=int(PATIENCE),
            proxy_headers=False,
        )  # fmt: skip; whom to believe is the gate's to know
        logging.getLogger("uvicorn.access").disabled = True  # paths name clients: none may reach any log
        self._server = uvicorn.Server(quiet)
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="web", daemon=True)
        self._thread.start()
        until = time.monotonic() + PATIENCE
        while not self._server.started and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        if not self._server.started:
            self.stop()
            raise OSError(f"nothing serves {self.address}")

    def stop(self) -> None:
        """Let open requests end, then close."""
        self._server.should_exit = True
        self._thread.join(2 * PATIENCE)
        self._socket.close()


def serve(app: ASGIApp, listen: str) -> Server:
    """Serve at host:port; port 0 finds a free one. OSError where the port is taken."""
    host, _, port = listen.rpartition(":")
    return Server(app, host.strip("[]"), int(port))
