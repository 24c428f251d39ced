"""How the verdict would have read with another margin, risk or error rate, or with users in another order.

The same answers are decided on again; nothing is asked anew. These rows carry no error rate: who picks a setting after
looking at them has tested all of them and is bound by none. They say how near the verdict was, nothing else. Not
covered: deciding (handed in).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from freehold.core.verdict import Decision
from freehold.prove.decide import Outcome, Paired
from freehold.prove.measure import Examined
from freehold.prove.settings import ProofSettings

Deciding = Callable[[ProofSettings], Examined]
Asked = Literal["margin", "alpha", "risk", "delta"]
_TIMES: dict[Asked, tuple[float, ...]] = {
    "margin": (0.5, 2.0, 4.0),
    "alpha": (0.2, 2.0),
    "risk": (0.4, 2.0),
    "delta": (0.5, 2.0),
}
_LARGEST = 0.5
_SEEDS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one setting would have given; `is_certified` is the paired test of the owned model alone."""

    name: Asked
    value: float
    decision: Decision
    need: int | None
    coverage: float | None
    is_certified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """The readings, and of `orders` other orders of the users how many gave the same decision or certified."""

    readings: tuple[Reading, ...]
    orders: int
    same_decision: int
    certified: int


def sensitivity(decide_at: Deciding, settings: ProofSettings) -> Sensitivity:
    """Decide again, around the settings that were asked for; `decide_at` decides on the same answers at others."""
    asked = decide_at(settings)
    orders = [decide_at(replace(settings, seed=settings.seed + i)) for i in range(1, _SEEDS + 1)]
    return Sensitivity(
        readings=tuple(_read(decide_at, settings, name, times) for name, times in _around()),
        orders=len(orders),
        same_decision=sum(other.outcome.decision == asked.outcome.decision for other in orders),
        certified=sum(other.paired.is_certified for other in orders),
    )


def _around() -> Sequence[tuple[Asked, float]]:
    return [(name, times) for name, all_times in _TIMES.items() for times in all_times]


def _read(decide_at: Deciding, settings: ProofSettings, name: Asked, times: float) -> Reading:
    value = min(_LARGEST, float(f"{getattr(settings, name) * times:.4g}"))
    found = decide_at(_with(settings, name, value))
    return _reading(name, value, found.outcome, found.paired)


def _with(settings: ProofSettings, name: Asked, value: float) -> ProofSettings:
    match name:
        case "margin":
            return replace(settings, margin=value)
        case "alpha":
            return replace(settings, alpha=value)
        case "risk":
            return replace(settings, risk=value)
        case "delta":
            return replace(settings, delta=value)


def _reading(name: Asked, value: float, outcome: Outcome, paired: Paired) -> Reading:
    return Reading(
        name=name,
        value=value,
        decision=outcome.decision,
        need=outcome.need,
        coverage=outcome.coverage if outcome.decision == "move" else None,
        is_certified=paired.is_certified,
    )
