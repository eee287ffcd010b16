"""`vigia demo month`: a month of the simulated bank as files, with all that happened in it labelled."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from monitor.demo.arrivals import arriving, updated
from monitor.demo.bank import Bank, Rows, joined
from monitor.demo.batches import batches
from monitor.demo.callers import Case, cases, moment
from monitor.demo.clients import clients, written
from monitor.demo.draws import Floats
from monitor.demo.harmless import Harmless, calm, comings_and_goings
from monitor.demo.profile import BOGOTA, MONTH
from monitor.demo.schedule import LEARNING, Schedule, schedule
from monitor.demo.truth import SLOW, Truth, truth

SAMPLE = 4
"""Days whose rows say what is slow."""
CONFIG = """\
# A month of the simulated bank, seed {seed}: vigia backtest --config config.toml --labels labels.csv --out result

[monitor]
timezone = "America/Bogota"
{rules}
[sources.transacciones]
role    = "transactions"
kind    = "file"
path    = "transacciones.parquet"

[sources.transacciones.columns]
id         = "id"
timestamp  = "ocurrio_en"
product    = "producto"
channel    = "canal"
client_id  = "nit"
status     = "estado"
error_code = "codigo_error"
latency_ms = "latencia_ms"
amount     = "valor"

[sources.transacciones.status]
ok       = ["APROBADA"]
failed   = ["FALLIDA"]
rejected = ["RECHAZADA"]
reversed = ["REVERSADA"]
pending  = ["EN_PROCESO"]

[sources.clientes]
role    = "clients"
kind    = "file"
path    = "clientes.csv"

[sources.clientes.columns]
client_id   = "nit"
name        = "nombre"
segment     = "segmento"
value_rank  = "puesto"
sensitivity = "sensibilidad"
post_sale   = "postventa"
substitute  = "suplente"
manager     = "gerente"
group_id    = "grupo"
sector      = "sector"

[sources.productos_cliente]
role    = "holdings"
kind    = "file"
path    = "productos_cliente.csv"

[sources.productos_cliente.columns]
client_id = "nit"
product   = "producto"
channel   = "canal"
since     = "desde"
until     = "hasta"

[sources.casos]
role    = "cases"
kind    = "file"
path    = "casos.csv"

[sources.casos.columns]
case_id     = "id"
client_id   = "nit"
product     = "producto"
channel     = "canal"
kind        = "tipo"
status      = "estado"
opened_at   = "abierto_en"
reported_at = "reportado_en"
closed_at   = "cerrado_en"
updated_at  = "actualizado_en"
subject     = "asunto"
"""


@dataclass(frozen=True)
class Month:
    """A bank, thirty days of it, and what goes wrong in them; `told`: clients whose leaving the bank was told about."""

    bank: Bank
    start: datetime
    days: int
    schedule: Schedule
    told: frozenset[int]

    def rows(self) -> Rows:
        """All transactions as they were written, in order of arrival."""
        pairs = self.bank.profile.pairs
        done = self.schedule.everything
        parts = []
        for day in range(self.days):
            begin = self.start + timedelta(days=day)
            end = begin + timedelta(days=1)
            rows = self.bank.rows(begin, end)
            for failure in done:
                if failure.start < end and failure.end > begin:
                    rows = failure.strike(rows, pairs)
            parts.append(rows)
        silences = [failure for failure in done if failure.status is None and failure.batch is None]
        return arriving(updated(joined(parts), self.bank.seed, silences, pairs), self.bank.seed)

    def truths(self) -> list[Truth]:
        """What each failure did, by time."""
        slow_from = slowness(self.bank, self.start, min(self.days, SAMPLE))
        return [truth(self.bank, failure, slow_from) for failure in self.schedule.failures]

    def harmless(self) -> list[Harmless]:
        """What must raise nothing."""
        done = [*self.schedule.blips, *self.schedule.maintenances]
        return calm(self.bank.profile, self.bank.clients, done, self.start, self.days)


def month(seed: int, days: int = 30, *, learning: int = LEARNING) -> Month:
    """The month of a seed: it begins on a day of 2026 that the seed picks, at local midnight."""
    first = np.random.default_rng([seed, 1]).integers(0, 365 - days)
    start = datetime(2026, 1, 1, tzinfo=BOGOTA) + timedelta(days=int(first))
    everyone = clients(MONTH.pairs, seed)
    busy = {batch.client for batch in batches(everyone, MONTH, seed)}
    people, told = comings_and_goings(everyone, busy, start, days, seed)
    bank = Bank(MONTH, people, seed)
    return Month(bank, start, days, schedule(bank, start, days, learning=learning), told)


def slowness(bank: Bank, start: datetime, days: int) -> Floats:
    """By pair, what SLOW of the ordinary rows of the first days take at least, in milliseconds."""
    rows = bank.rows(start, start + timedelta(days=days))
    pairs = range(len(bank.profile.pairs))
    return np.array([np.quantile(rows.latency_ms[rows.pair == pair], 1 - SLOW) for pair in pairs])


def write_month(made: Month, out: Path) -> int:
    """Write its files into a folder; how many rows of transactions there are. Raises OSError."""
    out.mkdir(parents=True, exist_ok=True)
    rows = made.rows()
    pyarrow.parquet.write_table(table(made.bank, rows), out / "transacciones.parquet")
    truths = made.truths()
    nits = [client.nit for client in made.bank.clients]
    _csv(out / "clientes.csv", CLIENTS, _clients(made))
    _csv(out / "productos_cliente.csv", HOLDINGS, _holdings(made))
    _csv(out / "casos.csv", CASES, _cases(made, cases(made.bank, truths, made.start, made.days)))
    _csv(out / "labels.csv", LABELS, (_label(i, one, nits) for i, one in enumerate(truths, 1)))
    _csv(out / "harmless.csv", HARMLESS, (_harmless(one, nits) for one in made.harmless()))
    (out / "config.toml").write_text(config(made), encoding="utf-8")
    return len(rows)


def config(made: Month, rules: str = "") -> str:
    """The configuration that backtests the month; rules: a file of them, else the shipped catalog."""
    text = CONFIG.format(seed=made.bank.seed, rules=f'rules = ["{rules}"]\n' if rules else "")
    blocks = []
    for done in made.schedule.maintenances:
        scope = "".join(
            f'{key} = "{value}"\n' for key, value in (("product", done.product), ("channel", done.channel)) if value
        )
        blocks.append(f'\n[[maintenance]]\n{scope}from = "{_time(done.start)}"\nuntil = "{_time(done.end)}"\n')
    return text + "".join(blocks)


def table(bank: Bank, rows: Rows) -> pa.Table:
    """Transactions under the bank's own names, each NIT in one of its three forms, as it comes."""
    pairs = bank.profile.pairs
    nits = [form for client in bank.clients for form in written(client.nit)]
    latency = np.rint(rows.latency_ms).astype(np.int64)

    def words(names: Sequence[str], at: Iterable[int]) -> pa.Array:
        return pa.array(names, pa.string()).take(pa.array(at))

    return pa.table(
        {
            "id": rows.id,
            "ocurrio_en": pa.array(rows.at, pa.timestamp("ms", tz="America/Bogota")),
            "producto": words([pair.product for pair in pairs], rows.pair),
            "canal": words([pair.channel for pair in pairs], rows.pair),
            "nit": words(nits, 3 * rows.client + (rows.id + rows.client) % 3),
            "estado": pa.array(rows.status, pa.string()),
            "codigo_error": pa.array(rows.error_code, pa.string()),
            "latencia_ms": latency,
            "valor": rows.amount,
        }
    )


