"""One form per answer: what says the same is written the same, so that a model need not learn ways of wording.

- json: bare and compact, without fences, keys in the order that is usual for these answers.
- label: without white space around it, in the spelling that is usual for this label.
- text: as it is.

Not covered: whether two answers mean the same where their values differ.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from freehold.model.dataset import OutputKind
from freehold.text.json_text import JsonValue, parse_json
from freehold.text.scoring import normal_label

LABEL_CHARS = 64
_KEYS_MAX = 100

Canonical = Callable[[str], str | None]
"""Gives the one form of an answer, or None when the answer is not of its kind."""

_Precedence = dict[str, Counter[tuple[str, str]]]


def canonical_form(kind: OutputKind, answers: Sequence[str]) -> Canonical:
    """The function that brings answers of this kind into one form, learnt from all of them."""
    match kind:
        case "json":
            order = _key_order(answers)
            return lambda text: _compact(text, order)
        case "label":
            spellings = _spellings(answers)
            return lambda text: _label(text, spellings)
        case _:
            return lambda text: text if text.strip() else None


def _label(text: str, spellings: dict[str, str]) -> str | None:
    label = text.strip()
    if not label or len(label) > LABEL_CHARS or "\n" in label:
        return None
    return spellings.get(normal_label(label), label)


def _spellings(answers: Iterable[str]) -> dict[str, str]:
    """The commonest spelling of each label; among equals the shortest, then the first."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for answer in answers:
        seen[normal_label(answer)][answer.strip()] += 1
    return {
        label: min(counts, key=lambda spelling: (-counts[spelling], len(spelling), spelling))
        for label, counts in seen.items()
    }


def _compact(text: str, order: dict[str, dict[str, int]]) -> str | None:
    value, is_json = parse_json(text)
    if not is_json or not isinstance(value, dict | list):
        return None
    try:
        return json.dumps(_ordered(value, "", order), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        return None


def _ordered(value: JsonValue, path: str, order: dict[str, dict[str, int]]) -> JsonValue:
    match value:
        case dict():
            ranks = order.get(path, {})
            keys = sorted(value, key=lambda key: ranks.get(key, len(ranks)))
            return {key: _ordered(value[key], f"{path}.{key}", order) for key in keys}
        case list():
            return [_ordered(item, f"{path}[]", order) for item in value]
        case _:
            return value


def _key_order(answers: Iterable[str]) -> dict[str, dict[str, int]]:
    """For each place in the answers, the rank of its keys: by how many other keys each usually stands before.

    Places with very many different keys are maps, not records; their order is left alone.
    """
    before: _Precedence = defaultdict(Counter)
    keys: dict[str, set[str]] = defaultdict(set)
    for answer in answers:
        waiting: list[tuple[str, JsonValue]] = [("", parse_json(answer)[0])]
        while waiting:
            path, value = waiting.pop()
            if isinstance(value, list):
                waiting.extend((f"{path}[]", item) for item in value)
            elif isinstance(value, dict):
                waiting.extend((f"{path}.{key}", item) for key, item in value.items())
                keys[path].update(value)
                if len(keys[path]) <= _KEYS_MAX:
                    before[path].update(combinations(value, 2))
    return {path: _ranks(sorted(own), before[path]) for path, own in keys.items() if len(own) <= _KEYS_MAX}


def _ranks(keys: Sequence[str], before: Counter[tuple[str, str]]) -> dict[str, int]:
    wins = Counter(dict.fromkeys(keys, 0))
    for one, other in combinations(keys, 2):
        lead = before[one, other] - before[other, one]
        wins[one] += (lead > 0) - (lead < 0)
        wins[other] += (lead < 0) - (lead > 0)
    return {key: rank for rank, key in enumerate(sorted(keys, key=lambda key: (-wins[key], key)))}
