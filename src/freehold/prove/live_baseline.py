"""What live traffic is compared with later: figures of the answers on which a verdict rests.

Live answers are judged against these, not against a wish: a task whose proof had 3% unreadable answers may have them.
Not covered: the sketch of the inputs (`freehold.watch`), the comparison itself (`freehold.watch`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from freehold.model.engine import OwnedAnswer
from freehold.model.example import Example
from freehold.model.live_baseline import LiveBaseline
from freehold.text.refusals import is_refusal

_MOST_NAMES = 50
_SLOWEST_SHARE = 0.05


def expected(
    kind: str,
    answered: Sequence[tuple[Example, OwnedAnswer]],
    *,
    rented: Iterable[tuple[str | None, str | None]],
    created_at: float,
) -> LiveBaseline:
    """Figures of the owned answers to the proof's calls, given together.

    `rented` are model and fingerprint of the provider's answers. Shares are of answers; the latency is the 95th
    percentile in milliseconds, the least value that 95% do not exceed.
    """
    answers = [answer for _, answer in answered]
    n = len(answers)
    valid = sum(answer.is_whole and example.takes(kind, answer.text) for example, answer in answered)
    refused = sum(is_refusal(answer.text) for answer in answers)
    seen = set(rented)
    return LiveBaseline(
        answers=n,
        invalid_share=(n - valid) / n if n else 0.0,
        refusal_share=refused / n if n else 0.0,
        owned_p95_ms=_percentile([answer.latency_ms for answer in answers]),
        models=tuple(sorted({model for model, _ in seen if model})[:_MOST_NAMES]),
        fingerprints=tuple(sorted({fingerprint for _, fingerprint in seen if fingerprint})[:_MOST_NAMES]),
        created_at=created_at,
    )


def _percentile(values: Sequence[float]) -> float | None:
    ordered = sorted(value for value in values if math.isfinite(value) and value > 0)
    return ordered[math.ceil((1 - _SLOWEST_SHARE) * len(ordered)) - 1] if ordered else None
