"""`vigia client` and `vigia clients`: one client whole, and whom something touches now."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, found, now, show, stored, whoami


def client(nit: str, config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """One client: what they hold and how it is, what touches them, their cases, their last 90 days. Who looks is noted."""
    from monitor import portrait
    from monitor.reads import Reader

    with stored(config) as (settings, store):
        reader = Reader(whoami() or f"uid {os.getuid()}", "cli")
        row = found(lambda: portrait.client(store, nit, now(), reader, portrait.outlook(settings)))
        show("portraits.show_client", settings, row, as_json=as_json)


def clients(
    config: ConfigPath = CONFIG,
    *,
    crossed: Annotated[
        bool, typer.Option("--crossed", help="Those hit by two products at once or twice in a month, now or not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The clients whom an open incident touches, by priority; where impacts cross on them, that is said."""
    from monitor import portrait

    with stored(config) as (settings, store):
        rows = portrait.clients(store, now(), crossed=crossed, touched=not crossed)
        show("portraits.show_clients", settings, rows, as_json=as_json)
