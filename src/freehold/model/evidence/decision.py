"""What was tested and decided: outcome, paired test, cascade, comparisons by people, and how near the verdict was."""

from __future__ import annotations

import msgspec

Step = tuple[float, float]
"""A step of a path of evidence: how many units were bet on, and ln K."""


class OutcomeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say, as `prove.decide.Outcome`."""

    decision: str = ""
    reason: str = ""
    scope: str = ""
    need: int | None = None
    need_of: str = ""
    threshold: float | None = None
    coverage: float | None = None


class PairedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The paired comparison of the owned model alone with the provider, as `prove.decide.Paired`.

    `log_wealth` is the path of the evidence, thinned out. `calls_for_80_percent_power` is None where no number of calls
    would do.
    """

    metric: str = ""
    metrics: int = 1
    n: int | None = None
    users: int | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    running_low: float | None = None
    running_high: float | None = None
    discordance: float | None = None
    owned_only_wrong: int | None = None
    incumbent_only_wrong: int | None = None
    is_certified: bool = False
    decided_at: int | None = None
    log_wealth: tuple[Step, ...] = ()
    log_goal: float | None = None
    tango_z: float | None = None
    calls_for_80_percent_power: int | None = None


class PoweredFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The prediction-powered estimate of what people prefer, as `prove.stats.ppi.Powered`."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    weight: float | None = None
    rho: float | None = None
    worth: float | None = None
    n: int | None = None
    judged: int | None = None


class ComparedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How the test on comparisons by people stands, as `prove.labels.judge.Compared`.

    `variance_left` is the share of the variance of people's labels that a judge leaves to them.
    """

    planned: int | None = None
    n: int | None = None
    by_people: int = 0
    to_label: int | None = None
    behind_gap: int | None = None
    owned_better: int | None = None
    provider_better: int | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    judge: str = ""
    judged: int = 0
    unreadable: int = 0
    to_judge: int | None = None
    judge_mean: float | None = None
    judge_low: float | None = None
    judge_high: float | None = None
    is_aided: bool = False
    why_alone: str = ""
    powered: PoweredFigures | None = None
    least_labels: int = 0
    margin: float | None = None
    decided_at: int | None = None
    log_wealth: tuple[Step, ...] = ()
    log_goal: float | None = None
    is_certified: bool = False
    variance_left: float | None = None


class CurveFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold of a cascade, as `prove.stats.cascade.CurvePoint`."""

    threshold: float | None = None
    local: int | None = None
    wrong: int | None = None
    upper: float | None = None
    is_proven: bool = False


class CascadeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract gives: the curve, thinned out, and the point chosen (None: no threshold is proven).

    `wrong_share_interval` is 95% for the share that the contract bounds, as seen; None where no cascade is served.
    """

    threshold: float | None = None
    coverage: float | None = None
    coverage_at_least: float | None = None
    least_coverage: float | None = None
    chosen: CurveFigures | None = None
    wrong_share_interval: tuple[float, float] | None = None
    is_by_user: bool = False
    contract: str = ""
    curve: tuple[CurveFigures, ...] = ()


class SpentFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The error rates that this proof may spend of its task's."""

    alpha: float | None = None
    delta: float | None = None


class ReadingFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one other setting (`name`, `value`) would have given, as `prove.sensitivity.Reading`."""

    name: str = ""
    value: float | None = None
    decision: str = ""
    need: int | None = None
    coverage: float | None = None
    is_certified: bool = False


class SensitivityFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The readings, and of `orders` other orders of the users how many gave the same decision or certified."""

    readings: tuple[ReadingFigures, ...] = ()
    orders: int = 0
    same_decision: int | None = None
    certified: int | None = None
