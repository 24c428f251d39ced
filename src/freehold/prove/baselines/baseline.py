"""The trivial baselines that stand beside the owned model and go through the same proof.

- most frequent answer: the commonest target of the train split, always; its confidence is its share there.
- bag of words, for labels: a linear classifier; its confidence is the probability it gives.
- bag of words per field, for JSON: each field with few values is classified (left out is a value too); a field whose
  values share one written shape with a digit in it, such as an order number, is copied from the input where a word of
  that shape stands there; every other field takes its commonest value. The fields are put together to one answer; its
  confidence is the product of the fields' probabilities.
- copy of the input, for text.

A baseline that passes means that the task needs no language model.

Not covered: the proof itself (`prove.evaluate`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from freehold.model.example import Example
from freehold.prove.baselines.linear import fit_linear
from freehold.prove.measure import Guess
from freehold.text.json_text import JsonValue, parse_json
from freehold.text.scoring import Leaf, normal_label, normal_text

LARGEST_TRAIN = 12_000
MOST_VALUES = 40
_MOST_CLASSES = 200
_MOST_LABELS = 500
_LEFT_OUT = "\x00left out"
_COPIED_SHARE = 0.9
_DIGITS = re.compile(r"\d+")
_STRIPPED = "\"'.,;:!?()[]<>#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A baseline's answers to the proof split."""

    name: str
    guesses: tuple[Guess, ...]


def baselines(kind: str, train: Sequence[Example], proof: Sequence[Example]) -> list[Baseline]:
    """Every baseline that fits the kind of output, learnt from `train` (its newest rows) and asked on `proof`."""
    train = sorted(train, key=lambda example: example.created_at)[-LARGEST_TRAIN:]
    if not train:
        return []
    found = [most_frequent(kind, train, proof)]
    match kind:
        case "label":
            linear = label_words(train, proof)
        case "json" | "tools":
            linear = field_words(train, proof)
        case _:
            linear = Baseline(
                name="copy of the input", guesses=tuple(Guess(text=last_text(e), confidence=0.5) for e in proof)
            )
    return [*found, linear] if linear else found


def most_frequent(kind: str, train: Sequence[Example], proof: Sequence[Example]) -> Baseline:
    """Always the commonest wanted answer."""
    normal = normal_label if kind == "label" else normal_text
    counts = Counter(normal(example.target) for example in train)
    commonest, times = counts.most_common(1)[0]
    text = next(example.target for example in train if normal(example.target) == commonest)
    guess = Guess(text=text, confidence=times / len(train))
    return Baseline(name="most frequent answer", guesses=(guess,) * len(proof))


def label_words(train: Sequence[Example], proof: Sequence[Example]) -> Baseline | None:
    """A linear classifier of the label; None where there are fewer than two labels, or too many to be labels."""
    spelling: dict[str, str] = {}
    for example in train:
        spelling.setdefault(normal_label(example.target), example.target)
    if not 2 <= len(spelling) <= _MOST_LABELS:
        return None
    model = fit_linear([all_text(e) for e in train], [[normal_label(e.target) for e in train]])
    answers = model.predict([all_text(e) for e in proof])
    guesses = tuple(Guess(text=spelling[label], confidence=share) for ((label, share),) in answers)
    return Baseline(name="bag of words", guesses=guesses)


def field_words(train: Sequence[Example], proof: Sequence[Example]) -> Baseline | None:
    """A linear classifier per field of a JSON object; None where the targets are not objects."""
    targets = [_object(example.target) for example in train]
    rows = [(example, target) for example, target in zip(train, targets, strict=True) if target]
    if len(rows) < len(train) / 2 or not rows:
        return None
    names = list(dict.fromkeys(name for _, target in rows for name in target))
    columns = {name: [target.get(name, _LEFT_OUT) for _, target in rows] for name in names}
    few = _classified(columns)
    learnt: list[list[tuple[str, float]]] = [[] for _ in proof]
    if few:
        model = fit_linear([all_text(example) for example, _ in rows], [columns[name] for name in few])
        learnt = model.predict([all_text(example) for example in proof])
    rules = {name: _rule(columns[name]) for name in names if name not in few}
    guesses = []
    for example, answers in zip(proof, learnt, strict=True):
        values = dict(zip(few, answers, strict=True))
        values.update({name: rule(last_text(example)) for name, rule in rules.items()})
        guesses.append(_assemble(names, values))
    return Baseline(name="bag of words per field", guesses=tuple(guesses))


