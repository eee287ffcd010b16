"""`vigia rests`: what rests on what."""

from __future__ import annotations

from monitor.cli import CONFIG, AsJson, ConfigPath, now, show, stored


def rests(config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """What was declared to rest on what, how often both were seen failing together, and what the past suggests besides."""
    from monitor.together import rested

    with stored(config) as (settings, store):
        show("tallies.show_rests", settings, rested(store, settings.rests, now()), as_json=as_json)
