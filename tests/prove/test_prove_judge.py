"""Comparisons decide where agreement says too little; a judge sharpens people and never stands in for them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scripted_proof import example

from freehold.model.example import Example
from freehold.prove import Opinions, ProofSettings, draw_pairs
from freehold.prove.labels.judge import Drawn, compare_pairs, judged_pairs, planned_pairs, preferences
from freehold.prove.labels.judge import weigh_opinions as weigh
from freehold.prove.stats.ppi import powered_log_wealth

TEXT = "I am sorry about your order, number {}. It will come next week, and you need not do anything."


def drawn(outcomes: Sequence[float | None], **changes: Any) -> Drawn:
    """Pairs that all differ, as many planned as there are outcomes, without a judge."""
    values: dict[str, Any] = {
        "outcomes": outcomes,
        "scores": [None] * len(outcomes),
        "settled": [False] * len(outcomes),
        "planned": len(outcomes),
    }
    return Drawn(**values | changes)


def judged_pairs_of(
    labels: int, others: int, *, people: Callable[[int], float], judge: Callable[[int], float]
) -> Drawn:
    """Pairs of which people decided the first, and a judge all."""
    outcomes = [people(i) if i < labels else None for i in range(labels + others)]
    return drawn(outcomes, scores=[judge(i) for i in range(labels + others)], planned=labels, to_judge=labels + others)


# Drawing


def test_one_call_of_each_user_is_drawn_and_the_seed_says_which() -> None:
    examples = [example(i, users=30) for i in range(120)]
    order = draw_pairs(examples, 7)
    assert sorted(examples[position].group for position in order) == sorted({e.group for e in examples})
    assert order == draw_pairs(examples, 7)
    assert order != draw_pairs(examples, 8)
    chosen = {draw_pairs(examples, seed)[0] for seed in range(60)}
    assert len(chosen) > 20  # neither the user nor the call of a user is always the same one
    assert draw_pairs([], 0) == ()


def test_the_plan_depends_on_nothing_that_labels_could_tell() -> None:
    settings = ProofSettings()
    assert planned_pairs("text", 1000, settings) == 300
    assert planned_pairs("json", 1000, settings) == 1000
    assert planned_pairs("text", 40, settings) == 40
    assert planned_pairs("text", 1000, replace(settings, labels=500)) == 500
    assert planned_pairs("text", 100, replace(settings, labels=500)) == 100
    assert judged_pairs(700, settings) == 700
    assert judged_pairs(700, replace(settings, judge_calls=90)) == 90


# The test


def test_pairs_that_are_equally_good_certify_and_worse_ones_never_do() -> None:
    settings = ProofSettings(margin=0.1)
    equal = compare_pairs(drawn([0.0] * 80), settings)
    assert equal.is_certified
    assert equal.decided_at is not None
    assert 20 < equal.decided_at < 60
    assert (equal.difference, equal.owned_better, equal.provider_better) == (0.0, 0, 0)
    worse = compare_pairs(drawn([-1.0, 0.0, 0.0, 0.0, 0.0] * 60), settings)
    assert not worse.is_certified
    assert not worse.is_open  # nothing is left to decide


def test_a_gap_stops_the_evidence_and_adds_none() -> None:
    settings = ProofSettings(margin=0.1)
    whole: list[float | None] = [0.0] * 80
    holed = [*whole[:5], None, *whole[6:]]
    found = compare_pairs(drawn(holed), settings)
    assert (found.n, found.by_people, found.behind_gap, found.to_label) == (5, 5, 74, 1)
    assert not found.is_certified
    assert len(found.log_wealth) == 5
    assert found.is_open
    # what is left out can be nothing but bad news, and no label behind it can make up for it
    assert compare_pairs(drawn([*whole[:5], -1.0, *whole[6:]]), settings).log_wealth[:5] == found.log_wealth


def test_labels_beyond_the_plan_say_nothing() -> None:
    settings = ProofSettings(margin=0.1)
    beyond = compare_pairs(drawn([0.0] * 10 + [1.0] * 500, planned=10), settings)
    assert (beyond.n, beyond.by_people, beyond.behind_gap) == (10, 10, 0)
    assert beyond.log_wealth == compare_pairs(drawn([0.0] * 10), settings).log_wealth


def test_nothing_known_is_open_and_finite() -> None:
    for count in (0, 1, 40):
        found = compare_pairs(drawn([None] * count), ProofSettings(judge="j"))
        assert (found.n, found.is_certified, found.difference, found.powered) == (0, False, None, None)
        assert (found.low, found.high) == (-1.0, 1.0)
        assert found.is_open == (count > 0)


def test_what_is_lost_is_not_open() -> None:
    lost = compare_pairs(drawn([-1.0] * 60 + [None] * 240), ProofSettings())
    assert lost.to_label == 240
    assert not lost.is_open


@pytest.mark.parametrize("value", [1.5, -2.0, math.nan, math.inf])
def test_an_opinion_outside_the_scale_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="outside"):
        drawn([value])
    with pytest.raises(ValueError, match="outside"):
        drawn([0.0], scores=[value])


# The judge


@pytest.mark.parametrize("labels", [0, 1, 100, 199])
@pytest.mark.parametrize("others", [200, 1000, 5000])
def test_a_judge_alone_certifies_nothing_however_often_it_says_so(labels: int, others: int) -> None:
    """All scores are 1, people saw no difference, and the plan is for 300: under 200 labels nothing counts."""
    pairs = drawn(
        [0.0] * labels + [None] * (300 - labels + others),
        scores=[1.0] * (300 + others),
        planned=300,
        to_judge=300 + others,
    )
    settings = ProofSettings(margin=0.4, judge="j")
    alone = compare_pairs(pairs, replace(settings, judge=""))
    found = compare_pairs(pairs, settings)
    assert found.is_aided == (others >= 300)
    assert not (found.is_certified and found.is_aided)
    if not found.is_aided:
        assert found.why_alone
        assert found.decided_at == alone.decided_at  # what people show by themselves holds with a judge beside them


def test_a_judge_enters_only_where_the_plan_holds_for_it() -> None:
    settings = ProofSettings(judge="j", least_labels=200)
    whole = judged_pairs_of(250, 500, people=lambda _: 0.0, judge=lambda _: 0.0)
    assert compare_pairs(whole, settings).is_aided
    assert compare_pairs(whole, settings).why_alone == ""
    few = compare_pairs(judged_pairs_of(250, 249, people=lambda _: 0.0, judge=lambda _: 0.0), settings)
    assert (few.is_aided, "fewer than two" in few.why_alone) == (False, True)
    unasked = compare_pairs(replace(whole, scores=[*whole.scores[:-1], None]), settings)
    assert (unasked.is_aided, "has not compared 1 of its 750" in unasked.why_alone) == (False, True)
    same = compare_pairs(whole, settings, differing=0.5)
    assert (same.is_aided, "about 125 labels" in same.why_alone) == (False, True)
    assert not compare_pairs(whole, replace(settings, judge="")).is_aided


def test_while_the_judge_has_pairs_left_people_alone_decide_nothing_either() -> None:
    """Else whoever lets it finish only where people alone did not certify would have two tests for one."""
    settings = ProofSettings(judge="j", least_labels=200, margin=0.1)
    whole = judged_pairs_of(250, 500, people=lambda _: 0.0, judge=lambda _: 0.0)
    unasked = replace(whole, scores=[*whole.scores[:-1], None])
    assert compare_pairs(unasked, replace(settings, judge="")).is_certified
    waiting = compare_pairs(unasked, settings)
    assert (waiting.is_certified, waiting.is_aided, waiting.to_judge) == (False, False, 1)
    assert compare_pairs(whole, settings).is_certified
    # where its scores would never enter, nothing waits for them
    few = judged_pairs_of(250, 249, people=lambda _: 0.0, judge=lambda _: 0.0)
    never = compare_pairs(replace(few, scores=[None] * 499), settings)
    assert (never.is_certified, never.to_judge) == (True, 0)


def test_people_alone_and_then_people_with_a_judge_would_be_two_tests() -> None:
    """Negative control of the above: 4,000 runs at the margin; either one certifies more often than alpha allows."""
    rng = np.random.default_rng(5)
    runs, n, per_label, margin, alpha = 4_000, 400, 8, 0.1, 0.05
    share = [0.30, 0.50, 0.20]
    truth = rng.choice([-1.0, 0.0, 1.0], p=share, size=(runs, n * (1 + per_label)))
    judge = np.where(rng.random(truth.shape) < 0.8, truth, rng.choice([-1.0, 0.0, 1.0], p=share, size=truth.shape))
    labels, none = truth[:, :n], np.zeros((runs, n))
    others = judge[:, n:].reshape(runs, n, per_label)
    goal = math.log(1 / alpha)
    alone = powered_log_wealth(labels, none, others[:, :, :0], margin, alpha=alpha, cap=n).max(1) >= goal
    aided = powered_log_wealth(labels, judge[:, :n], others, margin, alpha=alpha, cap=n).max(1) >= goal
    limit = alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)
    assert max(alone.mean(), aided.mean()) <= limit
    assert (alone | aided).mean() > limit


def test_a_good_judge_certifies_with_fewer_labels_and_a_bad_one_costs_little() -> None:
    """200 runs of 400 labels with 4 judged pairs each; a third of the pairs is decided, both sides as often."""
    rng = np.random.default_rng(20260101)
    runs, n, per_label, margin, alpha = 200, 400, 4, 0.08, 0.05
    truth = rng.choice([-1.0, 0.0, 1.0], p=[0.17, 0.66, 0.17], size=(runs, n * (1 + per_label)))
    noise = rng.choice([-1.0, 0.0, 1.0], p=[0.17, 0.66, 0.17], size=truth.shape)
    good = np.where(rng.random(truth.shape) < 0.85, truth, noise)

    def labels_needed(scores: Any) -> float:
        others = scores[:, n:].reshape(runs, n, per_label) if scores is not None else np.empty((runs, n, 0))
        own = np.zeros((runs, n)) if scores is None else scores[:, :n]
        path = powered_log_wealth(truth[:, :n], own, others, margin, alpha=alpha, cap=n)
        reached = path >= math.log(1 / alpha)
        return float(np.where(reached.any(1), reached.argmax(1) + 1, n).mean())

    alone, aided, useless = labels_needed(None), labels_needed(good), labels_needed(noise)
    assert aided < 0.8 * alone
    assert useless < 1.08 * alone


def test_a_judge_that_always_prefers_the_owned_side_moves_nothing() -> None:
    """Negative control: people are at the margin, the judge says 1 always. 1,000 runs, certified at most at alpha."""
    rng = np.random.default_rng(7)
    runs, n, per_label, margin, alpha = 1_000, 250, 3, 0.1, 0.05
    labels = rng.choice([-1.0, 0.0, 1.0], p=[0.30, 0.50, 0.20], size=(runs, n))
    ones = np.ones((runs, n)), np.ones((runs, n, per_label))
    path = powered_log_wealth(labels, *ones, margin, alpha=alpha, cap=n)
    certified = float((path.max(1) >= math.log(1 / alpha)).mean())
    assert certified <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)
    # the same judge taken at its word, which is what nobody may do, is wrong always
    taken = powered_log_wealth(*ones[:1], np.zeros((runs, n)), np.zeros((runs, n, 0)), margin, alpha=alpha, cap=n)
    assert float((taken.max(1) >= math.log(1 / alpha)).mean()) == 1.0


def test_a_judge_that_changes_while_it_is_asked_needs_an_order_of_its_own() -> None:
    """Good for a third of its requests, then always for the owned side; people are at the margin. 2,000 runs.

    Negative control: asked in the pairs' order, all that is corrected by people is the good part.
    """
    rng = np.random.default_rng(3)
    runs, n, per_label, margin, alpha = 2_000, 250, 3, 0.1, 0.05
    count = n * (1 + per_label)
    truth = rng.choice([-1.0, 0.0, 1.0], p=[0.30, 0.50, 0.20], size=(runs, count))

    def certified(asked_at: Any) -> float:
        scores = np.where(asked_at < count // 3, truth, 1.0)
        others = scores[:, n:].reshape(runs, n, per_label)
        path = powered_log_wealth(truth[:, :n], scores[:, :n], others, margin, alpha=alpha, cap=n)
        return float((path.max(1) >= math.log(1 / alpha)).mean())

    limit = alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)
    assert certified(np.argsort(rng.random(truth.shape), axis=1)) <= limit
    assert certified(np.broadcast_to(np.arange(count), truth.shape)) > 0.9


def test_second_opinions_where_the_first_was_bad_news_would_certify_anything() -> None:
    """Negative control of the rule that what was said first counts. 1,000 runs at the margin, people who vary."""
    rng = np.random.default_rng(11)
    runs, n, margin, alpha = 1_000, 300, 0.1, 0.05

    def people() -> Any:
        said = rng.choice([-1.0, 0.0, 1.0], p=[0.35, 0.4, 0.25], size=(runs, n))
        return np.where(rng.random((runs, n)) < 0.6, said, truth)

    def certified(labels: Any) -> Any:
        path = powered_log_wealth(labels, np.zeros((runs, n)), np.zeros((runs, n, 0)), margin, alpha=alpha, cap=n)
        return path.max(1) >= math.log(1 / alpha)

    truth = rng.choice([-1.0, 0.0, 1.0], p=[0.35, 0.4, 0.25], size=(runs, n))
    first, second, third = people(), people(), people()
    limit = alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)
    assert certified(first).mean() <= limit
    assert certified(np.where(first < 0, (first + second) / 2, first)).mean() > 0.5  # asked about the losses alone
    each = [certified(said) for said in (first, (first + second) / 2, (first + second + third) / 3)]
    assert np.any(each, axis=0).mean() > limit  # the mean of ever more people, looked at each time


def test_a_judge_that_is_hostile_on_the_judged_pairs_alone_is_shown_for_what_it_is() -> None:
    people = random.Random(1).choices([-1.0, 0.0], k=300)
    found = compare_pairs(
        judged_pairs_of(300, 600, people=lambda i: people[i], judge=lambda _: 1.0), ProofSettings(judge="j")
    )
    assert found.is_aided
    assert not found.is_certified
    assert found.judge_mean == 1.0
    assert found.powered is not None
    assert (found.powered.rho, found.powered.variance_left) == (None, None)
    assert found.powered.mean == pytest.approx(sum(people) / 300)


# Opinions by example


def text_pairs(count: int) -> list[Example]:
    return [replace(example(i), incumbent=TEXT.format(i), target=TEXT.format(i)) for i in range(count)]


def test_the_same_answer_twice_is_zero_and_asks_nobody() -> None:
    examples = text_pairs(40)
    owned = [e.incumbent if i % 2 else "Other words." for i, e in enumerate(examples)]
    found = weigh("text", examples, owned, Opinions(), ProofSettings())
    assert (found.planned, found.to_label, found.by_people) == (40, 20, 0)
    labels = {e.id: -1.0 for i, e in enumerate(examples) if i % 2}  # of pairs that nobody was asked about
    again = weigh("text", examples, owned, Opinions(labels=labels), ProofSettings())
    assert again == found


def test_replies_of_a_judge_that_say_nothing_count_as_neither() -> None:
    examples = text_pairs(900)
    owned = ["Other words."] * 900
    scores = {e.id: None if i % 3 == 0 else 1.0 for i, e in enumerate(examples)}
    found = weigh("text", examples, owned, Opinions(scores=scores), ProofSettings(judge="j"))
    assert (found.judged, found.unreadable) == (900, 300)
    assert found.judge_mean == pytest.approx(2 / 3)
    assert found.is_aided
    assert not found.is_certified


def test_preferences_stop_at_the_gap() -> None:
    examples = text_pairs(30)
    order = draw_pairs(examples, 0)
    labels = {examples[position].id: -1.0 for place, position in enumerate(order) if place != 4}
    known = preferences("text", examples, ["Other words."] * 30, Opinions(labels=labels), ProofSettings())
    assert [known[position] for position in order] == [-1.0] * 4 + [None] * 26


# Through the whole proof
