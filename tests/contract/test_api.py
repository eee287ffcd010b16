"""The API keeps to its description: whatever is asked, no server error, and no answer that the description does not have."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from monitor.metrics import Metrics
from monitor.store import Store
from monitor.web import app
from tests.monitor.conftest import store  # noqa: F401 - the fixture
from tests.monitor.served import TOKENS, Guarded

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
DESCRIBED = app(Store("sqlite://"), Metrics(), lambda: (True, ""), lambda: datetime.now(UTC)).openapi()
CALLS = [(method.upper(), path) for path, methods in DESCRIBED["paths"].items() for method in methods]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def face(store: Store) -> Iterator[Guarded]:  # noqa: F811 - the fixture
    made = Guarded(store)
    yield made
    made.server.stop()


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_answers_as_described(face: Guarded, method: str, path: str) -> None:
    schema = schemathesis.openapi.from_dict(face.application.openapi())
    fit, unfit = (schema[path][method].as_strategy(generation_mode=mode) for mode in GenerationMode)
    seen: set[int] = set()

    @settings(max_examples=25, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(fit | unfit)
    def asked(case: Any) -> None:
        for user in ("carla", "ana", ""):
            headers = {"Authorization": f"Bearer {TOKENS[user]}"} if user else {}
            answer = case.call(base_url=face.address, headers=headers)
            case.validate_response(answer, checks=CHECKS)
            assert (answer.status_code == 401) == (not user)
            seen.add(answer.status_code)

    asked()
    assert seen - {401}


@pytest.mark.parametrize("path", sorted({path for _, path in CALLS}))
def test_what_is_not_described_is_refused(face: Guarded, path: str) -> None:
    for method in METHODS:
        if (method, path) not in CALLS:
            answer = face.ask(method, path, user="carla")
            unknown_act = method == "POST" and path.startswith("/api/v1/incidents/{incident_id}/")
            assert answer.status_code in ((422,) if unknown_act else (404, 405)), method
            assert set(answer.json()) == {"detail"}


def test_every_call_says_what_it_refuses_and_how(face: Guarded) -> None:
    for path, methods in face.application.openapi()["paths"].items():
        for method, call in methods.items():
            assert {"200", "401", "403", "422", "429", "503"} <= call["responses"].keys(), (method, path)
            assert "{" not in path or "404" in call["responses"], (method, path)
            for status, answer in call["responses"].items():
                told = answer["content"]
                trouble = {"application/json": {"schema": {"$ref": "#/components/schemas/Trouble"}}}
                assert told if status == "200" else told == trouble, (path, status)


def test_no_log_names_what_was_asked(face: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        face.get("/api/v1/clients/860555111?x=860555111", "ana", **{"X-Request-Id": "860555111"})
        face.get("/clientes/860555111")
    assert not [r for r in caplog.records if not r.name.startswith("urllib3") and "860555111" in r.getMessage()]
