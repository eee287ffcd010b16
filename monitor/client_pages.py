"""One page of the clients whom something touches now, first to be served first, and of those on whom impacts crossed before.

`monitor.clientele` knows the whole line; here the database orders and counts, for a page that is renewed every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from monitor import tables as t
from monitor.clientele import Place, open_incidents
from monitor.columns import counting, filled
from monitor.counts import touched, until_changed
from monitor.past import MONTH, lately
from monitor.seeing import partial, within
from monitor.standing import only, tuples
from monitor.store import Store


class Pages:
    """As things stand for whoever asks now."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store, self._minute = store, int(now.timestamp() // 60)
        self._open, self._partial = list(open_incidents(store)), partial()
        i = t.impacts.c
        month = only(t.incidents, "id", *lately(now), t.incidents.c.started_at > now - MONTH)
        self._here, self._lately = i.incident_id.in_(self._open), i.incident_id.in_(month)
        self._among = within(i.client_id)

    def count(self) -> tuple[int, int]:
        """How many are touched now, and how many of them whoever asks may see."""
        many = sum(touched(self._store, self._open))
        if not self._partial:
            return many, many
        i = t.impacts.c
        mine = t.impacts.select().with_only_columns(counting(i.client_id.distinct())).where(self._here, *self._among)
        ((seen,),) = tuples(self._store, mine)
        return many, seen

    def touched(self, size: int, first: int) -> Sequence[Place]:
        """So many of those who are touched, from that one on."""

        def made() -> Sequence[Place]:
            c = t.clients.c
            of = t.by_client(self._here).where(*self._among).subquery()
            line = of.outerjoin(t.clients, c.client_id == of.c.client_id).select()
            named = line.with_only_columns(of.c.client_id, filled(c.name), of.c.touch, of.c.priority, of.c.products)
            order = (of.c.touch, of.c.priority.desc(), filled(c.name), of.c.client_id)
            found = tuples(self._store, named.order_by(*order).limit(size).offset(first))
            again = t.again(self._lately).where(t.impacts.c.client_id.in_([row[0] for row in found]))
            twice = {client_id for (client_id,) in tuples(self._store, again)}
            return [Place(key, name, touch, top, many > 1 or key in twice) for key, name, touch, top, many in found]

        return self._kept(f"touched {size} {first}", made)

    def crossed(self) -> Sequence[Place]:
        """Those whom more than one incident has affected within the last MONTH, and none touches now, by name."""

        def made() -> Sequence[Place]:
            c, i = t.clients.c, t.impacts.c
            of = t.again(self._lately).where(i.client_id.not_in(only(t.impacts, "client_id", self._here)), *self._among)
            of = of.subquery()
            line = of.outerjoin(t.clients, c.client_id == of.c.client_id).select()
            named = line.with_only_columns(of.c.client_id, filled(c.name)).order_by(filled(c.name), of.c.client_id)
            return [Place(key, name, "", 0, crossed=True) for key, name in tuples(self._store, named)]

        return self._kept("crossed", made)

    def _kept(self, name: str, made: Callable[[], Sequence[Place]]) -> Sequence[Place]:
        """What is the same for all who see everyone is asked for once until something changes."""
        found: Sequence[Place] = made() if self._partial else until_changed(self._store, name, self._minute, made)
        return found
