"""The ramp: its bound beside a plain computation, its steps, its state."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.watch import Ramp, new_ramp, observe_pair
from freehold.watch.ramp import BETS, log_wealth, lower_bound


def _after(differences: list[float | None], harm: float = 0.02) -> Ramp:
    ramp = new_ramp(harm=harm, alpha=0.05)
    for difference in differences:
        ramp = observe_pair(ramp, difference)
    return ramp


def test_the_bets_are_spaced_by_a_factor() -> None:
    assert len(BETS) == 20
    assert (BETS[0], BETS[-1]) == (0.01, pytest.approx(0.98))
    assert BETS[1] / BETS[0] == pytest.approx(BETS[-1] / BETS[-2])


def test_it_starts_at_the_harm_that_is_allowed() -> None:
    assert _after([]).share == 0.02
    assert _after([-1.0] * 200).share == 0.02


def test_wealth_is_the_product_of_the_formula() -> None:
    differences, mu = [-1.0, 0.0, 0.25, 1.0], -0.3
    products = [math.prod(1 - c + c * (1 + d) / (1 + mu) for d in differences) for c in BETS]
    counts = ((-1000, 1), (0, 1), (250, 1), (1000, 1))
    assert log_wealth(counts, mu) == pytest.approx(math.log(sum(products) / 20))


def test_the_bound_is_the_largest_mean_that_is_ruled_out() -> None:
    counts = ((-1000, 10), (0, 300), (1000, 10))
    low = lower_bound(counts, alpha=0.05)
    assert log_wealth(counts, low) >= math.log(20)
    assert log_wealth(counts, low + 1e-5) < math.log(20)


def test_the_share_follows_the_best_bound_so_far() -> None:
    ramp = _after([0.0] * 150)
    assert ramp.share == pytest.approx(0.02 / -ramp.low)
    worse = observe_pair(ramp, -1.0)
    assert (worse.low, worse.share) == (ramp.low, ramp.share)


def test_an_equal_model_takes_all_traffic_and_one_that_halves_it_never_does() -> None:
    rng = random.Random(8)
    equal = _after([rng.choice([-1.0, 1.0]) if rng.random() < 0.1 else 0.0 for _ in range(4_000)])
    assert equal.is_finished
    awful = _after([-1.0 if rng.random() < 0.5 else 0.0 for _ in range(2_000)])
    assert awful.share <= 0.0401
    assert len(awful.history) <= 200


def test_a_difference_is_rounded_against_the_owned_model() -> None:
    assert _after([0.0009, -0.0001]).counts == ((-1, 1), (0, 1))


def test_a_missing_pair_is_the_worst_one() -> None:
    assert _after([None, 0.5]).counts == ((-1000, 1), (500, 1))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.integers(0, 39))
def test_a_missing_pair_never_raises_the_share(differences: list[float], index: int) -> None:
    holed: list[float | None] = [*differences]
    holed[index % len(holed)] = None
    assert _after(holed).share <= _after([*differences]).share


def test_a_restart_changes_no_figure() -> None:
    rng = random.Random(5)
    whole = broken = new_ramp(harm=0.02, alpha=0.05)
    for _ in range(250):
        difference = round(rng.uniform(-1, 1), 2)
        whole = observe_pair(whole, difference)
        broken = Ramp.from_json(json.loads(json.dumps(observe_pair(broken, difference).to_json(), allow_nan=False)))
        assert broken == whole


@pytest.mark.parametrize("difference", [1.01, -1.01, math.nan, math.inf, "0"])
def test_a_difference_that_is_none_is_refused(difference: object) -> None:
    with pytest.raises(ValueError, match="a difference is"):
        observe_pair(new_ramp(harm=0.02, alpha=0.05), difference)  # type: ignore[arg-type]


@pytest.mark.parametrize(("harm", "alpha"), [(0.0, 0.05), (1.1, 0.05), (math.nan, 0.05), (0.02, 0.0), (0.02, 1.0)])
def test_a_ramp_without_a_budget_is_refused(harm: float, alpha: float) -> None:
    with pytest.raises(ValueError, match=r"harm|alpha"):
        new_ramp(harm=harm, alpha=alpha)


@pytest.mark.parametrize(
    "change",
    [{"pairs": 9}, {"counts": [[0, -1]]}, {"counts": [[2000, 1]], "pairs": 1}, {"low": 2.0}, {"history": [["a", 1]]}],
)
def test_a_damaged_state_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"add up|counts|low|history"):
        Ramp.from_json({**new_ramp(harm=0.02, alpha=0.05).to_json(), **change})
