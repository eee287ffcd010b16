"""The first page of a board with nothing on it, and of one in a very bad hour: 200 incidents that touch 100,000 clients.

Then the other pages and calls where one incident touches all 100,000 of them, who are shared out among 300 assistants; and the facts
of the notices to these.

Server time: from asking to the page's last byte. First paint: first-contentful-paint in Chromium, the page loaded afresh, the files it
names from the browser's cache as on any but the very first visit. cold: the first page after the judging thread has changed every
incident; else what was counted is still kept, as it is between two steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import requests

from monitor.facts import Recipient, at_once, incident_facts
from monitor.metrics import Metrics
from monitor.store import Store
from monitor.web import app, serve
from tests.bench import Figure, seconds
from tests.crowd import assistant, crowd

TIMES = 9
CLIENTS, ASSISTANTS = 100_000, 300
ONE = "/incidents/{}"
PAGES = {
    "its page": ONE,
    "  the last of its clients": ONE + "?page=100000",
    "  one looked for by name": ONE + "?q=inventado%2077777",
    "its call, the first 500 of each list": "/api/v1/incidents/{}",
    "  the first 100": "/api/v1/incidents/{}?limit=100",
    "its clients as CSV, all": "/api/v1/incidents/{}/clients.csv",
    "/": "/",
    "/turno": "/turno",
    "/casos": "/casos",
    "/clientes": "/clientes",
    "/api/v1/incidents": "/api/v1/incidents",
    "/api/v1/cases?limit=100": "/api/v1/cases?limit=100",
    "/api/v1/clients?limit=100": "/api/v1/clients?limit=100",
}
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def figures() -> Iterator[Figure]:
    """Empty and full in turn, so that a busy machine slows both alike."""
    now = datetime.now(UTC)
    with TemporaryDirectory(prefix="vigia-board-") as folder:
        stores = [Store(f"sqlite:///{Path(folder) / name}.db") for name in ("empty", "full")]
        for store, (incidents, clients) in zip(stores, ((0, 0), (200, 100_000)), strict=True):
            store.migrate()
            crowd(store, now, incidents=incidents, clients=clients, over=0 if not incidents else 6)
        servers = [serve(app(store, Metrics(), lambda: (True, ""), lambda: now), "127.0.0.1:0") for store in stores]
        try:
            yield from _asked([server.address for server in servers], stores[1])
            yield from _painted([server.address for server in servers])
        finally:
            for server in servers:
                server.stop()
            for store in stores:
                store.close()
        yield from _wide(Store(f"sqlite:///{Path(folder) / 'wide'}.db"), now)


def _wide(store: Store, now: datetime) -> Iterator[Figure]:
    """Each page first as it is right after a step that has changed every incident, then as it is until the next."""
    store.migrate()
    crowd(store, now, incidents=200, clients=CLIENTS, wide=True, assistants=ASSISTANTS)
    first = next(one.id for one in store.incidents() if one.id.endswith("-000000"))
    server, session = serve(app(store, Metrics(), lambda: (True, ""), lambda: now), "127.0.0.1:0"), requests.Session()
    try:
        for what, path in PAGES.items():
            address = server.address + path.format(first)

            def ask(address: str = address) -> None:
                session.get(address, timeout=120).raise_for_status()

            cold, warm = [], []
            for _ in range(3):
                store.note(list(store.changed))
                (one,) = seconds(ask, times=1)
                (other,) = seconds(ask, times=1)
                cold += one
                warm += other
            yield Figure(
                f"wide: {what}", 1000 * median(cold), "ms", f"until the next step: {1000 * median(warm):,.0f} ms"
            )

        cpu = []
        for _ in range(3):
            began = process_time()
            _tell(store, first, now)
            cpu.append(process_time() - began)
        yield Figure(
            f"wide: facts for {ASSISTANTS} assistants, CPU",
            1000 * median(cpu),
            "ms",
            "at most 200 clients named to each",
        )
    finally:
        server.stop()
        store.close()


def _tell(store: Store, incident: str, now: datetime) -> None:
    """As a pass of the notifier does it."""
    all_of_them = sorted(
        (Recipient("correo", assistant(n), role="post_sale") for n in range(ASSISTANTS)), key=lambda to: to.to
    )
    once = at_once((incident, to) for to in all_of_them)
    for to in all_of_them:
        incident_facts(store, incident, to, now, once=once)


def _asked(addresses: list[str], full: Store) -> Iterator[Figure]:
    session = requests.Session()

    def ask(address: str) -> None:
        session.get(address, timeout=60).raise_for_status()

    (cold,) = seconds(lambda: ask(addresses[1]), times=1)
    empty, busy = seconds(*(lambda a=a: ask(a) for a in addresses), times=TIMES)  # type: ignore[misc]  # a bound default
    for key in full.changed:
        full.changed[key] += 1
    (again,) = seconds(lambda: ask(addresses[1]), times=1)
    yield Figure("server time, empty board", 1000 * median(empty), "ms")
    yield Figure("server time, 200 incidents, 100,000 clients", 1000 * median(busy), "ms", "the empty one")
    yield Figure("  cold: right after every incident has changed", 1000 * again[0], "ms", "once a step")
    yield Figure("  the very first page of a process", 1000 * cold[0], "ms")


def _painted(addresses: list[str]) -> Iterator[Figure]:
    chromium = which("chromium")
    if chromium is None:
        yield Figure("first paint", float("nan"), "", "no chromium here: not measured")
        return
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - where there is a browser

    found: list[list[float]] = [[], []]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        pages = [browser.new_page(viewport={"width": 1280, "height": 900}) for _ in addresses]
        for turn in range(TIMES + 2):
            for page, address, taken in zip(pages, addresses, found, strict=True):
                page.goto(address, wait_until="load")
                page.wait_for_timeout(150)
                if turn > 1:  # the first ones fill the cache
                    taken.append(float(page.evaluate(PAINT)))
        browser.close()
    yield Figure("first paint, empty board", median(found[0]), "ms")
    yield Figure("first paint, 200 incidents, 100,000 clients", median(found[1]), "ms", "the empty one")
    yield Figure("  ratio", median(b / a for a, b in zip(*found, strict=True)), "", "at most 1.5")
