"""Intervals for a share, for display: Wilson's, standard library only.

Not covered: the exact Clopper-Pearson bounds that a proof decides by (`prove.binomial`), intervals for differences
(`prove.stats.tango`).
"""

from __future__ import annotations

import math

Z95 = 1.959963984540054


def wilson(successes: int, n: int, *, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval for `successes` out of `n`; (0, 1) where nothing was seen.

    Centre (p + z^2/2n) / (1 + z^2/n), half width z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n) (Wilson, 1927). Assumes
    independent trials. Example: 8 of 10 gives (0.490, 0.943).
    """
    if n <= 0:
        return 0.0, 1.0
    p = successes / n
    scale = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))