def _classified(columns: dict[tuple[str, ...], list[str]]) -> list[tuple[str, ...]]:
    """The fields with few values, fewest first, as long as their classes together stay quick to learn."""
    sizes = sorted((len(set(column)), name) for name, column in columns.items())
    found, total = [], 0
    for size, name in sizes:
        total += size
        if 2 <= size <= MOST_VALUES and total <= _MOST_CLASSES:
            found.append(name)
    return found


def all_text(example: Example) -> str:
    """Everything that the owned model is shown."""
    return "\n".join(message.content for message in example.messages)


def last_text(example: Example) -> str:
    """The last message, which is the input proper."""
    return example.messages[-1].content if example.messages else ""


def _object(target: str) -> dict[tuple[str, ...], str]:
    """A JSON object as key path to value, the value as JSON text; objects are entered, lists are values."""
    value, _ = parse_json(target)
    return dict(_entries((), value)) if isinstance(value, dict) else {}


def _entries(path: tuple[str, ...], value: JsonValue) -> list[tuple[tuple[str, ...], str]]:
    if not isinstance(value, dict) or not value or len(path) > 20:
        return [(path, json.dumps(value, ensure_ascii=False))] if path else []
    return [entry for key, child in value.items() for entry in _entries((*path, key), child)]


def _rule(column: Sequence[str]) -> Callable[[str], tuple[str, float]]:
    """How a field with many values is filled: copied by its shape, else its commonest value."""
    value, times = Counter(column).most_common(1)[0]
    shapes = Counter(_shape(text) for text in map(_as_string, column) if text)
    if shapes:
        shape, shaped = shapes.most_common(1)[0]
        if "0" in shape and shaped >= _COPIED_SHARE * shapes.total():
            missing = Counter(text for text in column if not _as_string(text)).most_common(1)
            return lambda text: _copy(text, shape, missing[0][0] if missing else value)
    return lambda _: (value, times / len(column))


def _copy(text: str, shape: str, missing: str) -> tuple[str, float]:
    words = (word.strip(_STRIPPED) for word in text.split())
    found = next((word for word in words if _shape(word) == shape), None)
    return (missing if found is None else json.dumps(found, ensure_ascii=False)), _COPIED_SHARE


def _shape(word: str) -> str:
    """A word's shape: runs of digits as 0, in upper case. Example: A-48213 and a-9 have the shape A-0."""
    return _DIGITS.sub("0", word).upper()


def _as_string(text: str) -> str:
    value: Leaf | JsonValue = None if text == _LEFT_OUT else json.loads(text)
    return value if isinstance(value, str) else ""


def _assemble(names: Sequence[tuple[str, ...]], values: dict[tuple[str, ...], tuple[str, float]]) -> Guess:
    """Put the fields' values together to one JSON answer; a path that collides with another is left out."""
    answer: dict[str, JsonValue] = {}
    confidence = 1.0
    for path in names:
        text, share = values[path]
        confidence *= share
        if text == _LEFT_OUT:
            continue
        place = answer
        for key in path[:-1]:
            child = place.setdefault(key, {})
            if not isinstance(child, dict):
                break
            place = child
        else:
            place.setdefault(path[-1], json.loads(text))
    return Guess(text=json.dumps(answer, ensure_ascii=False), confidence=max(confidence, 1e-6))
