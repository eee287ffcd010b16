"""Cards: what stands on them, how much fits, and what nobody can make of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.receivers.teams import LIMIT, Teams, written
from tests.notices import BOARD, PAGE, digest_notice, fault_notice, incident_notice


def card(notice: Any) -> dict[str, Any]:
    message = json.loads(written(notice))
    (attachment,) = message["attachments"]
    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    return attachment["content"]


def lines(block: dict[str, Any]) -> list[str]:
    return ["".join(run["text"] for run in item["inlines"]) for item in block["items"]]


def test_a_card_has_title_figures_text_and_a_way_to_the_page() -> None:
    notice = incident_notice("2026-03-03/pagos")
    title, figures, text = (made := card(notice))["body"]
    assert title["inlines"][0]["text"] == notice.subject
    assert lines(figures) == [
        "Producto: pagos", "Severidad: alta", "Clientes afectados: 14", "Clientes expuestos: 220", "Casos preventivos: 12",
    ]  # fmt: skip
    assert lines(text) == [line for line in notice.text.splitlines() if line]
    page, guide = (action["url"] for action in made["actions"])
    assert (page, guide) == (f"{PAGE}2026-03-03/pagos", notice.facts["links"]["guide"])


@pytest.mark.parametrize(
    ("severity", "event", "colour"),
    [
        ("critical", "first", "attention"),
        ("major", "update", "warning"),
        ("minor", "first", "accent"),
        ("critical", "end", "good"),
    ],
)
def test_the_colour_is_the_severity_until_it_is_over(severity: str, event: str, colour: str) -> None:
    made = card(incident_notice(event=event, severity=severity))
    assert made["body"][0]["inlines"][0]["color"] == colour


def test_what_was_closed_by_hand_and_is_in_alert_keeps_its_colour() -> None:
    made = card(incident_notice(event="end", severity="critical", still_failing=True))
    assert made["body"][0]["inlines"][0]["color"] == "attention"


def test_a_fault_and_a_digest_have_cards_too() -> None:
    assert card(fault_notice())["body"][0]["inlines"][0]["color"] == "attention"
    (board,) = card(digest_notice())["actions"]
    assert board["url"] == BOARD


def test_english_is_to_be_had() -> None:
    notice = incident_notice()
    assert lines(card(replace(notice, facts={**notice.facts, "language": "en"}))["body"][1])[1] == "Severity: major"


def test_a_list_that_is_too_long_is_cut_with_its_count() -> None:
    clients = [f"{900_000_000 + n}: Compañía Número {n} S.A.S., 31 pagos fallidos" for n in range(2000)]
    notice = replace(incident_notice(), text="\n".join(clients))
    *shown, last = lines(card(notice)["body"][2])
    assert shown == clients[: len(shown)]
    assert last == f"… y {2000 - len(shown)} líneas más, en Vigía"
    assert LIMIT - 300 < len(written(notice)) <= LIMIT


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=2000), max_size=60))
def test_a_card_never_grows_too_large_and_loses_nothing_unsaid(text: list[str]) -> None:
    notice = replace(incident_notice(), text="\n".join(text))
    asked = [line for line in notice.text.splitlines() if line.strip()]
    shown = lines(card(notice)["body"][2])
    assert len(written(notice)) <= LIMIT
    assert shown == asked or shown[-1] == f"… y {len(asked) - len(shown) + 1} líneas más, en Vigía"


def test_a_clients_name_is_no_markup() -> None:
    notice = replace(incident_notice(), text="[Pulse aquí](https://evil.example) **ya**")
    (line,) = card(notice)["body"][2]["items"]
    assert (line["type"], line["inlines"][0]["type"]) == ("RichTextBlock", "TextRun")


def test_the_address_goes_over_no_open_line() -> None:
    with pytest.raises(ValueError, match=r"^url: must begin with https://"):
        Teams(url="http://workflows.example/4f5e6d")


def test_a_page_without_an_address_has_no_button() -> None:
    notice = incident_notice()
    assert "actions" not in card(replace(notice, facts={**notice.facts, "links": {"incident": "/incidents/1"}}))


def test_products_and_channels_have_their_names() -> None:
    notice = incident_notice()
    incident = {**notice.facts["incident"], "names": {"product": "Pagos", "channel": ""}}
    assert "Producto: Pagos" in lines(card(replace(notice, facts={**notice.facts, "incident": incident}))["body"][1])
