"""`vigia client`, `vigia client purge` and `vigia clients`: one client whole, or taken out for good; and whom something touches now."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from monitor.cli import CONFIG, AsJson, ConfigPath, fail, found, now, show, stored, warn, whoami


class Whole(TyperGroup):
    """`vigia client NIT` is `vigia client show NIT`."""

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override] # typer's is click's
        """What is no command's name is a client's."""
        return super().resolve_command(ctx, args if args[0] in self.commands else ["show", *args])


app = typer.Typer(
    cls=Whole, no_args_is_help=True, help="One client: `vigia client NIT` shows them.",
    context_settings={"ignore_unknown_options": True},
)  # fmt: skip


@app.command("show")
def client(nit: str, config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """One client: what they hold and how it is, what touches them, their cases, their last 90 days. Who looks is noted."""
    from monitor import portrait
    from monitor.reads import Reader

    with stored(config) as (settings, store):
        reader = Reader(whoami() or f"uid {os.getuid()}", "cli")
        warn(settings, store)
        row = found(lambda: portrait.client(store, nit, now(), reader, portrait.outlook(settings)))
        show("portraits.show_client", settings, row, as_json=as_json)


@app.command("purge")
def purge(
    nit: str,
    config: ConfigPath = CONFIG,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why: the request, the end of the relation.")],
    by: Annotated[str, typer.Option("--by", help="Who ordered it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a client out for good: name, contacts, holdings, doubts and what their cases say go; a random name stands in what is counted.

    Take them out of the sources first, or the next reading brings them back.
    """
    from monitor import purge as purging

    with stored(config) as (_, store):
        if not yes:
            if not sys.stdin.isatty():
                fail("nothing was done: say --yes where nobody can be asked")
            typer.confirm("Their data cannot be brought back. Go on?", abort=True)
        done = found(lambda: purging.purge(store, nit, reason, by, now()))
        rows = ", ".join(f"{name} {many}" for name, many in done.touched.items())
        typer.echo(f"{done.alias}: {rows}; a running service forgets them at its next restart")


def clients(
    config: ConfigPath = CONFIG,
    *,
    crossed: Annotated[
        bool, typer.Option("--crossed", help="Those hit by two products at once or twice in a month, now or not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The clients whom an open incident touches, by priority; where impacts cross on them, that is said."""
    from monitor import clientele

    with stored(config) as (settings, store):
        rows = clientele.clients(store, now(), crossed=crossed, touched=not crossed)
        show("portraits.show_clients", settings, rows, as_json=as_json)
        warn(settings, store)
