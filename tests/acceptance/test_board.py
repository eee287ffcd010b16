"""The board in real Chromium, on a wall and on a phone, in both lights: what people do on it, and that anybody can read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from alerts import Changes
from monitor import people
from monitor import tables as t
from monitor.metrics import Metrics
from monitor.pipeline import Status
from monitor.store import Step, Store
from monitor.web import app, serve
from rules import Scope, Severity, Verdict
from tests.crowd import crowd
from tests.programs import needed

if TYPE_CHECKING:
    from monitor.web import Server

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
WALL, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
NOW = datetime.now(UTC).astimezone(ZoneInfo("America/Bogota"))
SERIOUS = {"serious", "critical"}


@dataclass
class Bank:
    """A served state with eleven incidents and sixty clients."""

    store: Store
    server: Server
    metrics: Metrics
    ids: list[str] = field(default_factory=list)

    def commit(self, *incidents: Any) -> None:
        self.store.commit(Step(changes=Changes(incidents={one.id: one for one in incidents})), NOW)


@pytest.fixture
def bank(tmp_path: Any) -> Iterator[Bank]:
    store = Store(f"sqlite:///{tmp_path / 'vigia.db'}")
    store.migrate()
    crowd(store, NOW, incidents=11, clients=60)
    metrics = Metrics(sources=["core"])
    metrics.source("core", up=True, lag=4.0)
    metrics.cycle(NOW)
    metrics.stepped(NOW)
    places = (("pagos", Verdict.BREACH, 0.4, 0.99), ("swift", Verdict.UNKNOWN, 0.0, 0.0))
    metrics.statuses(
        [Status("fallas", Scope(place), verdict, value, 0.01, score) for place, verdict, value, score in places]
    )
    server = serve(app(store, metrics, lambda: (True, ""), lambda: NOW, measures={"fallas": "failed"}), "127.0.0.1:0")
    yield Bank(store, server, metrics, [row["id"] for row in people.incidents(store, NOW, state="open")])
    server.stop()
    store.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = needed("chromium")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser, bank: Bank) -> Iterator[Page]:
    """On the board, at the width of a wall; nothing may be said on its console."""
    context = browser.new_context(viewport=WALL, base_url=bank.server.address, locale="es-CO")
    made = context.new_page()
    said: list[str] = []
    made.on("console", lambda message: said.append(message.text))
    made.on("pageerror", lambda error: said.append(str(error)))
    made.goto("/")
    yield made
    context.close()
    assert said == []


def pages(bank: Bank) -> list[str]:
    """Each kind of page that there is."""
    client = people.incident(bank.store, bank.ids[0], NOW)["affected_clients"][0]["client_id"]
    incident = f"/incidents/{bank.ids[0]}"
    return [
        "/",
        incident,
        f"{incident}?touch=exposed",
        "/casos",
        "/clientes",
        f"/clientes/{client}",
        "/reglas",
        "/guias",
        "/guias/pagos/fallas",
        "/turno",
        "/api/docs",
    ]


@pytest.mark.parametrize("light", ["light", "dark"])
@pytest.mark.parametrize("size", [WALL, PHONE], ids=["wall", "phone"])
def test_anybody_can_read_every_page(browser: Browser, bank: Bank, light: Any, size: Any):
    context = browser.new_context(
        viewport=size, base_url=bank.server.address, color_scheme=light, reduced_motion="reduce"
    )
    page, found = context.new_page(), []
    for path in pages(bank):
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], f"{path} scrolls sideways: {wide}"
        for fault in Axe().run(page).response["violations"]:
            if fault["impact"] in SERIOUS:
                found += [
                    f"{path}: {fault['id']}: {node['html'][:150]} {node['any'][:1]}" for node in fault["nodes"][:3]
                ]
    context.close()
    assert found == []


@pytest.mark.parametrize("size", [WALL, PHONE], ids=["wall", "phone"])
def test_a_long_name_makes_no_page_wider(browser: Browser, bank: Bank, size: Any):
    name = "Comercializadora" + "deproductosagroindustriales" * 3
    store, told = bank.store, people.incident(bank.store, bank.ids[0], NOW)["affected_clients"][0]["client_id"]
    (client,) = store.clients(t.clients.c.client_id == told)
    store.commit(Step(clients=[replace(client, name=name)]), NOW)
    bank.metrics.source("transacciones_del_core_bancario_de_la_casa_matriz", up=False)
    context = browser.new_context(viewport=size, base_url=bank.server.address)
    page = context.new_page()
    for path in pages(bank):
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], f"{path} scrolls sideways: {wide}"
    context.close()


def test_from_the_board_to_what_fails_and_back_by_keys_alone(page: Page):
    expect(page.locator("h1")).to_have_text("11 afectaciones abiertas")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator(".card").nth(1)
    expect(second.locator("h3 a")).to_be_focused()
    title = second.locator("h3").inner_text()
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/incidents/*")
    expect(page.locator("h1")).to_have_text(title)
    page.keyboard.press("?")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Nombre o NIT")).to_be_focused()
    page.keyboard.type("Inventado 1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=Inventado"))


def test_a_key_counts_as_soon_as_the_help_is_closed(page: Page, bank: Bank):
    """Until the next frame is drawn the closed help still has the focus: all in one go here, as on a busy machine."""
    page.goto(f"/incidents/{bank.ids[0]}")
    page.evaluate(
        """() => {
            const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            press("?"); press("/");
            if (document.activeElement.matches("input")) throw new Error("the open help let a key through");
            document.getElementById("teclas").close(); press("/");
            if (!document.activeElement.matches(".filter input")) throw new Error("the key was lost");
        }"""
    )


def test_somebody_takes_it_on_notes_and_calls_it_over(page: Page, bank: Bank):
    page.goto(f"/incidents/{bank.ids[0]}")
    page.locator("#act-ack summary").click()
    page.locator("#act-ack").get_by_label("Quién lo hace").fill("Mesa de turno")
    page.locator("#act-ack").get_by_role("button").click()
    expect(page.locator("#head")).to_contain_text("la atiende Mesa de turno")
    page.locator("#act-note summary").click()
    page.locator("#act-note textarea").fill("N2 revisa el enlace")
    expect(page.locator("#act-note")).to_contain_text("A nombre de Mesa de turno")
    page.locator("#act-note").get_by_role("button").click()
    expect(page.locator(".timeline")).to_contain_text("N2 revisa el enlace")
    page.locator("#act-resolve summary").click()
    page.locator("#act-resolve").get_by_role("button").click()
    expect(page.locator("#head .badge")).to_have_text("Resuelta")
    page.goto("/")
    expect(page.locator("h1")).to_have_text("10 afectaciones abiertas")
    expect(page.locator("#lately")).to_contain_text("la cerró Mesa de turno")


def test_whoever_informs_clients_says_once_who_they_are(page: Page, bank: Bank):
    with_cases = next(i for i in bank.ids if people.incident(bank.store, i, NOW)["cases"])
    page.goto(f"/incidents/{with_cases}")
    expect(page.get_by_role("button", name="Marcar como informado")).to_have_count(0)
    page.locator("#who-informs summary").click()
    page.get_by_label("Su nombre").fill("Mesa de turno")
    page.get_by_role("button", name="Seguir").click()
    told = page.get_by_role("button", name="Marcar como informado")
    expect(told).not_to_have_count(0)
    many = told.count()
    told.first.click()
    expect(told).to_have_count(many - 1)
    expect(page.locator(".timeline")).to_contain_text("1 cliente informado")


def test_the_navigation_is_one_line_on_a_phone(browser: Browser, bank: Bank):
    context = browser.new_context(viewport=PHONE, base_url=bank.server.address)
    page = context.new_page()
    for lang in ("es", "en"):
        page.goto(f"/?lang={lang}")
        tops = page.evaluate(
            "[...document.querySelectorAll('header nav li')].map((li) => li.getBoundingClientRect().top)"
        )
        assert len(set(tops)) == 1
        ul = page.locator("header nav ul")
        assert ul.evaluate("(node) => node.scrollWidth <= node.clientWidth"), f"{lang}: not all of it is in sight"
    context.close()


def test_a_filter_leaves_what_it_says(page: Page):
    page.get_by_label("Severidad").select_option("minor")
    expect(page).to_have_url(re.compile("severity=minor"))
    expect(page.locator(".card .badge").first).to_have_text("Menor")
    assert set(page.locator(".card .badge").all_inner_texts()) == {"Menor"}
    page.get_by_role("link", name="Quitar el filtro").click()
    expect(page.locator(".card")).to_have_count(6)
    page.get_by_role("link", name="Ver las otras 5").click()
    expect(page.locator(".card")).to_have_count(11)


def test_it_renews_itself_and_leaves_alone_what_did_not_change(page: Page, bank: Bank):
    page.clock.install()
    page.goto("/?all=1")
    page.keyboard.press("j")
    page.evaluate("document.querySelectorAll('.card').forEach((card) => card.known = true); window.scrollTo(0, 300)")
    first = page.evaluate("document.activeElement.closest('.card').id")
    held = bank.store.incidents(t.incidents.c.id == bank.ids[0])[0]
    bank.commit(replace(held, id="AF-nueva", scope=Scope("pasarela_pagos"), severity=Severity.MINOR))
    page.clock.run_for(11_000)
    expect(page.locator("h1")).to_have_text("12 afectaciones abiertas")
    expect(page.locator("#AF-nueva h3")).to_have_text("Pasarela de Pagos")
    assert page.evaluate("[...document.querySelectorAll('.card')].filter((card) => card.known).length") == 11
    assert page.evaluate("document.activeElement.closest('.card').id") == first
    assert page.evaluate("window.scrollY") > 100
    expect(page.locator("#said")).to_contain_text("Nueva afectación: Pasarela de Pagos.")


def test_a_board_that_cannot_renew_says_so(browser: Browser, bank: Bank):
    context = browser.new_context(viewport=WALL)
    page = context.new_page()
    page.clock.install()
    page.goto(bank.server.address)
    page.route("**/*", lambda route: route.abort())
    page.clock.run_for(11_000)
    expect(page.locator("#lost")).to_contain_text("Sin conexión con Vigía")
    page.unroute("**/*")
    page.clock.run_for(11_000)
    expect(page.locator("#lost")).to_be_hidden()
    context.close()


def test_a_curve_is_looked_at_closely(page: Page, bank: Bank):
    page.goto(f"/incidents/{bank.ids[0]}")
    expect(page.locator(".chart canvas")).to_be_visible()
    page.locator(".chart .u-over").hover()
    expect(page.locator(".chart .u-legend .u-value").nth(4)).not_to_have_text("—")


def test_without_script_all_of_it_is_there(browser: Browser, bank: Bank):
    context = browser.new_context(viewport=PHONE, java_script_enabled=False, base_url=bank.server.address)
    page = context.new_page()
    page.goto("/")
    assert page.locator("noscript").count() == 1
    assert page.locator(".spark svg").count() == 6
    page.locator(".card h3 a").first.click()
    expect(page.locator(".chart svg")).to_be_visible()
    page.locator("#act-ack summary").click()
    expect(page.locator("#act-ack form")).to_be_visible()
    context.close()


def test_english_and_dark_are_kept(page: Page):
    page.get_by_role("link", name="English").click()
    expect(page.locator("h1")).to_have_text("11 open incidents")
    page.get_by_role("link", name="Dark").click()
    page.goto("/reglas")
    expect(page.locator("h1")).to_have_text("What the rules say now")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(10, 15, 28)"
