"""The live figures of a route, from its calls: share answered locally, agreement of audits, latency, money saved.

No data gives None, never 0. Not covered: alarms and rollback (`freehold.watch`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from freehold.model.call import Arm
from freehold.text.intervals import wilson
from freehold.text.scoring import score


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """One call of a route as `live_figures` needs it.

    For an audit, `owned_text` is the local answer that was audited and `rented_text` what the provider said; None where
    that answer is missing. `is_aside`: the provider gave an audit no answer that could be wanted (a tool call, a
    refusal), so that the local one is wrong, whatever it says. Shadow calls are looked at for nothing: their answers
    were not used. `engine` says why the provider answered for want of an owned answer, where it did.
    """

    arm: Arm
    latency_ms: float
    cost_usd: float | None = None
    owned_text: str | None = None
    rented_text: str | None = None
    engine: str | None = None
    is_aside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """Live figures of a route; shares are of all answered calls of its task, `agreement` is that of audits (95%).

    `engine_failed` counts the calls for which the owned model gave no answer, `engine_reasons` does so by why.
    `local_wrong` estimates the share of all calls answered locally and unlike the provider: what the contract bounds.
    """

    calls: int
    local: int
    share_local: float | None
    audits: int
    audits_unreadable: int
    agreed: int
    agreement: float | None
    agreement_low: float | None
    agreement_high: float | None
    local_wrong: float | None
    owned_p50_ms: float | None
    rented_p50_ms: float | None
    saved_usd: float | None
    engine_failed: int
    engine_reasons: Mapping[str, int]


def live_figures(rows: Iterable[LiveCall], *, output_kind: str) -> LiveFigures:
    """Count and compare `rows`; money saved is the mean rented price per local call, less what audits cost."""
    calls = list(rows)
    owned = [call for call in calls if call.arm == "owned"]
    rented = [call for call in calls if call.arm == "rented"]
    audits = [call for call in calls if call.arm == "audit"]
    verdicts = [
        not call.is_aside and score(output_kind, call.rented_text, call.owned_text).is_exact
        for call in audits
        if call.rented_text is not None and call.owned_text is not None
    ]
    n, agreed = len(verdicts), sum(verdicts)
    low, high = wilson(agreed, n) if n else (None, None)
    reasons = Counter(call.engine for call in rented if call.engine)
    answered = len(owned) + len(rented)
    share = len(owned) / answered if answered else None
    return LiveFigures(
        calls=answered,
        local=len(owned),
        share_local=share,
        audits=n,
        audits_unreadable=len(audits) - n,
        agreed=agreed,
        agreement=agreed / n if n else None,
        agreement_low=low,
        agreement_high=high,
        local_wrong=share * (1 - agreed / n) if n and share is not None else None,
        owned_p50_ms=_median([call.latency_ms for call in owned]),
        rented_p50_ms=_median([call.latency_ms for call in rented]),
        saved_usd=_saved_usd(owned, rented, audits),
        engine_failed=reasons.total(),
        engine_reasons=dict(reasons.most_common()),
    )


def _saved_usd(owned: Sequence[LiveCall], rented: Sequence[LiveCall], audits: Sequence[LiveCall]) -> float | None:
    """None where no rented or audited call has a price, so that a local call's worth is unknown."""
    prices = [call.cost_usd for call in (*rented, *audits) if call.cost_usd is not None]
    if not prices:
        return None
    spent = math.fsum(call.cost_usd for call in audits if call.cost_usd is not None)
    return len(owned) * math.fsum(prices) / len(prices) - spent


def _median(values: Sequence[float]) -> float | None:
    return sorted(values)[(len(values) - 1) // 2] if values else None
