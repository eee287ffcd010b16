"""`vigia leads`: the figures over a state with three clients, and as people read them."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.console import Console

from alerts.losses import Losses
from monitor.config import read_config
from monitor.faults import ConfigError
from monitor.lead_listing import percent, show_leads
from monitor.leading import leads, reported
from monitor.people import as_json
from tests.monitor.conftest import ACEROS, MOLINOS, NOW, ago

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.store import Store

PRICES = Losses({"failed": {"corporativo": Decimal(5_000_000)}}, {"default": Decimal("0.25")})


def shown(store: Store, losses: Losses) -> str:
    out = io.StringIO()
    show_leads(leads(store, losses), Console(file=out, width=200, highlight=False), NOW)
    return out.getvalue()


def test_the_figures_of_what_is_stored(store: Store) -> None:
    found = leads(store, PRICES)
    named = {row["name"]: row for row in found["figures"]}
    assert (found["affected"], named["reached_first"]["many"], named["reached_first"]["of"]) == (3, 1, 2)
    assert named["lead"]["value"] == 270, (
        "one was reached 600 s before, the other's own case was linked 60 s after: negatives count"
    )
    assert (named["silent"]["value"], named["silent_reached"]["value"]) == (1, 1)
    (missed,) = found["missed"]
    assert (missed["client_id"], missed["client"], missed["reason"]) == (MOLINOS, "Molinos Borovanda", "soon")
    assert found["losses"]["value"] == Decimal("1250000.00")
    assert found["losses"]["unpriced"] == 1, "slow has no amount"
    assert [row["reported_by"] for row in found["by_reported_by"]] == ["unsaid"]
    assert json.loads(as_json(found))["losses"]["value"] == "1250000.00"


def test_of_incidents_detected_in_a_period(store: Store) -> None:
    assert leads(store, PRICES, since=ago(22))["affected"] == 2
    assert leads(store, PRICES, until=ago(22))["affected"] == 1
    assert leads(store, PRICES, since=ago(1))["affected"] == 0


def test_people_read_the_formula_beside_the_number(store: Store) -> None:
    text = shown(store, PRICES)
    assert "50 %" in text
    assert "1 de 2" in text
    assert "$ 1.250.000" in text
    assert "compensación esperada" in text
    assert "Molinos Borovanda" in text
    assert "Habló antes de 5 min" in text
    assert ACEROS not in text


def test_nothing_configured_is_no_number(store: Store) -> None:
    text = shown(store, Losses())
    assert "sin configurar" in text
    assert "$ " not in text


def test_what_is_short_of_all_is_never_shown_as_all() -> None:
    assert [percent(share) for share in (None, 0.9996, 1, 0.974, Decimal("0.2"))] == [
        "—",
        "99,9 %",
        "100 %",
        "97,4 %",
        "20 %",
    ]


SOURCE = '[sources.core]\nrole = "transactions"\nkind = "file"\npath = "t.csv"\nstatus = { ok = ["OK"] }\n'


def test_losses_are_configured_by_typology_and_segment(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        SOURCE
        + "[losses.claims]\ndefault = 0.1\n[losses.amounts]\nduplicated = { corporativo = 4000000, default = 500000 }\n"
    )
    losses = read_config(path).losses
    assert losses.price("duplicated", "pyme") == (Decimal(500_000), Decimal("0.1"))
    assert losses.price("duplicated", "corporativo") == (Decimal(4_000_000), Decimal("0.1"))
    assert losses.price("slow", "pyme") is None


def test_what_is_wrong_with_losses_is_told_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SOURCE + "[losses]\nclaims = { default = 1.5 }\namounts = { lost = { default = 1 } }\n")
    try:
        read_config(path)
    except ConfigError as error:
        told = [str(fault) for fault in error.faults]
    assert any(line.startswith("config.toml: losses.claims.default") for line in told)
    assert any(line.startswith("config.toml: losses.amounts.lost") for line in told)


def test_who_reported_is_the_same_by_the_short_way(store: Store) -> None:
    short, whole = reported(store, ago(60 * 24)), leads(store, PRICES, since=ago(60 * 24))
    assert len(short) == sum(row["reported"] for row in whole["by_segment"]) == 2
    assert [line.first for line in short].count(True) == sum(row["first"] for row in whole["by_segment"]) == 1
    assert sorted(line.lead.total_seconds() for line in short if line.lead is not None) == [-60, 600]
    assert reported(store, ago(1)) == []
