"""`vigia guides` and `vigia search`: what to do first, and what there is by a word or a number."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, configured, fail, show, stored

app = typer.Typer(no_args_is_help=True, help="First-instance guides: list, show.")
Language = Annotated[
    Literal["es", "en"] | None, typer.Option("--language", help="es or en; as [words] says if not given.")
]


@app.command("list")
def guides_list(
    place: Annotated[str, typer.Argument(help="Of this product or channel alone.")] = "",
    config: ConfigPath = CONFIG,
    *,
    language: Language = None,
    as_json: AsJson = False,
) -> None:
    """The guides, by place and way of failure."""
    from monitor import searching
    from monitor.config import STATELESS

    settings = configured(config, STATELESS)
    rows = [row for row in searching.guide_rows(settings, language) if not place or row["id"].startswith(f"{place}/")]
    show("searching.show_guides", settings, rows, as_json=as_json)


@app.command("show")
def guides_show(guide: str, config: ConfigPath = CONFIG, *, language: Language = None, as_json: AsJson = False) -> None:
    """One guide: first solution, escalation, contingency, and what the client is told."""
    from monitor import searching
    from monitor.config import STATELESS

    settings = configured(config, STATELESS)
    row = next((row for row in searching.guide_rows(settings, language) if row["id"] == guide), None)
    if row is None:
        fail(f"no hay una guía «{guide}»; vigia guides list las nombra")
    show("searching.show_guide", settings, row, as_json=as_json)


def search(text: str, config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """Guides by their words, incidents and cases by their number."""
    from monitor import searching

    with stored(config) as (settings, store):
        show("searching.show_found", settings, searching.search(store, settings, text), as_json=as_json)
