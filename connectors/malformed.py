"""Rows that could not be read: the first so many, and how many in all."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Malformed:
    """most: of how many is kept where they stand and why; told: line ends before each, and why, in order; count: of all."""

    most: int
    told: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, why: str) -> None:
        """One more, behind the others."""
        self.count += 1
        if len(self.told) < self.most:
            self.told.append((line, why))

    def also(self, other: Malformed) -> None:
        """Those of the same lines that something else was wrong with."""
        self.told = sorted([*self.told, *other.told])[: self.most]
        self.count += other.count
