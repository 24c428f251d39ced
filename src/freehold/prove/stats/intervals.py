"""Intervals for shares and means where users may have made several calls each; shown, never decided by.

Wilson's where every user made one call; else normal, from the users' totals (cluster-robust; Wilson's over users where
all calls are alike), and approximate. Not covered: what a proof decides by (`prove.stats.betting`,
`prove.stats.cascade`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from freehold.text.intervals import Z95, wilson


def share_interval(values: Sequence[float], groups: Sequence[str]) -> tuple[float, float]:
    """A 95% interval for a share: Wilson's, or cluster-robust where users made several calls."""
    if len(set(groups)) == len(values):
        return wilson(round(math.fsum(values)), len(values))
    users = len(set(groups))
    if len(set(values)) == 1:
        return wilson(round(values[0]) * users, users)
    low, high = mean_interval(values, groups)
    return max(0.0, low), min(1.0, high)


def mean_interval(values: Sequence[float], groups: Sequence[str]) -> tuple[float, float]:
    """A 95% normal interval for the mean per call, from the residual totals of each user; (-1, 1) for one user."""
    n = len(values)
    mean = math.fsum(values) / n
    totals: dict[str, float] = {}
    for value, group in zip(values, groups, strict=True):
        totals[group] = totals.get(group, 0.0) + value - mean
    users = len(totals)
    if users < 2:
        return -1.0, 1.0
    error = math.sqrt(users / (users - 1) * math.fsum(t * t for t in totals.values())) / n
    return mean - Z95 * error, mean + Z95 * error
