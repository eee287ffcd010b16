"""Users, roles and tokens as the configuration has them."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.access import Access, Role, User, address, digest, on_loopback, read_access
from monitor.config import read_config

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.faults import Fault

ANA, BETO = "token-de-ana-0123456789", "token-de-beto-9876543210"


def access(**tables: Any) -> Access:
    faults: list[Fault] = []
    found = read_access(tables, "config.toml", faults)
    assert faults == []
    return found


def test_a_user_is_known_by_their_token_and_the_token_is_kept_nowhere() -> None:
    found = access(users={
        "ana": {"role": "look", "token": ANA, "clients": ["corporativo", "pyme"]},
        "beto": {"role": "administer", "token": BETO},
    })  # fmt: skip
    assert found.by_token(ANA) == User("ana", Role.LOOK, ("corporativo", "pyme"), "", digest(ANA))
    assert found.by_token(BETO) == User("beto", Role.ADMINISTER, "all", "", digest(BETO))
    for wrong in ("", ANA[:-1], f"{ANA} ", "ana", "\ud800"):
        assert found.by_token(wrong) is None
    for secret in (ANA, BETO, digest(ANA).hex(), repr(digest(ANA))):
        assert secret not in repr(found)


def test_a_user_without_token_is_nobodys_guess() -> None:
    found = access(
        access={"header": "X-User", "proxies": ["127.0.0.1"]}, users={"ana": {"role": "look", "clients": "all"}}
    )
    assert found.by_token("") is None
    assert found.header == "x-user"


def test_the_proxy_names_a_user_by_name_or_address() -> None:
    found = access(
        access={"header": "X-User", "proxies": ["127.0.0.1"]},
        users={
            "ana": {"role": "look", "clients": "own", "email": "Ana@banco.example"},
            "beto": {"role": "act", "clients": "all"},
        },
    )
    assert [getattr(found.by_header(said), "name", None) for said in (" ANA ", "ana@banco.example", "beto", "", "x")] == [
        "ana", "ana", "beto", None, None,
    ]  # fmt: skip


def test_a_proxy_is_believed_by_its_address_alone() -> None:
    found = Access(proxies=(ip_network("10.1.0.0/16"), ip_network("::1")))
    trusted = ["10.1.2.3", "::ffff:10.1.2.3", "::1", "10.2.0.1", "127.0.0.1", "", "10.1.2.3, 8.8.8.8", "proxy"]
    assert [found.trusts(peer) for peer in trusted] == [True, True, True, False, False, False, False, False]


@given(st.text())
def test_no_text_is_taken_for_an_address_that_it_is_not(text: str) -> None:
    found = address(text)
    assert found is None or str(found) == text.strip().strip("[]").lower() or ":" in text


def test_the_metrics_take_their_own_token_or_somebodys() -> None:
    found = access(access={"metrics_token": BETO}, users={"ana": {"role": "look", "token": ANA, "clients": "all"}})
    assert [found.reads_metrics(token) for token in (ANA, BETO, "", "x")] == [True, True, False, False]
    assert not Access().reads_metrics("")


@pytest.mark.parametrize(
    ("listen", "alone"),
    [("127.0.0.1:1", True), ("localhost:80", True), ("[::1]:80", True), ("0.0.0.0:80", False), ("[::]:80", False)],
)
def test_loopback(listen: str, alone: bool) -> None:  # noqa: FBT001 - a table
    assert on_loopback(listen) is alone


def test_with_users_it_may_listen_beyond_loopback(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{ANA}\n", encoding="utf-8")
    (tmp_path / "config.toml").write_text(
        '[monitor]\nlisten = "0.0.0.0:8080"\n[access]\nsession = "8h"\n[users.ana]\nrole = "act"\nclients = "all"\n'
        'token = "${file:token}"\n[sources.core]\nrole = "transactions"\nkind = "file"\npath = "x.csv"\n',
        encoding="utf-8",
    )
    found = read_config(tmp_path / "config.toml")
    assert found.access.session == timedelta(hours=8)
    assert found.access.by_token(ANA) is found.access.users["ana"]
    assert ANA not in repr(found)
