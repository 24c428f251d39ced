"""The provider beside itself: what margin follows, and where none does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_proof import example

from freehold.model.example import Example
from freehold.prove import measure_noise


def calls(count: int, kind: str = "label", users: int = 0) -> list[Example]:
    return [example(i, kind=kind, users=users) for i in range(count)]


def again(examples: list[Example], differing: int) -> list[str]:
    return ["else" if i < differing else e.incumbent for i, e in enumerate(examples)]


def test_every_answer_the_same_allows_what_asking_so_many_can_show() -> None:
    examples = calls(200)
    found = measure_noise("label", examples, again(examples, 0))
    assert (found.itself.share, found.itself.high) == (1.0, 1.0)
    assert found.itself.low == pytest.approx(0.981, abs=5e-4)
    assert found.margin == 0.019
    smaller = measure_noise("label", calls(1000), again(calls(1000), 0)).margin
    assert smaller == 0.004


def test_the_margin_is_never_below_the_disagreement_seen() -> None:
    for differing in range(0, 30, 3):
        examples = calls(200)
        found = measure_noise("label", examples, again(examples, differing))
        assert found.margin is None or found.margin > differing / 200
        assert (found.margin is None) == (found.disagreement_high > 0.2)


def test_too_few_calls_and_too_much_disagreement_give_none() -> None:
    few = calls(29)
    found = measure_noise("label", few, again(few, 0))
    assert (found.margin, "at least 30" in found.reason) == (None, True)
    many = calls(200)
    noisy = measure_noise("label", many, again(many, 80))
    assert (noisy.margin, "this inconsistent" in noisy.reason) == (None, True)
    texts = measure_noise("text", many, again(many, 200))
    assert (texts.margin, "hardly ever the same twice" in texts.reason) == (None, True)


def test_users_with_several_calls_widen_the_interval() -> None:
    alone, shared = calls(200), calls(200, users=20)
    differing = [i % 20 in (0, 1) for i in range(200)]  # of the same users always
    said = ["else" if differs else e.incumbent for e, differs in zip(shared, differing, strict=True)]
    by_call = measure_noise("label", alone, said)
    by_user = measure_noise("label", shared, said)
    assert by_user.users == 20
    assert by_user.itself.share == by_call.itself.share == 0.9
    assert by_user.disagreement_high > by_call.disagreement_high


def test_the_owned_side_is_compared_where_it_answered() -> None:
    examples = calls(100)
    owned = [e.incumbent if i % 5 else "wrong" for i, e in enumerate(examples)]
    half: list[str | None] = [text if i < 50 else None for i, text in enumerate(owned)]
    found = measure_noise("label", examples, again(examples, 10), half)
    assert found.owned is not None
    assert (found.owned.n, found.owned.share) == (50, 0.8)
    assert found.difference == pytest.approx(0.0)  # ten of the fifty differ on either side
    assert found.low < 0 < found.high
    nobody = measure_noise("label", examples, again(examples, 10), [None] * 100)
    assert (nobody.owned, nobody.difference, nobody.low, nobody.high) == (None, None, -1.0, 1.0)


def test_json_is_compared_as_json() -> None:
    examples = [replace(e, incumbent='{"a": 1, "b": "x"}') for e in calls(60)]
    found = measure_noise("json", examples, ['{"b":"x","a":1}'] * 60)
    assert found.itself.share == 1.0


@pytest.mark.parametrize(("count", "texts", "owned"), [(0, [], None), (2, ["a"], None), (1, ["a"], [])])
def test_answers_that_do_not_pair_are_refused(count: int, texts: list[str], owned: list[str | None] | None) -> None:
    with pytest.raises(ValueError, match="at least one example"):
        measure_noise("label", calls(count), texts, owned)
