"""The tables of a report: curve, fields, slices, confidence, latency and tokens, savings.

Not covered: the calls that differ (`prove.differences`), rendering (`prove.report.report`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from freehold.model.engine import OwnedAnswer
from freehold.prove.evaluate import Evaluation
from freehold.prove.settings import ProofFacts
from freehold.prove.stats.cascade import Cascade, CurvePoint
from freehold.text.intervals import wilson
from freehold.text.scoring import field_name

MOST_ROWS = 60
MOST_POINTS = 120
_BINS = 20
_FAMILY_LEVEL = 0.05
_DAYS_PER_MONTH = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """How often both sides agree on one JSON field, of the calls where either has it; the interval is 95%."""

    name: str
    n: int
    agreed: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceBin:
    """The usable answers with a confidence from `low` up to `high`, and how many of them are right."""

    low: float
    high: float
    n: int
    right: int


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
    local_per_day: float | None
    audited_per_day: float | None
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


def field_rows(examined: Evaluation) -> list[FieldRow]:
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
    rows = []
    for name, n in seen.items():
        low, high = wilson(agreed[name], n)
        rows.append(FieldRow(name=name, n=n, agreed=agreed[name], share=agreed[name] / n, low=low, high=high))
    return sorted(rows, key=lambda row: (row.share, -row.n, row.name))


def agreement_interval(right: int, n: int, *, slices: int, calls_per_user: float) -> tuple[float, float]:
    """An interval for the share of right answers in a slice that holds for all `slices` at once with 95%.

    Wilson's, with Bonferroni's quantile, as if all calls of one user had the same outcome: then n calls say as much as
    n / calls_per_user users. That is too wide rather than too narrow.
    """
    if n <= 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(1 - _FAMILY_LEVEL / (2 * max(slices, 1)))
    low, high = wilson(right, n, z=z)
    share, widening = right / n, math.sqrt(max(calls_per_user, 1.0))
    return max(0.0, share - widening * (share - low)), min(1.0, share + widening * (high - share))


def confidence_bins(examined: Evaluation) -> list[ConfidenceBin]:
    """How many usable answers have which confidence; the last bin holds 1.0 too."""
    counts = [[0, 0] for _ in range(_BINS)]
    for guess, score in zip(examined.guesses, examined.scores, strict=True):
        if guess.confidence > 0:
            counts[min(int(guess.confidence * _BINS), _BINS - 1)][score.is_exact] += 1
    return [
        ConfidenceBin(low=i / _BINS, high=(i + 1) / _BINS, n=wrong + right, right=right)
        for i, (wrong, right) in enumerate(counts)
    ]


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


def savings(examined: Evaluation, facts: ProofFacts) -> Savings:
    """What the coverage saves of the provider's bill: a local answer is free, an audited one is paid for again.

    A call that may go local need not cost what others do (images, long answers by tools): what it costs on average, as
    a part of what any call does, is `relative_cost`.
    """
    local = examined.outcome.coverage or 0.0
    share = local * (1 - facts.audit_rate) * facts.relative_cost
    a_day = facts.calls_per_day
    per_day = None
    if facts.calls_per_day is not None and facts.provider_cost_per_call_usd is not None:
        per_day = facts.calls_per_day * facts.provider_cost_per_call_usd * share
    return Savings(
        local_share=local,
        provider_share=1 - local,
        local_per_day=None if a_day is None else a_day * local,
        audited_per_day=None if a_day is None else a_day * local * facts.audit_rate,
        per_day_usd=per_day,
        per_month_usd=None if per_day is None else per_day * _DAYS_PER_MONTH,
        share_of_bill=share,
    )
