"""The planner: its figures by hand, against simulation, and what it says where nothing was seen."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import bdtr

from freehold.model.verdict import Contract
from freehold.prove.attempts import level
from freehold.prove.plan import (
    ASSUMED,
    LEAST_CALLS,
    Seen,
    calls_for_cascade,
    calls_for_whole,
    cap,
    plan_assumed,
    plan_cascade,
    plan_whole,
)
from freehold.prove.settings import ProofSettings
from freehold.prove.stats.betting import log_wealth
from freehold.prove.stats.cascade import lower_bound

FULL = ProofSettings()


def seen(
    discordance: float = 0.1, difference: float = 0.0, calls: int = 400, users: int = 400, metrics: int = 1
) -> Seen:
    return Seen(calls=calls, users=users, discordance=discordance, difference=difference, metrics=metrics)


def test_the_whole_by_hand() -> None:
    assert calls_for_whole(seen(), FULL) == math.ceil(1.25 * 1542)
    assert calls_for_whole(seen(users=100), FULL) == 4 * math.ceil(1.25 * 1542)
    assert calls_for_whole(seen(difference=-0.02), FULL) is None
    assert calls_for_whole(seen(difference=0.3), FULL) == calls_for_whole(seen(), FULL)
    assert cap(243) == math.ceil(1.5 * 243)


def test_more_is_needed_later_for_more_metrics_and_for_less() -> None:
    alone, first, second = (calls_for_whole(seen(), FULL.spending(share)) or 0 for share in (1.0, level(1), level(2)))
    assert 0 < alone < first < second
    assert first / alone == pytest.approx(1.16, abs=0.01)
    assert (calls_for_whole(seen(metrics=2), FULL) or 0) > alone
    rows = plan_whole(seen(), FULL, [0.01, 0.02, 0.05])
    assert [row.limit for row in rows] == [0.01, 0.02, 0.05]
    assert rows[0].calls > rows[1].calls > rows[2].calls  # type: ignore[operator]


@pytest.mark.parametrize(("discordance", "margin"), [(0.10, 0.03), (0.20, 0.05), (0.05, 0.03)])
def test_the_planned_calls_give_the_planned_power(discordance: float, margin: float) -> None:
    settings = ProofSettings(margin=margin).spending(level(2))
    planned = calls_for_whole(seen(discordance), settings)
    assert planned is not None
    u = np.random.default_rng(81).random((600, planned))
    units = np.where(u < discordance / 2, -1.0, np.where(u < discordance, 1.0, 0.0))
    path = log_wealth(units, margin, alpha=settings.alpha, cap=planned)
    assert 0.72 < (path.max(axis=1) >= math.log(1 / settings.alpha)).mean() < 0.95


@pytest.mark.parametrize("contract", ["A", "B"])
def test_the_planned_calls_prove_the_cascade_in_four_of_five_tries(contract: Contract) -> None:
    """At the shares seen; planned by the mean alone it would be every second one."""
    asked = replace(FULL, contract=contract, min_coverage=0.5).spending(level(2))
    rng = np.random.default_rng(83)
    for local, wrong in ((400, 0), (360, 8), (300, 10), (250, 5)):
        planned = calls_for_cascade([(local, wrong)], seen(), asked, is_by_user=False)
        assert planned is not None
        served = rng.binomial(planned, local / 400, 4000)
        lost = rng.binomial(served, wrong / local)
        covered = [lower_bound(int(k), planned, asked.delta) >= asked.least_coverage for k in served]
        kept = [
            bdtr(k, planned if contract == "A" else n, asked.risk) <= asked.delta
            for k, n in zip(lost, served, strict=True)
        ]
        assert 0.78 < np.mean(np.logical_and(covered, kept)) <= 1
    assert calls_for_cascade([(400, 20)], seen(), FULL, is_by_user=False) is None
    assert calls_for_cascade([(10, 0)], seen(), FULL, is_by_user=False) is None


def test_under_contract_b_a_threshold_waits_for_the_stricter_ones() -> None:
    asked = replace(FULL, contract="B")
    alone = calls_for_cascade([(300, 3)], seen(), asked, is_by_user=False)
    after_worse = calls_for_cascade([(100, 3), (300, 3)], seen(), asked, is_by_user=False)
    assert alone is not None
    assert after_worse is not None
    assert alone < after_worse
    assert calls_for_cascade([(100, 6), (300, 3)], seen(), asked, is_by_user=False) is None
    assert calls_for_cascade([(100, 6), (300, 9)], seen(), FULL, is_by_user=False) is not None  # contract A


def test_points_that_no_threshold_should_take_are_not_planned_with() -> None:
    rows = plan_cascade([(10, 9), (300, 2), (400, 40)], seen(), FULL, [0.02, 0.05], is_by_user=False)
    assert [row.calls is not None for row in rows] == [True, True]
    assert plan_cascade([(10, 9)], seen(), FULL, [0.05], is_by_user=False)[0].calls is None
    assert plan_cascade([], seen(), FULL, [0.05], is_by_user=False)[0].calls is None


def test_what_is_assumed_where_nothing_was_seen() -> None:
    rows = plan_assumed(FULL.spending(level(1)), [0.02, 0.05], [0.05, 0.3])
    whole = [row for row in rows if row.way == "whole"]
    assert {row.discordance for row in whole} == set(ASSUMED)
    cascade = [row.calls for row in rows if row.way == "cascade"]
    assert cascade == [53, LEAST_CALLS]
