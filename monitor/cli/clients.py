"""`vigia client`: one client whole."""

from __future__ import annotations

from monitor.cli import CONFIG, AsJson, ConfigPath, found, now, show, stored


def client(nit: str, config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """One client: what they hold and how it is, what touches them, their cases."""
    from monitor import people

    with stored(config) as (settings, store):
        show("show_client", settings, found(lambda: people.client(store, nit, now())), as_json=as_json)
