"""The proof's bounds and tests against other people's code: scipy, statsmodels, MAPIE, ppi-python.

MAPIE's `get_r_hat_plus(bound="wsr")` is left alone: its bound covers too rarely. Its Hoeffding bound, its p-values and
its ways to choose are right, and are what is compared with here.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from mapie.risk_control.fwer_control import control_fwer
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value, find_best_predict_param, get_r_hat_plus
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from scipy.stats import binom, binomtest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from freehold.prove.stats.cascade import contract_a, lower_bound, upper_bound
from freehold.prove.stats.contract_b import binomial_p, candidates, contract_b
from freehold.prove.stats.ppi import powered_mean
from freehold.prove.stats.tango import tango_z
from freehold.text.intervals import wilson

RISK, DELTA = 0.05, 0.10
COUNTS = [(k, n) for n in (1, 7, 45, 59, 100, 1000) for k in sorted({0, 1, 3, n // 20, n // 2, n - 1, n}) if k <= n]


def drawn(seed: int, n: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """Confidences u and which answers are wrong, with probability 0.3 (1 - u)^2."""
    rng = np.random.default_rng(seed)
    u = rng.random(n)
    return u, rng.random(n) < 0.3 * (1 - u) ** 2


@pytest.mark.parametrize(("k", "n"), COUNTS)
def test_exact_bounds(k: int, n: int) -> None:
    upper = float(upper_bound([k], n, DELTA)[0])
    assert upper == pytest.approx(proportion_confint(k, n, alpha=2 * DELTA, method="beta")[1], abs=1e-12)
    test = binomtest(k, n, alternative="less").proportion_ci(1 - DELTA, method="exact")
    assert upper == pytest.approx(test.high, abs=1e-12)
    assert lower_bound(k, n, DELTA) == pytest.approx(
        proportion_confint(k, n, alpha=2 * DELTA, method="beta")[0], abs=1e-12
    )


@pytest.mark.parametrize(("k", "n"), COUNTS)
def test_wilsons_interval(k: int, n: int) -> None:
    assert wilson(k, n) == pytest.approx(proportion_confint(k, n, alpha=0.05, method="wilson"), abs=1e-12)


@pytest.mark.parametrize(("k", "n"), COUNTS)
def test_p_values_of_contract_b(k: int, n: int) -> None:
    p = float(binomial_p(np.array([float(k)]), np.array([float(n)]), RISK)[0])
    assert p == pytest.approx(binomtest(k, n, RISK, alternative="less").pvalue, abs=1e-12)
    theirs = compute_hoeffding_bentkus_p_value(np.array([k / n]), n, RISK, binary=True)
    assert p == pytest.approx(float(theirs[0, 0]), abs=1e-12) or k / n > RISK


def test_tangos_statistic_at_no_margin_is_mcnemars() -> None:
    checked = 0
    for b, c in ((3, 9), (9, 3), (1, 12), (30, 41)):
        theirs = mcnemar([[50, b], [c, 8]], exact=False, correction=False)
        assert tango_z(b, c, 58 + b + c, 0.0) ** 2 == pytest.approx(theirs.statistic)
        checked += 1
    assert checked == 4


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_of_contract_a_is_what_mapie_chooses_from_the_same_bounds(seed: int) -> None:
    u, wrong = drawn(seed)
    groups = [str(i) for i in range(len(u))]
    found = contract_a(u.tolist(), (~wrong).tolist(), groups, risk=RISK, delta=DELTA, seed=0)
    levels = np.sort(u)
    errors = np.array([int((wrong & (u >= t)).sum()) for t in levels])
    ours = find_best_predict_param(levels, upper_bound(errors, len(u), DELTA), np.array([RISK]))
    assert found.threshold == pytest.approx(float(ours[0]))

    losses = (wrong[:, None] & (u[:, None] >= levels)).astype(float)
    _, hoeffding = get_r_hat_plus(losses, levels, "rcps", "hoeffding", DELTA, None)
    theirs = find_best_predict_param(levels, hoeffding, np.array([RISK]))
    assert found.threshold is not None
    assert found.threshold < float(theirs[0])


def test_the_thresholds_that_contract_b_accepts_are_what_mapie_accepts_in_the_same_order() -> None:
    """Its own p-values count one error more where n (k / n) comes out above k: scipy's are handed to it."""
    proven = 0
    for seed in range(6):
        dev, dev_wrong = drawn(100 + seed, 400)
        u, wrong = drawn(seed)
        order = candidates(dev.tolist(), dev_wrong.astype(float).tolist(), risk=RISK)
        losses, groups = wrong.astype(float).tolist(), [str(i) for i in range(len(u))]
        found = contract_b(u.tolist(), losses, groups, thresholds=order, risk=RISK, delta=DELTA, seed=0)
        local = np.array([int((u >= t).sum()) for t in order])
        errors = np.array([int((wrong & (u >= t)).sum()) for t in order])
        accepted = {order[i] for i in control_fwer(binom.cdf(errors, local, RISK), DELTA, "fixed_sequence")}
        assert {point.threshold for point in found.curve if point.is_proven} == accepted
        assert found.threshold == min(accepted, default=None)
        proven += bool(accepted)
    assert proven >= 4


@pytest.mark.parametrize("sharpness", [0.0, 0.5, 0.9, 1.0])
def test_a_judge_corrected_by_people(sharpness: float) -> None:
    rng = np.random.default_rng(7)
    everything = rng.choice([-1.0, 0.0, 1.0], size=1_000, p=[0.1, 0.75, 0.15])
    noise = rng.choice([-1.0, 0.0, 1.0], size=1_000)
    judged = np.where(rng.random(1_000) < sharpness, everything, noise)
    labels, scores, others = everything[:200], judged[:200], judged[200:]
    found = powered_mean(labels.tolist(), scores.tolist(), others.tolist())
    assert found.mean == pytest.approx(float(np.squeeze(ppi_mean_pointestimate(labels, scores, others))))
    low, high = (float(np.squeeze(edge)) for edge in ppi_mean_ci(labels, scores, others, alpha=0.05))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert math.isfinite(found.se)
