"""What would follow a move: what it saves, how its ramp would open, how soon harm would be noticed."""

from __future__ import annotations

import msgspec


class SavingsFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a move saves, audits paid; None is unknown."""

    local_share: float | None = None
    provider_share: float | None = None
    local_per_day: float | None = None
    audited_per_day: float | None = None
    per_day_usd: float | None = None
    per_month_usd: float | None = None
    share_of_bill: float | None = None


class BorneFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How often the owned answers are unlike the provider's and no worse (`prove.tolerated_disagreement.Borne`)."""

    count: int = 0
    n: int | None = None
    share: float | None = None
    upper: float | None = None
    by_slice: dict[str, int] = {}


class RollbackFigures(msgspec.Struct, frozen=True, kw_only=True):
    """When a route would go back if the share of wrong answers rose (`prove.forecast.RollbackPlan`)."""

    tolerated: float | None = None
    turned_to: float | None = None
    audits: int | None = None
    calls: float | None = None
    wrong: float | None = None
    days: float | None = None


class RampStepFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The share of traffic after this many compared pairs: the median, the 10th and the 90th percentile."""

    pairs: float | None = None
    share: float | None = None
    low: float | None = None
    high: float | None = None


class RampFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How a ramp's share of traffic would grow, and what it tends to (`prove.forecast.RampPlan`)."""

    harm: float | None = None
    worse: float | None = None
    better: float | None = None
    steps: tuple[RampStepFigures, ...] = ()
    tends_to: float | None = None
    pairs_until_half: int | None = None
    pairs_until_all: int | None = None
