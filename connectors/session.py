"""One HTTP session: logging in, asking again, how long, how much, and what an answer's status means."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.auth import HTTPBasicAuth
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_exponential, wait_random
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from connectors import SourceError, nested
from connectors.broken import causes
from connectors.circuit import Circuit
from connectors.deadline import Punctual
from connectors.login import Login, check_headers, credentials, sendable
from connectors.refused import TemporaryError, TooLargeError, UnauthorizedError, fault, shown
from connectors.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from connectors import Fault

LIMIT = 64 << 20
"""Bytes of one answer."""
TRIES = 4
PATIENCE = 30.0
"""Seconds within which the last try begins; a server that asks for more is left alone until then (`TemporaryError.after`)."""
LONGEST = 600.0
"""Seconds that a server is left alone at most, whatever it asks for."""
CONNECT = 10.0
"""Seconds for a connection, if an answer may take longer."""
ANY = range(100, 600)
_BACKOFF = wait_exponential(multiplier=0.5, max=8) + wait_random(0, 1)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Answer:
    """body: the JSON (None: there was none); next: the address in the Link header with rel=next, or ''; text: as it came."""

    status: int
    body: Any
    next: str = ""
    text: bytes = b""
    place: str = ""
    """The Location header."""


class Session:
    """Requests to one server, with its log-in. For any number of threads, which share a token and its renewal.

    token: sent as a bearer; or token_url, client_id, client_secret and, where the server wants one, scope: OAuth2 client
    credentials, renewed before they expire, and once more on a 401; or user and password (basic);
    or a log-in of another form. headers: sent with each request, and not to the log-in's server. timeout: of one answer, from the
    connection to its last byte. tls: who vouches for the server, and our own
    certificate, also for the log-in's server. hidden: the address itself is the secret, and no more than its server is ever told.

    What is temporary (no connection, 429, 502, 503, 504) is asked again up to TRIES times within PATIENCE; `Retry-After`
    is honoured, beyond PATIENCE by failing at once until its time has come. Requests must therefore bear repeating.
    What fails all the same opens the `circuit`, whose state is for metrics.
    Neither redirects nor a .netrc are followed: the token goes to this address and to no other. No secret, no query and
    no answer's text stands in an error.

    Raises ValueError, beginning with the option, if they cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta,
        token: str = "",
        token_url: str = "",
        client_id: str = "",
        client_secret: str = "",
        scope: str = "",
        user: str = "",
        password: str = "",
        headers: Mapping[str, str] | None = None,
        login: Login | None = None,
        tls: Tls | None = None,
        hidden: bool = False,
    ) -> None:
        for name, address in (("url", url), *([("token_url", token_url)] if token_url else [])):
            _check(name, address)
        if token and token_url:
            raise ValueError("token: give either token or token_url")
        if token_url:
            login = credentials(token_url, client_id, client_secret, scope)
        if not token_url and (client_id or client_secret or scope):
            name = "client_id" if client_id else "client_secret" if client_secret else "scope"
            raise ValueError(f"{name}: needs token_url")
        if not sendable(token):
            raise ValueError("token: holds a sign that no header can carry")
        if bool(user) != bool(password) or (user and (token or token_url)):
            raise ValueError("user: needs password, and takes the place of a token")
        check_headers(headers or {}, user)
        if timeout <= timedelta(0):
            raise ValueError("timeout: must be more than 0s")
        self._path_shown = not hidden
        self.shown = shown(url, path=self._path_shown)
        self.sleep, self.clock = time.sleep, time.monotonic
        self._origin = _origin(url)
        self._seconds = timeout.total_seconds()
        self._fixed = f"Bearer {token}" if token else ""
        if user:
            self._fixed = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        self._headers = dict(headers or {})
        self._login = login
        self.circuit = Circuit(lambda: self.clock())  # noqa: PLW0108 - a test puts its own in its place
        self._not_before = 0.0
        self._http = requests.Session()
        # A proxy of the environment is for what lies outside.
        self._http.trust_env = urlsplit(url).hostname not in LOOPBACK
        for scheme in ("http://", "https://"):
            self._http.mount(scheme, Punctual())
        self._tls = tls or Tls()
        self._tls.arm(self._http)

    def ask(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        accept: Container[int] = (),
        repeat: bool = True,
        parse: bool = True,
    ) -> Answer:
        """The answer, if its status is 2xx or one of `accept` (then without body); else SourceError.

        `url` must lie at the session's server. body: sent as JSON, or as it is where it is bytes. repeat: whether the request bears to
        be sent again at once; parse: whether the answer's text matters (else its status says all).
        """
        if _origin(url) != self._origin:
            raise SourceError(
                f"{self.shown}: leads to {shown(url, path=self._path_shown)}, which is another server",
                permanent=True,
                fault="unreadable",
            )
        sent = {"data" if isinstance(body, bytes) else "json": body, "headers": {**self._headers, **(headers or {})}}

        used = [""]

        def once() -> Answer:
            used[0] = self._token()
            return self._once(method, url, accept, parse=parse, params=params, auth=_signing(used[0]), **sent)

        try:
            return self._patiently(once, TRIES if repeat else 1)
        except UnauthorizedError:
            if not self._login:
                raise
            self._login.refused(used[0].partition(" ")[2])  # withdrawn before its time: one more
            return self._patiently(once, TRIES if repeat else 1)

    def reach(self, url: str) -> None:
        """Whether the server of `url` answers at all, be it with an error: it is asked at its root, where nothing is done."""
        parts = urlsplit(url)
        self.ask("GET", f"{parts.scheme}://{parts.netloc}/", accept=ANY, repeat=False, parse=False)

    def _patiently(self, once: Callable[[], Answer], times: int) -> Answer:
        left = self._not_before - self.clock()
        if left > 0:
            raise SourceError(f"{self.shown}: asked to be left alone for another {left:.0f} s", fault="busy")
        probing = self.circuit.state != "closed"
        if (left := self.circuit.left()) > 0:
            raise SourceError(f"{self.shown}: has failed again and again; asked again in {left:.0f} s", fault="resting")
        tries = Retrying(
            retry=retry_if_exception_type(TemporaryError),
            wait=_wait,
            stop=stop_after_attempt(1 if probing else times) | stop_before_delay(PATIENCE),
            sleep=lambda seconds: self.sleep(seconds),  # noqa: PLW0108 - a test puts its own in its place
            reraise=True,
        )
        well = False
        try:
            answer = tries(once)
            well = True
        except TemporaryError as error:
            if error.after:
                self._not_before = self.clock() + min(error.after, LONGEST)
            raise
        except SourceError as error:
            well = error.permanent  # it answers, and it is us whom it refuses
            raise
        finally:
            self.circuit.passed(well=well)
        return answer

    def _token(self) -> str:
        """What a request is signed with."""
        if not self._login:
            return self._fixed
        login = self._login
        place = shown(login.url)

        def asked() -> bytes:
            # The log-in's own address is no part of the conversation: it gets the credentials and nothing else.
            auth = HTTPBasicAuth(*login.basic) if login.basic else _signing("")
            try:
                return self._once("POST", login.url, (), parse=False, data=dict(login.form), auth=auth).text
            except SourceError as error:
                error.whole = error.permanent
                error.fault = "login" if error.permanent else error.fault
                raise

        return f"{login.scheme} {login.token(asked, place, self.clock())}"

    def _once(self, method: str, url: str, accept: Container[int], *, parse: bool = True, **sent: Any) -> Answer:
        place = shown(url) if self._login and url == self._login.url else self.shown
        limit: Any = Timeout(total=self._seconds, connect=min(CONNECT, self._seconds))
        try:
            with self._http.request(
                method,
                url,
                timeout=limit,
                allow_redirects=False,
                stream=True,
                **sent,
            ) as response:
                text = self._read(response, place)
        except (requests.RequestException, HTTPError, OSError) as error:
            if (broken := self._tls.fault(place, url, error)) is not None:
                raise broken from None
            if isinstance(error, ValueError):
                raise SourceError(
                    f"{place}: an address that cannot be asked", permanent=True, fault="refused"
                ) from None
            said, fault_ = self._words(error)
            raise TemporaryError(f"{place}: {said}", fault=fault_) from None
        status = response.status_code
        if not response.ok or response.is_redirect:
            if status in accept:
                return Answer(status, None, text=text, place=response.headers.get("Location", ""))
            raise fault(place, response, text, path=self._path_shown)
        link = str(response.links.get("next", {}).get("url", ""))
        try:
            body = nested.loads(text) if parse and text.strip() else None
            return Answer(status, body, link, text, response.headers.get("Location", ""))
        except (ValueError, RecursionError) as error:
            kind = response.headers.get("Content-Type", "").partition(";")[0][:40] or "no type"
            why = str(error).splitlines()[0] if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise SourceError(f"{place}: the answer ({kind}) is not JSON: {why}", fault="unreadable") from None

    def _read(self, response: requests.Response, place: str) -> bytes:
        """The whole body, piece by piece as it comes, so that it is never larger than its limit."""
        pieces: list[bytes] = []
        size = 0
        while piece := response.raw.read1(1 << 20, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > LIMIT:
                raise TooLargeError(
                    f"{place}: an answer of more than {LIMIT >> 20} MB: ask for smaller pages",
                    permanent=True,
                    fault="unreadable",
                )
        return b"".join(pieces)

    def _words(self, error: BaseException) -> tuple[str, Fault]:
        """Why there was no answer, and its kind; never the library's own words, which hold the whole address."""
        if isinstance(error, requests.Timeout | TimeoutError) or "Timeout" in type(error).__name__:
            return f"no answer within {self._seconds:g} s", "timeout"
        for one in causes(error):
            if isinstance(one, OSError) and one.strerror:
                return f"no connection: {one.strerror}", "unreachable"
        return "the connection broke off", "unreachable"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _check(name: str, address: str) -> None:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"{name}: must be an address such as https://host/path")
    if "@" in parts.netloc:
        raise ValueError(f"{name}: holds a name or password; give a token")


def _signing(signature: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    def signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if signature:
            request.headers["Authorization"] = signature
        return request

    return signed


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    after = error.after if isinstance(error, TemporaryError) else None
    return _BACKOFF(state) if after is None else after
