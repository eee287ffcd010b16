"""`vigia handover`: the hand-over of a shift (entrega de turno)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, Who, found, length, now, show, stored

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.config import Config
    from monitor.standing import Row
    from monitor.store import Store

app = typer.Typer(
    invoke_without_command=True, help="The hand-over of a shift: what is open and owed; sign it, list what was signed."
)
Since = Annotated[str, typer.Option("--since", metavar="LENGTH", help="How long the shift was.")]


def _of(settings: Config, store: Store, at: datetime, since: str) -> Row:
    from monitor.handover import SHIFT, handover

    began = at - (length(since, "--since") or SHIFT)
    written, zone = settings.maintenance, settings.monitor.timezone
    guides = settings.words.guides
    return found(lambda: handover(store, settings.promises, written, zone, at, began, guides))  # type: ignore[no-any-return]


@app.callback()
def handover_now(
    context: typer.Context, config: ConfigPath = CONFIG, since: Since = "8h", *, as_json: AsJson = False
) -> None:
    """What the next shift must know, as a text to be pasted into a mail."""
    if context.invoked_subcommand is None:
        with stored(config) as (settings, store):
            show("shift_listing.show_handover", settings, _of(settings, store, now(), since), as_json=as_json)


@app.command("sign")
def handover_sign(
    who: Who,
    to: Annotated[str, typer.Option("--to", help="Who takes over.")] = "",
    text: Annotated[str, typer.Option("--text", help="What else they must know.")] = "",
    config: ConfigPath = CONFIG,
    since: Since = "8h",
) -> None:
    """Keep it as it stands now, signed."""
    from zoneinfo import ZoneInfo

    from monitor.handover import sign

    with stored(config) as (settings, store):
        at, zone = now(), ZoneInfo(settings.monitor.timezone)
        row = _of(settings, store, at, since)
        typer.echo(found(lambda: sign(store, row, zone, who, at, to=to, text=text))["id"])


@app.command("list")
def handover_list(config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """Those that were signed, the newest first."""
    from monitor.handover import signed

    with stored(config) as (settings, store):
        show("shift_listing.show_signed", settings, signed(store), as_json=as_json)
