"""Finds the policy that a proof may promise something of: a threshold, and the slices that stay with the provider.

On the dev split, before the proof split is looked at:
    slices are shaped; those that are broken at a working threshold are withheld; under contract B the thresholds to
    test, and their order, are fixed for what is left.
On the proof split:
    the contract is tested for exactly that policy. Then each slice is judged at the chosen threshold (`prove.slices`).
    A   The worst broken slice is withheld, the rest is judged again, until none is broken. Whatever is withheld, and
        for whatever reason, P(local and wrong) only falls, so the contract holds for what is left.
    B   P(wrong | local) may rise when calls are taken out. So nothing more is withheld; instead the loosest accepted
        threshold is used at which no slice is broken, which is allowed, since all accepted ones hold together.

A broken class of wanted answers cannot be seen before an answer is given out. For its sake the answers that it is taken
for are withheld, most frequent first (dev, and contract A). What is withheld is chosen on the calls that it is shown
on; the states of the others do not count that. Replacing the provider wholly is one policy, fixed before: every usable
answer. There, slices that are shown to lose by it are withheld, which the paired difference can only gain from.

The working threshold on dev is the loosest at which the share of calls that are local and wrong is within the risk. A
poor choice there costs coverage and no promise.

Not covered: the contracts themselves, what is worth moving (`prove.decide`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from freehold.prove.settings import ProofSettings
from freehold.prove.slices import WANTED, Limit, Slice, Sliced, judge, local_calls
from freehold.prove.stats.cascade import Cascade, CurvePoint, contract_a
from freehold.prove.stats.contract_b import WITHOUT_DEV, candidates, contract_b
from freehold.text.confidence import LEAST_CONFIDENCE
from freehold.text.slices import SliceShape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What the dev split fixes: how calls are cut, what is withheld, and the thresholds of contract B in order.

    `withheld` gives for each name the wanted class for whose sake it is, or an empty text.
    """

    shape: SliceShape = field(default_factory=SliceShape)
    withheld: Mapping[str, str] = field(default_factory=dict)
    thresholds: tuple[float, ...] = WITHOUT_DEV


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is served: `cascade` with its figures after withholding, each slice, and the names of those withheld.

    `blocking` are the slices for which, under contract B, no accepted threshold was good enough.
    """

    cascade: Cascade
    slices: tuple[Slice, ...] = ()
    withheld: tuple[str, ...] = ()
    blocking: tuple[str, ...] = ()


def tune(shape: SliceShape, calls: Sliced, settings: ProofSettings) -> Tuning:
    """Fix what must be fixed before the proof split is looked at, from the dev split's calls."""
    withheld: dict[str, str] = {}
    while True:
        threshold = _working_threshold(calls, withheld, settings.risk)
        if threshold is None:
            break
        more = withhold(calls, threshold, withheld, limit_of(settings))
        if more == withheld:
            break
        withheld = more
    left = local_calls(calls, 0.0, withheld)
    thresholds = candidates(calls.confidences[left].tolist(), calls.losses[left].tolist(), risk=settings.risk)
    return Tuning(shape=shape, withheld=withheld, thresholds=thresholds)


def find_policy(calls: Sliced, tuning: Tuning, settings: ProofSettings) -> Policy:
    """Prove the contract on the proof split's calls, and withhold what may be withheld."""
    limit = limit_of(settings)
    if settings.contract == "B":
        return _policy_b(calls, tuning, settings, limit)
    masked = _masked(calls, tuning.withheld)
    cascade = contract_a(
        masked.tolist(),
        (calls.losses <= 0).tolist(),
        calls.groups,
        risk=settings.risk,
        delta=settings.delta,
        seed=settings.seed,
    )
    threshold = LEAST_CONFIDENCE if cascade.threshold is None else cascade.threshold
    reasons = withhold(calls, threshold, tuning.withheld, limit) if cascade.chosen else tuning.withheld
    slices = _told(judge(calls, threshold, reasons, limit), reasons, on_dev=tuning.withheld)
    served = _served(cascade, calls, reasons) if len(reasons) > len(tuning.withheld) else cascade
    return Policy(cascade=served, slices=slices, withheld=tuple(reasons))


def find_whole(calls: Sliced, settings: ProofSettings, known: Sequence[bool] | None = None) -> Policy:
    """The policy of replacing the provider wholly; `calls` are paired, and slices judged on the `known` of them."""
    limit = replace(limit_of(settings), delta=settings.alpha)
    judged = calls if known is None else calls.only(known)
    reasons = withhold(judged, LEAST_CONFIDENCE, {}, limit, for_wanted=False)
    served = local_calls(calls, LEAST_CONFIDENCE, reasons)
    point = _point(calls, served, LEAST_CONFIDENCE, upper=1.0)
    cascade = Cascade(
        n=len(served), curve=(point,), chosen=point, threshold=LEAST_CONFIDENCE, is_by_user=calls.is_by_user
    )
    slices = _told(judge(judged, LEAST_CONFIDENCE, reasons, limit), reasons, on_dev={})
    return Policy(cascade=cascade, slices=slices, withheld=tuple(reasons))


