"""Any of river's models by name and options: told what is wrong, untouched by scoring, sound when cold, calibrated."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from detectors import make, one
from detectors.graph import frozen, thawed
from detectors.models import known
from detectors.state import StateError

HOLT = {"model": "time_series.HoltWinters", "options": {"alpha": 0.3}}
NEEDED = {
    "time_series.HoltWinters": {"alpha": 0.3, "beta": 0.1, "gamma": 0.1, "seasonality": 4},
    "time_series.SNARIMAX": {"p": 2, "d": 0, "q": 1},
    "anomaly.PredictiveAnomalyDetection": {"predictive_model": HOLT},
    "anomaly.HalfSpaceTrees": {"window_size": 100, "seed": 1},
    "anomaly.LODA": {"seed": 1},
}
every_model = pytest.mark.parametrize("model", sorted(known()))


def fed(model, n=400, direction="both"):
    detector = one("river", model=model, options=NEEDED.get(model, {}), direction=direction)
    for x in np.random.default_rng(3).normal(50, 2, n).tolist():
        detector.learn_one(x)
    return detector


def test_there_are_detectors_and_forecasters_and_no_filters():
    assert {"anomaly.GaussianScorer", "anomaly.LODA", "time_series.SNARIMAX"} <= known().keys()
    assert not [name for name in known() if "Filter" in name or "Metric" in name]


@every_model
def test_every_model_of_rivers_warms_and_scores(model):
    assert one("river", model=model, options=NEEDED.get(model, {})).score_one(50.0) is None
    detector = fed(model)
    score = detector.score_one(50.0)
    assert score is not None
    assert np.isfinite(astuple(score)).all()
    assert score.lower < 51
    assert score.upper > 49


@every_model
def test_scoring_changes_nothing_even_where_rivers_does(model):
    detector, twin = fed(model), fed(model)
    before = frozen(detector._model)
    for x in (50.0, 60.0, 1e9, -1e300):
        detector.score_one(x)
    np.testing.assert_array_equal(frozen(detector._model), before)
    for x in (51.0, 48.0, 53.0):
        for each in (detector, twin):
            each.learn_one(x)
    assert detector.score_one(55.0) == twin.score_one(55.0)


@every_model
def test_any_models_state_goes_through_arrays(model):
    detector = fed(model)
    twin = one("river", model=model, options=NEEDED.get(model, {}))
    twin.take(detector.state())
    for x in np.random.default_rng(4).normal(50, 3, 150).tolist():
        assert detector.score_one(x) == twin.score_one(x)
        detector.learn_one(x)
        twin.learn_one(x)


@pytest.mark.parametrize(
    "model", ["anomaly.GaussianScorer", "anomaly.StandardAbsoluteDeviation", "time_series.HoltWinters"]
)
def test_a_score_is_a_chance(model):
    """On data like what was learned, a tail of k comes about once in 10^k."""
    detector = one("river", model=model, options=NEEDED.get(model, {}))
    tails = []
    for x in np.random.default_rng(5).normal(50, 2, 8000).tolist():
        if score := detector.score_one(x):
            tails.append(score.tail)
        detector.learn_one(x)
    tails = np.array(tails[1000:])
    for k in (1, 2):
        assert (tails > k).mean() * 10**k == pytest.approx(1, rel=0.5)
    assert (tails > 3).mean() < 4e-3


@pytest.mark.parametrize("direction", ["up", "down", "both"])
@pytest.mark.parametrize("model", ["anomaly.GaussianScorer", "anomaly.LocalOutlierFactor", "time_series.HoltWinters"])
def test_the_side_that_is_asked_for(model, direction):
    detector = fed(model, direction=direction)
    above, below = detector.score_one(75.0).tail, detector.score_one(25.0).tail
    assert (above > 2) == (direction != "down")
    assert (below > 2) == (direction != "up")


def test_beyond_where_a_gaussian_scorer_ends_readings_are_still_told_apart():
    detector = fed("anomaly.GaussianScorer")
    far, farther = detector.score_one(58.0), detector.score_one(61.0)
    assert 2 < far.tail < farther.tail


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"model": "anomaly.Gausian"}, LookupError, "no model 'anomaly.Gausian', only anomaly.GaussianScorer, "),
        ({"model": "anomaly.QuantileFilter"}, LookupError, "no model 'anomaly.QuantileFilter'"),
        ({"model": "linear_model.LinearRegression"}, LookupError, "no model"),
        ({"model": "os.system"}, LookupError, "no model 'os.system'"),
        ({"options": {"sub": 3}}, TypeError, "anomaly.StandardAbsoluteDeviation has no option sub, only sub_stat"),
        ({"model": "time_series.HoltWinters"}, ValueError, "HoltWinters cannot be made: .*alpha"),
        ({"model": "time_series.HoltWinters", "options": {"alpha": 0.1, "seasonality": 4}}, ValueError, "gamma"),
        (
            {
                "model": "anomaly.PredictiveAnomalyDetection",
                "options": {"predictive_model": {**HOLT, "options": {"a": 1}}},
            },
            TypeError,
            "time_series.HoltWinters has no option a, only alpha",
        ),
        ({"warmup": 0}, ValueError, "warmup must be at least 1, not 0"),
    ],
)
def test_what_is_wrong_is_told(options, error, told):
    with pytest.raises(error, match=told):
        make("river", **options)


# ---- objects as arrays -------------------------------------------------------------------------------------------


class Mine:
    pass


@pytest.mark.parametrize("thing", [Mine(), [Mine()], print, object()])
def test_what_is_neither_rivers_nor_plain_is_not_frozen(thing):
    with pytest.raises(TypeError, match="cannot be kept"):
        frozen(thing)


@pytest.mark.parametrize(
    "text",
    [
        '["call","os.system",["true"],null,[],[]]',
        '["named","os.system"]',
        '["call","builtins.eval",["1"],null,[],[]]',
        '["object","subprocess.Popen",[],null,[],[]]',
        '["again",3]',
        '["thing",3]',
        "no json",
        "[]",
    ],
)
def test_bytes_that_were_not_frozen_are_refused(text):
    with pytest.raises(StateError, match="cannot be read"):
        thawed(np.frombuffer(text.encode(), np.uint8))


def test_what_holds_the_same_thing_twice_holds_it_twice_afterwards():
    inner = [1.5, float("inf")]
    thing = {"a": inner, "b": (inner, b"\x00\xff", 0.1 + 0.2), 3: {inner[0]}}
    twin = thawed(frozen(thing))
    assert twin == thing
    assert twin["a"] is twin["b"][0]
