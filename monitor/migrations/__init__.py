"""The state's tables, version by version (Alembic)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine import Connection


def settings(connection: Connection) -> Config:
    """What Alembic's commands need to work on this connection."""
    from alembic.config import Config  # noqa: PLC0415 - costs most of a second, and reading commands need none of it

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Bring the tables to this version. LookupError if they are of a version that is not known here."""
    from alembic import command  # noqa: PLC0415 - as above
    from alembic.util import CommandError  # noqa: PLC0415

    try:
        command.upgrade(settings(connection), "head")
    except CommandError as error:
        raise LookupError(f"its tables were made by a newer Vigía ({error})") from error
