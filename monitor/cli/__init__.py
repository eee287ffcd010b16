"""What the commands share: options, the configuration and its state, and how answers and faults are told."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pwd import getpwuid
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.store import Store


def whoami() -> str:
    """The user of this session; '' where the system has no name for it, and --who must say."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def system_user() -> str:
    """As whom the system knows this process, whatever the environment or --who say; its number where it has no name."""
    try:
        return getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


ConfigPath = Annotated[Path, typer.Option("--config", metavar="FILE", help="The configuration.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Who = Annotated[
    str,
    typer.Option("--who", "--by", help="Who does it.", default_factory=whoami, show_default="the user of this session"),
]
"""A word, not a proof: who reaches the state may act under any name, also that of a user of the board. So the trail keeps beside it that
the act came by the command line, and as which user of the system."""
CONFIG = Path("config.toml")


def fail(*lines: object) -> NoReturn:
    """A fault a line on stderr, and exit 1."""
    for line in lines:
        sys.stderr.write(f"{line}\n")
    raise typer.Exit(1)


def configured(path: Path, later: Collection[str] = ()) -> Config:
    """The configuration, or every fault of it and exit 1. later: see `monitor.config.read_config`."""
    from monitor.config import read_config
    from monitor.faults import ConfigError

    try:
        if not (there := path.expanduser()).exists():
            fail(f"{path}: no such file")
        return read_config(there, later)
    except ConfigError as error:
        fail(*error.faults)


@contextmanager
def stored(path: Path, *, people: bool = True) -> Iterator[tuple[Config, Store]]:
    """The configuration and its state.

    people: what is done to it is done by somebody, by the command line, and needs no secret but the state's; else Vigía does it.
    """
    from monitor.config import LATER
    from monitor.step import DOOR
    from monitor.store import Store, StoreError

    config = configured(path, LATER if people else ())
    try:
        store = Store(config.monitor.database)
    except StoreError as error:
        fail(error)
    door = DOOR.set(f"cli:{system_user()}" if people else "")
    try:
        yield config, store
    except StoreError as error:
        fail(error)
    finally:
        DOOR.reset(door)
        store.close()


def time(text: str | None, zone: str, option: str) -> datetime | None:
    """A time from the command line; without offset it is the bank's own."""
    from zoneinfo import ZoneInfo

    from monitor.kinds import YEARS

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        what = f"{text!r} is not a time: write it as 2026-03-03 or 2026-03-03T14:30:00-05:00"
        raise typer.BadParameter(what, param_hint=option) from None
    if found.year not in YEARS:
        raise typer.BadParameter(f"{text!r} is not a time of {YEARS[0]} to {YEARS[-1]}", param_hint=option)
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def found(ask: Callable[[], Any]) -> Any:
    """What was asked for, or the reason why not and exit 1."""
    from monitor.people import Refused, Unknown

    try:
        return ask()
    except (Unknown, Refused) as error:
        fail(error.args[0])


def act(what: str, incident: str, who: str, text: str, config: Path, about: str = "") -> None:
    """Note what somebody did to an incident: its id, and below it what is to be known."""
    from monitor import people

    with stored(config) as (_, store):
        done = found(lambda: people.act(store, what, incident, who, now(), text=text, about=about))
        typer.echo(done)
        if told := people.said(store, what, done):
            typer.echo(told)


def length(text: str | None, option: str) -> timedelta | None:
    """A length of time from the command line, such as 2h or 30m; a hundred years at most."""
    from monitor.kinds import duration

    try:
        return None if text is None else duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def warn(settings: Config, store: Store) -> None:
    """On stderr, which sources do not answer: a list may be empty, and a client look well, only because of that."""
    from zoneinfo import ZoneInfo

    from monitor.dark import dark, in_words

    rows = [row for row in dark(store) if row["source"] in settings.sources]
    sys.stderr.writelines(f"{line}\n" for line in in_words(rows, ZoneInfo(settings.monitor.timezone)))


def show(how: str, settings: Config, answer: Any, *more: Any, as_json: bool) -> None:
    """As JSON, or as a table for people. how: the function that draws it, of monitor.listing or with its module's name."""
    if as_json:
        from monitor.people import as_json as written

        typer.echo(written(answer))
        return
    from importlib import import_module
    from zoneinfo import ZoneInfo

    from monitor.listing import console

    module, _, name = how.rpartition(".")
    draw = getattr(import_module(f"monitor.{module or 'listing'}"), name)
    draw(answer, console(), now().astimezone(ZoneInfo(settings.monitor.timezone)), *more)


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)
