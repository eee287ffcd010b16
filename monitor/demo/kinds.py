"""The kinds of failure that a month has, and how hard each of them strikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.demo.failures import KEEP, Course
from monitor.demo.profile import FAILED, PENDING, REJECTED, REVERSED

Reach = Literal["pair", "client", "clients_products", "channel", "product", "batch"]
TECHNICAL = ("E504", "E503", "E408", "E911", None, None)
"""The codes that failing transactions bear: mostly one that is seldom seen otherwise; None: only the ordinary ones."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`lasts`: minutes, from and to; `share`: of what is in scope; `least`: rows that it must strike to be a failure at all.

    `learnt`: it needs a past that shows what is usual, and is not drawn in the first days. `way`: what shows it. The rest as in Failure.
    """

    name: str
    lasts: tuple[float, float] = (12, 60)
    share: tuple[float, float] = (1.0, 1.0)
    status: str | None = FAILED
    reach: Reach = "pair"
    codes: tuple[str | None, ...] = (None,)
    slowdown: tuple[float, float] = (1.0, 1.0)
    course: Course = "steady"
    least: float = 12
    learnt: bool = False
    night: bool = False
    way: Literal["status", "slow", "missing", "twice"] = "status"
    settles: float | None = None


WAITS = (1.0, 5.0)
KINDS: tuple[Kind, ...] = (
    Kind("batch", (120, 240), status=None, reach="batch", learnt=True, way="missing"),
    Kind("night", (40, 120), (0.6, 1.0), codes=TECHNICAL, night=True),
    Kind("volume_drop", (30, 60), (0.5, 0.75), None, least=40, learnt=True, way="missing"),
    Kind("silence", (12, 30), status=None, least=40, way="missing"),
    Kind("total", codes=TECHNICAL, slowdown=WAITS),
    Kind("partial", share=(0.3, 0.7), codes=TECHNICAL, slowdown=WAITS),
    Kind("ramp", (30, 60), (0.6, 0.6), codes=TECHNICAL, course="ramp"),
    Kind("slow", status=KEEP, slowdown=(4.0, 8.0), way="slow"),
    Kind("one_client", share=(0.6, 1.0), reach="client", codes=(*TECHNICAL, "E207", "E215"), least=8),
    Kind("client_products", share=(0.6, 1.0), reach="clients_products", codes=(*TECHNICAL, "E207", "E215"), least=8),
    Kind("channel", share=(0.3, 1.0), reach="channel", codes=TECHNICAL, slowdown=WAITS),
    Kind("product", share=(0.3, 1.0), reach="product", codes=TECHNICAL, slowdown=WAITS),
    Kind("new_code", share=(0.1, 0.3), codes=("",)),
    Kind("flapping", (30, 50), (0.6, 1.0), codes=TECHNICAL, course="flapping"),
    Kind("rejections", share=(0.25, 0.6), status=REJECTED, codes=("R91", "R96", "R51", "R57")),
    Kind("pending", share=(0.5, 1.0), status=PENDING, settles=0.6),
    Kind("reversals", share=(0.2, 0.6), status=REVERSED, codes=("V91", "V20", None)),
    Kind("duplicates", share=(0.3, 1.0), status=KEEP, way="twice"),
)
"""In the order in which they find their time: what is tied to an hour or takes long goes first."""
NAMED = {kind.name: kind for kind in KINDS}
