"""What the log is told of rows that are odd: enough to mend it, bounded, and no client."""

from __future__ import annotations

from structlog.testing import capture_logs

from monitor.left_out import FEW, few, tell_odd
from tests.monitor.test_service import Bank, bank

__all__ = ["bank"]


def test_words_of_a_status_are_told_and_texts_in_their_place_are_not() -> None:
    words = {"RARA": 7, "Rechazada: NIT 900123456 ACME SAS": 2, "Rechazada: NIT 900.123.457-1 OTRA": 1}
    words |= {f"Sin cupo suficiente de la cuenta de ACME {'SAS' * n}": 1 for n in range(2)}
    assert few(words) == {"RARA": 7, "Rechazada: NIT …": 3, "Sin cupo suficiente de la cuen…": 2}


def test_the_most_frequent_are_told_and_the_others_counted() -> None:
    told = few({f"E{n}": 100 - n for n in range(50)})
    assert list(told) == [*(f"E{n}" for n in range(FEW)), "(40 others)"]
    assert sum(told.values()) == sum(100 - n for n in range(50))


def test_the_log_has_one_short_line_however_many_there_are(bank: Bank) -> None:
    bank.pay("11:00", "12:00")
    rows = (f"2026-03-03T11:00:00-05:00,900123456,pagos,web,Negada {n:09d} de ACME {n}\n" for n in range(3000))
    with (bank.folder / "pagos.csv").open("a") as out:
        out.writelines(rows)
    with capture_logs() as told:
        bank.start().cycle()
    (line,) = [one for one in told if one["event"].startswith("statuses")]
    assert line["statuses"] == {"Negada …": 3000}


def test_nothing_odd_is_nothing_told(bank: Bank) -> None:
    bank.pay("11:00", "12:00")
    with capture_logs() as told:
        tell_odd(bank.start()._intakes["pagos"].poll(bank.now))
    assert told == []
