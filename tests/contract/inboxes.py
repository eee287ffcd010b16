"""One set-up for each kind of receiver: how to make one, what has come to the other side, and how to make that go wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors import Notice
from tests.alertmanagers import standing
from tests.certificates import own_certificate
from tests.fake_api import Said
from tests.fake_hook import FakeHook
from tests.fake_mail import PASSWORD, USER, FakeMail, free_port

SECRET = "s3cret-of-the-receiver"  # noqa: S105 - of a fake
PATH = "/workflows/4f5e6d/s3cret-path"


@dataclass
class Inbox:
    """options: of a receiver; nobody: the same where nobody listens; secrets: what may stand nowhere.

    arrived: how often a notice is there, as far as the other side can tell a repeat. refuse: the next one for good; busy: the next
    few, until later; after: the next one is taken, and then answered with an error; slow: until the event, nothing is answered.
    strange: the next one is taken and answered with what makes no sense (None: its answers have one sense each). untrusted: options
    of one whose certificate nobody vouches for, and trusted: the same with who does. tells: whether it can tell a repeat;
    lasting: whether it says that a refusal is for good; one_place: all that comes there is read by the same people.
    """

    options: dict[str, Any]
    nobody: dict[str, Any]
    secrets: tuple[str, ...]
    arrived: Callable[[Notice], int]
    refuse: Callable[[], None]
    busy: Callable[[], None]
    after: Callable[[], None]
    slow: Callable[[], Event]
    untrusted: Callable[[], dict[str, Any]]
    strange: Callable[[], None] | None = None
    trusted: Callable[[], dict[str, Any]] | None = None
    tells: bool = True
    lasting: bool = True
    one_place: bool = True
    closing: Sequence[FakeMail | FakeHook] = ()

    def close(self) -> None:
        for server in self.closing:
            server.close()


def email(_: pytest.FixtureRequest) -> Inbox:
    ca, context = own_certificate()
    servers = [FakeMail(starttls=context)]
    (server,) = servers
    options = {
        "host": "localhost",
        "port": server.port,
        "sender": "Vigía <vigia@banco.example>",
        "to": "torre@banco.example",
    }
    options |= {"user": USER, "password": PASSWORD, "ca_file": str(ca)}

    def slow() -> Event:
        server.wait = Event()
        return server.wait

    def tls(**more: str) -> dict[str, Any]:
        servers.append(FakeMail(tls=context))
        return {**options, "port": servers[-1].port, "tls": "tls", "ca_file": ""} | more

    return Inbox(
        options,
        {**options, "port": free_port()},
        (PASSWORD,),
        lambda notice: sum(str(m["Subject"]) == notice.subject for m in server.mailbox.values()),
        lambda: server.rcpt.append("550 5.1.1"),
        lambda: server.rcpt.append("450 4.2.0"),
        lambda: server.after.append("451 4.3.0 later, please"),
        slow,
        tls,
        trusted=lambda: tls(ca_file=str(ca)),
        one_place=False,
        closing=servers,
    )


def _hooked(
    hook: FakeHook,
    options: Callable[[str], dict[str, Any]],
    arrived: Callable[[Notice], int],
    *,
    status: int = 400,
    **more: Any,
) -> Inbox:
    """By HTTP; options: for the address that is given."""
    hooks = [hook]

    def slow() -> Event:
        wait = Event()
        hook.faults += [Said(wait=wait)] * 4
        return wait

    def tls(ca_file: str = "") -> dict[str, Any]:
        hooks.append(FakeHook(tls=own_certificate()[1]))
        hooks[-1].behind = hook.behind
        return options(hooks[-1].url) | ({"ca_file": ca_file} if ca_file else {})

    return Inbox(
        options(hook.url),
        options(f"http://127.0.0.1:{free_port()}"),
        arrived=arrived,
        refuse=lambda: hook.faults.append(Said(status)),
        busy=lambda: hook.faults.extend([Said(429, headers={"Retry-After": "3600"})] + [Said(503)] * 8),
        after=lambda: hook.after.append(Said(500, {"error": "after it took it"})),
        slow=slow,
        strange=lambda: hook.after.append(Said(200, text=b"{'broken")),
        untrusted=tls,
        closing=hooks,
        **more,
    )


def webhook(_: pytest.FixtureRequest) -> Inbox:
    hook = FakeHook()
    keys = lambda: {asked.headers["idempotency-key"]: asked for asked in hook.taken}  # noqa: E731
    inbox = _hooked(
        hook,
        lambda url: {"url": f"{url}{PATH}", "secret": SECRET},
        lambda notice: sum(asked.body["key"] == notice.key for asked in keys().values()),
        secrets=(SECRET, PATH),
        one_place=False,
    )
    inbox.trusted = lambda: inbox.untrusted() | {"ca_file": str(own_certificate()[0])}
    return inbox


def teams(_: pytest.FixtureRequest) -> Inbox:
    hook = FakeHook()
    return _hooked(
        hook,
        lambda url: {"url": f"{url}{PATH}?sig={SECRET}"},
        lambda notice: sum(notice.subject in asked.text for asked in hook.taken),
        secrets=(SECRET, PATH),
        tells=False,
    )


def alertmanager(request: pytest.FixtureRequest) -> Inbox:
    real = request.getfixturevalue("real_alertmanager")
    hook = FakeHook(behind=real)
    inbox = _hooked(
        hook,
        lambda url: {"urls": [url], "user": "vigia", "password": SECRET},
        lambda notice: len(standing(real, f'incident="{notice.facts["incident"]["id"]}"')),
        secrets=(SECRET,),
    )
    inbox.trusted = lambda: inbox.untrusted() | {"ca_file": str(own_certificate()[0])}
    return inbox


def apprise(_: pytest.FixtureRequest) -> Inbox:
    hook = FakeHook()

    def options(url: str) -> dict[str, Any]:
        parts = urlsplit(url)
        scheme = "jsons" if parts.scheme == "https" else "json"
        address = f"{scheme}://vigia:{SECRET}@{parts.netloc}{PATH}?rto=0.3&cto=0.3"
        return {"urls": [address], "allow": ["json", "jsons"]}

    return _hooked(
        hook,
        options,
        lambda notice: sum(asked.body["title"] == notice.subject for asked in hook.taken),
        secrets=(SECRET, PATH),
        tells=False,
        lasting=False,
    )


INBOXES: dict[str, Callable[[pytest.FixtureRequest], Inbox]] = {
    "alertmanager": alertmanager,
    "apprise": apprise,
    "email": email,
    "teams": teams,
    "webhook": webhook,
}
