"""What it means that a file elsewhere cannot be had, whatever library says so: in words that hold no secret."""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from connectors import SourceError
from connectors.broken import causes, hushed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors import Fault

SHORTEST = 4
"""Signs of a secret: what is shorter is everywhere in the words around it, too."""
_SIGNED = re.compile(r"(https?://[^\s?]*)\?\S*")
"""An address of the web with what stands behind it: a library may have written its signature in another way than we."""
_LOGIN = {
    "AuthenticationException",
    "PasswordRequiredException",
    "NoCredentialsError",
    "PartialCredentialsError",
    "NotLetInError",
}
_NOT_LET_IN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed"}
_TIMEOUT = {"TimeoutError", "FSTimeoutError", "ConnectTimeoutError", "ReadTimeoutError"}
_UNREACHABLE = {"NoValidConnectionsError", "gaierror", "ConnectionError", "HTTPClientError", "EOFError", "SSHException"}


def told(place: str, error: BaseException, secrets: Sequence[str], seconds: float) -> SourceError:
    """What it means, beginning with `place`; known by the names of its kinds, whose packages need not be there.

    secrets: as of `secrets_of`; seconds: that an answer may take.
    """
    chain = list(causes(error))
    numbers = {getattr(one, "errno", None) for one in chain}
    names = {cls.__name__ for one in chain for cls in type(one).__mro__}
    answers = [answer for one in chain if isinstance(answer := getattr(one, "response", None), dict)]
    codes = {str(answer.get("Error", {}).get("Code")) for answer in answers}
    words = hushed(_SIGNED.sub(r"\1?***", " ".join(str(error).split()) or type(error).__name__), secrets)
    kind: Fault = "other"
    lasting = False
    if names & _LOGIN or codes & _NOT_LET_IN or "No authentication methods" in words:
        kind, lasting = "login", True
        words = words if "NotLetInError" in names else f"not let in: {words}"
    elif names & _TIMEOUT or "No existing session" in words:  # paramiko's words where nothing was said at all
        kind, words = "timeout", f"no answer within {seconds:g} s"
    elif "PermissionError" in names:
        kind, words = "refused", f"no permission: {words}"
    elif errno.ENOSPC in numbers:
        words = f"no room for it in {tempfile.gettempdir()}: {words}"
    elif errno.EBUSY in numbers:
        kind = "busy"
    elif names & _UNREACHABLE or "Socket is closed" in words:  # paramiko's, of no kind, where the connection ended
        kind, words = "unreachable", f"no connection: {words}"
    elif getattr(errno, "EREMOTEIO", errno.EIO) in numbers:
        kind = "server"
    return SourceError(f"{place}: {words}", permanent=lasting, whole=lasting, fault=kind)


def secrets_of(password: str, signed: str, options: Any) -> list[str]:
    """All that may be one, the longest first. signed: what stands behind the address, from its `?` on."""
    found = {password, signed[1:], *(value for _, value in parse_qsl(signed[1:]))}
    waiting = [options]
    while waiting:
        match waiting.pop():
            case Mapping() as held:
                waiting += held.values()
            case list() as held:
                waiting += held
            case str() as text:
                found |= {text, text.rpartition(" ")[2]}  # Bearer ...
    return sorted((one for one in found if len(one) >= SHORTEST or one == password != ""), key=len, reverse=True)
