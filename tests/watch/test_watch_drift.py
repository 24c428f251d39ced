"""Drift of probes and of inputs: formulas, uniform p-values, restarts, and what must and must not alarm."""

from __future__ import annotations

import json
import math
import random

import pytest

from freehold.watch import (
    Drift,
    InputDrift,
    make_sketch,
    new_conformal_drift,
    new_input_drift,
    new_probe_drift,
    observe_input,
    observe_p,
    observe_probe,
)
from freehold.watch.drift import KAPPAS, LAMBDAS, sign_of_change

WORDS = ("parcel", "invoice", "refund", "late", "address", "where", "please", "order", "help", "cancel", "my", "the")


def _text(rng: random.Random, words: tuple[str, ...] = WORDS) -> str:
    return " ".join(rng.choices(words, k=rng.randint(6, 20))) + f" {rng.randint(1000, 9999)}"


def test_probes_grow_as_the_formula_says() -> None:
    drift = new_probe_drift(patience=100.0, kinds=("correct", "length"))
    sums = [0.0] * 16
    for correct, length in ((-1.0, 0.0), (0.0, 1.0), (1.0, -1.0)):
        drift = observe_probe(drift, {"correct": correct, "length": length})
        factors = [1 + bet * change for change in (correct, length) for bet in LAMBDAS]
        sums = [m * factor + 1 for m, factor in zip(sums, factors, strict=True)]
    assert drift.evidence == pytest.approx(sum(sums) / 16)


def test_p_values_grow_as_the_formula_says() -> None:
    drift, sums = new_conformal_drift(patience=100.0), [0.0] * 4
    for p in (0.5, 0.01, 1.0, 0.0):
        drift = observe_p(drift, [p])
        sums = [m * kappa * max(p, 1e-12) ** (kappa - 1) + 1 for m, kappa in zip(sums, KAPPAS, strict=True)]
    assert drift.evidence == pytest.approx(sum(sums) / 4)


def test_answers_that_only_grow_longer_are_found_at_probe_23() -> None:
    drift = new_probe_drift(patience=36_500.0)
    while not drift.alarm:
        drift = observe_probe(drift, {"length": sign_of_change(10, 12)})
    assert drift.observed == 23


def test_a_restart_changes_no_figure() -> None:
    rng = random.Random(6)
    whole = broken = new_conformal_drift(patience=1e9, kinds=("a", "b"))
    for _ in range(100):
        p_values = [rng.random(), rng.random()]
        whole = observe_p(whole, p_values)
        broken = Drift.from_json(json.loads(json.dumps(observe_p(broken, p_values).to_json(), allow_nan=False)))
    assert broken == whole


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_a_p_value_that_is_none_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="a p-value is"):
        observe_p(new_conformal_drift(patience=10.0), [p])


def test_a_change_of_no_known_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="'mood'"):
        observe_probe(new_probe_drift(patience=10.0), {"mood": 1.0})
    with pytest.raises(ValueError, match="correct is"):
        observe_probe(new_probe_drift(patience=10.0), {"correct": 2.0})
    with pytest.raises(ValueError, match="kinds"):
        new_probe_drift(patience=10.0, kinds=())
    with pytest.raises(ValueError, match="do not fit"):
        Drift.from_json({**new_probe_drift(patience=10.0).to_json(), "log_sums": [1.0]})


def _sketch(rng: random.Random, n: int = 300) -> dict[str, object]:
    return make_sketch([_text(rng) for _ in range(n)], [_text(rng) for _ in range(n)])


def test_inputs_of_the_same_kind_do_not_drift_and_others_do() -> None:
    rng = random.Random(7)
    drift = new_input_drift(_sketch(rng), patience=1e5)
    for number in range(1_000):
        drift = observe_input(drift, _text(rng), f"call {number}")
    assert not drift.alarm
    others = ("wo", "ist", "mein", "paket", "rechnung", "bitte", "danke", "adresse", "falsch", "nicht")
    changed_at = drift.drift.observed
    while not drift.alarm and drift.drift.observed < changed_at + 200:
        drift = observe_input(drift, _text(rng, others), f"other {drift.drift.observed}")
    assert drift.alarm
    assert drift.drift.observed - changed_at < 40
    assert observe_input(drift, "anything", "later") == drift


def test_inputs_that_grow_much_longer_drift() -> None:
    rng = random.Random(8)
    drift = new_input_drift(_sketch(rng), patience=1e5)
    while not drift.alarm and drift.drift.observed < 200:
        drift = observe_input(drift, " ".join(_text(rng) for _ in range(9)), str(drift.drift.observed))
    assert drift.alarm


def test_false_alarms_over_inputs_stay_within_their_bound() -> None:
    alarms = 0
    for seed in range(40):
        rng = random.Random(seed)
        drift = new_input_drift(_sketch(rng, 40), patience=500.0)
        for number in range(100):
            drift = observe_input(drift, _text(rng), f"{seed} {number}")
        alarms += drift.alarm
    assert alarms / 40 <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / 40)


def test_a_number_is_no_news_and_nothing_breaks_a_sketch() -> None:
    sketch = make_sketch(["order 12345"] * 30, ["order 999"] * 30)
    assert make_sketch(["order 7"] * 30, ["order 8"] * 30)["words"] == sketch["words"]
    drift = new_input_drift(make_sketch([], []), patience=1e6)
    for text in ("", "\ud800 lone", "x" * 1_000_000, "\x00", "日本語のテキスト", "🦊 " * 9_999):
        drift = observe_input(drift, text, "\ud800")
    json.dumps(drift.to_json(), allow_nan=False)
    assert math.isfinite(drift.evidence)


def test_a_sketch_of_much_is_small() -> None:
    rng = random.Random(9)
    many = [_text(rng) + " " + str(rng.random()) + "".join(rng.choices("abcdefgh", k=30)) for _ in range(2_000)]
    assert len(json.dumps(make_sketch(many, many))) < 12_000


def test_input_drift_comes_back_as_it_was() -> None:
    rng = random.Random(10)
    whole = broken = new_input_drift(_sketch(rng, 50), patience=1e6)
    for number in range(60):
        text = _text(rng)
        whole = observe_input(whole, text, str(number))
        broken = InputDrift.from_json(json.loads(json.dumps(observe_input(broken, text, str(number)).to_json())))
    assert broken == whole


@pytest.mark.parametrize(
    "change",
    [{"words": [1, 2]}, {"words": [-1] * 1024}, {"surprise": [[3, 1], [1, 1]]}, {"length": [[1, 5]]}, {"words": 3}],
)
def test_a_damaged_sketch_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"words|word counts|order|add up"):
        new_input_drift({**make_sketch(["a b"], ["a b"]), **change}, patience=10.0)
