"""When more is told of an operation in doubt, and what a case says of those that are left."""

from __future__ import annotations

from decimal import Decimal

import pytest

from alerts import Doubt
from alerts.doubts import Told, settled
from alerts.messages import verify_text
from tests.characters import ACEROS, at


def left(name: str, state: str = "pending", n: int = 1) -> Doubt:
    return Doubt("AF-1", ACEROS.nit, "pagos", "web", name, state, "core", at("10:02"), Decimal(7), n)


@pytest.mark.parametrize(
    ("state", "status", "over"),
    [
        ("pending", "ok", True), ("pending", "failed", True), ("pending", "reversed", True), ("pending", "pending", False),
        ("reversed", "ok", True), ("reversed", "pending", False),
        ("duplicated", "ok", False), ("duplicated", "reversed", True), ("duplicated", "failed", True),
    ],
)  # fmt: skip
def test_what_settles_it(state: str, status: str, *, over: bool):
    first = round(at("11:00").timestamp() * 1e6)
    found = settled(
        left("a", state), Told("core", "a", ACEROS.nit, "pagos", "web", status, False, 1, Decimal(7), first)
    )
    assert (found.settled_at, found.settled_as) == ((at("11:00"), status) if over else (None, ""))


@pytest.mark.parametrize(
    ("doubts", "text"),
    [
        ([left("T1")], "1 operación por verificar: T1."),
        ([left("T1"), left("T2")], "2 operaciones por verificar: T1, T2."),
        ([left("", n=4)], "4 operaciones por verificar: 4 sin identificador."),
        (
            [*(left(f"T{n}") for n in range(12)), left("", n=4)],
            "16 operaciones por verificar: T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, 2 más y 4 sin identificador.",
        ),
        ([left(f"T{n}") for n in range(11)], f"11 operaciones por verificar: {', '.join(f'T{n}' for n in range(10))} y 1 más."),
    ],
)  # fmt: skip
def test_up_to_ten_are_named_and_the_others_counted(doubts: list[Doubt], text: str):
    assert verify_text(doubts) == text
