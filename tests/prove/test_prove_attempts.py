"""A task's error rate holds over all of its proofs, peeked at after every unit; and what breaks it more."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from freehold.prove.attempts import Attempt, call_mark, level
from freehold.prove.stats.betting import log_wealth
from freehold.prove.stats.cascade import upper_bound

ALPHA, MARGIN, RUNS = 0.05, 0.05, 2000
GATE = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def test_the_shares_add_up_to_one_and_never_more() -> None:
    total = 0.0
    for k in range(1, 2000):
        total += level(k)
        assert total == pytest.approx(1 - 1 / (2 * k + 1))
        assert level(k) > level(k + 1) > 0
    assert total < 1
    assert Attempt(number=3).level == level(3) == pytest.approx(2 / 35)
    with pytest.raises(ValueError, match="count from 1"):
        level(0)


def test_marks_tell_calls_apart() -> None:
    assert len({call_mark(f"call-{i}") for i in range(5000)}) == 5000
    assert call_mark("call-1") == call_mark("call-1")


def ever_certified(units: NDArray[np.float64], levels: list[float]) -> float:
    """The share of runs in which any attempt certifies at any look; shape (runs, attempts, units)."""
    is_certified = np.zeros(len(units), dtype=bool)
    for k, share in enumerate(levels):
        path = log_wealth(units[:, k], MARGIN, alpha=ALPHA * share, cap=units.shape[2])
        is_certified |= path.max(axis=1) >= math.log(1 / (ALPHA * share))
    return float(is_certified.mean())


def models_at_the_margin(rng: np.random.Generator, *, attempts: int, n: int, alike: float) -> NDArray[np.float64]:
    """Attempts on the same calls whose models err together with probability `alike`; each is just at the margin."""
    own = rng.random((RUNS, attempts, n))
    shared = np.repeat(rng.random((RUNS, 1, n)), attempts, axis=1)
    u = np.where(rng.random((RUNS, attempts, n)) < alike, shared, own)
    return np.where(u < 0.10, -1.0, np.where(u < 0.15, 1.0, 0.0))


@pytest.mark.parametrize("alike", [0.0, 0.7])
def test_many_proofs_of_a_task_keep_the_error_rate_and_full_levels_break_it(alike: float) -> None:
    rng = np.random.default_rng([61, int(10 * alike)])
    units = models_at_the_margin(rng, attempts=8, n=150, alike=alike)
    assert 0.005 < ever_certified(units, [level(k) for k in range(1, 9)]) <= GATE
    assert ever_certified(units, [1.0] * 8) > 2 * GATE


def test_contract_a_holds_over_many_proofs_and_full_levels_break_it() -> None:
    rng = np.random.default_rng(62)
    risk, delta, n, attempts = 0.05, 0.10, 400, 10
    errors = rng.binomial(n, risk * 1.0001, (RUNS, attempts))
    gate = delta + 3 * math.sqrt(delta * (1 - delta) / RUNS)
    spent = np.stack([upper_bound(errors[:, k], n, delta * level(k + 1)) <= risk for k in range(attempts)])
    full = np.stack([upper_bound(errors[:, k], n, delta) <= risk for k in range(attempts)])
    assert spent.any(axis=0).mean() <= gate
    assert full.any(axis=0).mean() > 2 * gate


def test_the_order_of_units_changes_no_guarantee() -> None:
    """Orders fixed before the scores are seen; sorted by the scores themselves is the control."""
    rng = np.random.default_rng(63)
    units = models_at_the_margin(rng, attempts=1, n=200, alike=0.0)
    for order in (slice(None), slice(None, None, -1), rng.permutation(200)):
        assert ever_certified(units[:, :, order], [1.0]) <= GATE
    assert ever_certified(-np.sort(-units, axis=2), [1.0]) > 10 * GATE
