"""What is said of a training that was too little, and that nothing is said of one that was enough."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.train.convergence import clear_fall, undertrained

FLAT = [(10, 0.9), (20, 0.31), (30, 0.30), (40, 0.29)]
FALLING = [(10, 2.0), (20, 1.2), (30, 0.9), (40, 0.7)]
STEEP = [(10, 2.0), (20, 1.2), (30, 0.8), (40, 0.5)]


def told(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metrics and the recipe of a training; by default the one that was seen to mislead: 19 steps, 0.085 passes."""
    metrics = {"steps": 19, "examples": 1792, "seconds": 360.0, "epochs": 0.085, "ended_by": "minutes", "dev_curve": ()}
    recipe = {"batch_size": 8, "epochs": 10.0, "max_minutes": 6.0, "max_steps": None}
    return (
        {name: changes.get(name, value) for name, value in metrics.items()},
        {name: changes.get("wanted" if name == "epochs" else name, value) for name, value in recipe.items()},
    )


def test_few_passes_that_the_clock_ended_are_too_little_and_the_next_training_makes_a_whole_one() -> None:
    found = undertrained(*told())
    assert found is not None
    assert found.is_too_little
    assert found.words == "its limit of time ended it after 19 steps, 0.0848 passes over the training examples"
    assert found.command("triage") == "freehold train triage --minutes 75"  # 6 minutes / 0.0848 = 70.7


def test_a_dev_loss_that_falls_steeply_is_too_little_after_many_passes_too() -> None:
    found = undertrained(*told(steps=400, epochs=1.786, dev_curve=STEEP))
    assert found is not None
    assert found.is_too_little
    assert found.sentence.startswith("The training was cut short: its limit of time ended it after 400 steps")
    assert "still falling (1.2 at half of the steps, 0.5 at the end)" in found.words
    assert found.command("triage") == "freehold train triage --minutes 15"


def test_one_that_falls_less_is_worth_a_proof_and_has_room_left() -> None:
    found = undertrained(*told(steps=400, epochs=1.786, dev_curve=FALLING))
    assert found is not None
    assert not found.is_too_little
    assert found.sentence.startswith("A longer training may do better: its limit of time ended it")
    nearly_there = undertrained(*told(steps=400, epochs=1.786, dev_curve=[(200, 0.041), (400, 0.018)]))
    assert nearly_there is not None
    assert not nearly_there.is_too_little
    assert found.command("triage") == "freehold train triage --minutes 15"


def test_a_training_that_ended_as_planned_is_only_said_to_have_room_left() -> None:
    found = undertrained(*told(steps=224, ended_by="epochs", dev_curve=STEEP, max_minutes=None, wanted=1.0))
    assert found is not None
    assert not found.is_too_little
    assert found.command("triage") == "freehold train triage --epochs 2"
    limited = undertrained(*told(steps=224, ended_by="epochs", dev_curve=FALLING, wanted=1.0, max_minutes=8.0))
    assert limited is not None
    assert limited.command("triage") == "freehold train triage --epochs 2 --minutes 15"


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 2240, "ended_by": "epochs", "dev_curve": FLAT},
        {"steps": 2240, "ended_by": "epochs", "dev_curve": ()},
        {"steps": 400, "dev_curve": FLAT},
        {"steps": 400, "dev_curve": ()},
        {"steps": 2000, "examples": 100_000, "dev_curve": FLAT},
        {"steps": None},
        {"examples": 0},
        {"steps": 19, "ended_by": "steps"},
    ],
)
def test_a_training_that_was_enough_gets_no_advice(changes: dict[str, Any]) -> None:
    assert undertrained(*told(**changes)) is None


def test_a_card_of_an_earlier_version_is_told_by_its_passes() -> None:
    assert undertrained(*told(ended_by="unknown")) is not None
    assert undertrained(*told(ended_by="unknown", wanted=0.085)) is None
    assert undertrained(*told(ended_by="unknown", max_minutes=None)) is None
    assert undertrained({}, {}) is None


def test_no_step_at_all_asks_for_the_default() -> None:
    found = undertrained(*told(steps=0, epochs=0.0))
    assert found is not None
    assert found.command("t") == "freehold train t --minutes 40"


@given(
    st.integers(0, 5000),
    st.integers(1, 50_000),
    st.floats(0.1, 1e5),
    st.floats(0.1, 600),
    st.sampled_from([(), FALLING]),
)
def test_the_next_training_is_never_shorter(
    steps: int, examples: int, seconds: float, limit: float, curve: list[tuple[int, float]]
) -> None:
    found = undertrained(*told(steps=steps, examples=examples, seconds=seconds, max_minutes=limit, dev_curve=curve))
    if found is not None:
        assert found.minutes is not None
        assert found.minutes >= limit
        assert found.minutes >= 1


@pytest.mark.parametrize(
    ("curve", "falls"),
    [
        ([], False),
        ([(40, 0.5)], False),
        (FLAT, False),
        (FALLING, True),
        ([(20, 0.010), (40, 0.006)], False),
        ([(20, 0.5), (40, 0.7)], False),
        ([(1, 1.0), (2, 0.5)], True),
    ],
)
def test_a_fall_is_clear_by_its_share_and_its_size(curve: list[tuple[int, float]], falls: bool) -> None:
    assert (clear_fall(curve) is not None) is falls
