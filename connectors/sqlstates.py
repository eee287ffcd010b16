"""What a database's error means: the kind of fault, and whether it lasts until somebody changes something."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors import Fault

    Meaning = tuple[Fault, bool]

_LOGIN: Meaning = ("login", True)
_REFUSED: Meaning = ("refused", True)
_BUSY: Meaning = ("busy", False)
_AWAY: Meaning = ("unreachable", False)
_LATE: Meaning = ("timeout", False)

STATES: Mapping[str, Meaning] = {
    "08": _AWAY,
    "22": ("refused", False),  # a value in some row: it may be gone by the next poll
    "25006": _REFUSED,
    "28": _LOGIN,
    "3D": _REFUSED,
    "3F": _REFUSED,
    "40": _BUSY,
    "42": _REFUSED,
    "42501": _LOGIN,
    "53": _BUSY,
    "55": _BUSY,
    "57": _AWAY,
    "57014": _LATE,
    "58": ("server", False),
    "HYT": _LATE,
    "IM002": _REFUSED,
    "XX": ("server", False),
}
"""SQLSTATE, or how it begins, of PostgreSQL and of ODBC: the longest that fits says it."""

MYSQL: Mapping[int, Meaning] = {
    **dict.fromkeys((1044, 1045, 1130, 1142, 1143, 1227, 1251, 1370, 1524, 1698, 1820, 2054, 2059, 3118, 4151), _LOGIN),
    **dict.fromkeys((1046, 1049, 1052, 1054, 1055, 1064, 1109, 1146, 1222, 1247, 1248, 1267, 1290, 1305, 1356, 1792), _REFUSED),
    **dict.fromkeys((1040, 1203, 1205, 1213, 1226), _BUSY),
    **dict.fromkeys((1053, 1927, 2002, 2003, 2005, 2006, 2013, 2055), _AWAY),
    **dict.fromkeys((1969, 3024), _LATE),
}  # fmt: skip
"""Error numbers of MySQL and MariaDB, of the server and of the client."""

_WORDS: Mapping[str, Meaning] = {
    "certificate|authentication|auth method|no password|pg_hba|role .* does not exist|login failed|access denied": _LOGIN,
    "permission (was )?denied|ORA-(01017|01031|01045|28000|28001)": _LOGIN,
    "no such (table|column|function)|syntax|ambiguous column|read-?only|does ?n.t exist|does not exist": _REFUSED,
    "unknown (database|column)|invalid (object|column) name|cannot open database|ORA-(009..|12154|12505)": _REFUSED,
    "not a database|malformed|decode": ("unreadable", True),
    "locked|deadlock|too many (clients|connections)|connection slots|ORA-(000(18|20|54|60)|125(16|19|20))": _BUSY,
    "no answer within|statement timeout|query timeout|DPY-4024|ORA-0(1013|3136)": _LATE,
    "connect|unable to open|no such file|closed|starting up|shutting down|timed out|(resolve|translate) host": _AWAY,
    "ORA-(01033|01034|01089|03113|03114|12170|125(14|41|45))|DPY-(4011|6005)": _AWAY,
}
"""Where there is no number: SQLite, a driver that never reached its server, and Oracle and SQL Server, by their words."""


def meaning(cause: BaseException, words: str, backend: str) -> Meaning:
    """The kind of fault, and whether it is permanent. backend: SQLAlchemy's name of the database; words: what the cause says."""
    first = cause.args[0] if cause.args else None
    if backend in ("mysql", "mariadb") and isinstance(first, int):
        if first == 2013 and "timed out" in words:  # noqa: PLR2004 - lost while it waited for the answer
            return _LATE
        return MYSQL.get(first, ("other", False))
    state = str(
        getattr(cause, "sqlstate", None) or (first if isinstance(first, str) and len(first) == len("HYT00") else "")
    )
    for length in range(len(state), 1, -1):
        if state[:length] in STATES:
            return STATES[state[:length]]
    return next(
        (what for pattern, what in _WORDS.items() if re.search(pattern, words, re.IGNORECASE)), ("other", False)
    )
