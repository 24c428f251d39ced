"""What the watch promises, by simulation with known truth: the ramp's budget, delays until rollback, false alarms.

Each function takes `runs` and `seed` and returns rows (`proof_figures`). Arrays here repeat the package's formulas for
many runs at once; `tests/watch` holds them to the package's values.

Not covered: the loop around the watch and its clock (end to end), replays (`proof_drift`), offline proofs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from proof_figures import Row, at_most, beside, bounded, control, near, timed
from scipy.special import bdtrc

from freehold.watch.detector import BETS
from freehold.watch.drift import KAPPAS
from freehold.watch.ramp import BETS as RAMP_BETS
from freehold.watch.ramp import new_ramp

Floats = NDArray[np.float64]

NEVER = 10**9
PATIENCE = 73_000.0
DECEIVING = -0.03
"""A difference that a few hundred pairs seldom show: here steps break the budget that the ramp keeps."""


def online_rows(*, runs: int, seed: int) -> list[Row]:
    """All rows that need no data."""
    parts: tuple[Callable[..., list[Row]], ...] = (
        ramp_rows,
        ramp_speed_rows,
        others_rows,
        delay_rows,
        false_alarm_rows,
        weight_rows,
        feedback_rows,
        input_rows,
    )
    return [row for part in parts for row in part(runs=runs, seed=seed)]


def ramp_rows(*, runs: int, seed: int, harm: float = 0.02, alpha: float = 0.05, pairs: int = 2_000) -> list[Row]:
    """How often the ramp ever let more than `harm` per request through, by a true difference that could."""
    rows = []
    for delta in (-0.5, -0.3, -0.2, -0.1, -0.05, -0.03):
        rng = np.random.default_rng([seed, 1, round(1000 * (1 + delta))])
        worse, better = parts(delta, max(0.10, abs(delta)))
        exceeded = np.zeros(runs, dtype=bool)
        gain = (1 + np.array([-1.0, 0.0, 1.0])) / (1 + delta) - 1
        factors = 1 + np.array(RAMP_BETS)[:, None] * gain
        wealth = np.ones((len(RAMP_BETS), runs))
        for _ in range(pairs):
            draw = rng.random(runs)
            wealth = np.minimum(wealth * factors[:, kinds(draw, worse, better)], 1e200)
            exceeded |= wealth.mean(axis=0) >= 1 / alpha
        name = f"ramp over its budget of {harm:.0%} at any time, true difference {100 * delta:+.0f} points"
        rows.append(bounded(name, float(exceeded.mean()), alpha, runs))
    return rows


def ramp_speed_rows(*, runs: int, seed: int, harm: float = 0.02, alpha: float = 0.05) -> list[Row]:
    """The share that the ramp gives after so many pairs."""
    runs = min(runs, 2_000)
    looks = np.unique([*np.geomspace(20, 3_000, 60).astype(int).tolist(), 200, 500, 580, 2_000])
    equal = shares(0.0, 0.10, looks, runs=runs, seed=seed, harm=harm, alpha=alpha)
    better = shares(0.02, 0.10, looks, runs=runs, seed=seed, harm=harm, alpha=alpha)
    awful = shares(-0.5, 0.5, looks, runs=runs, seed=seed, harm=harm, alpha=alpha)
    at = {int(look): place for place, look in enumerate(looks)}
    return [
        near("ramp: share at the start", new_ramp(harm=harm, alpha=alpha).share, 0.02),
        _mean_share("ramp: mean share after 200 pairs, equal models", equal[:, at[200]], 0.33),
        _mean_share("ramp: mean share after 500 pairs, equal models", equal[:, at[500]], 0.53),
        near("ramp: median share after 2,000 pairs, equal models", float(np.median(equal[:, at[2_000]])), 1.0),
        near("ramp: median share after 580 pairs, 2 points better", float(np.median(better[:, at[580]])), 1.0),
        at_most(
            "ramp: largest share in 95% of runs, 50 points worse",
            float(np.quantile(awful.max(axis=1), 0.95)),
            0.04,
        ),
    ]


def _mean_share(name: str, found: Floats, wanted: float) -> Row:
    return near(name, float(found.mean()), wanted, error=float(found.std()) / math.sqrt(len(found)), runs=len(found))


def others_rows(*, runs: int, seed: int) -> list[Row]:
    """Beside the ramp: steps of 1/5/25/50/100%, each if a z-test finds no harm, and track-and-stop, unpaired."""
    runs = min(runs, 2_000)
    rng = np.random.default_rng([seed, 3])
    rows = []
    for delta in (DECEIVING, -0.10, -0.30):
        worse, better = parts(delta, max(0.10, abs(delta)))
        peak = np.zeros(runs)
        alive = np.ones(runs, dtype=bool)
        total, squares, n = np.zeros(runs), np.zeros(runs), 0
        for share in (0.01, 0.05, 0.25, 0.5, 1.0):
            peak = np.where(alive, share, peak)
            draws = kinds(rng.random((runs, 100)), worse, better) - 1.0
            total, squares, n = total + draws.sum(axis=1), squares + (draws**2).sum(axis=1), n + 100
            spread = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 1e-12) / n)
            alive &= total / n > -1.645 * spread
        over = float((peak * -delta > 0.02).mean())
        name = f"steps of 1/5/25/50/100%, 100 pairs each, z-test: over 2%, {100 * delta:+.0f} points"
        rows.append(control(name, over, 0.05, runs) if delta == DECEIVING else beside(name, over))
    rows.append(beside("track-and-stop: picks a model 4 points worse (99% beside 95%)", track_and_stop(runs, rng)))
    return rows


def delay_rows(*, runs: int, seed: int, good: int = 500) -> list[Row]:
    """Median audits from the change to the alarm, A = 73,000, after `good` audits of an unchanged model."""
    runs = min(runs, 4_000)
    rows = []
    for delta, wanted in ((-0.10, 454), (-0.20, 139), (-0.50, 47)):
        rng = np.random.default_rng([seed, 4, wanted])
        before, after = parts(0.0, 0.10), parts(delta, 0.10 - delta)
        steps = good + 4 * wanted + 200
        harm = np.empty((steps, runs))
        harm[:good] = 1.0 - kinds(rng.random((good, runs)), *before)
        harm[good:] = 1.0 - kinds(rng.random((steps - good, runs)), *after)
        found = alarms((harm + 1) / 1.03 - 1, patience=PATIENCE)
        rows.append(timed(f"audits until rollback, {100 * delta:+.0f} points, m = 3%", found - good, wanted))
    for risk, wanted in ((0.10, 340), (0.15, 107)):
        rng = np.random.default_rng([seed, 5, wanted])
        steps = good + 4 * wanted + 200
        share = np.where(np.arange(steps) < good, 0.04, risk)[:, None]
        harm = (rng.random((steps, runs)) < share).astype(float)
        found = alarms(harm / 0.05 - 1, patience=PATIENCE)
        rows.append(timed(f"audits until rollback, risk 4% to {risk:.0%}, contract 5%", found - good, wanted))
    return rows


def false_alarm_rows(*, runs: int, seed: int) -> list[Row]:
    """P(alarm by n) with the truth exactly at the bound, for patience small enough to see alarms.

    The control looks as often, at exact binomial tests of the same level.
    """
    rows = []
    for patience, n in ((1_000, 100), (2_000, 400)):
        rng = np.random.default_rng([seed, 6, n])
        losses = (rng.random((n, runs)) < 0.05).astype(float)
        at_risk = float((alarms(losses / 0.05 - 1, patience=patience) <= n).mean())
        rows.append(bounded(f"alarm by audit {n}, A = {patience:,}, risk exactly at 5%", at_risk, n / patience, runs))
        rows.append(
            control(f"a binomial test after each of {n} audits", _peeked(losses, n / patience), n / patience, runs)
        )
        pairs = 1.0 - kinds(rng.random((n, runs)), *parts(-0.03, 0.10))
        at_margin = float((alarms((pairs + 1) / 1.03 - 1, patience=patience) <= n).mean())
        rows.append(
            bounded(f"alarm by pair {n}, A = {patience:,}, exactly 3 points worse", at_margin, n / patience, runs)
        )
    rng = np.random.default_rng([seed, 7])
    good = (rng.random((2_000, min(runs, 2_000))) < 0.04).astype(float)
    share = float((alarms(good / 0.05 - 1, patience=PATIENCE) <= 2_000).mean())
    rows.append(bounded("alarm by audit 2,000, A = 73,000, risk 4%", share, 2_000 / PATIENCE, min(runs, 2_000)))
    return rows


def _peeked(losses: Floats, level: float) -> float:
    """How often an exact binomial test of "at most 5%" rejects at any of its looks."""
    looks = np.arange(1, len(losses) + 1)[:, None]
    return float((bdtrc(np.cumsum(losses, axis=0) - 1, looks, 0.05) <= level).any(axis=0).mean())


def weight_rows(*, runs: int, seed: int, n: int = 2_000, patience: float = 500.0) -> list[Row]:
    """Contract A by weights, risk exactly 5%: 30% deferred, a risky slice audited at .5 and the rest at .1."""
    rng = np.random.default_rng([seed, 8])
    least = 0.1
    where = rng.random((n, runs))
    is_local, is_risky = where < 0.7, where < 0.2
    wrong = np.where(is_risky, 0.2, 0.02) / 0.05
    losses = np.where(is_local, rng.random((n, runs)) < wrong * 0.05, False).astype(float)
    q = np.where(is_risky, 0.5, least)
    is_audited = is_local & (rng.random((n, runs)) < q)
    weights = np.where(is_audited, least / q, np.where(is_local, 0.0, least))
    found = alarms(losses / 0.05 - 1, patience=patience, weights=weights)
    bound = float(weights.sum(axis=0).mean()) / patience
    bare = alarms(losses / 0.05 - 1, patience=patience, weights=is_audited.astype(float))
    unread = alarms(losses / 0.05 - 1, patience=patience, weights=np.where(is_local, weights, 0.0))
    return [
        bounded(f"alarm by request {n:,}, contract A by weights, risk at 5%", float((found <= n).mean()), bound, runs),
        control("the same audits without weights", float((bare <= n).mean()), bound, runs),
        control("without the provider's answers, which come later", float((unread <= n).mean()), bound, runs),
    ]


def feedback_rows(*, runs: int, seed: int, n: int = 600, patience: float = 6_000.0) -> list[Row]:
    """Feedback that comes after 1 request where it is bad, after 200 where it is good; 4% bad, 5% tolerated."""
    rng = np.random.default_rng([seed, 9])
    bad = rng.random((n, runs)) < 0.04
    asked = np.arange(n)[:, None] + np.zeros((1, runs))
    arrived = np.where(bad, asked + 1, asked + 200)
    order = np.argsort(arrived, axis=0, kind="stable")
    losses = bad.astype(float)
    as_it_came = np.take_along_axis(losses, order, axis=0)
    in_order = float((alarms(losses / 0.05 - 1, patience=patience) <= n).mean())
    by_arrival = float((alarms(as_it_came / 0.05 - 1, patience=patience) <= n).mean())
    return [
        bounded(f"alarm by request {n}, late feedback in request order", in_order, n / patience, runs),
        control("the same feedback as it arrives", by_arrival, n / patience, runs),
    ]


def input_rows(*, runs: int, seed: int, n: int = 2_000, patience: float = 20_000.0) -> list[Row]:
    """Conformal drift detector: unchanged inputs, and a reference of 100 that is never added to as the control."""
    runs = min(max(runs, 1_000), 2_000)
    rng = np.random.default_rng([seed, 10])
    fresh = rng.random((n, runs))
    rows = [
        bounded(
            f"input drift by call {n:,}, A = {patience:,.0f}, nothing changed",
            float((conformal_alarms(fresh, patience=patience) <= n).mean()),
            n / patience,
            runs,
        )
    ]
    reference = np.sort(rng.random((100, runs)), axis=0)
    fixed = np.empty((n, runs))
    for run in range(runs):
        above = 100 - np.searchsorted(reference[:, run], fresh[:, run])
        fixed[:, run] = (above + rng.random(n)) / 101
    fixed = 2 * np.minimum(fixed, 1 - fixed)
    share = float((conformal_alarms(fixed, patience=patience) <= n).mean())
    return [*rows, control("against 100 proof inputs that never grow", share, n / patience, runs)]


def alarms(excess: NDArray[Any], *, patience: float, weights: Floats | None = None) -> NDArray[np.int64]:
    """The step (from 1) of each run's alarm, else `NEVER`: e = 1 + c v excess, M = M e + v; shape (steps, runs)."""
    steps, runs = excess.shape
    bets = np.array(BETS)[:, None]
    sums = np.zeros((len(BETS), runs))
    at = np.full(runs, NEVER)
    for step in range(steps):
        weight = np.ones(runs) if weights is None else weights[step]
        sums = np.minimum(sums * (1 + bets * (weight * excess[step])) + weight, 1e200)
        at[(sums.mean(axis=0) >= patience) & (at == NEVER)] = step + 1
    return at


