"""`vigia sla`: the service promises of all tools' cases."""

from __future__ import annotations

from monitor.cli import CONFIG, AsJson, ConfigPath, now, show, stored


def sla(config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """By product how the promises stand, and every open case at risk or late, in whatever tool it is."""
    from monitor.sla import standing

    with stored(config) as (settings, store):
        show("tallies.show_sla", settings, standing(store, settings.promises, now()), as_json=as_json)
