"""What a proof's answers were worth: both sides, each metric, slice and field, confidence, calls that differ, speed."""

from __future__ import annotations

import msgspec


class PlainSide(msgspec.Struct, frozen=True, kw_only=True):
    """One side's answers beside the wanted ones, as `prove.measure.Side`."""

    name: str = ""
    n: int | None = None
    right: int | None = None
    share: float | None = None
    low: float | None = None
    high: float | None = None
    graded: float | None = None
    valid: float | None = None


class SideFigures(PlainSide, frozen=True, kw_only=True):
    """The same with what a proof of its own decides: its coverage is None where nothing would be moved to it."""

    decision: str = ""
    coverage: float | None = None


class ApartFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides where people said what was wanted (`of` is people), or where the provider's answer stands for it."""

    of: str = ""
    n: int | None = None
    provider: PlainSide = PlainSide()
    owned: PlainSide = PlainSide()


class MetricFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of both sides, as `prove.measure.MetricRow`."""

    name: str = ""
    mark: float | None = None
    n: int | None = None
    missing: int = 0
    owned: float | None = None
    incumbent: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    passed: float | None = None
    is_certified: bool = False
    decided_at: int | None = None


class SliceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One slice, as `prove.slices.Slice`, with the share lost in it and its share of right answers.

    `low` and `high` bound the share lost, `share_low` and `share_high` the share right, each for all slices at once.
    """

    name: str = ""
    kind: str = ""
    n: int | None = None
    right: int | None = None
    local: int = 0
    wrong: int = 0
    low: float | None = None
    high: float | None = None
    state: str = ""
    withheld: str = ""
    because: str = ""
    better: int = 0
    lost: float | None = None
    share: float | None = None
    share_low: float | None = None
    share_high: float | None = None


class FieldFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How often both sides agree on one JSON field, of the calls where either has it; the interval is 95%."""

    name: str = ""
    n: int | None = None
    agreed: int | None = None
    share: float | None = None
    low: float | None = None
    high: float | None = None


class BinFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The usable answers with a confidence from `low` up to `high`, and how many of them are right."""

    low: float | None = None
    high: float | None = None
    n: int = 0
    right: int = 0


class DifferenceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One call that the owned model answered otherwise than wanted, as `prove.differences.Difference`.

    `cut` has, for each text that is not whole, how many characters are left out before it and after it.
    """

    id: str = ""
    input: str = ""
    wanted: str = ""
    provider: str = ""
    owned: str = ""
    confidence: float | None = None
    graded: float | None = None
    is_local: bool = False
    fields: tuple[str, ...] = ()
    cut: dict[str, tuple[int, int]] = {}


class SpeedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds and tokens per owned answer."""

    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None


class NoiseFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How often the provider, asked again, agrees with itself, and the owned model with it; the intervals are 95%."""

    n: int | None = None
    agreement: float | None = None
    low: float | None = None
    high: float | None = None
    owned_agreement: float | None = None
    owned_low: float | None = None
    owned_high: float | None = None
    owned_n: int | None = None
    proposed_margin: float | None = None
