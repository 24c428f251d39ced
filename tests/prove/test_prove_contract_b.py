"""Contract B: exact tests in an order fixed beforehand, broken no more often than delta, and by users."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from freehold.prove.plan import Seen, calls_for_cascade
from freehold.prove.settings import ProofSettings
from freehold.prove.stats.cascade import Cascade, least_n, upper_bound
from freehold.prove.stats.contract_b import WITHOUT_DEV, binomial_p, candidates, contract_b
from freehold.text.confidence import LEAST_CONFIDENCE

RISK, DELTA = 0.05, 0.10


def alone(
    confidences: list[float], losses: list[float], thresholds: tuple[float, ...], *, delta: float = DELTA
) -> Cascade:
    groups = [f"u{i}" for i in range(len(confidences))]
    return contract_b(confidences, losses, groups, thresholds=thresholds, risk=RISK, delta=delta, seed=0)


def test_the_fewest_local_answers_without_an_error() -> None:
    """59 at 5%/5%: (1 - .05)^59 = .0485, and .0510 for 58."""
    assert binomial_p(np.array([0.0]), np.array([59.0]), RISK)[0] == pytest.approx(0.95**59)
    everything = (LEAST_CONFIDENCE,)
    assert alone([0.9] * 59, [0.0] * 59, everything, delta=0.05).coverage == 1.0
    assert alone([0.9] * 58, [0.0] * 58, everything, delta=0.05).chosen is None
    assert least_n(0.0, risk=RISK, delta=0.05) == math.ceil(math.log(0.05) / math.log(0.95)) == 59
    half = alone([0.9] * 50 + [0.0] * 50, [0.0] * 100, everything, delta=0.05)
    assert half.curve[-1].local == 50
    seen = Seen(calls=100, users=100, discordance=0.0, difference=0.0)
    asked = ProofSettings(contract="B", delta=0.05, min_coverage=0.01)
    assert calls_for_cascade([(50, 0)], seen, asked, is_by_user=False) == 118


@given(st.integers(0, 30), st.integers(1, 400))
def test_the_p_value_is_the_binomial_s_and_agrees_with_clopper_pearson(wrong: int, local: int) -> None:
    wrong = min(wrong, local)
    p = float(binomial_p(np.array([float(wrong)]), np.array([float(local)]), RISK)[0])
    assert p == pytest.approx(binom.cdf(wrong, local, RISK))
    assert (p <= DELTA) == (float(upper_bound([wrong], local, DELTA)[0]) <= RISK)


def test_testing_ends_at_the_first_failure_and_the_loosest_accepted_is_used() -> None:
    """.9: 0 of 60 passes; .8: 5 of 80 fails; .7 would pass again (5 of 260) and counts only where it comes before."""
    confidences = [0.9] * 60 + [0.8] * 20 + [0.7] * 180
    losses = [0.0] * 60 + [1.0] * 5 + [0.0] * 195
    early = alone(confidences, losses, (0.9, 0.8, 0.7))
    late = alone(confidences, losses, (0.9, 0.7, 0.8))
    assert (early.threshold, late.threshold) == (0.9, 0.7)
    assert [(p.threshold, p.local, p.wrong, p.is_proven) for p in late.curve] == [
        (0.9, 60, 0, True),
        (0.8, 80, 5, False),
        (0.7, 260, 5, True),
    ]
    assert late.coverage == 1.0
    assert late.contract == "B"


def test_a_model_whose_surest_answers_are_its_worst_is_still_proven() -> None:
    """Single-start testing, from the strictest threshold down, ends at once; the order by dev p-values does not."""
    rng = np.random.default_rng(51)

    def draw(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        u = rng.random(n)
        return u, np.where(u > 0.97, rng.random(n) < 0.5, rng.random(n) < 0.01).astype(float)

    (dev_u, dev_loss), (u, loss) = draw(400), draw(1000)
    order = candidates(dev_u.tolist(), dev_loss.tolist(), risk=RISK)
    single_start = tuple(np.quantile(dev_u, np.linspace(1, 0, 50), method="lower").tolist())
    assert alone(u.tolist(), loss.tolist(), single_start).chosen is None
    found = alone(u.tolist(), loss.tolist(), order)
    assert found.coverage > 0.9


def true_risk(threshold: float) -> float:
    """Uniform confidence u, wrong with probability 0.3 (1 - u)^2: P(wrong | u >= t) = 0.1 (1 - t)^2."""
    return 0.1 * (1 - threshold) ** 2


def test_the_contract_is_broken_no_more_often_than_delta_and_a_naive_threshold_breaks_it() -> None:
    rng = np.random.default_rng(52)
    runs, n, broken, naive_broken, covered = 2000, 1000, 0, 0, []
    groups = [str(i) for i in range(n)]
    for _ in range(runs):
        u, dev = rng.random(n), rng.random(300)
        loss = (rng.random(n) < 0.3 * (1 - u) ** 2).astype(float)
        dev_loss = (rng.random(300) < 0.3 * (1 - dev) ** 2).astype(float)
        order = candidates(dev, dev_loss, risk=RISK)  # type: ignore[arg-type]
        found = contract_b(u, loss, groups, thresholds=order, risk=RISK, delta=DELTA, seed=0)  # type: ignore[arg-type]
        covered.append(found.coverage)
        broken += found.threshold is not None and true_risk(found.threshold) > RISK
        naive = [p.threshold for p in found.curve if p.local and p.wrong / p.local <= RISK]
        naive_broken += bool(naive) and true_risk(min(naive)) > RISK
    assert broken / runs <= DELTA
    assert naive_broken / runs > 0.4
    assert np.mean(covered) >= 0.75 * 0.5**0.5


def test_users_with_many_calls_break_the_binomial_and_not_the_test_on_users() -> None:
    """100 users with 20 calls each; one user in 18 gets wrong answers only: 5.6% of local answers are wrong."""
    rng = np.random.default_rng(53)
    groups = [f"u{i // 20}" for i in range(2000)]
    runs, broken, naive_broken = 200, 0, 0
    for _ in range(runs):
        loss = np.repeat(rng.random(100) < 1 / 18, 20).astype(float)
        found = contract_b(
            [0.5] * 2000, loss.tolist(), groups, thresholds=(LEAST_CONFIDENCE,), risk=RISK, delta=DELTA, seed=0
        )
        assert found.is_by_user
        broken += found.chosen is not None
        naive_broken += float(binomial_p(np.array([loss.sum()]), np.array([2000.0]), RISK)[0]) <= DELTA
    assert broken / runs <= DELTA
    assert naive_broken / runs > 2 * DELTA


def test_users_with_many_calls_and_few_errors_are_proven_and_those_without_local_calls_bet_nothing() -> None:
    groups = [f"u{i % 150}" for i in range(600)]
    losses = [float(i % 200 == 0) for i in range(600)]
    found = contract_b([0.5] * 600, losses, groups, thresholds=(LEAST_CONFIDENCE,), risk=RISK, delta=DELTA, seed=0)
    assert found.coverage == 1.0
    strangers = [f"v{i % 300}" for i in range(600)]
    mixed = contract_b(
        [0.5] * 600 + [0.0] * 600,
        losses + [1.0] * 600,
        groups + strangers,
        thresholds=(LEAST_CONFIDENCE,),
        risk=RISK,
        delta=DELTA,
        seed=0,
    )
    assert mixed.coverage == 0.5


def test_graded_losses_are_bet_on_and_hold_delta() -> None:
    """A loss of .5 for one answer in ten has mean .05: at the contract, so seldom proven; .5 for one in fifty is."""
    rng = np.random.default_rng(54)
    proven = {0.1001: 0, 0.02: 0}
    runs = 200
    for share in proven:
        for _ in range(runs):
            losses = np.where(rng.random(600) < share, 0.5, 0.0)
            proven[share] += alone([0.9] * 600, losses.tolist(), (LEAST_CONFIDENCE,)).chosen is not None
    assert proven[0.1001] / runs <= DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / runs)
    assert proven[0.02] / runs > 0.9


def test_the_thresholds_of_dev() -> None:
    order = candidates([0.9] * 60 + [0.5] * 60 + [0.0] * 9, [0.0] * 60 + [0.2] * 60 + [1.0] * 9, risk=RISK)
    assert order == (0.9, 0.5, LEAST_CONFIDENCE)
    assert candidates([], [], risk=RISK) == candidates([0.0, math.nan], [1, 1], risk=RISK) == WITHOUT_DEV


@pytest.mark.parametrize("confidence", [0.0, math.nan, math.inf, -1.0])
def test_an_answer_without_confidence_is_never_local(confidence: float) -> None:
    found = alone([0.9] * 60 + [confidence] * 40, [0.0] * 60 + [1.0] * 40, (LEAST_CONFIDENCE,))
    assert found.coverage == 0.6
    nothing = alone([confidence] * 50, [0.0] * 50, WITHOUT_DEV)
    assert (nothing.chosen, nothing.threshold, nothing.coverage) == (None, None, 0.0)
    assert all(math.isfinite(p.upper) for p in nothing.curve)


@pytest.mark.parametrize("loss", [-0.1, 1.1, math.nan])
def test_a_loss_that_is_none_is_refused(loss: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        alone([0.5] * 3, [0.0, 0.0, loss], WITHOUT_DEV)
