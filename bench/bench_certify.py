"""What an offline proof promises, by simulation with known truth: type I error, power, both contracts, attempts.

Each function takes `runs` and `seed` and returns rows (`bench_online`). The tests are the package's own; what others do
is written here: O'Brien-Fleming with five looks on Tango's z, the asymptotic confidence sequence, a mixture of fixed
bets, the percentile bootstrap, the paired t, the naive threshold.

Not covered: what happens after a move (`bench_online`), real answers (`proof_splits`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from bench_online import Floats, Row, beside, bounded, control
from scipy.special import ndtri
from scipy.stats import binom

from freehold.prove.attempts import level
from freehold.prove.betting import log_wealth
from freehold.prove.cascade import contract_a
from freehold.prove.contract_b import candidates, contract_b
from freehold.prove.tango import n_fixed

ALPHA, DELTA, RISK = 0.05, 0.10, 0.05
_CELLS = 4_000_000
POWER_TABLE = ((0.10, 0.02, 0.83, 0.88), (0.05, 0.03, 0.78, 0.95), (0.30, 0.05, 0.85, 0.87))


def certify_rows(*, runs: int, seed: int) -> list[Row]:
    """All rows of this module."""
    parts: tuple[Callable[..., list[Row]], ...] = (
        type_one_rows,
        cluster_rows,
        control_rows,
        power_rows,
        contract_rows,
        attempt_rows,
    )
    return [row for part in parts for row in part(runs=runs, seed=seed)]


def type_one_rows(*, runs: int, seed: int) -> list[Row]:
    """A model exactly at the margin is certified, at whatever peek, in at most alpha of all runs."""
    rng = np.random.default_rng([seed, 1])
    rows = []
    for margin in (0.01, 0.02, 0.05):
        for discordance in (0.02, 0.05, 0.10, 0.30):
            if discordance < margin:
                continue
            cap = min(1_500, math.ceil(1.25 * n_fixed(discordance, margin)))
            units = _units(rng, worse=(discordance + margin) / 2, better=(discordance - margin) / 2)
            share = _certified(units, runs, cap, margin, ALPHA)
            rows.append(bounded(f"type I, margin {margin:.0%}, discordance {discordance:.0%}", share, ALPHA, runs))

    def graded(n: int, size: int) -> Floats:
        return np.where(rng.random((n, size)) < 0.1, -rng.beta(2, 2, (n, size)), 0.0)

    rows.append(bounded("type I, graded and skewed", _certified(graded, runs, 400, 0.05, ALPHA), ALPHA, runs))
    return rows


def cluster_rows(*, runs: int, seed: int) -> list[Row]:
    """Users differ: one in ten has half of its calls worse, the others none; 200 users, exactly at the margin."""
    rng = np.random.default_rng([seed, 2])
    rows = []
    for calls in (5, 20):

        def users(n: int, size: int, calls: int = calls) -> Floats:
            is_bad = rng.random((n, size)) < 0.1
            return -np.where(is_bad, rng.binomial(calls, 0.5, (n, size)), 0) / calls

        def requests(n: int, size: int, calls: int = calls) -> Floats:
            is_bad = np.repeat(rng.random((n, size // calls)) < 0.1, calls, axis=1)
            return -(is_bad & (rng.random(is_bad.shape) < 0.5)).astype(float)

        by_user = _certified(users, runs, 200, RISK, ALPHA)
        by_call = _certified(requests, min(runs, 2_000), 200 * calls, RISK, ALPHA)
        rows.append(bounded(f"type I, {calls} calls a user, one bet a user", by_user, ALPHA, runs))
        rows.append(control(f"{calls} calls a user, one bet a call", by_call, ALPHA, min(runs, 2_000)))
    return rows


def control_rows(*, runs: int, seed: int) -> list[Row]:
    """At low discordance the percentile bootstrap and the paired t certify a model that is exactly at the margin."""
    rng = np.random.default_rng([seed, 3])
    n, margin = 100, 0.02
    worse = rng.binomial(n, margin, runs)
    bootstrap = -binom.ppf(1 - ALPHA, n, worse / n) / n > -margin
    mean, spread = -worse / n, np.sqrt(worse / n * (1 - worse / n) / (n - 1))
    paired_t = mean - float(ndtri(1 - ALPHA)) * spread > -margin
    return [
        control("percentile bootstrap, margin 2%, n = 100", float(bootstrap.mean()), ALPHA, runs),
        control("paired t, margin 2%, n = 100", float(paired_t.mean()), ALPHA, runs),
    ]


def power_rows(*, runs: int, seed: int) -> list[Row]:
    """Power and mean sample, as a share of n_fixed, for equal models; the design's figures within 3%."""
    rng = np.random.default_rng([seed, 4])
    rows = []
    for discordance, margin, power, mean_n in POWER_TABLE:
        fixed = n_fixed(discordance, margin)
        cap = math.ceil((1.5 if fixed < 250 else 1.25) * fixed)
        units = _units(rng, worse=discordance / 2, better=discordance / 2)
        stops = np.concatenate([_stops(units(k, cap), margin, ALPHA) for k in _chunks(runs, cap)])
        name = f"discordance {discordance:.0%}, margin {margin:.0%}"
        found, used = float((stops <= cap).mean()), float(np.minimum(stops, cap).mean()) / fixed
        rows.append(_reached(f"power, {name}", found, power, at_least=True))
        rows.append(_reached(f"mean n / n_fixed, {name}", used, mean_n, at_least=False))
        others = np.array([_others(units(k, cap), margin) for k in _chunks(min(runs, 2_000), cap)]).mean(axis=0)
        for other, share in zip(("O'Brien-Fleming, 5 looks", "asymptotic CS", "mixture of bets"), others, strict=True):
            rows.append(beside(f"{other}: power, {name}", float(share)))
    return rows


