"""`vigia rules`: what is watched."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli import CONFIG, AsJson, ConfigPath, configured, fail

if TYPE_CHECKING:
    from monitor.config import Config

NOBODY = (0, 0)
app = typer.Typer(no_args_is_help=True, help="The rules that are loaded.")


@app.command("list")
def rules_list(config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """What is watched, and whether what it found was useful."""
    from monitor.config import LATER

    settings = configured(config, LATER)
    specs = [rule.spec for rule in settings.rules()]
    found = _useful(settings)
    if as_json:
        rows = [
            {
                "name": spec.name, "kind": spec.kind, "by": spec.grain.by, "where": spec.grain.where, "window_minutes": spec.grain.minutes,
                "for_seconds": spec.for_.total_seconds(), "keep_firing_for_seconds": spec.keep_firing_for.total_seconds(),
                "min_total": spec.min_total, "severity": spec.severity, "guide": spec.guide,
                "useful": found.get(spec.name, NOBODY)[0], "not_useful": found.get(spec.name, NOBODY)[1],
            }
            for spec in specs
        ]  # fmt: skip
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for spec in specs:
        where = f" where {spec.grain.where}" if spec.grain.where else ""
        by = ", ".join(spec.grain.by) or "all"
        yes, no = found.get(spec.name, NOBODY)
        told = f"  useful {yes}, not {no}" if yes or no else ""
        typer.echo(f"{spec.name}  {spec.kind}  by {by}{where}  {spec.grain.minutes}m  {spec.severity}{told}")


Tests = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE]...", help="Files of tests; without, those in `tests` beside the rules."),
]


@app.command("test")
def rules_test(files: Tests = None, config: ConfigPath = CONFIG) -> None:
    """Unit tests of the rules: what comes minute by minute, and what they must say of it."""
    from monitor.config import STATELESS
    from monitor.faults import Fault
    from monitor.rule_tests import run, test_files

    settings = configured(config, STATELESS)
    faults: list[Fault] = []
    chosen = files or test_files(settings)
    failed = passed = 0
    for result in run(settings, chosen, faults):
        passed, failed = (passed, failed + 1) if result.failures else (passed + 1, failed)
        typer.echo(f"{'FAILED' if result.failures else 'ok    '}  {result.file}: {result.name}")
        for failure in result.failures:
            typer.echo(f"        {failure}")
    if faults:
        fail(*faults)
    if not passed + failed:
        fail(f"{config}: there are no tests: they are [[test]] entries in a folder `tests` beside the rules")
    typer.echo(f"{passed} passed, {failed} failed")
    if failed:
        raise typer.Exit(1)


@app.command("lint")
def rules_lint(config: ConfigPath = CONFIG) -> None:
    """What is allowed in a rule and seldom meant; exit 3 where anything is found."""
    from monitor.config import STATELESS
    from monitor.lint import findings
    from monitor.rule_tests import test_files

    settings = configured(config, STATELESS)
    found = findings(settings, test_files(settings))
    for one in found:
        sys.stdout.write(f"{one}\n")
    if found:
        raise typer.Exit(3)
    typer.echo(f"{config}: {len(settings.rule_factories)} rules, nothing found")


def _useful(settings: Config) -> dict[str, tuple[int, int]]:
    """By rule, how many of its incidents people found useful, and how many not; none where there is no state yet."""
    from monitor.people import rules_useful
    from monitor.store import Store, StoreError

    try:
        store = Store(settings.monitor.database)
        try:
            return rules_useful(store)
        finally:
            store.close()
    except StoreError:
        return {}
