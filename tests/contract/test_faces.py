"""Every kind is one documented class with keyword-only options."""

from __future__ import annotations

import inspect

import pytest

from connectors import Board, CaseDesk, Receiver, Source
from connectors.kinds import kinds, load

ALL = [(folder, kind) for folder in ("sources", "desks", "receivers", "boards") for kind in kinds(folder)]


@pytest.mark.parametrize(("folder", "kind"), ALL, ids=[f"{folder}/{kind}" for folder, kind in ALL])
def test_one_public_class_with_keyword_only_options(folder: str, kind: str) -> None:
    made = load(folder, kind)
    assert made.__doc__, "a kind says what it is"
    options = [p for p in inspect.signature(made).parameters.values() if p.kind is not p.VAR_KEYWORD]
    assert all(option.kind is option.KEYWORD_ONLY for option in options), "options are keyword-only"
    assert not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(made).parameters.values()), "a typo must be told"
    assert all(option.annotation is not option.empty for option in options)
    undocumented = [option.name for option in options if option.name not in made.__doc__]
    assert not undocumented, "the docstring says what each option is"


@pytest.mark.parametrize("kind", kinds("sources"))
def test_sources_keep_the_protocol(kind: str) -> None:
    assert issubclass(load("sources", kind), Source)


@pytest.mark.parametrize("kind", kinds("desks"))
def test_desks_keep_the_protocol(kind: str) -> None:
    assert issubclass(load("desks", kind), CaseDesk)


@pytest.mark.parametrize("kind", kinds("receivers"))
def test_receivers_keep_the_protocol(kind: str) -> None:
    assert issubclass(load("receivers", kind), Receiver)


@pytest.mark.parametrize("kind", kinds("boards"))
def test_boards_keep_the_protocol(kind: str) -> None:
    assert issubclass(load("boards", kind), Board)
