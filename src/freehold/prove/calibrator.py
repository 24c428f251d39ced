"""Fits the confidence head: a ridge-penalised logistic regression by Newton's method, on the dev split.

The head only orders answers; a proof's promise never depends on it. With few or one-sided answers the penalty keeps the
weights near 0, and with none `untrained_head` takes over.

For JSON there are two sets of features: figures of all tokens, or of those that carry values. Where all answers have
the same fields, braces and field names say nothing, and the values' figures are used. Where fields come and go, their
names carry much of the doubt, and all tokens count. Measured (`bench/confidence.py`) on 650 answers to mail with four
fixed fields: ranking .81 by values and .80 by all from 60 dev calls, .84 by either from 150: little gain, no loss.
On 750 answers with optional slots, laid along their tokens afterwards: .76 by values, .86 by all.

Not covered: scoring (`text.confidence`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from freehold.model.engine import OwnedAnswer
from freehold.text.confidence import FEATURES, VALUE_FEATURES, Calibrator, figures, untrained_head
from freehold.text.json_text import parse_json
from freehold.text.scoring import leaves

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_ANSWERS = 20
_RIDGE = 1.0
_BIAS_RIDGE = 1e-2
_MAX_STEPS = 50
_ONE_SHAPE_SHARE = 0.95


def features_for(kind: str, targets: Sequence[str], answers: Sequence[OwnedAnswer]) -> tuple[str, ...]:
    """The features to fit on: those of the value tokens where the wanted answers are JSON of one and the same shape.

    An answer that an earlier version kept has no value tokens. Then none are used, so that the gateway scores as the
    proof did.
    """
    if kind not in ("json", "tools") or any(answer.value_logprobs is None for answer in answers):
        return FEATURES
    shapes = Counter(frozenset(leaves(parse_json(target)[0])) for target in targets)
    has_one_shape = bool(shapes) and shapes.most_common(1)[0][1] >= _ONE_SHAPE_SHARE * len(targets)
    return VALUE_FEATURES if has_one_shape else FEATURES


def fit_head(
    answers: Sequence[OwnedAnswer], is_right: Sequence[bool], features: tuple[str, ...] = FEATURES
) -> Calibrator:
    """Fit P(right) on the answers that can be used; the untrained head where there are under LEAST_ANSWERS of them."""
    import numpy as np

    rows = [(figures(a, features), right) for a, right in zip(answers, is_right, strict=True)]
    usable = [(found, right) for found, right in rows if found is not None]
    rights = sum(right for _, right in usable)
    if len(usable) < LEAST_ANSWERS or rights in (0, len(usable)):
        return untrained_head()
    x = np.array([found for found, _ in usable])
    y = np.array([right for _, right in usable], dtype=float)
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    beta = newton((x - mean) / scale, y)
    return Calibrator(
        features=features,
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple(beta[1:].tolist()),
        bias=float(beta[0]),
    )


def newton(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The penalised maximum-likelihood weights, bias first: Newton's steps, halved while they do not help."""
    import numpy as np

    design = np.column_stack([np.ones(len(x)), x])
    ridge = np.full(design.shape[1], _RIDGE)
    ridge[0] = _BIAS_RIDGE
    beta = np.zeros(design.shape[1])
    for _ in range(_MAX_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -500, 500)))
        gradient = design.T @ (y - p) - ridge * beta
        hessian = (design * (p * (1 - p))[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while _loss(design, y, beta + size * step, ridge) > _loss(design, y, beta, ridge) and size > 1e-6:
            size /= 2
        beta = beta + size * step
        if float(np.abs(size * step).max()) < 1e-8:
            break
    return beta


def _loss(
    design: NDArray[np.float64], y: NDArray[np.float64], beta: NDArray[np.float64], ridge: NDArray[np.float64]
) -> float:
    import numpy as np

    logit = design @ beta
    return float((np.logaddexp(0.0, logit) - y * logit).sum() + 0.5 * (ridge * beta * beta).sum())


def ranking(confidences: Sequence[float], is_right: Sequence[bool]) -> float | None:
    """The chance that a right answer has more confidence than a wrong one (AUC); None where one kind is missing."""
    import numpy as np
    from scipy.stats import rankdata

    right = np.asarray(is_right, dtype=bool)
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    if not n_right or not n_wrong:
        return None
    ranks = rankdata(np.asarray(confidences, dtype=float))
    return float((ranks[right].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))
