"""What kind of answers a task has: tool calls, JSON, labels or text.

A few answers that deviate (an apology, a chatty one) change nothing. JSON in other clothes (`text.json_text`) counts
where the fields of the other answers come back in it: a manual's examples have other fields each time. Labels are told
from short texts by whether the same ones come back: the Good-Turing estimate of the chance that the next answer is a
new one is the share of answers seen once. Not covered: what a label or a field means.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from freehold.model.dataset import OutputKind
from freehold.model.exchange import Answer
from freehold.text.json_text import is_bare_json, parse_json
from freehold.text.scoring import normal_label

MOST_SHARE = 0.9
SHORT_SHARE = 0.95
LABEL_CHARS = 64
LABELS_MAX = 1000
USUAL_SHARE = 0.3
"""A field is usual in a task when so many of its JSON answers have it."""


def output_kind(answers: Sequence[Answer]) -> OutputKind:
    """The kind of these answers; text when there is none to go by."""
    told = [answer for answer in answers if (answer.text.strip() or answer.tool_calls) and not answer.is_refusal]
    if not told:
        return "text"
    if sum(bool(answer.tool_calls) for answer in told) > len(told) / 2:
        return "tools"
    texts = [answer.text for answer in told if answer.text.strip()]
    if _are_json(texts):
        return "json"
    return "label" if are_labels(texts) else "text"


def is_json(text: str) -> bool:
    """Whether the text is a JSON object or array, bare, in a code fence, or with little text around it."""
    if "{" not in text and "[" not in text:
        return False
    return isinstance(parse_json(text)[0], dict | list)


def _are_json(texts: Sequence[str]) -> bool:
    """Whether most texts are JSON; in other clothes one counts only with a field that is usual here."""
    found = [(text, fields_of(text)) for text in texts if is_json(text)]
    if len(found) < MOST_SHARE * len(texts):
        return False
    seen = Counter(field for _, fields in found for field in fields)
    usual = {field for field, count in seen.items() if count >= USUAL_SHARE * len(found)}
    told = sum(bool(fields & usual) or is_bare_json(text) for text, fields in found)
    return told >= MOST_SHARE * len(texts)


def fields_of(text: str) -> set[str]:
    """The top-level fields of a text's JSON; of an array `[]` and those of its elements."""
    value, _ = parse_json(text)
    rows = value if isinstance(value, list) else [value]
    own = {"[]"} if isinstance(value, list) else set()
    return own.union(name for row in rows if isinstance(row, dict) for name in row)


def are_labels(texts: Sequence[str]) -> bool:
    """Whether these texts are short, and the same ones come back."""
    short = [normal_label(text) for text in texts if len(text.strip()) <= LABEL_CHARS and "\n" not in text.strip()]
    if len(short) < SHORT_SHARE * len(texts):
        return False
    counts = Counter(short)
    seen_once = sum(count == 1 for count in counts.values())
    return len(counts) <= LABELS_MAX and seen_once / len(short) <= min(0.4, 0.1 + 1 / math.sqrt(len(short)))
