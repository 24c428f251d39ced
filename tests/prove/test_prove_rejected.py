"""Answers of the provider that were rated bad: both sides are held against that, and nothing unknown helps a model."""

from __future__ import annotations

import math
from dataclasses import replace

from scripted_proof import examine

from freehold.model.example import Example
from freehold.model.exchange import Message
from freehold.prove.evaluate import Evaluation
from freehold.prove.measure import Guess, hold_out
from freehold.prove.metrics import judge, read_metrics
from freehold.prove.settings import ProofSettings

LABELS = ("refund", "delivery", "other", "complaint")


def example(i: int, *, is_rejected: bool = False) -> Example:
    label = LABELS[i % 4]
    return Example(
        id=f"c{i}",
        messages=(Message("user", f"message {i}"),),
        target=label,
        incumbent=label,
        source="rejected" if is_rejected else "provider",
        group=f"call:c{i}",
        created_at=float(i),
    )


def examined(rejected: set[int], *, wrong: set[int] = frozenset(), metrics: str = "exact") -> Evaluation:  # type: ignore[assignment]
    examples = [example(i, is_rejected=i in rejected) for i in range(400)]
    held = hold_out("label", examples, read_metrics(metrics))
    guesses = [Guess(text="no idea" if i in wrong else e.target, confidence=0.9) for i, e in enumerate(examples)]
    return examine("owned model", held, guesses, ProofSettings(metrics=metrics))


def test_neither_side_is_right_where_the_answer_was_rated_bad() -> None:
    metrics = read_metrics("exact, graded, valid, length")
    for got in ("refund", "delivery"):
        judged = judge("label", metrics, example(0, is_rejected=True), got)
        assert not judged.score.is_exact
        assert judged.values[0] == 0.0
        assert math.isnan(judged.values[1])
        assert judged.values[2] == 1.0
        assert math.isnan(judged.values[3])


def test_a_bad_rating_makes_the_provider_fallible_and_never_helps_a_model() -> None:
    rejected = set(range(0, 400, 20))
    agreeing, rated = examined(set()), examined(rejected)
    assert agreeing.paired.difference == rated.paired.difference == 0.0
    assert rated.outcome.scope == "whole"  # both sides can be wrong now, and no call is worse than the provider's
    assert rated.side.right == 380
    assert max(rated.paired.log_wealth) <= max(agreeing.paired.log_wealth)


def test_another_answer_than_the_rated_one_counts_as_wrong_too() -> None:
    rejected = set(range(0, 400, 20))
    same, other = examined(rejected), examined(rejected, wrong=rejected)
    assert same.paired == replace(other.paired, log_wealth=same.paired.log_wealth)
    assert same.side.right == other.side.right


def test_what_looks_at_the_wanted_answer_is_missing_and_counts_as_the_worst() -> None:
    rejected = set(range(0, 400, 20))
    graded = examined(rejected, metrics="graded")
    assert graded.paired.difference == -0.05
    assert graded.outcome.scope != "whole"


def test_where_every_answer_was_rated_bad_nothing_is_shown() -> None:
    """Control: the paired test alone certifies, for both sides count as wrong everywhere."""
    everything = examined(set(range(400)))
    assert everything.paired.is_certified
    assert everything.outcome.decision == "hold"