def contract_rows(*, runs: int, seed: int) -> list[Row]:
    """P(wrong | score s) = (1 - s)^4 / 2, 10% wrong in all; 1,000 calls to prove on, 500 to tune contract B on."""
    rng = np.random.default_rng([seed, 5])
    times = min(runs, 1_000)
    best_a, best_b = 0.5**0.2, 0.5**0.25
    broken, covered = np.zeros(4), np.zeros(4)
    for _ in range(times):
        scores, wrong = _scored(rng, 1_000)
        dev, dev_wrong = _scored(rng, 500)
        groups = [str(i) for i in range(1_000)]
        a = contract_a(scores.tolist(), (~wrong).tolist(), groups, risk=RISK, delta=DELTA, seed=0)
        order = candidates(dev.tolist(), dev_wrong.astype(float).tolist(), risk=RISK)
        losses = wrong.astype(float).tolist()
        b = contract_b(scores.tolist(), losses, groups, thresholds=order, risk=RISK, delta=DELTA, seed=0)
        ranked = wrong[np.argsort(-scores)].cumsum()
        naive_a = np.sort(scores)[::-1][np.flatnonzero(ranked <= RISK * 1_000)[-1]]
        share = np.flatnonzero(ranked <= RISK * np.arange(1, 1_001))
        naive_b = np.sort(scores)[::-1][share[-1]] if len(share) else 1.0
        kept = [1 - (1.0 if t is None else t) for t in (a.threshold, b.threshold, float(naive_a), float(naive_b))]
        covered += kept
        broken += [0.1 * kept[i] ** (5 if i % 2 == 0 else 4) > RISK for i in range(4)]
    broken, covered = broken / times, covered / times
    return [
        bounded("contract A broken", float(broken[0]), DELTA, times),
        _reached("contract A: coverage / oracle", float(covered[0] / best_a), 0.85, at_least=True),
        control("contract A, naive threshold", float(broken[2]), DELTA, times),
        bounded("contract B broken", float(broken[1]), DELTA, times),
        _reached("contract B: coverage / oracle", float(covered[1] / best_b), 0.85, at_least=True),
        control("contract B, naive threshold", float(broken[3]), DELTA, times),
    ]


