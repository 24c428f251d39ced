"""How the verdict would have read with another margin, risk or error rate, or with users in another order.

The same answers are decided on again; nothing is asked anew. These rows carry no error rate: who picks a setting after
looking at them has tested all of them and is bound by none. They say how near the verdict was, nothing else. Not
covered: deciding (handed in).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from freehold.model.verdict import Decision
from freehold.prove.evaluate import Evaluation
from freehold.prove.settings import ProofSettings

Deciding = Callable[[ProofSettings], Evaluation]
Asked = Literal["margin", "alpha", "risk", "delta"]
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
    """Decide again, around the settings that were asked for; `decide_at` decides on the same answers at others.

    Where answers were compared there are no other orders: another seed draws pairs that nobody was asked about.
    """
    asked = decide_at(settings)
    seeds = range(1, _SEEDS + 1) if asked.compared is None else ()
    orders = [decide_at(replace(settings, seed=settings.seed + i)) for i in seeds]
    return Sensitivity(
        readings=tuple(_read(name, value, decide_at(other)) for name, value, other in _around(settings)),
        orders=len(orders),
        same_decision=sum(other.outcome.decision == asked.outcome.decision for other in orders),
        certified=sum(other.paired.is_certified for other in orders),
    )


def _around(settings: ProofSettings) -> Iterator[tuple[Asked, float, ProofSettings]]:
    """Each setting somewhat stricter and looser, the others as they are."""
    for margin in _near(settings.margin, 0.5, 2.0, 4.0):
        yield "margin", margin, replace(settings, margin=margin)
    for alpha in _near(settings.alpha, 0.2, 2.0):
        yield "alpha", alpha, replace(settings, alpha=alpha)
    for risk in _near(settings.risk, 0.4, 2.0):
        yield "risk", risk, replace(settings, risk=risk, slice_risk=_kept(settings.slice_risk, risk))
    for delta in _near(settings.delta, 0.5, 2.0):
        yield "delta", delta, replace(settings, delta=delta)


def _kept(slice_risk: float, risk: float) -> float:
    """A limit for slices that is not under the risk; 0 stands for twice the risk and stays."""
    return max(slice_risk, risk) if slice_risk else 0.0


def _near(value: float, *times: float) -> list[float]:
    """Multiples of a share, rounded so that they read well, and never above one half."""
    return [near for near in (min(_LARGEST, float(f"{value * t:.4g}")) for t in times) if near != value]


def _read(name: Asked, value: float, found: Evaluation) -> Reading:
    outcome = found.outcome
    return Reading(
        name=name,
        value=value,
        decision=outcome.decision,
        need=outcome.need,
        coverage=outcome.coverage if outcome.decision == "move" else None,
        is_certified=found.paired.is_certified,
    )
