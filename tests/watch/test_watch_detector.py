"""Detectors and audits: the formulas by hand, bounds by simulation, restarts, and input that is none."""

from __future__ import annotations

import json
import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.watch import Detector, audit_rate, new_detector, observe, observe_difference, weight_of
from freehold.watch.detector import BETS, recent_harm
from freehold.watch.shiryaev_roberts import LARGEST


def _fresh(tolerated: float = 0.05, patience: float = 73_000.0) -> Detector:
    return new_detector("contract", tolerated=tolerated, patience=patience)


def test_the_bets_run_from_a_hundredth_to_three_fifths() -> None:
    assert len(BETS) == 10
    assert (BETS[0], BETS[-1]) == (0.01, pytest.approx(0.6))


def test_losses_grow_as_the_formula_says() -> None:
    detector, by_hand = _fresh(), [0.0] * 10
    for loss, weight in ((1.0, 1.0), (0.0, 0.25), (0.5, 0.5), (None, 1.0)):
        detector = observe(detector, loss, weight=weight)
        by_hand = [
            m * (1 + c * weight * ((loss or 0.0) / 0.05 - 1)) + weight for m, c in zip(by_hand, BETS, strict=True)
        ]
    assert detector.evidence == pytest.approx(sum(by_hand) / 10)
    assert (detector.units, detector.observed) == (2.75, 4)


def test_differences_grow_as_the_formula_says() -> None:
    detector, by_hand = _fresh(0.03), [0.0] * 10
    for difference in (-1.0, 0.25, None, 1.0):
        detector = observe_difference(detector, difference)
        found = 1.0 if difference is None else difference
        by_hand = [m * ((1 - c) + c * (1 - found) / 1.03) + 1 for m, c in zip(by_hand, BETS, strict=True)]
    assert detector.evidence == pytest.approx(sum(by_hand) / 10)


def test_three_losses_are_the_example_of_the_docstring() -> None:
    detector = _fresh()
    for _ in range(3):
        detector = observe(detector, 1.0)
    assert detector.evidence == pytest.approx(66.77, abs=0.01)


def test_a_weighted_step_is_fair_at_the_bound_whatever_is_audited_how_often() -> None:
    """The exact mean over coin and outcome: deferred, a good slice audited at .1, a bad one at .5; risk exactly 5%."""
    least, slices = 0.1, ((0.3, None, 0.0), (0.5, 0.1, 0.02), (0.2, 0.5, 0.2))
    start = _fresh()
    for _ in range(2):
        start = observe(start, 1.0)
    expected = 0.0
    for (share, q, wrong), loss in product(slices, (0.0, 1.0)):
        chance = share * (wrong if loss else 1 - wrong)
        if q is None:
            expected += chance * observe(start, loss, weight=least).evidence
        else:
            expected += chance * q * observe(start, loss, weight=weight_of(q, least)).evidence
            expected += chance * (1 - q) * start.evidence
    assert expected == pytest.approx(start.evidence + least, rel=1e-9)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 0.3]), st.floats(0.01, 1.0)), min_size=1, max_size=30))
def test_a_missing_label_never_raises_evidence(steps: list[tuple[float, float]]) -> None:
    known, holed = _fresh(), _fresh()
    for index, (loss, weight) in enumerate(steps):
        known = observe(known, loss, weight=weight)
        holed = observe(holed, None if index % 2 else loss, weight=weight)
    assert holed.evidence <= known.evidence * (1 + 1e-12)


def test_evidence_without_end_stays_a_number_and_the_alarm_stays() -> None:
    detector = _fresh(0.001)
    for _ in range(1_000):
        detector = observe(detector, 1.0)
    assert detector.evidence == LARGEST
    for _ in range(3_000):
        detector = observe(detector, 0.0)
    assert detector.alarm
    assert all(math.isfinite(log_sum) for log_sum in detector.log_sums)
    json.dumps(detector.to_json(), allow_nan=False)


def test_a_restart_changes_no_figure() -> None:
    rng = random.Random(4)
    whole = broken = _fresh()
    for _ in range(300):
        loss, weight = float(rng.random() < 0.2), rng.choice([1.0, 0.05, 0.3])
        whole = observe(whole, loss, weight=weight)
        broken = Detector.from_json(json.loads(json.dumps(observe(broken, loss, weight=weight).to_json())))
        assert broken == whole


@pytest.mark.parametrize("loss", [-0.1, 1.1, math.nan, math.inf, "1", [1]])
def test_a_loss_that_is_none_is_refused(loss: object) -> None:
    with pytest.raises(ValueError, match="a loss is"):
        observe(_fresh(), loss)  # type: ignore[arg-type]


@pytest.mark.parametrize("weight", [0.0, -1.0, 1.5, math.nan])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        observe(_fresh(), 1.0, weight=weight)


@pytest.mark.parametrize(
    ("tolerated", "patience"), [(0.0, 10.0), (1.0, 10.0), (math.nan, 10.0), (0.1, 0.5), (0.1, math.inf)]
)
def test_a_detector_without_a_bound_is_refused(tolerated: float, patience: float) -> None:
    with pytest.raises(ValueError, match=r"tolerated|patience"):
        new_detector("x", tolerated=tolerated, patience=patience)


@pytest.mark.parametrize(
    "change",
    [{"log_sums": [1.0]}, {"log_sums": [math.inf] * 10}, {"units": None}, {"alarmed": 1}, {"recent": "x"}, {"name": 1}],
)
def test_a_damaged_state_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change)).split("_")[-1]):
        Detector.from_json({**_fresh().to_json(), **change})


def test_the_latest_run_is_what_stands_out() -> None:
    detector = _fresh()
    for loss in [0.0] * 30 + [1.0, 1.0, 0.0, 1.0]:
        detector = observe(detector, loss)
    assert recent_harm(detector) == (3.0, 4)
    assert recent_harm(_fresh()) == (0, 0)


def test_the_audit_rate_rises_with_evidence_and_ends_at_all() -> None:
    assert audit_rate(0.05, 0.0) == 0.05
    assert audit_rate(0.05, 20.0) == 0.05
    assert audit_rate(0.05, 200.0) == pytest.approx(0.5)
    assert audit_rate(0.05, 1e300, stale_factor=3.0) == 1.0
    assert audit_rate(0.05, 5.0, stale_factor=3.0) == pytest.approx(0.15)
    assert audit_rate(0.0, 1e9) == 0.0


@pytest.mark.parametrize(("base", "evidence"), [(-0.1, 1.0), (1.1, 1.0), (0.1, -1.0), (math.nan, 1.0), (0.1, math.inf)])
def test_an_audit_rate_from_nonsense_is_refused(base: float, evidence: float) -> None:
    with pytest.raises(ValueError, match=r"audit rate|evidence"):
        audit_rate(base, evidence)


@pytest.mark.parametrize(("propensity", "least"), [(0.0, 0.0), (0.5, 0.0), (0.1, 0.2), (1.1, 0.5), (math.nan, 0.1)])
def test_a_propensity_that_cannot_be_is_refused(propensity: float, least: float) -> None:
    with pytest.raises(ValueError, match="propensity"):
        weight_of(propensity, least)
