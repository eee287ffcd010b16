"""The webhook: what it says keeps to its schema, and whoever gets it can tell that it is ours."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import monitor.web
from connectors import Notice
from connectors.receivers.webhook import Webhook
from tests.fake_api import Asked, Said
from tests.fake_hook import FakeHook
from tests.notices import breach_notice, digest_notice, fault_notice, incident_notice

SCHEMA = Path(monitor.web.__file__).parent / "static" / "notice-1.schema.json"
SECRET = "s3cret-of-the-hook"  # noqa: S105 - of a fake
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
NOTICES = [
    *(incident_notice(event=event) for event in ("first", "update", "end")), fault_notice(), fault_notice(event="end"),
    breach_notice(), digest_notice(), digest_notice("summary"),
]  # fmt: skip


@pytest.fixture
def hook() -> Iterator[FakeHook]:
    with FakeHook() as made:
        yield made


def sent(hook: FakeHook, notice: Notice, **options: Any) -> Asked:
    receiver = Webhook(**{"url": f"{hook.url}/notices?team=torre", "secret": SECRET, **options})
    receiver.clock = lambda: NOW
    receiver.session.sleep = lambda _: None
    receiver.send(notice)
    return hook.taken[-1]


def faults(body: Any) -> list[str]:
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()), validate_formats=True)
    return [error.message for error in validator.iter_errors(body)]


@pytest.mark.parametrize("notice", NOTICES, ids=lambda n: f"{n.facts['news']}-{n.event}")
def test_every_kind_of_notice_keeps_to_the_schema(hook: FakeHook, notice: Notice) -> None:
    assert faults(sent(hook, notice).body) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": "vigia.notice/2"}, {"event": "again"}, {"news": "gossip"}, {"at": "yesterday"}, {"key": ""},
        {"incident": {"id": "x"}}, {"clients": {"affected": -1}}, {"news": "fault"}, {"subject": None},
    ],
    ids=str,
)  # fmt: skip
def test_the_schema_refuses_what_is_wrong(hook: FakeHook, wrong: dict[str, Any]) -> None:
    assert faults(sent(hook, incident_notice()).body | wrong) != []


def test_facts_and_words_arrive_under_the_notices_own_name(hook: FakeHook) -> None:
    notice = replace(incident_notice(), to="ana@banco.example")
    asked = sent(hook, notice)
    expected = {**notice.facts, "subject": notice.subject, "text": notice.text, "to": "ana@banco.example"}
    assert asked.body == expected | {"key": notice.key, "thread": notice.thread, "event": "first"}
    assert asked.query == {"team": "torre"}
    assert asked.headers["x-vigia-event"] == "first"


def test_the_signature_covers_time_and_body(hook: FakeHook) -> None:
    asked = sent(hook, incident_notice())
    seconds, _, signature = asked.headers["x-vigia-signature"].partition(",")
    signed = hmac.new(SECRET.encode(), f"{int(NOW.timestamp())}.{asked.text}".encode(), sha256).hexdigest()
    assert (seconds, signature) == (f"t={int(NOW.timestamp())}", f"v1={signed}")
    other = sent(hook, incident_notice(), secret="another-s3cret-of-16")
    assert other.headers["x-vigia-signature"].partition(",")[2] != signature


def test_what_is_asked_again_carries_the_same_key(hook: FakeHook) -> None:
    notice = replace(incident_notice(), key="aviso/día 1")
    hook.faults = [Said(503)]
    hook.after = [Said(502)]
    sent(hook, notice)
    assert {asked.headers["idempotency-key"] for asked in hook.asked} == {"aviso/d%C3%ADa%201"}
    assert len(hook.asked) == 3


def test_check_leaves_the_address_itself_alone(hook: FakeHook) -> None:
    line = Webhook(url=f"{hook.url}/notices/s3cret", secret=SECRET).check()
    assert line.startswith(f"{hook.url}/...: its server answers")
    assert [(asked.method, asked.path) for asked in hook.asked] == [("GET", "/")]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"secret": "short"}, "^secret: must have at least 16"),
        ({"url": "ftp://hook.example"}, "^url: must be an address"),
        ({"url": "https://user:pass@hook.example"}, "^url: holds a name or password"),
        ({"ca_file": "nowhere.pem"}, "^ca_file: no such file"),
    ],
)
def test_wrong_options_are_told_with_their_key(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Webhook(**{"url": "https://hook.example/", "secret": SECRET, **options})
