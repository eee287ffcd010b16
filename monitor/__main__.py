"""The command line: thin; every command imports what it needs when it is called."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from monitor.ending import end_at_once

if sys.argv[1:2] == ["run"]:
    end_at_once()  # what is imported from here on takes a while

import typer

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.store import Store

app = typer.Typer(
    name="vigia", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="Watches a bank's payments, finds which clients a failure touches, and opens their cases before they call.",
)  # fmt: skip
incidents_app = typer.Typer(no_args_is_help=True, help="What fails or failed: list, show, ack, resolve, note.")
cases_app = typer.Typer(no_args_is_help=True, help="The preventive cases.")
rules_app = typer.Typer(no_args_is_help=True, help="The rules that are loaded.")
demo_app = typer.Typer(no_args_is_help=True, help="The simulated bank.")
for name, part in (("incidents", incidents_app), ("cases", cases_app), ("rules", rules_app), ("demo", demo_app)):
    app.add_typer(part, name=name)


def whoami() -> str:
    """The user of this session; '' where the system has no name for it, and --who must say."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


ConfigPath = Annotated[Path, typer.Option("--config", metavar="FILE", help="The configuration.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Who = Annotated[
    str,
    typer.Option("--who", help="Who does it.", default_factory=whoami, show_default="the user of this session"),
]
CONFIG = Path("config.toml")


def fail(*lines: object) -> NoReturn:
    """A fault a line on stderr, and exit 1."""
    for line in lines:
        sys.stderr.write(f"{line}\n")
    raise typer.Exit(1)


def configured(path: Path) -> Config:
    """The configuration, or every fault of it and exit 1."""
    from monitor.config import read_config
    from monitor.faults import ConfigError

    try:
        if not (there := path.expanduser()).exists():
            fail(f"{path}: no such file")
        return read_config(there)
    except ConfigError as error:
        fail(*error.faults)


@contextmanager
def stored(path: Path) -> Iterator[tuple[Config, Store]]:
    """The configuration and its state."""
    from monitor.store import Store, StoreError

    config = configured(path)
    try:
        store = Store(config.monitor.database)
    except StoreError as error:
        fail(error)
    try:
        yield config, store
    except StoreError as error:
        fail(error)
    finally:
        store.close()


def time(text: str | None, zone: str, option: str) -> datetime | None:
    """A time from the command line; without offset it is the bank's own."""
    from zoneinfo import ZoneInfo

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        what = f"{text!r} is not a time: write it as 2026-03-03 or 2026-03-03T14:30:00-05:00"
        raise typer.BadParameter(what, param_hint=option) from None


@app.command()
def run(config: ConfigPath = CONFIG) -> None:
    """The daemon: until SIGTERM or Ctrl-C, after which it finishes what it has fetched and ends with 0 (143 or 130 before it is up)."""
    end_at_once()
    from monitor.daemon import CannotListen, NoBank, run_daemon

    with stored(config) as (settings, store):
        try:
            run_daemon(settings, store)
        except CannotListen as error:
            fail(error)
        except NoBank as error:
            fail(*error.args)


@app.command()
def once(config: ConfigPath = CONFIG) -> None:
    """One full cycle: poll, judge, deliver; then exit."""
    from monitor.logs import log_to_stderr
    from monitor.service import Service

    log_to_stderr()
    with stored(config) as (settings, store), store.alone():
        store.migrate()
        service = Service(settings, store)
        if not service.cycle():
            fail(*(f"{name}: {error}" for name, error in service.errors.items()))


@app.command()
def check(
    config: ConfigPath = CONFIG,
    *,
    connect: Annotated[bool, typer.Option(help="Also try each source and desk.")] = False,
) -> None:
    """Read the configuration and the rules; every fault with its file and key."""
    settings = configured(config)
    if connect:
        from monitor.connect import faults_of

        if faults_of(settings, now()):
            raise typer.Exit(1)
    typer.echo(
        f"{config}: {len(settings.sources)} sources, {len(settings.rule_factories)} rules, {len(settings.desks)} desks: no fault"
    )


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
    from monitor.labels import LabelError, read_labels

    settings = configured(config)
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
    for source, statuses in outcome.unknown_statuses.items():
        sys.stderr.write(f"{source}: statuses that no class names, counted as other: {statuses}\n")
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


@rules_app.command("list")
def rules_list(config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """What is watched."""
    specs = [rule.spec for rule in configured(config).rules()]
    if as_json:
        rows = [
            {
                "name": spec.name, "kind": spec.kind, "by": spec.grain.by, "where": spec.grain.where, "window_minutes": spec.grain.minutes,
                "for_seconds": spec.for_.total_seconds(), "keep_firing_for_seconds": spec.keep_firing_for.total_seconds(),
                "min_total": spec.min_total, "severity": spec.severity, "guide": spec.guide,
            }
            for spec in specs
        ]  # fmt: skip
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    for spec in specs:
        where = f" where {spec.grain.where}" if spec.grain.where else ""
        by = ", ".join(spec.grain.by) or "all"
        typer.echo(f"{spec.name}  {spec.kind}  by {by}{where}  {spec.grain.minutes}m  {spec.severity}")


@incidents_app.command("list")
def incidents_list(
    config: ConfigPath = CONFIG,
    *,
    state: Annotated[
        str | None, typer.Option(help="open, resolved, merged or all; else all that stand for themselves.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The incidents, newest first."""
    from monitor import people

    if (state or "") not in people.STATES:
        raise typer.BadParameter(f"must be one of {', '.join(filter(None, people.STATES))}", param_hint="--state")
    with stored(config) as (settings, store):
        show("show_incidents", settings, found(lambda: people.incidents(store, now(), state=state)), as_json=as_json)


@incidents_app.command("show")
def incidents_show(incident: str, config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """One incident whole: since when, whom it touches, what was done."""
    from monitor import people

    with stored(config) as (settings, store):
        measures = {rule.spec.name: rule.shown for rule in settings.rules()}
        show(
            "show_incident", settings, found(lambda: people.incident(store, incident, now())), measures, as_json=as_json
        )


@incidents_app.command("ack")
def incidents_ack(incident: str, who: Who, config: ConfigPath = CONFIG) -> None:
    """Say that somebody has seen it."""
    act("acknowledge", incident, who, "", config)


@incidents_app.command("resolve")
def incidents_resolve(
    incident: str, who: Who, config: ConfigPath = CONFIG, text: Annotated[str, typer.Option("--text", help="Why.")] = ""
) -> None:
    """Say that it is over."""
    act("resolve", incident, who, text, config)


@incidents_app.command("note")
def incidents_note(incident: str, text: str, who: Who, config: ConfigPath = CONFIG) -> None:
    """Write something down with it."""
    act("note", incident, who, text, config)


@cases_app.command("list")
def cases_list(config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """What was decided for each client, how it went, and how the promise of each case stands."""
    from monitor import people
    from monitor.clocks import clocked

    with stored(config) as (settings, store):
        rows = clocked(store, people.cases(store), settings.promises, now())
        show("show_cases", settings, rows, as_json=as_json)


@app.command()
def client(nit: str, config: ConfigPath = CONFIG, *, as_json: AsJson = False) -> None:
    """One client: what they hold and how it is, what touches them, their cases."""
    from monitor import people

    with stored(config) as (settings, store):
        show("show_client", settings, found(lambda: people.client(store, nit, now())), as_json=as_json)


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


def found(ask: Callable[[], Any]) -> Any:
    """What was asked for, or the reason why not and exit 1."""
    from monitor.people import Refused, Unknown

    try:
        return ask()
    except (Unknown, Refused) as error:
        fail(error.args[0])


def act(what: str, incident: str, who: str, text: str, config: Path) -> None:
    """Note what somebody did to an incident."""
    from monitor import people

    with stored(config) as (_, store):
        typer.echo(found(lambda: getattr(people, what)(store, incident, who, text, now())))


def show(how: str, settings: Config, answer: Any, *more: Any, as_json: bool) -> None:
    """As JSON, or as a table for people."""
    if as_json:
        from monitor.people import as_json as written

        typer.echo(written(answer))
        return
    from zoneinfo import ZoneInfo

    from monitor import listing

    getattr(listing, how)(answer, listing.console(), now().astimezone(ZoneInfo(settings.monitor.timezone)), *more)


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def main() -> None:
    """The console command."""
    app(prog_name="vigia")


if __name__ == "__main__":
    main()
