"""What kind of answers a task has: tool calls, JSON, labels or text.

A few answers that deviate (an apology, a chatty one) change nothing. Labels are told from short texts by whether the
same ones come back: the Good-Turing estimate of the chance that the next answer is a new one is the share of answers
seen once. Not covered: what a label or a field means.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from freehold.core.dataset import OutputKind
from freehold.core.exchange import Answer
from freehold.core.scoring import normal_label, parse_json

MOST_SHARE = 0.9
SHORT_SHARE = 0.95
LABEL_CHARS = 64
LABELS_MAX = 1000


def output_kind(answers: Sequence[Answer]) -> OutputKind:
    """The kind of these answers; text when there is none to go by."""
    told = [answer for answer in answers if (answer.text.strip() or answer.tool_calls) and not answer.is_refusal]
    if not told:
        return "text"
    if sum(bool(answer.tool_calls) for answer in told) > len(told) / 2:
        return "tools"
    texts = [answer.text for answer in told if answer.text.strip()]
    if sum(is_json(text) for text in texts) >= MOST_SHARE * len(texts):
        return "json"
    return "label" if _are_labels(texts) else "text"


def is_json(text: str) -> bool:
    """Whether the text is a JSON object or array, bare or in a code fence."""
    if "{" not in text and "[" not in text:
        return False
    return isinstance(parse_json(text)[0], dict | list)


def _are_labels(texts: Sequence[str]) -> bool:
    short = [normal_label(text) for text in texts if len(text.strip()) <= LABEL_CHARS and "\n" not in text.strip()]
    if len(short) < SHORT_SHARE * len(texts):
        return False
    counts = Counter(short)
    seen_once = sum(count == 1 for count in counts.values())
    return len(counts) <= LABELS_MAX and seen_once / len(short) <= min(0.4, 0.1 + 1 / math.sqrt(len(short)))
