"""Slices: a small class is not sacrificed for the average, states hold together, and what is served is what is told."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_proof import examine

from freehold.errors import SettingError
from freehold.model.example import Example
from freehold.model.exchange import Message
from freehold.prove.evaluate import Evaluation, tune_on
from freehold.prove.measure import Guess, ScoredSplit, hold_out, score_guesses
from freehold.prove.policy import Tuning, find_policy
from freehold.prove.settings import ProofSettings
from freehold.prove.slices import Limit, Sliced, describe, judge, shape_slices
from freehold.text.slices import SliceShape

LABELS = ("billing", "cancel", "invoice", "track")
LIMIT = Limit(share=0.10, delta=0.10, seed=0)


def call(i: int, label: str, *, users: int = 0, text: str = "", corrected: str = "") -> Example:
    return Example(
        id=f"c{i}",
        messages=(Message("user", text or f"message {i} " + "x" * (i % 7)),),
        target=corrected or label,
        incumbent=label,
        source="correction" if corrected else "provider",
        group=f"u{i % users}" if users else f"u{i}",
        created_at=float(i),
    )


def traffic(
    n: int, *, seed: int, rare: float = 0.05, taken_for: str = "", error: float = 0.01, users: int = 0
) -> tuple[list[Example], list[Guess]]:
    """Calls of five classes; those of `refund` are always answered wrong, and with more confidence than any other."""
    rng = np.random.default_rng(seed)
    examples, guesses = [], []
    for i in range(n):
        is_rare = rng.random() < rare
        label = "refund" if is_rare else str(rng.choice(LABELS))
        is_wrong = is_rare or rng.random() < error
        wrong = taken_for or "no idea" if is_rare else "cancel" if label != "cancel" else "track"
        confidence = rng.uniform(0.95, 1.0) if is_rare else rng.uniform(0.3, 0.99) - 0.25 * is_wrong
        examples.append(call(i, label, users=users))
        guesses.append(Guess(text=wrong if is_wrong else label, confidence=float(confidence)))
    return examples, guesses


def tuned(dev: ScoredSplit, guesses: list[Guess], asked: ProofSettings) -> Tuning:
    return tune_on(dev, score_guesses("owned model", dev, guesses), asked)


def put_to_proof(asked: ProofSettings, *, n: int = 1000, dev: int = 300, seed: int = 61, **how: object) -> Evaluation:
    tuning = Tuning()
    if dev:
        examples, guesses = traffic(dev, seed=seed + 1000, **how)  # type: ignore[arg-type]
        tuning = tuned(hold_out("label", examples), guesses, asked)
    examples, guesses = traffic(n, seed=seed, **how)  # type: ignore[arg-type]
    return examine("owned model", hold_out("label", examples), guesses, asked, tuning)


def wrong_of_refund(examined: Evaluation, *, seed: int = 61, n: int = 1000, **how: object) -> int:
    examples, _ = traffic(n, seed=seed, **how)  # type: ignore[arg-type]
    return sum(local and e.target == "refund" for e, local in zip(examples, examined.is_local, strict=True))


def test_contract_a_alone_sacrifices_a_small_class_and_slices_withhold_it() -> None:
    """The control (slice_risk 1 judges no slice): all calls of a class of 5% are answered locally, and wrong."""
    asked = ProofSettings(risk=0.10)
    alone = put_to_proof(replace(asked, slice_risk=1.0))
    refunds = sum(e.target == "refund" for e in traffic(1000, seed=61)[0])
    assert 35 <= refunds <= 65
    assert (alone.outcome.decision, alone.withheld) == ("move", ())
    assert wrong_of_refund(alone) == refunds
    sliced = put_to_proof(asked)
    assert sliced.outcome.decision == "move"
    assert sliced.withheld == ("label:no idea",)
    assert wrong_of_refund(sliced) == 0
    assert sliced.outcome.coverage == sum(sliced.is_local) / 1000
    assert "label no idea stay with the provider" in sliced.outcome.reason


@pytest.mark.parametrize("contract", ["A", "B"])
def test_at_the_default_risk_the_class_would_use_up_the_budget_and_withheld_it_moves(contract: str) -> None:
    asked = ProofSettings(contract="B" if contract == "B" else "A")
    assert put_to_proof(replace(asked, slice_risk=1.0)).outcome.decision != "move"
    sliced = put_to_proof(asked)
    assert (sliced.outcome.decision, sliced.withheld) == ("move", ("label:no idea",))
    assert sliced.outcome.coverage is not None
    assert sliced.outcome.coverage > 0.9
    row = next(row for row in sliced.slices if row.name == "label:no idea")
    assert (row.state, row.withheld, row.local, row.wrong) == ("broken", "dev", row.n, row.n)


def test_a_class_taken_for_another_one_has_the_answer_withheld_that_it_gets() -> None:
    """By the answer alone the wrong ones hide: 40 refunds among 700 calls answered `billing` are under 10%."""
    how = {"rare": 0.04, "taken_for": "billing"}
    asked = ProofSettings(risk=0.08, slice_risk=0.2)
    examined = put_to_proof(asked, **how)
    assert examined.withheld == ("label:billing",)
    row = next(row for row in examined.slices if row.name == "label:billing")
    assert (row.withheld, row.because, row.state != "broken") == ("dev", "wanted:refund", True)
    wanted = next(row for row in examined.slices if row.name == "wanted:refund")
    assert (wanted.wrong, wanted.withheld) == (0, "")
    assert wrong_of_refund(examined, **how) == 0


def test_what_dev_did_not_show_is_withheld_on_the_proof_under_a_and_blocks_under_b() -> None:
    asked = ProofSettings(risk=0.10)
    examples, guesses = traffic(1000, seed=62)
    shape = SliceShape(labels=(*LABELS, "no idea"))
    held = hold_out("label", examples)
    under_a = examine("owned model", held, guesses, asked, Tuning(shape=shape))
    assert (under_a.outcome.decision, under_a.withheld) == ("move", ("label:no idea",))
    assert next(row.withheld for row in under_a.slices if row.name == "label:no idea") == "proof"
    assert under_a.cascade.chosen is not None
    assert under_a.cascade.chosen.local == sum(under_a.is_local)
    under_b = examine("owned model", held, guesses, replace(asked, contract="B"), Tuning(shape=shape))
    assert under_b.outcome.decision == "hold"
    assert (under_b.withheld, under_b.cascade.chosen, under_b.outcome.threshold) == ((), None, None)
    assert "label no idea" in under_b.outcome.reason


def test_replacing_the_provider_wholly_withholds_what_loses_by_it() -> None:
    """The provider errs in 10% of all calls, the owned model in 5% of all but always in one class of 4%."""
    rng = np.random.default_rng(63)
    examples, guesses = [], []
    for i in range(3000):
        label = "refund" if rng.random() < 0.04 else str(rng.choice(LABELS))
        examples.append(call(i, "unsure" if rng.random() < 0.1 else label, corrected=label))
        is_wrong = label == "refund" or rng.random() < 0.03
        guesses.append(Guess(text="no idea" if label == "refund" else "odd" if is_wrong else label, confidence=0.9))
    held = hold_out("label", examples)
    asked = ProofSettings()
    examined = examine("owned model", held, guesses, asked, Tuning(shape=SliceShape(labels=(*LABELS, "no idea"))))
    assert (examined.outcome.scope, set(examined.withheld)) == ("whole", {"label:(other)", "label:no idea"})
    assert examined.outcome.coverage == sum(examined.is_local) / 3000
    row = next(row for row in examined.slices if row.name == "label:billing")
    assert row.low < row.high < 0.1
    assert row.state == "kept"


def draw(rng: np.random.Generator, shares: list[float], n: int, users: int = 0) -> Sliced:
    """Calls of slices of equal size, each wrong with its own share; users are wrong together."""
    place = rng.integers(0, len(shares), n)
    chance = np.repeat(rng.random(users), n // users) if users else rng.random(n)
    groups = [i // (n // users) if users else i for i in range(n)]
    if users:
        place = np.repeat(rng.integers(0, len(shares), users), n // users)
    return Sliced(
        confidences=rng.uniform(0.1, 1, n),
        losses=(chance < np.array(shares)[place]).astype(float),
        groups=tuple(map(str, groups)),
        members={f"label:{k}": place == k for k in range(len(shares))},
    )


@pytest.mark.parametrize("users", [0, 200])
def test_states_hold_together(users: int) -> None:
    """Ten slices at their limit: in at most delta of runs is any kept, or any broken; without Bonferroni in most."""
    rng = np.random.default_rng(64)
    runs = 300 if users else 1500
    false_kept = false_broken = pointwise = 0
    for _ in range(runs):
        calls = draw(rng, [0.1001] * 10, 1000, users)
        rows = judge(calls, 0.0, (), LIMIT)
        false_kept += any(row.state == "kept" for row in rows)
        pointwise += any(r.state == "kept" for r in judge(calls, 0.0, (), replace(LIMIT, delta=1.0)))
        false_broken += any(r.state == "broken" for r in judge(draw(rng, [0.0999] * 10, 1000, users), 0.0, (), LIMIT))
    assert false_kept / runs <= LIMIT.delta
    assert false_broken / runs <= LIMIT.delta
    assert users or pointwise / runs > 3 * LIMIT.delta


def test_clear_slices_are_told_also_where_users_make_many_calls() -> None:
    rng = np.random.default_rng(65)
    for users in (0, 600):
        rows = {row.name: row for row in judge(draw(rng, [0.005, 0.6, 0.1], 3000, users), 0.0, (), LIMIT)}
        assert [rows[f"label:{k}"].state for k in range(3)] == ["kept", "broken", "open"]
    alone = judge(draw(rng, [0.6], 60, 3), 0.0, (), LIMIT)
    assert alone[0].low > LIMIT.share
    assert alone[0].state == "open"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["A", "B"]), st.sampled_from([0, 20]))
def test_whatever_is_withheld_the_policy_is_the_one_that_is_told(seed: int, contract: str, users: int) -> None:
    asked = ProofSettings(contract="B" if contract == "B" else "A", risk=0.1)
    rng = np.random.default_rng(seed)
    examined = put_to_proof(
        asked, n=200, dev=80, seed=seed, rare=float(rng.uniform(0, 0.3)), error=float(rng.uniform(0, 0.3)), users=users
    )
    chosen = examined.cascade.chosen
    if chosen is not None:
        assert 0 <= chosen.wrong <= chosen.local <= 200
        assert chosen.upper <= asked.risk or examined.cascade.is_by_user
    if examined.outcome.decision == "move":
        assert chosen is not None
        wrong = sum(a and not s.is_exact for a, s in zip(examined.is_local, examined.scores, strict=True))
        assert (sum(examined.is_local), wrong) == (chosen.local, chosen.wrong)
        assert not any(row.state == "broken" and not row.withheld for row in examined.slices)
    else:
        assert not any(examined.is_local)
    assert {row.name for row in examined.slices if row.withheld} <= set(examined.withheld)
    assert all(0 <= row.wrong <= row.local <= row.n and 0 <= row.low <= row.high <= 1 for row in examined.slices)


def test_contract_a_holds_for_what_is_served() -> None:
    """The class of 5% at risk 6% over 100 proofs; the true risk of a policy is read off 20,000 other calls."""
    asked = ProofSettings(risk=0.06)
    examples, guesses = traffic(20_000, seed=67, error=0.04)
    confidences = np.array([g.confidence for g in guesses])
    is_wrong = np.array([g.text != e.target for e, g in zip(examples, guesses, strict=True)])
    answers = np.array([f"label:{g.text}" for g in guesses])
    broken = moved = 0
    for seed in range(100):
        examined = put_to_proof(asked, n=400, dev=100, seed=100 + seed, error=0.04)
        if examined.outcome.threshold is not None:
            local = (confidences >= examined.outcome.threshold) & ~np.isin(answers, examined.withheld)
            broken += float((local & is_wrong).mean()) > asked.risk
            moved += 1
    assert moved > 50
    assert broken / 100 <= asked.delta


def test_a_slice_that_gains_is_told_also_where_users_make_several_calls() -> None:
    n = 160
    calls = Sliced(
        confidences=np.full(n, 0.9),
        losses=np.where(np.arange(n) < 80, -1.0, 1.0),
        groups=tuple(f"u{i // 2}" for i in range(n)),
        members={"label:gains": np.arange(n) < 80, "label:loses": np.arange(n) >= 80},
        is_paired=True,
    )
    states = {s.name: s.state for s in judge(calls, 0.5, (), LIMIT)}
    assert states == {"label:gains": "kept", "label:loses": "broken"}
    alone = judge(calls.only(np.arange(n) < 80), 0.5, (), LIMIT)
    assert [s.state for s in alone if s.name == "label:gains"] == ["kept"]


def test_shapes_by_hand() -> None:
    examples = [replace(call(i, "x"), messages=(Message("user", "the is " + "a" * i),)) for i in range(30)]
    tickets = [
        replace(e, target=f'{{"id": {i}, "intent": "{"ab"[i % 2]}", "ok": true}}') for i, e in enumerate(examples)
    ]
    shape = shape_slices("json", tickets, ['{"intent": "c"}'] * 30)
    assert (shape.field, set(shape.labels), shape.languages) == ("intent", {"a", "b", "c"}, ())
    assert shape.lengths == (16, 26)
    assert "'intent'" in describe(shape)
    assert "16 characters" in describe(shape)
    assert shape_slices("text", examples, [""] * 30).labels == ()
    assert shape_slices("label", [], []) == SliceShape()
    assert describe(SliceShape()) == "nothing to cut by"
    assert describe(shape, is_proven=False).endswith("as if every usable answer were used")
    same = [replace(e, messages=(Message("user", "same"),)) for e in examples]
    assert shape_slices("label", same, ["x"] * 30) == SliceShape()
    many = [replace(e, target=f"label {i}") for i, e in enumerate(examples * 2)]
    assert len(shape_slices("label", many, ["label 1"] * 60).labels) == 30


def test_bad_input_moves_nothing_and_breaks_nothing() -> None:
    for contract in ("A", "B"):
        asked = ProofSettings(contract="B" if contract == "B" else "A")
        for confidence in (0.0, math.nan, 0.7):
            for n, dev in ((3, 3), (200, 0), (200, 3), (200, 200)):
                examples = [call(i, LABELS[i % 4]) for i in range(max(n, dev))]
                wrong = [Guess(text="odd", confidence=confidence) for _ in examples]
                tuning = tuned(hold_out("label", examples[:dev]), wrong[:dev], asked) if dev else Tuning()
                held = hold_out("label", examples[:n])
                assert examine("owned model", held, wrong[:n], asked, tuning).outcome.decision != "move"
                right = [Guess(text=e.target, confidence=confidence) for e in examples]
                decision = examine("owned model", held, right[:n], asked, tuning).outcome.decision
                assert (decision == "move") == (confidence == 0.7 and n == 200)


def test_a_policy_without_calls_in_a_slice_that_dev_withheld() -> None:
    calls = draw(np.random.default_rng(66), [0.01, 0.01], 400)
    policy = find_policy(calls, Tuning(withheld={"label:gone": ""}), ProofSettings())
    assert policy.withheld == ("label:gone",)
    assert policy.cascade.coverage == 1.0


@pytest.mark.parametrize("asked", [{"slice_risk": 0.01}, {"slice_risk": 1.5}, {"slice_risk": math.nan}])
def test_a_limit_under_the_risk_is_refused(asked: dict[str, float]) -> None:
    with pytest.raises(SettingError, match="slice_risk"):
        ProofSettings(**asked)  # type: ignore[arg-type]


def test_the_limit_of_a_slice_is_twice_the_risk_unless_it_is_set() -> None:
    assert ProofSettings(risk=0.03).slice_limit == 0.06
    assert ProofSettings(risk=0.03, slice_risk=0.2).slice_limit == 0.2
    assert ProofSettings(risk=0.03, contract="B").least_coverage == 0.10
    with pytest.raises(SettingError, match="contract"):
        ProofSettings(contract="C")  # type: ignore[arg-type]