def attempt_rows(*, runs: int, seed: int) -> list[Row]:
    """Twenty models exactly at the margin, one proof each: how often any of them is certified."""
    rng = np.random.default_rng([seed, 6])
    times, margin, cap = min(runs, 2_000), 0.05, 300
    units = _units(rng, worse=0.10, better=0.05)
    spent, unspent = np.zeros(times, dtype=bool), np.zeros(times, dtype=bool)
    for number in range(1, 21):
        drawn = units(times, cap)
        spent |= _stops(drawn, margin, ALPHA * level(number)) <= cap
        unspent |= _stops(drawn, margin, ALPHA) <= cap
    return [
        bounded("20 attempts at a task, any certified", float(spent.mean()), ALPHA, times),
        control("20 attempts, each at all of alpha", float(unspent.mean()), ALPHA, times),
    ]


def _units(rng: np.random.Generator, *, worse: float, better: float) -> Callable[[int, int], Floats]:
    def draw(runs: int, size: int) -> Floats:
        at = rng.random((runs, size))
        return np.where(at < worse, -1.0, np.where(at < worse + better, 1.0, 0.0))

    return draw


def _chunks(runs: int, cap: int) -> list[int]:
    size = max(1, _CELLS // cap)
    return [min(size, runs - start) for start in range(0, runs, size)]


def _certified(draw: Callable[[int, int], Floats], runs: int, cap: int, margin: float, alpha: float) -> float:
    return sum(int((_stops(draw(k, cap), margin, alpha) <= cap).sum()) for k in _chunks(runs, cap)) / runs


def _stops(units: Floats, margin: float, alpha: float) -> Floats:
    """The unit, from 1, at which each run certifies; more than all where it never does."""
    cap = units.shape[1]
    reached = log_wealth(units, margin, alpha=alpha, cap=cap) >= math.log(1 / alpha)
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, cap + 1)


def _others(units: Floats, margin: float) -> tuple[float, float, float]:
    """The share that three other sequential tests certify."""
    cap = units.shape[1]
    counts = np.arange(1, cap + 1)
    worse, better = (units < 0).cumsum(axis=1), (units > 0).cumsum(axis=1)
    looks = [math.ceil(cap * k / 5) for k in range(1, 6)]
    bounds = [1.7396 * math.sqrt(5 / k) for k in range(1, 6)]
    z = np.stack([_tango(worse[:, n - 1], better[:, n - 1], n, margin) for n in looks], axis=1)
    flemings = (z >= bounds).any(axis=1).mean()
    mean = (better - worse) / counts
    variance = np.maximum((better + worse) / counts - mean**2, 1e-4)
    rho2 = (-2 * math.log(ALPHA) + math.log(-2 * math.log(ALPHA)) + 1) / (cap / 1.25)
    width = (
        np.sqrt(2 * (counts * rho2 + 1) / (counts**2 * rho2) * np.log(1 + np.sqrt(counts * rho2 + 1) / (2 * ALPHA)))
        * variance**0.5
    )
    asymptotic = ((mean - width > -margin) & (counts >= 30)).any(axis=1).mean()
    bets = 0.01 * 98 ** (np.arange(20) / 19)
    wealth = np.full((len(units), cap), -np.inf)
    for bet in bets:
        wealth = np.logaddexp(wealth, np.log1p(bet * (units + margin)).cumsum(axis=1))
    mixture = (wealth - math.log(20) >= math.log(1 / ALPHA)).any(axis=1).mean()
    return float(flemings), float(asymptotic), float(mixture)


def _tango(b: Floats, c: Floats, n: int, margin: float) -> Floats:
    half = -(b + c) - (2 * n - c + b) * margin
    q = (-half + np.sqrt(np.maximum(half**2 - 8 * n * b * margin * (1 + margin), 0))) / (4 * n)
    return (c - b + n * margin) / np.sqrt(np.maximum(n * (2 * q - margin * (1 + margin)), 1e-9))


def _scored(rng: np.random.Generator, n: int) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    scores = rng.random(n)
    return scores, rng.random(n) < (1 - scores) ** 4 / 2


def _reached(name: str, measured: float, wanted: float, *, at_least: bool) -> Row:
    limit = 0.97 * wanted if at_least else 1.03 * wanted
    is_ok = measured >= limit if at_least else measured <= limit
    return {"name": name, "measured": measured, "wanted": f"{'>=' if at_least else '<='} {limit:.3g}", "ok": is_ok}
