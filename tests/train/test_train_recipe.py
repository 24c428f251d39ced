"""The schedule: where a training ends and how its learning rate gets there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.train.recipe import Recipe, default_epochs, learning_rate


def test_the_rate_warms_up_peaks_and_ends_at_zero() -> None:
    recipe = Recipe(learning_rate=1.0, warmup_share=0.1)
    assert 0 < learning_rate(recipe, 0.0) < 0.05
    assert learning_rate(recipe, 0.05) == pytest.approx(0.5)
    assert learning_rate(recipe, 0.1) == pytest.approx(1.0)
    assert learning_rate(recipe, 0.55) == pytest.approx(0.5)
    assert learning_rate(recipe, 1.0) == pytest.approx(0.0)


@given(st.floats(0, 1), st.floats(0, 1))
def test_after_the_warm_up_the_rate_only_falls(one: float, other: float) -> None:
    recipe = Recipe()
    early, late = sorted(recipe.warmup_share + share * (1 - recipe.warmup_share) for share in (one, other))
    assert learning_rate(recipe, early) >= learning_rate(recipe, late) >= 0


def test_a_recipe_without_warm_up_begins_at_the_full_rate() -> None:
    assert learning_rate(Recipe(warmup_share=0.0, learning_rate=0.5), 0.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("recipe", "examples", "steps"),
    [
        (Recipe(batch_size=16, epochs=2.0), 160, 20),
        (Recipe(batch_size=16, epochs=0.5), 160, 5),
        (Recipe(batch_size=16, epochs=2.0), 161, 22),
        (Recipe(batch_size=16, epochs=2.0, max_steps=7), 160, 7),
        (Recipe(batch_size=16, epochs=0.001), 16, 1),
    ],
)
def test_steps_end_with_the_passes_or_the_limit(recipe: Recipe, examples: int, steps: int) -> None:
    assert recipe.most_steps(examples) == steps


@pytest.mark.parametrize(
    ("recipe", "step", "ending"),
    [
        (Recipe(batch_size=16, epochs=2.0), 20, "epochs"),
        (Recipe(batch_size=16, epochs=2.0, max_minutes=1.0), 19, "minutes"),
        (Recipe(batch_size=16, epochs=2.0, max_minutes=1.0), 20, "epochs"),
        (Recipe(batch_size=16, epochs=2.0, max_steps=7), 7, "steps"),
        (Recipe(batch_size=16, epochs=2.0, max_steps=30), 20, "epochs"),
    ],
)
def test_what_ended_a_training_is_told_by_its_steps(recipe: Recipe, step: int, ending: str) -> None:
    assert recipe.ending(step, 160) == ending


def test_small_datasets_are_passed_over_more_often() -> None:
    assert [default_epochs(n) for n in (1, 500, 5_000, 14_000, 100_000)] == [10, 10, 6, 4, 4]