CLIENTS = "nit nombre segmento puesto sensibilidad postventa suplente gerente grupo sector"
HOLDINGS = "nit producto canal desde hasta"
CASES = "id nit producto canal tipo estado abierto_en reportado_en cerrado_en actualizado_en asunto"
LABELS = (
    "label start end product channel client_id kind affected explained observer_seconds observer_30s observer_15s share code"
    " first_failures"
)
HARMLESS = "kind start end product channel client_id"


def _clients(made: Month) -> Iterator[Sequence[object]]:
    for c in made.bank.clients:
        yield (
            *(c.nit, c.name, c.segment, c.value_rank, c.sensitivity),
            *(c.post_sale, c.substitute, c.manager, c.group, c.sector),
        )


def _holdings(made: Month) -> Iterator[Sequence[object]]:
    for i, client in enumerate(made.bank.clients):
        since = _time(moment(client.came)) if client.came else f"{client.since}T00:00:00-05:00"
        until = _time(moment(client.gone)) if i in made.told else ""
        for position in client.holdings:
            pair = made.bank.profile.pairs[position]
            yield client.nit, pair.product, pair.channel, since, until


def _cases(made: Month, found: Sequence[Case]) -> Iterator[Sequence[object]]:
    end = made.start + timedelta(days=made.days)
    for number, case in enumerate(found, 1):
        closed = moment(case.closed) if case.closed is not None else None
        over = closed is not None and closed < end
        nit = written(made.bank.clients[case.client].nit)[number % 3]
        times = [_time(moment(at)) for at in (case.opened, case.reported)]
        shut = _time(closed) if closed and over else ""
        state = "cerrado" if over else "abierto"
        yield number, nit, case.product, case.channel, case.kind, state, *times, shut, shut or times[0], case.subject


def _label(number: int, one: Truth, nits: Sequence[str]) -> Sequence[object]:
    failure = one.failure
    client = "" if failure.client is None else nits[failure.client]
    people = (";".join(sorted(nits[i] for i in who)) for who in (one.affected, one.explained))
    seconds = (one.seconds[width] for width in (60, 30, 15))
    firsts = ";".join(_time(moment(one.struck[i][0])) for i in sorted(one.affected, key=lambda i: nits[i]))
    return (
        f"F{number:03d}-{failure.kind}", _time(failure.start), _time(failure.end), "" if failure.also else failure.product,
        failure.channel, client, failure.kind, *people, *("" if s is None else s for s in seconds),
        round(failure.share, 3), failure.error_code or "", firsts,
    )  # fmt: skip


def _harmless(one: Harmless, nits: Sequence[str]) -> Sequence[object]:
    client = "" if one.client is None else nits[one.client]
    return one.kind, _time(one.start), _time(one.end), one.product, one.channel, client


def _time(at: datetime) -> str:
    return at.astimezone(BOGOTA).isoformat(timespec="milliseconds")


def _csv(path: Path, header: str, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split())
        writer.writerows(rows)
