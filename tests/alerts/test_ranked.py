"""Twenty situations in the order in which a desk should take them, written down before the weights were chosen.

The shipped weights are of the few, in steps of 0.02, with which they all come out so. One row was moved when it was seen that no weights
put sixty refusals to a large client before nine hundred failures of a sensitive middle one and keep the rest: the failures come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest

from alerts import Client, Impact, Touch
from alerts.priority import Weights, ranked
from rules import Way

PRODUCTS = {"pagos": 1.0, "recaudos": 0.9, "depositos": 0.6, "tarjetas": 0.3}
"""How critical a bank says that its products are."""


@dataclass(frozen=True)
class Situation:
    """A client, what fails for them and how much of it, and why it stands where it stands."""

    segment: str
    value_rank: int | None
    sensitivity: float | None
    product: str
    way: Way
    hits: int
    why: str

    @property
    def graded(self) -> Impact:
        """No hits: exposed."""
        touch = Touch.AFFECTED if self.hits else Touch.EXPOSED
        impact = Impact("AF-1", "900", self.product, touch, failures=self.hits)
        client = Client("900", segment=self.segment, value_rank=self.value_rank, sensitivity=self.sensitivity)
        return ranked(impact, client, frozenset({self.way}), Weights(products=PRODUCTS))


C, E, P = "corporativo", "empresarial", "pyme"
RANKED = (
    Situation(C, 1, 1.0, "pagos", "failed", 1000, "the first client, all that is worst"),
    Situation(C, 1, 0.5, "pagos", "failed", 400, "as before, fewer failures and a calmer client"),
    Situation(C, 5, 0.5, "recaudos", "missing", 300, "money that does not come in hurts as failures do; a bit less client"),
    Situation(C, 5, 0.5, "pagos", "pending", 300, "it may still go through"),
    Situation(C, 20, 0.5, "pagos", "duplicated", 20, "paid twice: few, but the money is gone"),
    Situation(E, 40, 0.9, "pagos", "failed", 900, "all payments of a sensitive middle client stand before two of a large one"),
    Situation(C, 20, 0.5, "pagos", "rejected", 60, "more of them, but the client is told no, and may know why"),
    Situation(C, 100, 0.5, "pagos", "failed", 2, "two payments of a large client"),
    Situation(E, 40, 0.5, "pagos", "failed", 50, "a middle client with many failures"),
    Situation(C, 20, 0.5, "pagos", "slow", 20, "slow is the least that can happen, but to a large client"),
    Situation(E, 40, 0.5, "tarjetas", "failed", 50, "the same middle client where it matters less"),
    Situation(P, 900, 0.5, "pagos", "failed", 400, "a small client whose payments all fail"),
    Situation(P, 900, 0.5, "pagos", "failed", 30, "fewer of them"),
    Situation(C, 1, 0.5, "pagos", "failed", 0, "the first client, not hit yet: after those who are badly hit"),
    Situation(P, 900, 0.5, "pagos", "failed", 3, "before those of a small client who are barely hit"),
    Situation("", None, None, "pagos", "pending", 3, "nobody knows who it is: as a small client, and pending"),
    Situation(E, 300, 0.3, "tarjetas", "slow", 5, "slow, where it matters little"),
    Situation(P, 900, 0.5, "pagos", "slow", 3, "slow, and small"),
    Situation(P, 5000, 0.2, "tarjetas", "slow", 1, "hardly anything"),
    Situation(P, 5000, 0.2, "tarjetas", "slow", 0, "nothing has happened to them yet"),
)  # fmt: skip


@pytest.mark.parametrize(("first", "then"), list(pairwise(RANKED)), ids=[s.why for s in RANKED[1:]])
def test_the_twenty_situations_come_out_in_order(first: Situation, then: Situation) -> None:
    assert first.graded.priority > then.graded.priority
