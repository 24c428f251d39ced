"""What a report says of other settings and of the time after a move, and the words it says it in."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_proof import FACTS, make_dataset, model

from freehold.prove import ProofSettings, prove
from freehold.prove.forecast import audits_until_rollback, plan_ramp, plan_rollback
from freehold.prove.report import words
from freehold.prove.report.report import render
from freehold.watch.detector import Detector, observe
from freehold.watch.ramp import new_ramp, observe_pair


def test_the_ramp_of_an_equal_model_opens_as_simulated() -> None:
    plan = plan_ramp(0.05, 0.05, harm=0.02, alpha=0.05)
    shares = {step.pairs: step.share for step in plan.steps}
    assert shares[0] == 0.02
    assert shares[205] == pytest.approx(0.30, abs=0.04)
    assert shares[487] == pytest.approx(0.46, abs=0.04)
    assert plan.pairs_until_all == pytest.approx(2000, rel=0.2)
    assert plan == plan_ramp(0.05, 0.05, harm=0.02, alpha=0.05)
    assert [s.share for s in plan.steps] == sorted(s.share for s in plan.steps)
    assert all(step.low <= step.share <= step.high for step in plan.steps)


def test_a_cascade_that_loses_more_than_the_budget_is_not_said_to_take_all() -> None:
    plan = plan_ramp(0.04, 0.0, harm=0.02, alpha=0.05)
    assert plan.tends_to == pytest.approx(0.5)
    assert plan.pairs_until_all is None
    assert 0.4 < plan.steps[-1].share < 0.5


def test_the_plan_of_a_ramp_is_what_the_live_ramp_does() -> None:
    plan = plan_ramp(0.03, 0.0, harm=0.02, alpha=0.05)
    ends = {step.pairs: (step.low, step.high) for step in plan.steps}
    rng, inside = random.Random(2), 0
    for _ in range(5):
        live = new_ramp(harm=0.02, alpha=0.05)
        for _ in range(487):
            live = observe_pair(live, -1.0 if rng.random() < 0.03 else 0.0)
        inside += ends[487][0] - 0.02 <= live.share <= ends[487][1] + 0.02
    assert inside >= 3


def test_a_smaller_budget_and_more_discordance_open_it_later() -> None:
    base = plan_ramp(0.05, 0.05, harm=0.02, alpha=0.05).pairs_until_all
    tight = plan_ramp(0.05, 0.05, harm=0.01, alpha=0.05).pairs_until_all
    noisy = plan_ramp(0.15, 0.15, harm=0.02, alpha=0.05).pairs_until_all
    assert base is not None
    assert tight is not None
    assert noisy is not None
    assert tight > 1.5 * base
    assert noisy > 1.5 * base
    with pytest.raises(ValueError, match="shares"):
        plan_ramp(0.05, 0.05, harm=0.0, alpha=0.05)


@pytest.mark.parametrize("contract", ["A", "B"])
def test_a_rollback_takes_as_many_calls_as_the_live_detector(contract: str) -> None:
    """Counting a call that the provider answered as no audit, or as a whole one, would be wrong by a factor of two."""
    coverage, wrong_of_local, rate = 0.5, 0.3, 0.05
    local = coverage if contract == "B" else None
    turned = wrong_of_local if local else coverage * wrong_of_local
    plan = plan_rollback(0.05, turned, patience=73_000, rate=rate, local=local, a_day=1000)
    rng = random.Random(7)
    took = sorted(_calls_until_alarm(rng, contract, coverage, wrong_of_local, rate) for _ in range(21))
    assert plan.calls is not None
    assert plan.days == pytest.approx(plan.calls / 1000)
    assert plan.wrong == pytest.approx(plan.calls * coverage * wrong_of_local)
    assert took[10] == pytest.approx(plan.calls, rel=0.4)


def _calls_until_alarm(rng: random.Random, contract: str, coverage: float, wrong: float, rate: float) -> int:
    """Calls until the detector of the contract alarms at this audit rate, which is not raised."""
    detector, calls = Detector(name="contract", tolerated=0.05, patience=73_000), 0
    while not detector.alarm:
        calls += 1
        if rng.random() >= coverage:
            if contract == "A":
                detector = observe(detector, 0.0, weight=rate, is_told=False)
        elif rng.random() < rate:
            detector = observe(detector, float(rng.random() < wrong))
    return calls


def test_what_cannot_be_known_of_a_rollback_is_none() -> None:
    assert plan_rollback(0.05, 0.15, patience=73_000, rate=0.0, local=None, a_day=10).calls is None
    assert plan_rollback(0.05, 0.15, patience=73_000, rate=0.1, local=0.0, a_day=10).calls is None
    assert plan_rollback(0.05, 0.15, patience=73_000, rate=0.1, local=None, a_day=None).days is None
    assert plan_rollback(0.5, 0.5, patience=73_000, rate=0.1, local=None, a_day=10).wrong is None


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


def test_a_model_that_was_shown_against_corrections_may_differ_from_the_provider(tmp_path: Path) -> None:
    """What it differed by in the proof is no alarm and allows no ramp, and the page must not say otherwise."""
    verdict = prove(
        make_dataset(tmp_path / "dataset", corrected=0.3, proof=300),
        answer=model(0.97),
        settings=ProofSettings(),
        facts=replace(FACTS, harm=0.02),
        out_dir=tmp_path / "out",
    )
    evidence = verdict.evidence
    assert evidence["outcome"]["scope"] == "whole"
    assert 0.2 < evidence["borne"]["share"] < evidence["borne"]["upper"]
    assert evidence["rollback"]["tolerated"] == pytest.approx(0.05 + evidence["borne"]["upper"])
    assert evidence["rollback"]["turned_to"] > evidence["rollback"]["tolerated"]
    assert "ramp" not in evidence
    page = " ".join(render("report.html.j2", verdict).split())
    assert "No ramp is offered" in page
    assert "How a ramp would open" not in page
    assert "15 in 100" not in page


def test_audits_bear_what_a_cascade_was_right_about_where_the_provider_was_wrong(tmp_path: Path) -> None:
    """Audits ask the provider, which is wrong as often as in the proof: that alone takes no route back."""
    verdict = prove(
        make_dataset(tmp_path / "dataset", corrected=0.15, proof=400),
        answer=model(0.86),
        settings=ProofSettings(margin=0.005),
        facts=replace(FACTS, harm=0.02),
        out_dir=tmp_path / "out",
    )
    evidence = verdict.evidence
    borne, wrong = evidence["borne"], evidence["cascade"]["chosen"]["wrong"]
    assert evidence["outcome"]["scope"] == "cascade"
    assert borne["n"] == 400
    assert borne["count"] == round(400 * evidence["unlike"]) - wrong > 0
    assert evidence["unlike"] < evidence["rollback"]["tolerated"] == pytest.approx(0.05 + borne["upper"])
    assert "ramp" not in evidence
    said = " ".join(render("report.txt.j2", verdict).split())
    assert f"({100 * evidence['unlike']:.1f}% did among the held-out ones, not all of them for the worse)" in said
    assert "15 in 100" not in said


def test_without_corrections_audits_bear_the_risk_and_no_more(tmp_path: Path) -> None:
    verdict = prove(
        make_dataset(tmp_path / "dataset", proof=400),
        answer=model(0.86),
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    assert verdict.evidence["outcome"]["scope"] == "cascade"
    assert verdict.evidence["borne"] == {"count": 0, "n": 400, "share": 0.0, "upper": 0.0, "by_slice": {}}
    assert verdict.evidence["rollback"]["tolerated"] == 0.05


def test_contract_b_bears_a_share_of_local_answers(tmp_path: Path) -> None:
    verdict = prove(
        make_dataset(tmp_path / "dataset", corrected=0.15, proof=600, dev=300),
        answer=model(0.86),
        settings=ProofSettings(margin=0.005, contract="B", delta=0.3),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    evidence = verdict.evidence
    assert evidence["outcome"]["scope"] == "cascade"
    assert evidence["borne"]["n"] == evidence["cascade"]["chosen"]["local"] < 600
    of_label = {name: count for name, count in evidence["borne"]["by_slice"].items() if name.startswith("label:")}
    assert sum(of_label.values()) in (0, evidence["borne"]["count"])


def test_the_ramp_is_that_of_this_model_and_not_of_an_equal_one(tmp_path: Path) -> None:
    verdict = prove(
        make_dataset(tmp_path / "dataset", proof=400),
        answer=model(0.9, is_telling=False),
        settings=ProofSettings(risk=0.2, slice_risk=1.0),
        facts=replace(FACTS, harm=0.02),
        out_dir=tmp_path / "out",
    )
    chosen = verdict.evidence["cascade"]["chosen"]
    assert verdict.evidence["ramp"]["worse"] == chosen["wrong"] / 400 > 0.04
    assert verdict.evidence["ramp"]["pairs_until_all"] is None
    page = " ".join(render("report.html.j2", verdict).split())
    assert "no further than" in page
    assert "all after about" not in page


@pytest.mark.parametrize(
    ("value", "said"),
    [(2433, "2,400"), (99.6, "100"), (12.4, "12"), (1.234, "1.2"), (0.04, "0.04"), (0, "0"), (None, "unknown")],
)
def test_what_is_about_has_two_digits(value: float | None, said: str) -> None:
    assert words.rounded(value) == said


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
