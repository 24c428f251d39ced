"""Feedback enters in request order once its time is over; as it arrives it would take good models back."""

from __future__ import annotations

import math
import random

import pytest

from freehold.watch import Outcome, Word, new_detector, observe, outcomes
from freehold.watch.feedback import closed_until, harm_of


def _word(call_id: str, is_good: bool, at: float) -> Word:
    return Word(call_id=call_id, is_good=is_good, arrived_at=at)


def test_a_request_waits_for_its_horizon_whatever_has_arrived() -> None:
    words = [_word("late", False, 11.0), _word("early", True, 3.0)]
    found = outcomes([("late", 10.0), ("early", 0.0)], words, horizon_s=60.0, now=65.0)
    assert found == (Outcome(call_id="early", created_at=0.0, is_good=True),)


def test_a_late_burst_out_of_order_enters_in_request_order() -> None:
    requests = [(f"call {number}", float(number)) for number in range(50)]
    words = [_word(f"call {number}", number % 5 > 0, 90.0 - number / 10) for number in range(0, 50, 2)]
    random.Random(1).shuffle(words)
    found = outcomes(reversed(requests), words, horizon_s=100.0, now=1_000.0)
    assert [outcome.call_id for outcome in found] == [call_id for call_id, _ in requests]
    assert [outcome.is_good for outcome in found] == [n % 5 > 0 if n % 2 == 0 else None for n in range(50)]


def test_what_comes_after_its_time_or_before_its_request_counts_nothing() -> None:
    words = [_word("a", False, 61.0), _word("b", False, 0.5), _word("unknown", False, 5.0)]
    found = outcomes([("a", 0.0), ("b", 1.0)], words, horizon_s=60.0, now=100.0)
    assert [outcome.is_good for outcome in found] == [None, None]


def test_the_last_word_in_time_counts_and_a_repeated_request_counts_once() -> None:
    words = [_word("a", True, 20.0), _word("a", False, 10.0), _word("a", False, 99.0)]
    found = outcomes([("a", 0.0), ("a", 0.0)], words, horizon_s=60.0, now=100.0)
    assert found == (Outcome(call_id="a", created_at=0.0, is_good=True),)


def test_what_is_missing_is_no_harm() -> None:
    assert [harm_of(is_good) for is_good in (True, False, None)] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(("now", "horizon_s"), [(1.0, -1.0), (1.0, math.nan), (math.inf, 1.0)])
def test_a_time_that_is_none_is_refused(now: float, horizon_s: float) -> None:
    with pytest.raises(ValueError, match=r"horizon|now"):
        closed_until(now, horizon_s=horizon_s)


def test_entered_as_it_arrives_the_same_feedback_would_take_a_good_model_back() -> None:
    """4% bad, 5% tolerated; unhappy users answer at once, happy ones after 200 requests. The negative control."""
    in_order = by_arrival = 0
    for seed in range(40):
        rng = random.Random(seed)
        bad = [rng.random() < 0.04 for _ in range(400)]
        arrival = sorted(range(400), key=lambda n: (n + 1 if bad[n] else n + 200, n))
        alarms = []
        for order in (range(400), arrival):
            detector = new_detector("feedback", tolerated=0.05, patience=8_000.0)
            for number in order:
                detector = observe(detector, float(bad[number]))
            alarms.append(detector.alarm)
        in_order += alarms[0]
        by_arrival += alarms[1]
    assert in_order / 40 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40)
    assert by_arrival / 40 > 0.5
