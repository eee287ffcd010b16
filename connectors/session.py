"""One HTTP session: logging in, asking again, and leaving alone a server that fails."""

from __future__ import annotations

import time
from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests.auth import HTTPBasicAuth
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_exponential, wait_random

from connectors import SourceError
from connectors.addresses import check_address, joined, origin, shown
from connectors.circuit import Circuit
from connectors.exchange import Answer, Exchange, signing
from connectors.login import Login, check_headers, credentials, sendable
from connectors.refused import TemporaryError, UnauthorizedError
from connectors.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Mapping

TRIES = 4
PATIENCE = 30.0
"""Seconds within which the last try begins; a server that asks for more is left alone until then (`TemporaryError.after`)."""
LONGEST = 600.0
"""Seconds that a server is left alone at most, whatever it asks for."""
ANY = range(100, 600)
ABSENT = 404
_BACKOFF = wait_exponential(multiplier=0.5, max=8) + wait_random(0, 1)


class Session:
    """Requests to one server, with its log-in. For any number of threads, which share a token and its renewal.

    token: sent as a bearer; or token_url, client_id, client_secret and, where the server wants one, scope: OAuth2 client
    credentials, renewed before they expire, and once more on a 401; or user and password (basic);
    or a log-in of another form. headers: sent with each request, and not to the log-in's server. timeout: of one answer, from the
    connection to its last byte. tls: who vouches for the server, and our own
    certificate, also for the log-in's server. hidden: the address itself is the secret, and no more than its server is ever told. also:
    addresses, or paths, by which errors name what begins like them; all else they name by `url`, lest a key or a client stand in it.

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
        also: Collection[str] = (),
    ) -> None:
        for name, address in (("url", url), *([("token_url", token_url)] if token_url else [])):
            check_address(name, address)
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
        self._origin = origin(url)
        self._fixed = f"Bearer {token}" if token else ""
        if user:
            self._fixed = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        self._headers = dict(headers or {})
        self._login = login
        places = [joined(url, one) for one in (*also, login.url if login else "") if one]
        self._also = [one for one in places if not url.startswith(one)]
        self.circuit = Circuit(lambda: self.clock())  # noqa: PLW0108 - a test puts its own in its place
        self._not_before = 0.0
        self.exchange = Exchange(url, timeout, tls or Tls())

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
        self.stays(url)
        sent = {"data" if isinstance(body, bytes) else "json": body, "headers": {**self._headers, **(headers or {})}}

        used = [""]

        def once() -> Answer:
            used[0] = ""
            used[0] = self._token()
            return self.exchange.ask(
                method, url, self._place(url), accept=accept, parse=parse, path=self._path_shown, params=params,
                auth=signing(used[0]), **sent,
            )  # fmt: skip

        try:
            return self._patiently(once, TRIES if repeat else 1)
        except UnauthorizedError:
            if not self._login or not used[0]:  # a log-in that is refused is not sent again: that locks a user
                raise
            self._login.refused(used[0].partition(" ")[2])  # withdrawn before its time: one more
            return self._patiently(once, TRIES if repeat else 1)

    def stays(self, url: str) -> None:
        """Raises SourceError unless `url` lies at the session's server: nothing else is asked, nor kept to be asked."""
        try:
            elsewhere = origin(url) != self._origin
        except ValueError:  # http://[, or a port that is none
            raise SourceError(
                f"{self.shown}: leads to what is no address", permanent=True, fault="unreadable"
            ) from None
        if elsewhere:
            raise SourceError(
                f"{self.shown}: leads to {shown(url, path=self._path_shown)}, which is another server",
                permanent=True,
                fault="unreadable",
            )

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

    def _place(self, url: str) -> str:
        named = max((one for one in self._also if url.startswith(one)), key=len, default="")
        return shown(named, path=self._path_shown) if named else self.shown

    def _token(self) -> str:
        """What a request is signed with."""
        if not self._login:
            return self._fixed
        login = self._login
        place = shown(login.url)

        def asked() -> bytes:
            # The log-in's own address is no part of the conversation: it gets the credentials and nothing else.
            auth = HTTPBasicAuth(*login.basic) if login.basic else signing("")
            sent: dict[str, Any] = {"data": dict(login.form), "auth": auth}
            try:
                answer = self.exchange.ask(
                    "POST", login.url, place, accept=(ABSENT,), parse=False, path=self._path_shown, **sent
                )
            except SourceError as error:
                error.whole = error.permanent
                error.fault = "login" if error.permanent else error.fault
                raise
            if answer.status == ABSENT:  # no word on the credentials
                words = f"{place}: 404 Not Found, there is nothing to log in at: is the address right?"
                raise SourceError(words, whole=True, fault="refused")
            return answer.text

        return f"{login.scheme} {login.token(asked, place, self.clock())}"


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    after = error.after if isinstance(error, TemporaryError) else None
    return after or _BACKOFF(state)  # 0, or a time that is past: of a clock that goes otherwise than ours
