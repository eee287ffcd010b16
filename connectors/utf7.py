"""Names of folders, and keywords, as IMAP writes them: modified UTF-7 (RFC 3501, 5.1.3)."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from contextlib import suppress


def encoded(text: str) -> str:
    """A folder's name, or a keyword, as IMAP writes it (modified UTF-7): `Atención` is `Atenci&APM-n`."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "&":
            return "&-"
        return f"&{b64encode(found[0].encode('utf-16-be')).decode().rstrip('=').replace('/', ',')}-"

    return re.sub(r"&|[^\x20-\x7e]+", one, text)


def decoded(text: str) -> str:
    """The other way; what is none stays as it is."""

    def one(found: re.Match[str]) -> str:
        with suppress(ValueError):
            padded = found[1].replace(",", "/") + "=" * (-len(found[1]) % 4)
            return b64decode(padded).decode("utf-16-be") if found[1] else "&"
        return found[0]

    return re.sub(r"&([A-Za-z0-9+,]*)-", one, text)
