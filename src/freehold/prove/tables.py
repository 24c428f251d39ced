"""The tables of a report: curve, fields, slices, examples that differ, latency and tokens, savings.

Each table says how many rows it left out. Not covered: rendering (`prove.report`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from freehold.core.engine import OwnedAnswer
from freehold.core.example import Example
from freehold.core.scoring import field_name, leaves, normal_label, parse_json
from freehold.prove.cascade import Cascade, CurvePoint
from freehold.prove.measure import Examined, Held
from freehold.prove.settings import ProofFacts

MOST_DIFFERENCES = 25
MOST_ROWS = 60
MOST_POINTS = 120
_MOST_SLICES = 100
_DAYS_PER_MONTH = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """How often both sides agree on one JSON field, of the calls where either has it."""

    name: str
    n: int
    agreed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceRow:
    """One slice of the proof: its calls, those answered rightly, those answered locally, and those local and wrong."""

    name: str
    n: int
    right: int
    local: int
    local_wrong: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One call that the owned model answered otherwise than wanted."""

    id: str
    input: str
    wanted: str
    provider: str
    owned: str
    confidence: float
    is_local: bool
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Milliseconds and tokens per owned answer."""

    latency_p50_ms: float
    latency_p95_ms: float
    input_tokens: float
    output_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """What a move saves, audits paid; None is unknown."""

    local_share: float
    provider_share: float
    per_day_usd: float | None
    per_month_usd: float | None
    share_of_bill: float


def curve_points(cascade: Cascade) -> list[CurvePoint]:
    """At most MOST_POINTS of the curve, evenly spread; the last and the chosen point are always among them."""
    step = max(1, math.ceil(len(cascade.curve) / MOST_POINTS))
    kept = set(cascade.curve[::step]) | set(cascade.curve[-1:])
    if cascade.chosen:
        kept.add(cascade.chosen)
    return [point for point in cascade.curve if point in kept]


def field_rows(examined: Examined) -> list[FieldRow]:
    """Agreement per field, worst first; all elements of a list are one field."""
    seen: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    for score in examined.scores:
        by_name: dict[str, bool] = {}
        for path, is_same in score.fields.items():
            name = field_name(path)
            by_name[name] = by_name.get(name, True) and is_same
        seen.update(list(by_name))
        agreed.update(name for name, is_same in by_name.items() if is_same)
    rows = [FieldRow(name=name, n=n, agreed=agreed[name]) for name, n in seen.items()]
    return sorted(rows, key=lambda row: (row.agreed / row.n, -row.n, row.name))


def slice_rows(held: Held, examined: Examined) -> tuple[str, list[SliceRow]]:
    """What the slices are cut by, and one row per slice, largest first."""
    title, names = _slices(held)
    threshold = examined.outcome.threshold
    counts: dict[str, list[int]] = {}
    for name, guess, score in zip(names, examined.guesses, examined.scores, strict=True):
        is_local = is_answered_locally(guess.confidence, threshold)
        row = counts.setdefault(name, [0, 0, 0, 0])
        for i, flag in enumerate((True, score.is_exact, is_local, is_local and not score.is_exact)):
            row[i] += flag
    rows = [
        SliceRow(name=name, n=n, right=right, local=local, local_wrong=wrong)
        for name, (n, right, local, wrong) in counts.items()
    ]
    return title, sorted(rows, key=lambda row: (-row.n, row.name))


def difference_rows(held: Held, examined: Examined) -> list[Difference]:
    """The calls the owned model got wrong, worst first: those it would have answered, then those it was sure of."""
    rows = [
        Difference(
            id=example.id,
            input=_shown(example),
            wanted=example.target,
            provider=example.incumbent,
            owned=guess.text,
            confidence=guess.confidence,
            is_local=is_local,
            fields=tuple(path for path, is_same in score.fields.items() if not is_same),
        )
        for example, guess, score, is_local in zip(
            held.examples, examined.guesses, examined.scores, examined.is_local, strict=True
        )
        if not score.is_exact
    ]
    return sorted(rows, key=lambda row: (not row.is_local, -row.confidence, row.id))


def is_answered_locally(confidence: float, threshold: float | None) -> bool:
    """Whether an answer of this confidence is used at the threshold; None uses none."""
    return threshold is not None and confidence >= threshold


def speed(answers: Sequence[OwnedAnswer]) -> Speed:
    """Latency and tokens over all answers."""
    latencies = sorted(answer.latency_ms for answer in answers)
    n = len(answers)
    return Speed(
        latency_p50_ms=latencies[(n - 1) // 2],
        latency_p95_ms=latencies[min(n - 1, math.ceil(0.95 * n) - 1)],
        input_tokens=sum(answer.input_tokens for answer in answers) / n,
        output_tokens=sum(answer.output_tokens for answer in answers) / n,
    )


def savings(examined: Examined, facts: ProofFacts) -> Savings:
    """What the coverage saves of the provider's bill: a local answer is free, an audited one is paid for again."""
    local = examined.outcome.coverage or 0.0
    share = local * (1 - facts.audit_rate)
    per_day = None
    if facts.calls_per_day is not None and facts.provider_cost_per_call_usd is not None:
        per_day = facts.calls_per_day * facts.provider_cost_per_call_usd * share
    return Savings(
        local_share=local,
        provider_share=1 - local,
        per_day_usd=per_day,
        per_month_usd=None if per_day is None else per_day * _DAYS_PER_MONTH,
        share_of_bill=share,
    )


def _slices(held: Held) -> tuple[str, list[str]]:
    if held.kind == "label":
        return "label", [normal_label(example.target) for example in held.examples]
    if held.kind in ("json", "tools"):
        rows = [leaves(parse_json(example.target)[0]) for example in held.examples]
        sizes = {name: len({str(row.get(name)) for row in rows}) for name in dict.fromkeys(k for r in rows for k in r)}
        common = {name: size for name, size in sizes.items() if sum(name in row for row in rows) >= 0.9 * len(rows)}
        few = {name: size for name, size in common.items() if 2 <= size <= min(_MOST_SLICES, max(2, len(rows) // 3))}
        if few:
            name = max(few, key=lambda key: (few[key], key))
            return name, [str(row.get(name, "(left out)")) for row in rows]
    lengths = sorted(len(_shown(example)) for example in held.examples)
    third, two_thirds = lengths[len(lengths) // 3], lengths[2 * len(lengths) // 3]
    names = [f"up to {third} characters", f"up to {two_thirds} characters", "longer"]
    return "length of the input", [
        names[(len(_shown(e)) > third) + (len(_shown(e)) > two_thirds)] for e in held.examples
    ]


def _shown(example: Example) -> str:
    """The input as a reader sees it: one message bare, several with their roles."""
    if len(example.messages) == 1:
        return example.messages[0].content
    return "\n".join(f"{message.role}: {message.content}" for message in example.messages)
