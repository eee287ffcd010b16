"""An address that takes what is posted to it, and whatever a test wants to go wrong; or passes it on to a real server behind it."""

from __future__ import annotations

import ssl

import requests

from tests.fake_api import Asked, FakeApi, Said


class FakeHook(FakeApi):
    """taken: the posts it took, in order. faults, after: as of FakeApi, for posts alone. behind: the real server's address."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, behind: str = "") -> None:
        super().__init__(tls=tls)
        self.taken: list[Asked] = []
        self.behind = behind

    def answer(self, asked: Asked) -> Said:
        with self.lock:
            self.asked.append(asked)
            post = asked.method == "POST"
            if post and self.faults and (fault := self.faults.pop(0)):
                return fault
            right = self._passed_on(asked) if self.behind else Said(202 if post else 404)
            if post:
                self.taken.append(asked)
            return self.after.pop(0) or right if post and self.after else right

    def _passed_on(self, asked: Asked) -> Said:
        body = asked.body if asked.method == "POST" else None
        got = requests.request(asked.method, f"{self.behind}{asked.path}", params=asked.query, json=body, timeout=30)
        return Said(got.status_code, text=got.content)
