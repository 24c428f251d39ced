"""How far a linear bag of words gets on the demo's triage: python bench/desk_baseline.py [--train 2500] [--test 1000].

One softmax regression per field over TF-IDF words (and word pairs with --pairs), trained on the first messages of the
traffic and tested on later ones. An order number cannot be classified, so the baseline is helped: it takes the first
number that it finds in the text. Measures the difficulty of the domain; what `freehold prove` reports is its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from freehold.demo.desk import CustomerMessage, messages

Floats = NDArray[np.float64]
FIELDS = ("intent", "urgent", "language")


def words(text: str, *, pairs: bool) -> list[str]:
    """Split into lower-case words, and into neighbouring pairs when asked."""
    single = re.findall(r"\w+|[^\w\s]", text.lower())
    return single + ([f"{a} {b}" for a, b in itertools.pairwise(single)] if pairs else [])


def vectors(bags: list[list[str]], index: dict[str, int], idf: Floats) -> Floats:
    """TF-IDF rows of unit length; unknown words are left out."""
    rows: Floats = np.zeros((len(bags), len(index)))
    for row, bag in zip(rows, bags, strict=True):
        for word, count in Counter(bag).items():
            if word in index:
                row[index[word]] = count * idf[index[word]]
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit


def fit(x: Floats, y: NDArray[np.int64], classes: int, *, ridge: float, steps: int = 200) -> Floats:
    """Softmax regression by full-batch Adam; returns weights (features + 1, classes)."""
    x = np.hstack([x, np.ones((len(x), 1))])
    weights, mean, square = (np.zeros((x.shape[1], classes)) for _ in range(3))
    wanted = np.eye(classes)[y]
    for step in range(1, steps + 1):
        scores = x @ weights
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        slope = x.T @ (odds / odds.sum(axis=1, keepdims=True) - wanted) / len(x) + ridge * weights
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
        weights -= 0.3 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return weights


def predict(
    train: list[CustomerMessage], test: list[CustomerMessage], *, pairs: bool, ridge: float
) -> dict[str, list[object]]:
    """The baseline's answer for every test message, field by field."""
    bags = [words(message.text, pairs=pairs) for message in train]
    frequency = Counter(word for bag in bags for word in set(bag))
    index = {word: at for at, word in enumerate(w for w, n in frequency.items() if n >= 2)}
    idf = np.log(len(train) / np.array([frequency[word] for word in index]))
    x = vectors(bags, index, idf)
    later = vectors([words(message.text, pairs=pairs) for message in test], index, idf)
    answers: dict[str, list[object]] = {}
    for field in FIELDS:
        values = sorted({json.dumps(m.gold[field]) for m in train})
        y = np.array([values.index(json.dumps(m.gold[field])) for m in train])
        weights = fit(x, y, len(values), ridge=ridge)
        best = (np.hstack([later, np.ones((len(later), 1))]) @ weights).argmax(axis=1)
        answers[field] = [json.loads(values[at]) for at in best]
    numbers = [re.search(r"\b[A-H]-\d{5}\b", message.text) for message in test]
    answers["order"] = [number[0] if number else None for number in numbers]
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=2_500)
    parser.add_argument("--test", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--ridge", type=float, default=1e-5)
    parser.add_argument("--pairs", action="store_true", help="word pairs as well as words")
    args = parser.parse_args()
    traffic = list(messages(args.train + args.test, args.seed))
    train, test = traffic[: args.train], traffic[args.train :]
    answers = predict(train, test, pairs=args.pairs, ridge=args.ridge)
    right = {
        field: np.array([a == m.gold[field] for a, m in zip(answers[field], test, strict=True)]) for field in answers
    }
    for field, hits in right.items():
        print(f"{field:12} {hits.mean():6.1%}")
    print(f"{'whole JSON':12} {np.all(list(right.values()), axis=0).mean():6.1%}   n={len(test)}")


if __name__ == "__main__":
    main()
