"""What a watch is told of one call, and what it may decide.

Not covered: making one from recorded calls (a driver's work), folding them (`watch.watcher`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One settled call of the task.

    `is_local`: the owned answer was used. `propensity`: the probability of the audit that was due, None where none was
    due; with `loss` None it is a missing audit, which counts no harm. `audit_rate`: the rate in force when the request
    came, the same for local calls and others (None: the route's own). `loss`: 1 where the audit found the local answer
    wrong. `difference`: Y_owned - Y_provider of a pair drawn from all requests alike (see `watch.ramp`); None with
    `is_pair_due` is a missing pair: the worst for the ramp, no harm for taking back. `is_decided`: the cascade decided
    who answers; False for a canary's other calls, for calls that do not fit, for a shadow route. `is_valid`,
    `is_refusal`, `is_slow` are of the owned answer, used or turned away; None: unknown. `model_answered`,
    `system_fingerprint`: the provider's, None where it was not asked. `input_text`: what the owned model saw. `slices`:
    those that a local answer lies in.
    """

    call_id: str
    created_at: float
    is_local: bool
    propensity: float | None = None
    audit_rate: float | None = None
    loss: float | None = None
    difference: float | None = None
    is_pair_due: bool = False
    is_decided: bool = True
    is_valid: bool | None = None
    is_refusal: bool | None = None
    is_slow: bool | None = None
    input_text: str | None = None
    model_answered: str | None = None
    system_fingerprint: str | None = None
    fits_template: bool = True
    slices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Take the route back: by which detector, why in words and figures."""

    detector: str
    reason: str
    evidence: float
    patience: float
    tolerated: float
    observed: int
    recent_harm: float
    recent_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Withhold:
    """Let the provider answer these slices again: why in words and figures."""

    slices: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RampTo:
    """Let the cascade answer this share of calls."""

    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The ramp is at 100%: make the canary a cascade."""

    pairs: int
    low: float


Decision = RollBack | Withhold | RampTo | Finished
