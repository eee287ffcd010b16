"""Web pages and the messages that are cases."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import Case
from connectors.letters import LONGEST, Letters, letter
from connectors.markup import Markup


def test_text_comes_by_lines_without_what_is_not_seen() -> None:
    page = Markup(
        "<head><title>x</title></head><p>Hola&nbsp;  &amp; adiós<br>NIT: <b>900</b></p><script>if (a<b) {}</script>fin"
    )
    assert page.text == "Hola & adiós\nNIT: 900\nfin"


def test_tables_forms_and_links() -> None:
    page = Markup(
        "<table><tr><th>A<th>B</tr><tr><td> uno <i>dos</i><br>tres<td></tr></table>"
        '<form action="/x" method="POST"><input name=a value=1><input type=password name=p>'
        "<input type=checkbox name=c value=9><select name=s><option value=u><option value=v selected></select></form>"
        '<a href="/mas">Ver <b>más</b></a>'
    )
    assert page.tables == [[["A", "B"], ["uno dos tres", ""]]]
    (form,) = page.forms
    assert (form.action, form.method, form.secret) == ("/x", "post", "p")
    assert form.fields == {"a": "1", "p": "", "s": "v"}
    assert page.links == {"Ver más": "/mas"}


def test_a_choice_is_what_it_says_and_a_text_what_it_holds() -> None:
    (form,) = Markup(
        "<form><select name=s><option>Uno <option selected>Dos\n más</option><option value=t>Tres</select>"
        "<textarea name=n>\nlo que <b>había</textarea><input name=a value=1></form>"
    ).forms
    assert (form.choices, form.fields["s"]) == ({"s": ["Uno", "Dos más", "t"]}, "Dos más")
    assert form.fields["n"].startswith("lo que ")
    assert form.fields["a"] == "1"


@pytest.mark.parametrize(
    "odd", ["<![foo]>", "<![>", "<![ cdata[x", "<![if !mso]>", "<!DOCTYPE [ <!x>", "<!x", "<?x", "</"]
)
def test_what_the_parser_stumbles_on_does_no_harm(odd: str) -> None:
    lines = Markup(f"<p>NIT: 900</p>{odd}<p></p><p>Canal: app</p>").text.splitlines()
    assert (lines[0], lines[-1]) == ("NIT: 900", "Canal: app")


@pytest.mark.parametrize(
    "piece", ["<a ", "<a x='", "</a ", "<!--", "<!--x>", "<![if ", "<![x ", "<?", "<!x", "<![CDATA["]
)
def test_a_page_of_what_has_no_end_is_given_up_soon(piece: str) -> None:
    began = time.process_time()
    with suppress(ValueError):
        Markup(piece * (LONGEST // len(piece)))
    assert time.process_time() - began < 2


def test_a_message_of_which_nothing_can_be_read_is_told_so_and_is_not_ours() -> None:
    endless = "<a " * 40_000
    with pytest.raises(ValueError, match="too much of it has no end"):
        Letters(None).read("Falla", endless)
    assert Letters(None).key(endless) == ""
    assert Letters(None).read("Falla", f"<p>NIT: 900</p>{'x' * LONGEST}{endless}")["client_id"] == "900"


TAGS = ["table", "tr", "td", "th", "a", "form", "input", "select", "option", "script", "br", "title"]
PIECES = [f"<{slash}{tag}>" for tag in TAGS for slash in ("", "/")] + [
    "<input name=a type=password>",
    "<!--",
    "&#0;",
    "x",
    "<",
    "<![",
    "<!",
    "foo]>",
]


@given(st.lists(st.sampled_from(PIECES), max_size=20))
def test_no_markup_breaks_it(pieces: list[str]) -> None:
    page = Markup("".join(pieces))
    assert all(isinstance(cell, str) for table in page.tables for row in table for cell in row)


LINE = (
    st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=60)
    .map(lambda t: " ".join(t.split()))
    .filter(bool)
)


@given(LINE, LINE)
def test_what_is_written_is_read_back_whatever_it_says(subject: str, body: str) -> None:
    at = datetime(2026, 3, 3, tzinfo=UTC)
    case = Case("VG-AF-1-900123456", "AF-1", "900123456", "pagos", "sucursal_digital", at, 80, subject, f"dice {body}")
    letters = Letters(None)
    assert letters.key(letter(case)) == case.key
    told = letters.read(f"asunto {subject}", letter(case))
    assert (told["client_id"], told["product"], told["channel"], told["kind"], told["status"]) == (
        "900123456", "pagos", "sucursal_digital", "soporte", "abierto",
    )  # fmt: skip


def test_a_message_of_a_client_is_not_ours() -> None:
    assert Letters(None).key("<p>No puedo pagar</p>") == ""


@pytest.mark.parametrize("said", ["la cambié ayer y no funciona", "900123456", "vg-af", "VG-", "Clave: VG-1"])
def test_a_message_with_a_password_is_not_ours(said: str) -> None:
    assert Letters(None).key(f"<p>NIT: 900123456</p><p>Clave: {said}</p>") == ""
