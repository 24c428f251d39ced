"""The rules: a hopeless model never moves, a perfect one does, and what is not decided says how much is missing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_proof import examine

from freehold.errors import SettingError
from freehold.model.example import Example
from freehold.model.exchange import Message
from freehold.prove.evaluate import Evaluation
from freehold.prove.measure import Guess, hold_out, share_interval
from freehold.prove.settings import ProofSettings

SETTINGS = ProofSettings()


def proof(n: int, *, wrong_incumbent: int = 0, labels: int = 5, users: int = 0) -> list[Example]:
    return [
        Example(
            id=f"c{i}",
            messages=(Message("user", f"message {i}"),),
            target=f"label {i % labels}",
            incumbent="unsure" if i < wrong_incumbent else f"label {i % labels}",
            source="correction" if i < wrong_incumbent else "provider",
            group=f"u{i % users}" if users else f"u{i}",
            created_at=float(i),
        )
        for i in range(n)
    ]


def put_to_proof(examples: list[Example], right: list[bool], confidences: list[float], **asked: float) -> Evaluation:
    guesses = [
        Guess(text=e.target if ok else "wrong", confidence=c)
        for e, ok, c in zip(examples, right, confidences, strict=True)
    ]
    return examine("owned model", hold_out("label", examples), guesses, ProofSettings(**asked))  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [30, 100, 400, 1000])
@pytest.mark.parametrize("accuracy", [0.0, 0.02, 0.1, 0.3, 0.5])
def test_a_hopeless_model_never_moves(n: int, accuracy: float) -> None:
    moved = 0
    for seed in range(10):
        rng = np.random.default_rng([41, seed])
        right = (rng.random(n) < accuracy).tolist()
        outcome = put_to_proof(proof(n), right, rng.uniform(0.01, 1, n).tolist()).outcome
        moved += outcome.decision == "move"
        assert outcome.decision == "hold" or n < 400
    assert moved == 0


def test_a_hopeless_model_would_move_if_coverage_alone_counted() -> None:
    """The control: contract A by itself lets a model that is always wrong answer some calls."""
    examined = put_to_proof(proof(1000), [False] * 1000, np.linspace(0.01, 1, 1000).tolist())
    assert examined.cascade.chosen is not None
    assert 0.02 < examined.cascade.coverage < 0.05
    assert examined.outcome.decision == "hold"


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_no_worse_than_a_provider_that_is_always_wrong_moves_nothing(share: float) -> None:
    right = [i < share * 600 for i in range(600)]
    outcome = put_to_proof(proof(600, wrong_incumbent=600), right, [0.9] * 600).outcome
    assert outcome.decision == "hold"
    half = [i % 2 == 0 for i in range(600)]
    assert put_to_proof(proof(600, wrong_incumbent=600), half, [0.9] * 600).outcome.scope == "whole"


@pytest.mark.parametrize(("n", "decision"), [(20, "need"), (44, "need"), (60, "move"), (400, "move")])
def test_a_perfect_model_moves_once_there_is_enough(n: int, decision: str) -> None:
    outcome = put_to_proof(proof(n), [True] * n, [0.9] * n).outcome
    assert outcome.decision == decision
    if decision == "move":
        assert (outcome.scope, outcome.coverage) == ("cascade", 1.0)
    else:
        assert outcome.need is not None
        assert n + outcome.need >= 45


def test_too_few_calls_of_few_users_need_as_many_users_more() -> None:
    """Without an error some 48 users certify at 5%, however often they call: 20 calls of 5 users are four each."""
    alone = put_to_proof(proof(20), [True] * 20, [0.9] * 20).outcome
    together = put_to_proof(proof(20, users=5), [True] * 20, [0.9] * 20).outcome
    assert alone.need is not None
    assert together.need is not None
    assert 20 + alone.need < 60
    assert 20 + together.need >= 4 * 48


def test_what_is_needed_is_enough_at_the_same_shares() -> None:
    """3 of 50 wrong, one of them among the three surest: more calls of the same kind decide."""
    right = [i not in (2, 40, 41) for i in range(50)]
    confidences = [1 - i / 100 for i in range(50)]
    outcome = put_to_proof(proof(50), right, confidences).outcome
    assert outcome.decision == "need"
    assert outcome.need is not None
    times = math.ceil((50 + outcome.need) / 50)
    again = put_to_proof(proof(50 * times), right * times, confidences * times)
    assert again.outcome.decision == "move"


def test_a_model_as_good_as_a_provider_that_errs_moves_whole() -> None:
    """Provider wrong in 300 of 3,000 corrected calls, the model in 210 others: no worse, though far above the risk."""
    right = [not 300 <= i < 510 for i in range(3000)]
    examined = put_to_proof(proof(3000, wrong_incumbent=300), right, [0.5] * 3000)
    assert examined.paired.difference == pytest.approx(0.03)
    assert examined.outcome.decision == "move"
    assert examined.outcome.scope == "whole"
    assert examined.outcome.coverage == 1.0


def test_the_same_model_does_not_move_whole_where_nothing_was_corrected() -> None:
    right = [i >= 210 for i in range(3000)]
    examined = put_to_proof(proof(3000), right, [0.5] * 3000)
    assert not examined.paired.is_certified
    assert examined.outcome.decision == "hold"


@pytest.mark.parametrize(
    ("right", "confidences", "labels", "word"),
    [
        ([True] * 100, [0.9] * 100, 1, "same answer"),
        ([True] * 100, [0.0] * 100, 5, "can be used"),
        ([False] * 100, [0.9] * 100, 5, "no threshold"),
    ],
)
def test_nothing_to_learn_from_is_a_hold_with_a_reason(
    right: list[bool], confidences: list[float], labels: int, word: str
) -> None:
    outcome = put_to_proof(proof(100, labels=labels), right, confidences).outcome
    assert outcome.decision == "hold"
    assert word in outcome.reason


def test_a_smaller_risk_moves_less() -> None:
    rng = np.random.default_rng(42)
    confidences = rng.random(1000)
    right = (rng.random(1000) > 0.4 * (1 - confidences) ** 2).tolist()
    coverage = [
        put_to_proof(proof(1000), right, confidences.tolist(), risk=risk).outcome.coverage or 0.0
        for risk in (0.02, 0.05, 0.10)
    ]
    assert 0 < coverage[0] < coverage[1] < coverage[2]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.9])), min_size=1, max_size=150),
    st.integers(0, 10),
    st.sampled_from([0, 1, 7]),
)
def test_any_answers_get_a_whole_verdict(calls: list[tuple[bool, float]], wrong_incumbent: int, users: int) -> None:
    examples = proof(len(calls), wrong_incumbent=min(wrong_incumbent, len(calls)), users=users)
    examined = put_to_proof(examples, [ok for ok, _ in calls], [c for _, c in calls])
    outcome, side, paired = examined.outcome, examined.side, examined.paired
    assert (outcome.need is not None) == (outcome.decision == "need")
    assert (outcome.threshold is not None) == (outcome.decision == "move")
    assert outcome.need is None or outcome.need >= 1
    assert 0 <= side.low <= side.share <= side.high <= 1
    assert paired.low <= paired.difference <= paired.high
    if outcome.decision == "move" and outcome.scope == "cascade":
        assert examined.cascade.chosen is not None
        assert examined.cascade.chosen.upper <= SETTINGS.risk
        assert outcome.coverage is not None
        assert outcome.coverage >= SETTINGS.least_coverage


def test_an_interval_of_dependent_calls_is_wider() -> None:
    values = [float(i % 10 < 8) for i in range(400)]
    alone = share_interval(values, [f"u{i}" for i in range(400)])
    shared = share_interval(values, [f"u{i % 10}" for i in range(400)])
    assert shared[1] - shared[0] > 3 * (alone[1] - alone[0])
    alike = share_interval([1.0] * 400, [f"u{i % 10}" for i in range(400)])
    assert alike[0] < 0.8


def test_settings_that_promise_nothing_are_refused() -> None:
    for wrong in ({"margin": 0.0}, {"risk": -0.1}, {"delta": 2.0}, {"alpha": math.nan}, {"min_coverage": 1.0}):
        with pytest.raises(SettingError):
            ProofSettings(**wrong)
    assert ProofSettings(risk=0.1).least_coverage == 0.2
    assert ProofSettings(risk=0.01).least_coverage == 0.1
