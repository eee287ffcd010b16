"""`vigia audit`: what people did, and whether the trail of it is whole."""

from __future__ import annotations

from typing import Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, fail, found, length, now, show, stored

app = typer.Typer(no_args_is_help=True, help="What people did, who and when: list, verify.")


@app.command("list")
def audit_list(
    config: ConfigPath = CONFIG,
    *,
    incident: Annotated[str | None, typer.Option("--incident", help="Of this one alone.")] = None,
    since: Annotated[str, typer.Option("--since", metavar="LENGTH", help="So far back, such as 8h.")] = "24h",
    as_json: AsJson = False,
) -> None:
    """The acts, newest first: of one incident all, else those of the last day."""
    from monitor.people import found_incident
    from monitor.trail import trail

    with stored(config) as (settings, store):
        wanted = found(lambda: found_incident(store, incident)).id if incident is not None else ""
        back = None if wanted else now() - (length(since, "--since") or now() - now())
        show("shift_listing.show_acts", settings, trail(store, incident_id=wanted, since=back), as_json=as_json)


@app.command("verify")
def audit_verify(
    config: ConfigPath = CONFIG,
    *,
    head: Annotated[
        str, typer.Option("--head", help="A seal noted before (12 signs of it are enough): it must still be there.")
    ] = "",
    allow_purges: Annotated[
        bool, typer.Option("--allow-purges", help="Be content with a seal that only a purge since then still tells of.")
    ] = False,
) -> None:
    """Look whether any act was changed, taken out or put in since; 1 if so. It tells the newest seal, to be noted elsewhere.

    A purge seals all acts anew: of a seal from before it, 1 as well, unless --allow-purges says that it is known of.
    """
    from monitor.trail import LEAST, verify

    head = head.strip().lower()
    if head and len(head) < LEAST:
        raise typer.BadParameter(f"al menos {LEAST} letras del sello", param_hint="--head")
    with stored(config) as (_, store):
        seen = verify(store, head)
        if seen.broken:
            fail(f"la bitácora no está íntegra: {seen.broken}")
        if seen.rewritten:
            said = f"{seen.rewritten} selló de nuevo todo lo anterior: del sello {head[:LEAST]} solo queda lo que ella dice"
            if not allow_purges:
                fail(f"{said}; si esa purga se pidió, --allow-purges")
            typer.echo(said)
        typer.echo(
            f"{seen.acts} actos, íntegros; {seen.unsealed} de antes de haber sello; último sello: {seen.head or 'ninguno'}"
        )
