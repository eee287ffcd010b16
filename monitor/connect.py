"""`vigia check --connect`: every source, desk and receiver is asked, and the first rows are read as the daemon would."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime

from connectors import SourceError
from monitor.config import Config
from monitor.intake import Intake
from monitor.plugs import DeskConfig, ReceiverConfig
from monitor.unseen import unseen


def faults_of(config: Config, now: datetime) -> int:
    """How many sources, desks and receivers have a fault; each is told on stderr, and the others on stdout."""
    wrong = 0
    for name, source in config.sources.items():
        try:
            told = source.make().check()
            said, useless = _tried(config, name, now)
        except SourceError as error:
            said, useless, told = [str(error)], True, ""
        if told:
            sys.stdout.write(f"source {name}: {told}\n")
        if said:
            (sys.stderr if useless else sys.stdout).write(f"source {name}: {'; '.join(said)}\n")
        wrong += useless
    asked: dict[str, Mapping[str, DeskConfig | ReceiverConfig]] = {"desk": config.desks, "receiver": config.receivers}
    for what, name, plug in ((what, name, plug) for what, plugs in asked.items() for name, plug in plugs.items()):
        try:
            sys.stdout.write(f"{what} {name}: {plug.make().check()}\n")
        except SourceError as error:
            sys.stderr.write(f"{what} {name}: {error}\n")
            wrong += 1
    sys.stdout.writelines(f"{fault}\n" for fault in unseen(config))
    return wrong


def _tried(config: Config, name: str, now: datetime) -> tuple[list[str], bool]:
    """What comes of the source's first rows, and whether any of it is a fault: a row or a status that nothing can be made of."""
    rows = Intake(config.sources[name]).poll(now, now - config.sources[name].block.start)
    usable, left = rows.table.num_rows, len(rows.rejects)
    said = [f"{usable} rows can be used"] if usable or left else []
    if left:
        said.append(f"{left} cannot, such as {rows.rejects[0].where}: {rows.rejects[0].why}")
    said += [f"{rows.wrong_digits} of clients with a wrong check digit"] if rows.wrong_digits else []
    if rows.unknown_statuses:
        said.append(f"statuses that no class names: {', '.join(sorted(rows.unknown_statuses))}")
    return said, bool(left or rows.unknown_statuses)
