"""A person logs in with a real browser: what it sends along and what it keeps to itself are its own affair."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.monitor.conftest import store  # noqa: F401 - the fixture
from tests.monitor.served import TOKENS, Guarded
from tests.programs import needed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from monitor.store import Store

CALM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture
def page() -> Iterator[Page]:
    needed("chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - where there is a browser

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CALM)
        yield browser.new_page()
        browser.close()


def test_in_by_a_link_in_a_mail_and_out(store: Store, page: Page) -> None:  # noqa: F811 - the fixture
    face, wrong = Guarded(store), []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(f"{face.address}/clientes")
    assert page.url == f"{face.address}/entrar?next=/clientes"
    page.get_by_label("Su token").fill("no-es-un-token")
    page.get_by_role("button", name="Entrar").click()
    assert page.get_by_role("alert").filter(has_text="Ese token no es de nadie.").is_visible()
    page.get_by_label("Su token").fill(TOKENS["ana"])
    page.get_by_role("button", name="Entrar").click()
    page.wait_for_url(f"{face.address}/clientes")
    assert "Aceros del Istmo" in page.inner_text("main")
    assert "Molinos" not in page.content()
    # A mail's page is another site: the browser keeps the session to itself until our own page asks.
    page.goto(f"data:text/html,<a href='{face.address}/clientes'>Ver</a>")
    page.get_by_text("Ver").click()
    page.wait_for_url(f"{face.address}/clientes")
    assert "Aceros del Istmo" in page.inner_text("main")
    page.get_by_role("button", name="Salir").click()
    page.wait_for_url(f"{face.address}/entrar")
    page.goto(f"{face.address}/")
    assert page.url == f"{face.address}/entrar?next=/"
    assert [text for text in wrong if "401" not in text] == []
    face.server.stop()
