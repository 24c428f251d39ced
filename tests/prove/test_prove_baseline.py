"""The baselines learn what is there to learn, and nothing else."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.sparse import csr_array

from freehold.model.example import Example
from freehold.model.exchange import Message
from freehold.prove.baselines.baseline import Baseline, baselines
from freehold.prove.baselines.linear import _loss
from freehold.text.scoring import score


def examples(texts: list[str], targets: list[str]) -> list[Example]:
    return [
        Example(
            id=f"c{i}",
            messages=(Message("user", text),),
            target=target,
            incumbent=target,
            source="provider",
            group=f"u{i}",
            created_at=float(i),
        )
        for i, (text, target) in enumerate(zip(texts, targets, strict=True))
    ]


def share_right(kind: str, proof: list[Example], baseline: Baseline) -> float:
    pairs = zip(proof, baseline.guesses, strict=True)
    return sum(score(kind, e.target, guess.text).is_exact for e, guess in pairs) / len(proof)


def messages(n: int, seed: int) -> tuple[list[str], list[str]]:
    """A colour word decides the label; the rest is noise."""
    rng = random.Random(seed)
    colours = {"red": "Stop", "green": "Go", "amber": "Wait"}
    picked = [rng.choice(list(colours)) for _ in range(n)]
    noise = [" ".join(rng.choice("abcdefg") for _ in range(6)) for _ in range(n)]
    return [f"{words} {colour} {words}" for words, colour in zip(noise, picked, strict=True)], [
        colours[colour] for colour in picked
    ]


def test_labels_that_words_tell_are_learnt() -> None:
    train, proof = examples(*messages(300, 1)), examples(*messages(200, 2))
    frequent, words = baselines("label", train, proof)
    assert (frequent.name, words.name) == ("most frequent answer", "bag of words")
    assert share_right("label", proof, words) == 1.0
    assert share_right("label", proof, frequent) < 0.5
    assert all(0 < guess.confidence <= 1 for guess in words.guesses)
    assert len({guess.text for guess in frequent.guesses}) == 1


def test_labels_that_words_do_not_tell_stay_a_guess() -> None:
    rng = random.Random(3)
    texts, _ = messages(600, 3)
    rows = examples(texts, [rng.choice(["a", "b"]) for _ in texts])
    words = baselines("label", rows[:400], rows[400:])[1]
    assert 0.35 < share_right("label", rows[400:], words) < 0.65


def test_json_is_put_together_field_by_field() -> None:
    texts, labels = messages(300, 4)
    orders = [f"B-{i:05d}" for i in range(300)]
    texts = [f"{text}, order {order}." for text, order in zip(texts, orders, strict=True)]
    targets = [
        json.dumps(
            {"act": {"kind": label}, "order": order, "channel": "mail", **({"wait": True} if label == "Wait" else {})}
        )
        for label, order in zip(labels, orders, strict=True)
    ]
    rows = examples(texts, targets)
    words = baselines("json", rows[:200], rows[200:])[1]
    assert words.name == "bag of words per field"
    assert share_right("json", rows[200:], words) == 1.0


def test_a_field_without_an_order_number_is_left_as_most_are() -> None:
    targets = [json.dumps({"order": f"B-{i:05d}" if i % 3 else None}) for i in range(120)]
    texts = [f"my order is B-{i:05d}" if i % 3 else "where is it" for i in range(120)]
    rows = examples(texts, targets)
    assert share_right("json", rows[90:], baselines("json", rows[:90], rows[90:])[1]) == 1.0


def test_text_is_copied() -> None:
    rows = examples(["say this", "and that"], ["say this", "something else"])
    copied = baselines("text", rows, rows)[1]
    assert [guess.text for guess in copied.guesses] == ["say this", "and that"]


@pytest.mark.parametrize(
    ("kind", "targets"),
    [
        ("label", ["same"] * 20),
        ("label", [f"each its own {i}" for i in range(600)]),
        ("json", ["not json"] * 20),
        ("json", ["[1, 2]"] * 20),
    ],
)
def test_where_nothing_can_be_classified_only_the_most_frequent_answer_stands(kind: str, targets: list[str]) -> None:
    rows = examples([f"text {i}" for i in range(len(targets))], targets)
    assert [baseline.name for baseline in baselines(kind, rows, rows[:5])] == ["most frequent answer"]
    assert baselines(kind, [], rows[:5]) == []


def test_odd_json_is_no_crash() -> None:
    odd = ['{"a": {"b": 1}}', '{"a": 2}', '{"a": {}, "c": []}', '{"": {"": null}}', '{"a": 1e999}', "", "{", "7"] * 5
    rows = examples([""] * len(odd), odd)
    for baseline in baselines("json", rows, rows):
        assert len(baseline.guesses) == len(rows)


def test_the_gradient_is_that_of_the_loss() -> None:
    rng = np.random.default_rng(51)
    x = csr_array(rng.random((12, 4)) * (rng.random((12, 4)) < 0.7))
    truth = np.column_stack([rng.integers(0, 3, 12), rng.integers(0, 2, 12)])
    at = rng.normal(size=5 * 5)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        return _loss(flat.reshape(5, 5), x, x.T.tocsr(), truth, [(0, 3), (3, 5)])

    assert check_grad(lambda v: loss(v)[0], lambda v: loss(v)[1], at) < 1e-6
