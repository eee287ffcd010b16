"""What drivers say, word for word as far as a server could be asked, and what kind of fault it is."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.sqlstates import meaning


class StateError(Exception):
    def __init__(self, words: str, sqlstate: str | None = None) -> None:
        super().__init__(words)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("backend", "cause", "fault", "permanent"),
    [
        ("postgresql", StateError("password authentication failed for user x"), "login", True),
        ("postgresql", StateError('FATAL: role "x" does not exist'), "login", True),
        ("postgresql", StateError('FATAL: database "x" does not exist'), "refused", True),
        ("postgresql", StateError("connection failed: Connection refused"), "unreachable", False),
        ("postgresql", StateError("FATAL: sorry, too many clients already"), "busy", False),
        ("postgresql", StateError("SSL error: certificate verify failed"), "login", True),
        ("postgresql", StateError("canceling statement due to conflict with recovery", "40001"), "busy", False),
        ("postgresql", StateError("canceling statement due to statement timeout", "57014"), "timeout", False),
        (
            "postgresql",
            StateError("terminating connection due to administrator command", "57P01"),
            "unreachable",
            False,
        ),
        ("postgresql", StateError("relation does not exist", "42P01"), "refused", True),
        ("postgresql", StateError("permission denied for table x", "42501"), "login", True),
        ("postgresql", StateError("division by zero", "22012"), "refused", False),
        ("postgresql", StateError("could not read block", "XX001"), "server", False),
        ("mysql", Exception(1045, "Access denied"), "login", True),
        ("mysql", Exception(1146, "Table 'b.t' doesn't exist"), "refused", True),
        ("mysql", Exception(1040, "Too many connections"), "busy", False),
        ("mysql", Exception(1205, "Lock wait timeout exceeded"), "busy", False),
        ("mysql", Exception(2013, "Lost connection to MySQL server during query"), "unreachable", False),
        ("mysql", Exception(2013, "Lost connection to MySQL server during query (timed out)"), "timeout", False),
        ("mysql", Exception(3024, "maximum statement execution time exceeded"), "timeout", False),
        ("mysql", Exception(9999, "of some other kind"), "other", False),
        ("mariadb", Exception(1969, "max_statement_time exceeded"), "timeout", False),
        ("sqlite", Exception("no such table: t"), "refused", True),
        ("sqlite", Exception("database is locked"), "busy", False),
        ("sqlite", Exception("file is not a database"), "unreadable", True),
        ("sqlite", Exception("unable to open database file"), "unreachable", False),
        ("sqlite", Exception("attempt to write a readonly database"), "refused", True),
        ("oracle", Exception("ORA-01017: invalid username/password; logon denied"), "login", True),
        ("oracle", Exception("ORA-00942: table or view does not exist"), "refused", True),
        ("oracle", Exception('ORA-00904: "X": invalid identifier'), "refused", True),
        ("oracle", Exception("DPY-4024: call timeout of 1000 ms exceeded"), "timeout", False),
        ("oracle", Exception("DPY-6005: cannot connect to database. Connection refused"), "unreachable", False),
        ("oracle", Exception("ORA-12516: TNS:listener could not find available handler"), "busy", False),
        ("oracle", Exception("ORA-01033: initialization or shutdown in progress"), "unreachable", False),
        ("mssql", Exception("28000", "[28000] Login failed for user 'x'. (18456)"), "login", True),
        ("mssql", Exception("42S02", "[42S02] Invalid object name 'x'. (208)"), "refused", True),
        ("mssql", Exception("HYT00", "[HYT00] Query timeout expired"), "timeout", False),
        ("mssql", Exception("08001", "[08001] TCP Provider: connection refused"), "unreachable", False),
        ("mssql", Exception("40001", "[40001] chosen as the deadlock victim (1205)"), "busy", False),
        ("mssql", Exception(18456, b"Login failed for user 'x'"), "login", True),
        ("mssql", Exception(208, b"Invalid object name 'x'"), "refused", True),
        ("mssql", Exception(20009, b"Unable to connect: Adaptive Server is unavailable"), "unreachable", False),
        ("oracle", Exception("something else"), "other", False),
    ],
)
def test_what_a_driver_says(backend: str, cause: Any, fault: str, permanent: bool) -> None:  # noqa: FBT001 - drawn
    assert meaning(cause, str(cause), backend) == (fault, permanent)
