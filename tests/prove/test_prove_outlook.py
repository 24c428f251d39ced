"""What a report says of other settings and of the time after a move, and the words it says it in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_proof import FACTS, make_dataset, model

from freehold.prove import ProofSettings, prove
from freehold.prove.foresight import audits_until_rollback, ramp_of_equal
from freehold.prove.page import words
from freehold.prove.page.sheet import Sheet


def test_the_ramp_of_an_equal_model_opens_as_simulated() -> None:
    plan = ramp_of_equal(0.10, harm=0.02, alpha=0.05)
    shares = {step.pairs: step.share for step in plan.steps}
    assert shares[0] == 0.02
    assert shares[205] == pytest.approx(0.33, abs=0.04)
    assert shares[487] == pytest.approx(0.53, abs=0.04)
    assert plan.pairs_until_all == pytest.approx(2000, rel=0.2)
    assert plan == ramp_of_equal(0.10, harm=0.02, alpha=0.05)
    assert [s.share for s in plan.steps] == sorted(s.share for s in plan.steps)


def test_a_smaller_budget_and_more_discordance_open_it_later() -> None:
    base = ramp_of_equal(0.10, harm=0.02, alpha=0.05).pairs_until_all
    tight = ramp_of_equal(0.10, harm=0.01, alpha=0.05).pairs_until_all
    noisy = ramp_of_equal(0.30, harm=0.02, alpha=0.05).pairs_until_all
    assert base is not None
    assert tight is not None
    assert noisy is not None
    assert tight > 1.5 * base
    assert noisy > 1.5 * base
    with pytest.raises(ValueError, match="shares"):
        ramp_of_equal(0.1, harm=0.0, alpha=0.05)


@pytest.mark.parametrize(("turned", "simulated"), [(0.10, 340), (0.15, 107)])
def test_a_rollback_takes_about_as_long_as_simulated(turned: float, simulated: int) -> None:
    audits = audits_until_rollback(0.05, turned, patience=73_000)
    assert audits is not None
    assert simulated <= audits <= 1.2 * simulated
    assert audits_until_rollback(0.05, turned, patience=1e6) > audits  # type: ignore[operator]


@pytest.mark.parametrize(("tolerated", "actual"), [(0.05, 0.05), (0.05, 0.04), (0.0, 0.5), (1.0, 1.0), (0.2, 1.1)])
def test_without_harm_there_is_no_rollback_to_wait_for(tolerated: float, actual: float) -> None:
    assert audits_until_rollback(tolerated, actual, patience=73_000) is None


def test_all_wrong_is_noticed_within_a_few_audits() -> None:
    assert audits_until_rollback(0.05, 1.0, patience=73_000) == 4


def test_the_sensitivity_brackets_what_was_asked(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "dataset", corrected=0.2, users=90, proof=300)
    settings = ProofSettings(seed=4)
    verdict = prove(folder, answer=model(0.8), settings=settings, facts=FACTS, out_dir=tmp_path / "out")
    found = verdict.evidence["sensitivity"]
    readings = {(row["name"], row["value"]): row for row in found["readings"]}
    assert {name for name, _ in readings} == {"margin", "alpha", "risk", "delta"}
    assert ("margin", 0.02) not in readings
    assert found["orders"] == 9
    assert 0 <= found["same_decision"] <= 9
    again = prove(folder, answer=model(0.8), settings=replace(settings, risk=0.1), facts=FACTS, out_dir=tmp_path / "2")
    row = readings["risk", 0.1]
    assert (row["decision"], row["need"]) == (again.decision, again.need)
    assert row["coverage"] == (again.coverage if again.decision == "move" else None)
    looser = [readings["margin", value]["is_certified"] for value in (0.01, 0.04, 0.08)]
    assert looser == sorted(looser)


def test_a_limit_for_slices_never_makes_a_reading_fail(tmp_path: Path) -> None:
    verdict = prove(
        make_dataset(tmp_path / "dataset", proof=60, dev=40, train=40),
        answer=model(1.0),
        settings=ProofSettings(risk=0.3, slice_risk=0.3),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    assert max(row["value"] for row in verdict.evidence["sensitivity"]["readings"] if row["name"] == "risk") == 0.5


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.1, "once in ten"), (0.05, "once in twenty"), (0.01, "once in a hundred"), (0.001, "once in 1,000"),
     (0.3, "three times in ten"), (0.5, "once in 2"), (0.07, "7 times in 100"), (0.0, "unknown"), (math.nan, "unknown"),
     (None, "unknown")],
)  # fmt: skip
def test_chances_are_said_as_people_say_them(value: float | None, said: str) -> None:
    assert words.odds(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.05, "5 in 100"), (0.025, "2.5 in 100"), (0.002, "2 in 1,000"), (0.0, "0 in 100"), (math.inf, "unknown")],
)
def test_shares_are_said_as_people_say_them(value: float, said: str) -> None:
    assert words.in_hundred(value) == said


@pytest.mark.parametrize("word", [words.share, words.percent, words.points, words.number, words.money, words.day,
                                  words.milliseconds, words.amount, words.in_points])  # fmt: skip
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "x", True, [], 10**400], ids=range(8))
def test_what_is_no_figure_is_unknown(word: Callable[[object], str], value: object) -> None:
    assert word(value) == "unknown"


@given(st.text())
def test_visible_text_hides_and_steers_nothing(text: str) -> None:
    shown = words.visible(text)
    assert words.visible(shown) == shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    shown.encode("utf-8")
    if all(c.isprintable() for c in text):
        assert shown == text


def test_joiners_stay_between_letters_that_need_them() -> None:
    assert words.visible("می\u200cخواهم 👩\u200d💻") == "می\u200cخواهم 👩\u200d💻"
    assert words.visible("pay\u200bpal\u200c.com") == "pay⟨U+200B⟩pal⟨U+200C⟩.com"
    assert words.visible("one\r\ntwo\tthree\u00a0four") == "one\ntwo\tthree\u00a0four"


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_a_sheet_never_fails(value: object) -> None:
    sheet = Sheet({"a": [value]})  # type: ignore[dict-item]
    for path in ((), ("a",), ("a", 0), ("a", 9), ("b", "c")):
        assert sheet.number(*path) is None or math.isfinite(sheet.number(*path) or 0.0)
        assert isinstance(sheet.text(*path), str)
        assert isinstance(sheet.rows(*path), tuple)
        assert sheet.count(*path) == round(sheet.number(*path) or 0.0)
