"""A source that is no longer configured, and others that feed the same places now: its name was changed, or its feed moved.

What such a one told of them is left aside, for the others tell the same, or all that there is now: the places are judged by these. What
none feeds any more is unknown.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from monitor.store import Store

PLACE = ("series", "product", "channel")
"""What tells two places apart; cells have no series."""


class Replaced:
    """configured: the names of the sources that there are; since: the first minute that tells what they feed now."""

    def __init__(self, store: Store, configured: set[str], since: int) -> None:
        self._configured = pa.array(sorted(configured), pa.string())
        fed: set[str] = set()
        if store.cursors().keys() - configured:
            for kind in ("cells", "metrics"):
                for table in store.cells(kind, since):
                    ours = table.filter(pc.is_in(table["source"], value_set=self._configured))
                    fed.update(pc.unique(_places(ours)).to_pylist())
        self._fed = pa.array(sorted(fed), pa.string())

    def without(self, table: pa.Table) -> pa.Table:
        """Cells or metrics without those of a source that is gone, of places that others feed."""
        stays = pc.is_in(table["source"], value_set=self._configured)
        if not len(self._fed) or pc.all(stays).as_py():
            return table
        return table.filter(pc.or_(stays, pc.invert(pc.is_in(_places(table), value_set=self._fed))))


def _places(table: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*(table[name] for name in PLACE if name in table.column_names), "\x1f")