def withhold(
    calls: Sliced, threshold: float, before: Mapping[str, str], limit: Limit, *, for_wanted: bool = True
) -> dict[str, str]:
    """Withhold the worst broken slice until none is broken: each name, with the wanted class it is withheld for."""
    found = dict(before)
    while True:
        broken = [s for s in judge(calls, threshold, found, limit) if s.state == "broken" and s.name not in found]
        if not for_wanted:
            broken = [s for s in broken if s.kind != WANTED]
        if not broken:
            return found
        worst = max(broken, key=lambda s: (s.kind != WANTED, s.low, s.name))
        if worst.kind == WANTED:
            found[_taken_for(calls, threshold, found, worst.name)] = worst.name
        else:
            found[worst.name] = ""


def limit_of(settings: ProofSettings) -> Limit:
    """What each slice is held to."""
    return Limit(share=settings.slice_limit, delta=settings.delta, seed=settings.seed)


def _policy_b(calls: Sliced, tuning: Tuning, settings: ProofSettings, limit: Limit) -> Policy:
    """The loosest accepted threshold at which no slice is broken that was not withheld on dev."""
    cascade = contract_b(
        _masked(calls, tuning.withheld).tolist(),
        calls.losses.tolist(),
        calls.groups,
        thresholds=tuning.thresholds,
        risk=settings.risk,
        delta=settings.delta,
        seed=settings.seed,
    )
    withheld = tuple(tuning.withheld)
    blocking: tuple[str, ...] = ()
    slices = judge(calls, cascade.threshold or LEAST_CONFIDENCE, withheld, limit)
    chosen = None
    for point in sorted((p for p in cascade.curve if p.is_proven), key=lambda p: p.threshold):
        judged = judge(calls, point.threshold, withheld, limit)
        broken = tuple(s.name for s in judged if s.state == "broken" and s.name not in withheld)
        if not broken:
            chosen, slices, blocking = point, judged, ()
            break
        blocking = blocking or broken
    return Policy(
        cascade=replace(cascade, chosen=chosen, threshold=chosen.threshold if chosen else None),
        slices=_told(slices, tuning.withheld, on_dev=tuning.withheld),
        withheld=withheld,
        blocking=blocking,
    )


def _working_threshold(calls: Sliced, withheld: Iterable[str], risk: float) -> float | None:
    """The loosest threshold with at most a share `risk` of calls local and wrong; None where there is none."""
    import numpy as np

    local = local_calls(calls, 0.0, withheld)
    levels = np.unique(calls.confidences[local])
    wrong = np.sort(calls.confidences[local & (calls.losses > 0)])
    shares = (len(wrong) - np.searchsorted(wrong, levels, side="left")) / max(1, len(local))
    fitting = levels[shares <= risk]
    return float(fitting[0]) if len(fitting) else None


def _taken_for(calls: Sliced, threshold: float, withheld: Iterable[str], wanted: str) -> str:
    """The slice by answer that most of the local and wrong calls of this wanted class lie in."""
    lost = calls.members[wanted] & local_calls(calls, threshold, withheld) & (calls.losses > 0)
    answers = [name for name in calls.members if name.startswith("label:")]
    return max(answers, key=lambda name: (int((calls.members[name] & lost).sum()), name))


def _masked(calls: Sliced, withheld: Iterable[str]) -> NDArray[np.float64]:
    import numpy as np

    return np.where(local_calls(calls, 0.0, withheld), calls.confidences, 0.0)


def _served(cascade: Cascade, calls: Sliced, withheld: Iterable[str]) -> Cascade:
    """The cascade with the counts of what is served; its bounds, proven for more, hold for less."""
    if cascade.chosen is None or cascade.threshold is None:
        return cascade
    left = local_calls(calls, 0.0, withheld)
    curve = tuple(_point(calls, left, p.threshold, upper=p.upper, is_proven=p.is_proven) for p in cascade.curve)
    chosen = _point(calls, left, cascade.chosen.threshold, upper=cascade.chosen.upper)
    return replace(cascade, curve=curve, chosen=chosen)


def _point(
    calls: Sliced, left: NDArray[np.bool_], threshold: float, *, upper: float, is_proven: bool = True
) -> CurvePoint:
    local = left & (calls.confidences >= threshold)
    wrong = int((local & (calls.losses > 0)).sum())
    return CurvePoint(threshold=threshold, local=int(local.sum()), wrong=wrong, upper=upper, is_proven=is_proven)


def _told(slices: Iterable[Slice], reasons: Mapping[str, str], *, on_dev: Mapping[str, str]) -> tuple[Slice, ...]:
    """The slices with what became of them, the withheld first, then by kind and size."""

    def split(name: str) -> Literal["", "dev", "proof"]:
        return "" if name not in reasons else "dev" if name in on_dev else "proof"

    told = [replace(s, withheld=split(s.name), because=reasons.get(s.name, "")) for s in slices]
    return tuple(sorted(told, key=lambda s: (not s.withheld, s.kind, -s.n, s.name)))