def conformal_alarms(p_values: Floats, *, patience: float) -> NDArray[np.int64]:
    """As `alarms`, for one kind of p-values: e = kappa p^(kappa - 1)."""
    steps, runs = p_values.shape
    kappas = np.array(KAPPAS)[:, None]
    sums = np.zeros((len(KAPPAS), runs))
    at = np.full(runs, NEVER)
    for step in range(steps):
        sums = np.minimum(sums * kappas * np.maximum(p_values[step], 1e-12) ** (kappas - 1) + 1, 1e200)
        at[(sums.mean(axis=0) >= patience) & (at == NEVER)] = step + 1
    return at


def shares(
    delta: float, discordance: float, looks: NDArray[Any], *, runs: int, seed: int, harm: float, alpha: float
) -> Floats:
    """The ramp's share at each look, shape (runs, looks)."""
    rng = np.random.default_rng([seed, 2, round(1000 * (1 + delta))])
    drawn = kinds(rng.random((runs, int(looks[-1]))), *parts(delta, discordance))
    counts = [np.cumsum(drawn == kind, axis=1)[:, looks - 1] for kind in range(3)]
    bets = np.array(RAMP_BETS)[:, None, None]
    low, high = np.full(counts[0].shape, -1.0), np.ones(counts[0].shape)
    for _ in range(18):
        mu = (low + high) / 2
        gains = [(1 + value) / (1 + mu) - 1 for value in (-1, 0, 1)]
        logs = sum(times * np.log1p(bets * gain) for times, gain in zip(counts, gains, strict=True))
        top = np.max(logs, axis=0)
        is_shown = top + np.log(np.exp(logs - top).mean(axis=0)) >= math.log(1 / alpha)
        low, high = np.where(is_shown, mu, low), np.where(is_shown, high, mu)
    best = np.maximum.accumulate(low, axis=1)
    return np.minimum(1.0, harm / np.maximum(harm, -best))


