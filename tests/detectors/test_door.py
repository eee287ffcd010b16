from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from detectors import Bank, Detector, customary, kinds, make, one, options
from detectors.adapters import Many
from detectors.half_space_trees import HalfSpaceTrees


def test_kinds_are_the_files_with_a_class_that_scores():
    assert set(kinds()) == {
        "count",
        "discord",
        "ensemble",
        "ewma",
        "half_space_trees",
        "residuals",
        "river",
        "seasonal",
    }


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_is_made_a_bank(kind):
    bank = make(kind, direction="up")
    assert isinstance(bank, Bank)
    assert isinstance(one(kind, direction="up"), Detector)


@pytest.mark.parametrize("kind", ["walk", "esma", "../ewma", "__init__", ""])
def test_an_unknown_kind_is_told_the_known_ones(kind):
    with pytest.raises(
        LookupError, match="count, discord, ensemble, ewma, half_space_trees, residuals, river, seasonal"
    ):
        make(kind)


def test_the_options_of_a_kind_are_those_of_its_class():
    assert options("ewma") == {"direction", "alpha", "warmup", "floor"}
    with pytest.raises(LookupError, match="no detector kind 'esma'"):
        options("esma")


@pytest.mark.parametrize("kind", kinds())
def test_an_unknown_option_is_told_the_known_ones(kind):
    with pytest.raises(TypeError, match=rf"'{kind}' has no option directoin, only .*direction"):
        make(kind, directoin="up")


@pytest.mark.parametrize("kind", kinds())
def test_a_wrong_direction_is_told_when_the_bank_is_made(kind):
    for door in (make, one):
        with pytest.raises(ValueError, match="up, down or both, not 'sideways'"):
            door(kind, direction="sideways")


@pytest.mark.parametrize(
    ("kind", "chosen", "fault"),
    [
        ("ewma", {"alpha": 0}, "alpha"),
        ("ewma", {"warmup": 1}, "warmup"),
        ("ewma", {"floor": -1}, "floor"),
        ("seasonal", {"rate": 2}, "rate"),
        ("seasonal", {"days": 0}, "days"),
        ("half_space_trees", {"window": 0}, "window"),
        ("discord", {"history": 255}, "history"),
        ("ensemble", {"history": 255}, "history"),
        ("ensemble", {"told": 0}, "told"),
        ("ensemble", {"quiet": -1}, "quiet"),
    ],
)
def test_an_impossible_option_is_told_by_name(kind, chosen, fault):
    with pytest.raises(ValueError, match=fault):
        make(kind, **chosen)


def test_many_keeps_the_detectors_it_has_when_it_grows():
    bank = Many(lambda: HalfSpaceTrees(window=10))
    bank.grow(1)
    for x in np.random.default_rng(2).normal(size=150):
        bank.learn(np.array([x]), 0, np.ones(1, dtype=bool))
    bank.grow(2)
    scores = bank.score(np.array([0.0, 0.0]), 0)
    assert np.isfinite(scores.tail[0])
    assert np.isnan(scores.tail[1])


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, detectors, detectors.walk; [detectors.one(k) for k in detectors.kinds() if k != 'river'];"
        "sys.exit(bool({'river', 'scipy'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_kind_says_the_tail_at_which_it_is_customarily_in_breach():
    assert customary("seasonal") == 6
    assert customary("residuals") == 2
    assert customary("ensemble", told=3.5) == 3.5
    with pytest.raises(LookupError, match="no detector kind 'esma'"):
        customary("esma")
