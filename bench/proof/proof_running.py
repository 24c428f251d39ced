"""Bounds of a mean difference that changes with time and with what came before, looked at again and again.

The control is the usual interval at the same looks. Not covered: certifying (`proof_error`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from proof_draws import Floats
from proof_figures import Effort, Row, bounded, control, tell

from freehold.prove.stats.confidence_sequence import running_bounds

ALPHA = 0.05
DISCORDANCE = 0.20
LOOKS = tuple(round(20 * 1.35**k) for k in range(11))
_SWING, _PERIOD = 0.10, 60.0
_AFTER_A_LOSS, _ELSE = 0.05, -0.02


def running_rows(effort: Effort) -> Iterable[Row]:
    """How often the bounds miss the mean so far at any look."""
    runs = effort.share(0.1, least=300)
    tell(f"error: a mean that changes, {runs:,} runs")
    rng = np.random.default_rng([effort.seed, 6])
    missed = usual = 0
    for _ in range(runs):
        seen, truth = changing(rng, LOOKS[-1])
        far = [abs(seen[:n].mean() - truth[n - 1]) for n in LOOKS]
        errors = [1.96 * seen[:n].std() / math.sqrt(n) for n in LOOKS]
        usual += any(distance > error for distance, error in zip(far, errors, strict=True))
        bounds = [running_bounds(seen[:n].tolist(), alpha=ALPHA) for n in LOOKS]
        missed += any(not low <= truth[n - 1] <= high for n, (low, high) in zip(LOOKS, bounds, strict=True))
    yield bounded(f"a mean that changes, outside its bounds at any of {len(LOOKS)} looks", missed / runs, ALPHA, runs)
    yield control("the same, the usual 95% interval", usual / runs, ALPHA, runs)


def changing(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Differences of n units whose mean swings and follows the last one, and the mean of their true means so far."""
    seen, means = np.empty(n), np.empty(n)
    coins, last = rng.random(n), 0.0
    for i in range(n):
        means[i] = -_SWING * math.sin(i / _PERIOD) + (_AFTER_A_LOSS if last < 0 else _ELSE)
        worse = (DISCORDANCE - means[i]) / 2
        last = seen[i] = -1.0 if coins[i] < worse else 1.0 if coins[i] > 1 - DISCORDANCE + worse else 0.0
    return seen, np.cumsum(means) / np.arange(1, n + 1)
