"""Tango's score test and interval for a paired difference of two shares, and the sample size of a paired test.

    b = owned wrong and incumbent right, c = the reverse, n pairs, m = margin
    A = 2n,  B = -(b + c) - (2n - c + b) m,  C = b m (1 + m),  q = (-B + sqrt(B^2 - 4AC)) / 2A
    z = (c - b + n m) / sqrt( n (2q - m (1 + m)) )

z tests H0: difference <= -m (Tango 1998, Statistics in Medicine 17:891). The interval holds every difference -m with
|z| below the quantile. Assumes independent pairs and a fixed n: it cross-checks, it never certifies. Checkable: b = 7,
c = 1, n = 21 gives [-.5172, -.0260].

Not covered: clusters (`prove.stats.betting`), graded scores.
"""

from __future__ import annotations

import math

Z95_TWO_SIDED = 1.959963984540054


def tango_z(b: int, c: int, n: int, margin: float) -> float:
    """The score statistic; large where the owned model is clearly not worse by `margin`. `margin` may be negative."""
    half_b = -(b + c) - (2 * n - c + b) * margin
    root = math.sqrt(max(half_b * half_b - 8 * n * b * margin * (1 + margin), 0.0))
    discordant = (-half_b + root) / (4 * n)
    variance = n * (2 * discordant - margin * (1 + margin))
    distance = c - b + n * margin
    if variance <= 1e-12:
        return 0.0 if abs(distance) < 1e-12 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def tango_interval(b: int, c: int, n: int, *, z: float = Z95_TWO_SIDED) -> tuple[float, float]:
    """The interval for the difference (c - b) / n."""
    estimate = (c - b) / n
    return _edge(b, c, n, z, inside=estimate, outside=-1.0), _edge(b, c, n, -z, inside=estimate, outside=1.0)


def n_fixed(
    discordance: float, margin: float, *, difference: float = 0.0, alpha: float = 0.05, power: float = 0.8
) -> int:
    """Pairs that a fixed-sample test needs for this power; ValueError where the difference is at or below -margin.

    ([z_{1-alpha} sqrt(max(psi, m) - m^2) + z_power sqrt(psi - Delta^2)] / (m + Delta))^2. Checkable: psi = .05 and
    m = .02 give 769.
    """
    from scipy.special import ndtri

    if difference <= -margin:
        raise ValueError(f"no number of calls shows a difference of {difference!r} to be above {-margin!r}")
    under_null = float(ndtri(1 - alpha)) * math.sqrt(max(discordance, margin) - margin**2)
    under_truth = float(ndtri(power)) * math.sqrt(max(discordance - difference**2, 0.0))
    return math.ceil(((under_null + under_truth) / (margin + difference)) ** 2)


def _edge(b: int, c: int, n: int, z: float, *, inside: float, outside: float) -> float:
    """Bisect between the estimate and the end of the scale for the difference whose statistic is `z`."""
    for _ in range(60):
        middle = (inside + outside) / 2
        if abs(tango_z(b, c, n, -middle)) < abs(z):
            inside = middle
        else:
            outside = middle
    return (inside + outside) / 2
