"""Logging in by SASL, the server's side: PLAIN (RFC 4616) and SCRAM (RFC 5802)."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Generator, Mapping

Talk = Generator[bytes, bytes, None]
"""What the server answers to what is sent to it; at its end the client is let in."""


class DeniedError(Exception):
    """A user that there is not, or another's password."""


def plain(passwords: Mapping[str, str]) -> Talk:
    """One message and an empty answer."""
    _, user, password = (yield b"").decode().split("\0")
    if passwords.get(user) != password:
        raise DeniedError
    yield b""


def scram(digest: str, passwords: Mapping[str, str], nonce: str = "", salt: bytes = b"", times: int = 4096) -> Talk:
    """digest: 'sha256' or 'sha512'. nonce, salt: ours, drawn unless they are given."""
    salt, nonce = salt or os.urandom(16), nonce or b64encode(os.urandom(18)).decode()

    def mac(key: bytes, text: str) -> bytes:
        return hmac.digest(key, text.encode(), digest)

    hello = (yield b"").decode()
    bare = hello.split(",", 2)[2]
    said = dict(part.split("=", 1) for part in bare.split(","))
    password = passwords.get(said["n"].replace("=2C", ",").replace("=3D", "="))
    if password is None:
        raise DeniedError
    first = f"r={said['r']}{nonce},s={b64encode(salt).decode()},i={times}"
    last = (yield first.encode()).decode()
    unsigned, _, proof = last.rpartition(",p=")
    if unsigned != f"c={b64encode(hello[: -len(bare)].encode()).decode()},r={said['r']}{nonce}":
        raise DeniedError
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), salt, times)
    stored = hashlib.new(digest, mac(salted, "Client Key")).digest()
    whole = f"{bare},{first},{unsigned}"
    key = bytes(a ^ b for a, b in zip(b64decode(proof), mac(stored, whole), strict=True))
    if hashlib.new(digest, key).digest() != stored:
        raise DeniedError
    yield f"v={b64encode(mac(mac(salted, 'Server Key'), whole)).decode()}".encode()


MECHANISMS = {
    "PLAIN": plain,
    "SCRAM-SHA-256": lambda passwords: scram("sha256", passwords),
    "SCRAM-SHA-512": lambda passwords: scram("sha512", passwords),
}
