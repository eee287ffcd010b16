"""The command line: thin; every command imports what it needs when it is called."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from monitor.ending import end_at_once

if sys.argv[1:2] == ["run"]:
    end_at_once()  # what is imported from here on takes a while

import typer

from monitor.cli import (
    CONFIG,
    ConfigPath,
    alerts,
    audit,
    cases,
    causes,
    clients,
    configured,
    fail,
    guides,
    handover,
    incidents,
    indicators,
    leads,
    maintenance,
    now,
    reads,
    rests,
    rules,
    silence,
    sla,
    stored,
    time,
)

app = typer.Typer(
    name="vigia", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="Watches a bank's payments, finds which clients a failure touches, and opens their cases before they call.",
)  # fmt: skip
demo_app = typer.Typer(no_args_is_help=True, help="The simulated bank.")
parts = {"incidents": incidents, "cases": cases, "silence": silence, "maintenance": maintenance, "handover": handover}
parts |= {"audit": audit, "rules": rules, "alerts": alerts, "guides": guides, "client": clients, "reads": reads}
for name, part in (*((name, module.app) for name, module in parts.items()), ("demo", demo_app)):
    app.add_typer(part, name=name)


@app.command()
def run(config: ConfigPath = CONFIG) -> None:
    """The daemon: until SIGTERM or Ctrl-C, after which it finishes what it has fetched and ends with 0 (143 or 130 before it is up)."""
    end_at_once()
    from monitor.daemon import CannotListen, NoBank, run_daemon

    with stored(config, people=False) as (settings, store):
        try:
            run_daemon(settings, store)
        except CannotListen as error:
            fail(error)
        except NoBank as error:
            fail(*error.args)


@app.command()
def once(config: ConfigPath = CONFIG) -> None:
    """One full cycle: poll, judge, deliver, once an hour drop what is past its retention; then exit."""
    from monitor.housekeeping import keep_house
    from monitor.logs import log_to_stderr
    from monitor.service import Service

    with stored(config, people=False) as (settings, store), store.alone():
        log_to_stderr()
        store.migrate()
        service = Service(settings, store)
        went_well = service.cycle()
        keep_house(service)
        if not went_well:
            fail(*(f"{name}: {error}" for name, error in service.errors.items()))


@app.command()
def check(
    config: ConfigPath = CONFIG,
    *,
    connect: Annotated[bool, typer.Option(help="Also try each source and desk.")] = False,
) -> None:
    """Read the configuration and the rules; every fault with its file and key."""
    from monitor.bereft import bereft_of
    from monitor.guides import unknown_guides
    from monitor.lateness import foreseen
    from monitor.rehearsal import rehearsed
    from monitor.written_out import written_out

    settings = configured(config)
    if wrong := [*written_out(config), *rehearsed(settings.words), *unknown_guides(settings)]:
        fail(*wrong)
    gone = (
        bereft_of(settings) if connect or settings.monitor.database.startswith("sqlite") else []
    )  # no server is asked
    sys.stderr.writelines(f"{warning}\n" for warning in gone)
    warned, only = len(gone), "" if connect else "; names of products and channels are looked up by --connect alone"
    if late := foreseen(settings):
        typer.echo(late)
    if connect:
        from monitor.connect import faults_of
        from monitor.unseen import unseen

        faults, strange = faults_of(settings, now()), unseen(settings)
        sys.stdout.writelines(f"{warning}\n" for warning in strange)
        if faults:
            raise typer.Exit(1)
        warned += len(strange)
    has = f"{len(settings.sources)} sources, {len(settings.rule_factories)} rules, {len(settings.desks)} desks"
    told = f", {warned} warning{'s' * (warned > 1)}" if warned else ""
    typer.echo(f"{config}: {has}: no fault{told}{only}")


@app.command()
def backtest(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the result files go.")],
    config: ConfigPath = CONFIG,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Act from here on; what lies before trains.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Up to here.")] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="CSV", help="What really happened, to compare with.")
    ] = None,
) -> None:
    """Replay history through the very same pipeline; nothing is sent."""
    from connectors import SourceError
    from monitor.backtest import RangeError, write
    from monitor.backtest import backtest as replay
    from monitor.config import REPLAYED
    from monitor.labels import LabelError, read_labels
    from monitor.left_out import few

    settings = configured(config, REPLAYED)
    zone = settings.monitor.timezone
    first, last = time(start, zone, "--from"), time(until, zone, "--until")
    if first and last and first >= last:
        raise typer.BadParameter("must be later than --from", param_hint="--until")
    try:
        known = read_labels(labels, zone) if labels else None
        with progress_bar() as progress:
            outcome = replay(settings, labels=known, start=first, until=last, progress=progress)
        write(outcome, out, zone)
    except (SourceError, LabelError, RangeError) as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror}")
    for source, reject in outcome.rejects:
        sys.stderr.write(f"{source}: {reject.where}: {reject.why}\n")
    if more := outcome.rejected - len(outcome.rejects):
        sys.stderr.write(f"{more} more rows could not be used\n")
    for source, statuses in outcome.unknown_statuses.items():
        sys.stderr.write(f"{source}: statuses that no class names, counted as other: {few(statuses)}\n")
    for source, rows in (+outcome.wrong_digits).items():
        sys.stderr.write(f"{source}: {rows} rows of clients with a wrong check digit\n")
    shown = {key: value for key, value in outcome.summary.items() if key != "labels"}
    typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, silence elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda what, done, whole: bar.update(task, description=what, completed=done, total=whole or None)


@app.command()
def score(
    source: Annotated[Path, typer.Argument(metavar="IN.csv", help="Rows of timestamp,value.")],
    detector: Annotated[str, typer.Option(metavar="KIND", help="The kind of detector.")] = "residuals",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="OUT.csv", help="Where to; standard output if not given.")
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="Of times without offset, and of the clock that seasons follow.")
    ] = "UTC",
) -> None:
    """One strictly online pass of a detector over a file of timestamp,value."""
    from monitor.score import ScoreError, score_csv

    try:
        score_csv(source, out, kind=detector, timezone=timezone)
    except (ScoreError, LookupError) as error:
        fail(error.args[0])
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")


app.command("causes")(causes.causes)
app.command("sla")(sla.sla)
app.command("clients")(clients.clients)
app.command("leads")(leads.leads)
app.command("indicators")(indicators.indicators)
app.command("rests")(rests.rests)
app.command("search")(guides.search)


@demo_app.command("month")
def demo_month(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another bank, and another month of the year.")] = 1,
    days: Annotated[int, typer.Option(min=1, max=60, help="How many.")] = 30,
    *,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
) -> None:
    """A month of transactions, clients and cases as files, with labels of all that fails in it."""
    from monitor.demo.month import month, write_month

    try:
        if not force and out.is_dir() and any(out.iterdir()):
            fail(f"{out}: is not empty: choose another folder, or --force to write over what is there")
        made = month(seed, days)
        rows = write_month(made, out)
    except OSError as error:
        fail(f"{error.filename or out}: {error.strerror}")
    typer.echo(
        f"{out}: {rows} rows of {days} days from {made.start.date()}, {len(made.schedule.failures)} failures;"
        f" vigia backtest --config {out}/config.toml --labels {out}/labels.csv --out {out}/result"
    )


def main() -> None:
    """The console command."""
    app(prog_name="vigia")


if __name__ == "__main__":
    main()
