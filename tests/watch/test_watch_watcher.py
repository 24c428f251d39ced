"""A whole watch: each call once, what is missing harms nobody, decisions that stand, restarts, odd input."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import pytest

from freehold.errors import StateError
from freehold.model.live import Live
from freehold.watch import (
    Decision,
    Finished,
    Observation,
    Outcome,
    Plan,
    RampTo,
    RollBack,
    Watch,
    cursor_of,
    fold,
    fold_feedback,
    live_of,
    make_sketch,
    new_watch,
    standing,
    tolerated_share,
)
from freehold.watch.staleness import new_staleness, observe_call, stale_reasons
from freehold.watch.watcher import REMEMBERED

PLAN = Plan(risk=0.05, invalid=0.02, refused=0.02, slow=0.2, bad=0.1, models=("gpt-4o",), fingerprints=("fp_1",))


def _seen(number: int, **figures: object) -> Observation:
    plain = Observation(call_id=f"call {number}", created_at=1_000.0 + number, is_local=True)
    return replace(plain, **figures)  # type: ignore[arg-type]  # each is a field of its own type


def _audited(number: int, loss: float | None) -> Observation:
    return _seen(number, propensity=0.05, audit_rate=0.05, loss=loss)


def _folded(watch: Watch, observations: list[Observation]) -> tuple[Watch, list[Decision]]:
    decisions = []
    for observation in observations:
        watch, decision = fold(watch, observation)
        if decision is not None:
            decisions.append(decision)
    return watch, decisions


def test_wrong_answers_take_the_route_back_and_say_why() -> None:
    watch, decisions = _folded(new_watch("t", 3, PLAN), [_audited(n, 0.0) for n in range(50)])
    assert decisions == []
    watch, decisions = _folded(watch, [_audited(n, 1.0) for n in range(50, 60)])
    assert isinstance(decisions[0], RollBack)
    first = decisions[0]
    assert (first.detector, first.recent_harm) == ("contract", first.recent_count)
    assert f"{first.recent_count} of the last {first.recent_count} audited answers were wrong" in first.reason
    assert "5.0% of all requests may be (contract A); evidence" in first.reason
    assert first.evidence >= first.patience == 73_000
    assert standing(watch) == decisions[-1]


@pytest.mark.parametrize(
    ("name", "figures", "words"),
    [
        ("validity", {"is_valid": False}, "could not be read"),
        ("refusals", {"is_refusal": True}, "refusals"),
        ("latency", {"is_slow": True}, "slow"),
        ("harm", {"difference": -1.0}, "100 points worse than the provider"),
    ],
)
def test_each_detector_takes_the_route_back_by_itself(name: str, figures: dict[str, object], words: str) -> None:
    watch = new_watch("t", 1, replace(PLAN, margin=0.03, patience=1_000.0))
    watch, decisions = _folded(watch, [_seen(n, **figures) for n in range(60)])
    assert isinstance(decisions[0], RollBack)
    assert decisions[0].detector == name
    assert words in decisions[0].reason


def test_bad_feedback_takes_the_route_back() -> None:
    watch = new_watch("t", 1, PLAN)
    for number in range(40):
        watch, decision = fold_feedback(watch, Outcome(call_id=str(number), created_at=float(number), is_good=False))
    assert isinstance(decision, RollBack)
    assert decision.detector == "feedback"
    assert watch.feedback_cursor == cursor_of(39.0, "39")


def test_unaudited_and_missing_answers_are_no_harm() -> None:
    watch, decisions = _folded(new_watch("t", 1, PLAN), [_audited(n, None) for n in range(300)])
    assert (decisions, watch.missing, watch.audited) == ([], 300, 0)
    before = watch.detector("contract")
    watch, _ = fold(watch, _seen(999))
    assert watch.detector("contract") == before


def test_a_call_left_to_the_provider_counts_as_right_under_contract_a_alone() -> None:
    left = _seen(1, is_local=False, audit_rate=0.1)
    under_a, _ = fold(new_watch("t", 1, PLAN), left)
    under_b, _ = fold(new_watch("t", 1, replace(PLAN, contract="B")), left)
    undecided, _ = fold(new_watch("t", 1, PLAN), replace(left, is_decided=False))
    units = [watch.detector("contract") for watch in (under_a, under_b, undecided)]
    assert [d.units for d in units if d is not None] == [0.1, 0.0, 0.0]


def test_a_raised_rate_weighs_an_audit_by_the_rate_of_its_own_time() -> None:
    watch, _ = fold(new_watch("t", 1, PLAN), _seen(1, propensity=0.8, audit_rate=0.4, loss=0.0))
    contract = watch.detector("contract")
    assert contract is not None
    assert contract.units == 0.5


def test_a_call_counts_once_and_a_late_one_when_it_comes() -> None:
    watch, _ = _folded(new_watch("t", 1, PLAN), [_audited(5, 1.0), _audited(5, 1.0), _audited(2, 0.0)])
    assert (watch.calls, watch.repeated, watch.audited) == (2, 1, 2)
    assert watch.cursor == cursor_of(1_005.0, "call 5")
    many, _ = _folded(watch, [_seen(n) for n in range(100, 100 + 2 * REMEMBERED)])
    assert len(many.recent) == REMEMBERED


@pytest.mark.parametrize(
    "figures",
    [
        {"propensity": 0.0, "loss": 1.0},
        {"propensity": 1.5, "loss": 1.0},
        {"propensity": 0.01, "loss": 1.0},
        {"propensity": 0.05, "loss": math.nan},
        {"propensity": 0.05, "loss": 2.0},
        {"difference": -7.0},
        {"audit_rate": math.inf},
        {"created_at": math.nan},
    ],
)
def test_figures_that_are_none_are_counted_and_change_nothing_else(figures: dict[str, object]) -> None:
    start = new_watch("t", 1, replace(PLAN, margin=0.03, harm=0.02))
    watch, decision = fold(start, _seen(1, **figures))
    assert (watch.unusable, watch.calls, decision) == (1, 1, None)
    assert (watch.detectors, watch.ramp) == (start.detectors, start.ramp)
    json.dumps(watch.to_json(), allow_nan=False)


def test_a_ramp_goes_up_and_ends_and_a_missing_pair_only_holds_it() -> None:
    plan = Plan(harm=0.02, margin=0.03)
    held, decisions = _folded(new_watch("t", 1, plan), [_seen(n, is_pair_due=True) for n in range(300)])
    assert decisions == []
    assert held.ramp is not None
    assert (held.ramp.pairs, held.ramp.share) == (300, 0.02)
    watch, decisions = _folded(new_watch("t", 1, plan), [_seen(n, difference=0.0) for n in range(600)])
    shares = [decision.share for decision in decisions if isinstance(decision, RampTo)]
    assert shares == sorted(shares)
    assert isinstance(decisions[-1], Finished)
    assert live_of(watch, now=0.0) == Live(task_id="t", route_version=1, share=1.0, audit_rate=live_rate(watch))


def live_rate(watch: Watch) -> float:
    """The audit rate by the formula."""
    return min(1.0, 0.05 * max(1.0, watch.evidence / 20))


def test_stale_evidence_has_reasons_and_raises_the_audit_rate() -> None:
    plan = replace(PLAN, evidence_at=1_000.0, valid_days=30.0)
    sketch = make_sketch(["where is my parcel"] * 50, ["where is my parcel", "is my parcel late"] * 25)
    watch = new_watch("t", 1, plan, sketch=sketch)
    assert live_of(watch, now=1_000.0).stale == ()
    news = {"is_local": False, "audit_rate": 0.05, "model_answered": "gpt-5", "system_fingerprint": "fp_2"}
    watch, _ = _folded(watch, [_seen(n, **news, input_text="völlig andere worte " * n) for n in range(25)])
    watch, _ = _folded(watch, [_seen(n, is_local=False, is_decided=False, fits_template=False) for n in range(25, 50)])
    stale = live_of(watch, now=1_000.0 + 40 * 86_400).stale
    assert [reason.split(":")[0] for reason in stale] == [
        "template changed",
        "rented model changed",
        "rented model changed",
        "inputs drifted",
        "evidence is old",
    ]
    assert "'gpt-5' answers now, the proof saw 'gpt-4o'" in stale[1]
    assert live_of(watch, now=0.0).audit_rate >= 0.15


def test_four_answers_of_a_new_name_are_no_news_and_strange_names_stay_few() -> None:
    watch, _ = _folded(new_watch("t", 1, PLAN), [_seen(n, is_local=False, model_answered="gpt-5") for n in range(4)])
    assert live_of(watch, now=0.0).stale == ()
    watch, _ = _folded(watch, [_seen(n, model_answered=f"model {n}") for n in range(10, 200)])
    assert len(watch.staleness.new_models) <= 20
    assert ("gpt-5", 4) in watch.staleness.new_models


def test_a_restart_at_any_call_changes_no_figure() -> None:
    rng = random.Random(3)
    sketch = make_sketch(["a b c"] * 20, ["a b", "b c"] * 20)
    plan = replace(PLAN, harm=0.02, margin=0.03, valid_days=90.0)
    whole = broken = new_watch("t", 2, plan, sketch=sketch)
    for number in range(150):
        observation = _seen(
            number,
            is_local=rng.random() < 0.6,
            propensity=0.05 if rng.random() < 0.3 else None,
            loss=rng.choice([None, 0.0, 0.0, 1.0]),
            difference=rng.choice([None, 0.0, -1.0, 0.25]),
            is_valid=rng.random() < 0.99,
            is_slow=rng.random() < 0.1,
            input_text=rng.choice(["a b c", "c d"]),
            model_answered=rng.choice(["gpt-4o", "gpt-5", None]),
            fits_template=rng.random() < 0.97,
        )
        whole, one = fold(whole, observation)
        broken, other = fold(broken, observation)
        broken = Watch.from_json(json.loads(json.dumps(broken.to_json(), allow_nan=False)))
        assert (broken, other) == (whole, one)


@pytest.mark.parametrize("part", ["plan", "detectors", "ramp", "inputs", "staleness", "cursor", "calls", "recent"])
def test_a_damaged_watch_is_one_clear_error(part: str) -> None:
    document = new_watch("t", 1, PLAN).to_json()
    for damage in ("x\x00", 3.5, [[]], {"a": 1}):
        if part == "cursor" and isinstance(damage, str):
            continue
        with pytest.raises(StateError, match="cannot be read"):
            Watch.from_json({**document, part: damage})
    without = {key: value for key, value in document.items() if key != part}
    if part in ("ramp", "inputs"):
        assert Watch.from_json(without) == new_watch("t", 1, PLAN)
    else:
        with pytest.raises(StateError, match="cannot be read"):
            Watch.from_json(without)


@pytest.mark.parametrize(
    "figures",
    [
        {"risk": 0.0},
        {"risk": math.nan},
        {"harm": 2.0},
        {"patience": 0.0},
        {"contract": "C"},
        {"base_rate": 1.2},
        {"valid_days": 0.0},
        {"stale_factor": 0.5},
        {"evidence_at": math.inf},
    ],
)
def test_a_plan_without_sense_is_refused(figures: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(figures))):
        replace(PLAN, **figures)  # type: ignore[arg-type]  # each is wrong on purpose


def test_a_tolerated_share_is_twice_what_was_expected_within_reason() -> None:
    assert [tolerated_share(share) for share in (0.0, 0.05, 0.8)] == [0.02, 0.1, 0.9]


def test_a_template_that_changed_is_told_as_it_was_noticed() -> None:
    """What comes after the alarm changes neither the evidence nor the words."""
    plan = Plan(call_patience=1_000.0)
    staleness = new_staleness(plan)
    for fits in (False,) * 20 + (True,) * 200:
        staleness = observe_call(staleness, plan, model=None, fingerprint=None, fits=fits)
    (reason,) = stale_reasons(staleness, plan, None, now=0.0)
    assert reason == "template changed: 5 of 5 calls in a row did not fit the one that was proven"