def track_and_stop(runs: int, rng: np.random.Generator, *, most: int = 500, epsilon: float = 0.02) -> float:
    """How often an unpaired Gaussian GLR (> ln((1 + ln n) / .05), from 10 per arm on, 2% slack) picks the worse arm."""
    owned = (rng.random((runs, most)) < 0.95).cumsum(axis=1)
    provider = (rng.random((runs, most)) < 0.99).cumsum(axis=1)
    picked = np.zeros(runs, dtype=bool)
    open_ = np.ones(runs, dtype=bool)
    for n in range(10, most + 1):
        ours, theirs = owned[:, n - 1] / n, provider[:, n - 1] / n
        spread = (np.maximum(ours * (1 - ours), 1e-12) + np.maximum(theirs * (1 - theirs), 1e-12)) / n
        is_stopped = (np.abs(ours - theirs) + epsilon) ** 2 / (2 * spread) > math.log((1 + math.log(2 * n)) / 0.05)
        picked |= open_ & is_stopped & (ours >= theirs)
        open_ &= ~is_stopped
    return float(picked.mean())


def parts(delta: float, discordance: float) -> tuple[float, float]:
    """P(D = -1) and P(D = 1) for a mean of `delta` where D is not 0 in `discordance` of all pairs."""
    return (discordance - delta) / 2, (discordance + delta) / 2


def kinds(draw: Floats, worse: float, better: float) -> NDArray[np.int64]:
    """0, 1, 2 for D = -1, 0, 1, from uniform draws."""
    return np.where(draw < worse, 0, np.where(draw < worse + better, 2, 1))
