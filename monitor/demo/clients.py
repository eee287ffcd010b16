"""Who banks here: made-up companies in three segments, a few far larger than the rest, and what each one holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.demo.profile import Pair

WEIGHTS = (3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71)
"""The tax office's weights of a NIT's digits, from the right."""

TRADES = {
    "agro": ("Viveros", "Semillas"),
    "alimentos": ("Molinos", "Lácteos"),
    "comercio": ("Ferretería", "Confecciones"),
    "construcción": ("Cementos", "Maderas"),
    "energía": ("Energía",),
    "manufactura": ("Textiles", "Papeles", "Calzado"),
    "salud": ("Clínica", "Droguería"),
    "transporte": ("Transportes",),
}
STEMS = (
    *("Alum", "Borov", "Calur", "Dorim", "Estel", "Falur", "Garul", "Ilmar", "Lumor", "Miral", "Norul", "Oclur"),
    *("Pelur", "Quimor", "Rasul", "Selur", "Tamir", "Urdel", "Valur", "Xamur", "Yaril", "Zelom"),
)
ENDINGS = (
    "andra",
    "évora",
    "inza",
    "onda",
    "ubia",
    "ález",
    "erna",
    "ílica",
    "ombra",
    "unta",
    "atia",
    "endo",
    "ierza",
    "oria",
)
"""A trade word and a coined one: names that sound like companies and are none."""
HEADS = (*range(870, 880), *range(950, 1000))
"""First three digits of the NITs: high in their ranges, so as hardly to meet a real company's."""
NOTABLY = 0.03
"""How many clients go wrong three times as often as their like."""
FLAT = 6
"""Places by which the largest client's size is set down, so that it is no half of the bank."""
GROUPS = ("GRUPO-1", "GRUPO-2", "GRUPO-3", "GRUPO-4", None, None, None, None)
"""Economic groups; half of the clients belong to none."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One of the bank's kinds of client: how many there are, and the fewest and most pairs that one holds."""

    name: str
    clients: int
    fewest: int
    most: int


SEGMENTS = (Segment("corporativo", 30, 7, 13), Segment("empresarial", 90, 4, 8), Segment("pyme", 180, 2, 5))


@dataclass(frozen=True, slots=True)
class Client:
    """One company. `size`: its traffic, relative to the others'; `holdings`: positions in the profile's pairs.

    `shift`: hours by which its day is later than others'; `trouble`: how much more of its transactions go wrong; `came`,
    `gone`: between which times it has any, in milliseconds from the epoch.
    """

    nit: str
    name: str
    segment: str
    size: float
    value_rank: int
    sensitivity: float
    post_sale: str
    substitute: str | None
    manager: str
    group: str | None
    sector: str
    holdings: tuple[int, ...]
    since: date
    shift: float = 0.0
    trouble: float = 1.0
    came: int = 0
    gone: int = 1 << 62


def check_digit(nit: str) -> int:
    """The digit that follows the dash: 900123456 -> 8."""
    rest = sum(int(digit) * weight for digit, weight in zip(reversed(nit), WEIGHTS, strict=False)) % 11
    return rest if rest in (0, 1) else 11 - rest


def written(nit: str) -> tuple[str, str, str]:
    """The three forms in which tools write one NIT: dotted with its check digit, plain with it, without it."""
    digit = check_digit(nit)
    return f"{nit[:3]}.{nit[3:6]}.{nit[6:]}-{digit}", f"{nit}-{digit}", nit


def clients(pairs: Sequence[Pair], seed: int) -> tuple[Client, ...]:
    """All clients, the largest first, the same for the same seed. The largest holds every pair: none lacks a client."""
    rng = np.random.default_rng(seed)
    segments = [segment for segment in SEGMENTS for _ in range(segment.clients)]
    count = len(segments)
    # Zipf with some noise: a handful make half of the traffic, the last ones hardly show.
    sizes = np.sort((np.arange(count) + FLAT) ** -0.95 * rng.lognormal(0, 0.25, count))[::-1]
    worth = sizes * rng.lognormal(0, 0.35, count)
    ranks = np.argsort(np.argsort(-worth)) + 1
    heads = rng.choice(HEADS, count)
    tails = rng.choice(1_000_000, count, replace=False)
    coined = [stem + ending for stem in STEMS for ending in ENDINGS]
    names = rng.permutation(coined)[:count]
    sensitivities = np.round(rng.beta(2, 3, count), 2)
    trades = rng.choice([(trade, sector) for sector, trades in TRADES.items() for trade in trades], count)
    groups = rng.integers(len(GROUPS), size=count)
    days = rng.integers(0, 3650, count)
    volumes = np.array([pair.per_day for pair in pairs])
    shifts = np.clip(rng.normal(0, 0.6, count), -1.5, 1.5)
    # Most are much alike; a few send what is often wrong.
    troubles = rng.lognormal(-0.12, 0.5, count) * np.where(rng.random(count) < NOTABLY, 3.0, 1.0)
    direct = np.array([pair.channel == "conexion_directa" for pair in pairs])

    made = []
    for i, segment in enumerate(segments):
        large = segment.name == "corporativo"
        trade, sector = trades[i].tolist()
        held = len(pairs) if i == 0 else int(rng.integers(segment.fewest, segment.most + 1))
        # Small companies mostly use the web branch: a direct connection takes a team of their own.
        taste = np.sqrt(volumes) * np.where(direct, 1.0 if large else 0.6, 1.0)
        holdings = rng.choice(len(pairs), min(held, len(pairs)), replace=False, p=taste / taste.sum())
        assistant = i % 6 + 1
        made.append(
            Client(
                nit=f"{heads[i]}{tails[i]:06d}",
                name=f"{trade} {names[i]} {'S.A.' if large else 'S.A.S.' if i % 3 else 'Ltda.'}",
                segment=segment.name,
                size=float(sizes[i]),
                value_rank=int(ranks[i]),
                sensitivity=float(sensitivities[i]),
                post_sale=f"postventa{assistant}@banco.example" if large else f"postventa.{segment.name}@banco.example",
                substitute=f"postventa{assistant % 6 + 1}@banco.example" if large else None,
                manager=f"gerente{i % 4 + 1}@banco.example",
                group=GROUPS[groups[i]],
                sector=sector,
                holdings=tuple(sorted(holdings.tolist())),
                since=date(2014, 1, 1) + timedelta(days=int(days[i])),
                shift=float(shifts[i]),
                trouble=float(troubles[i]),
            )
        )
    return tuple(made)
