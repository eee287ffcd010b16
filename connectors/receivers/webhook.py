"""Notices as signed JSON to an address of the bank's own."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from connectors.addresses import LOOPBACK
from connectors.session import Session
from connectors.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors import Notice

SCHEMA = "vigia.notice/1"
SHORTEST = 16


class Webhook:
    """`POST url` with a notice's facts, subject and text (schema `vigia.notice/1`); any 2xx takes it.

    url: where to; no more than its server stands in an error. secret: at least 16 signs, signs the body. token: sent as a bearer.
    ca_file: who vouches for the server's certificate, in place of the well-known (PEM); cert_file, key_file, key_password: our own, where
    it demands one (mutual TLS). timeout: of one answer.

    Headers: `X-Vigia-Signature: t=SECONDS,v1=HEX`, HMAC-SHA256 with the secret over `SECONDS.body` (seconds since 1970, so that an old
    one can be refused), `X-Vigia-Event: first|update|end`, and `Idempotency-Key`, the same each time a notice is sent again.
    """

    personal = True

    def __init__(
        self,
        *,
        url: str,
        secret: str,
        token: str = "",
        ca_file: str = "",
        cert_file: str = "",
        key_file: str = "",
        key_password: str = "",
        timeout: timedelta = timedelta(seconds=15),
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("url: must begin with https://")
        if len(secret) < SHORTEST:
            raise ValueError(f"secret: must have at least {SHORTEST} signs")
        tls = Tls(ca_file, cert_file, key_file, key_password)
        self.session = Session(url, token=token, tls=tls, timeout=timeout, hidden=True)
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._url, self._secret = url, secret.encode()

    def send(self, notice: Notice) -> str:
        """Send it; who is there is told apart from others by the key alone."""
        facts = {**notice.facts, "schema": SCHEMA, "key": notice.key, "thread": notice.thread, "event": notice.event}
        facts |= {"at": notice.at.isoformat(), "to": notice.to, "subject": notice.subject, "text": notice.text}
        body = json.dumps(facts, ensure_ascii=False, allow_nan=False).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": quote(notice.key, safe="/"),
            "X-Vigia-Event": notice.event,
            "X-Vigia-Signature": self._signature(body),
        }
        self.session.ask("POST", self._url, body=body, headers=headers, parse=False)
        return ""

    def check(self) -> str:
        """Whether its server answers; the address itself is left alone, for whatever comes there counts as a notice."""
        self.session.reach(self._url)
        return f"{self.session.shown}: its server answers; whether it takes notices, the first one shows"

    def _signature(self, body: bytes) -> str:
        seconds = str(int(self.clock().timestamp()))
        signed = hmac.new(self._secret, seconds.encode() + b"." + body, sha256)
        return f"t={seconds},v1={signed.hexdigest()}"
