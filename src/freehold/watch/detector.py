"""The alarm after a move: evidence that a bound no longer holds, from now or from any moment on.

    e_t(c) = 1 + c v_t (l_t / tolerated - 1)         l in [0, 1], H0: E[l_t | past] <= tolerated at every time
    e_t(c) = 1 + c v_t ((1 - D_t) / (1 + m) - 1)     D in [-1, 1], H0: E[D_t | past] >= -m at every time
    M_t(c) = M_{t-1}(c) e_t(c) + v_t,  c in 10 equal steps over [.01, .6],  alarm when mean_c M_t >= A ("patience")

An e-detector (Shin, Ramdas & Rinaldo, arXiv 2203.03532; `watch.shiryaev_roberts`): nothing is assumed but the null
itself, so traffic may drift as long as it stays acceptable, and users may look as often as they like.

Weights make it exact for sampled labels. Let request t be looked at with probability q_t(x) > 0, known before the coin
is thrown, and let k_t <= q_t(x) for all x be known before the request comes. With v = k / q where it is looked at and
no step where it is not, E[1{seen} v (l / tolerated - 1) | past] = k E[l / tolerated - 1 | past] <= 0. Contract A,
P(local and wrong) <= risk, has all requests as units: one that the provider answered has l = 0 for certain and is seen
with probability 1, so v = k; an audited local one has v = k / q; an unaudited one is no step. Contract B,
P(wrong | local) <= risk, has local requests alone. E[1{seen} v | past] = k, hence P(alarm by t) <= E[sum v] / A, where
sum v (`units`) counts audits as they would be without weights. So A = 73,000 is at most one false alarm a year at 200
audits a day. Raising q is allowed at any time, for later requests.

Missing labels count 0 here (no harm), so that a provider that is down never takes a route back.
Checkable: tolerated .05, three losses of 1: mean_c M = 66.8. With 10% of audits bad and 5% tolerated, A = 73,000: about
350 audits after 500 good ones at 4%.

Not covered: who chooses q (`watch.audits`), lower bounds (`watch.ramp`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from freehold.watch import shiryaev_roberts, state

BETS = tuple(0.01 + step * (0.6 - 0.01) / 9 for step in range(10))
KEPT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """The evidence so far against "at most `tolerated`"; `units` is the sum of weights, `observed` the number of steps.

    `recent` holds the last harms (losses, or -D), for words; it decides nothing. Once alarmed, always alarmed.
    """

    name: str
    tolerated: float
    patience: float
    log_sums: tuple[float, ...] = shiryaev_roberts.nothing(len(BETS))
    units: float = 0.0
    observed: int = 0
    alarmed: bool = False
    recent: tuple[float, ...] = ()

    @property
    def evidence(self) -> float:
        """The mean of M over the bets."""
        return shiryaev_roberts.mean(self.log_sums)

    @property
    def alarm(self) -> bool:
        """Whether the evidence ever reached the patience."""
        return self.alarmed

    def to_json(self) -> dict[str, object]:
        """The state as a JSON object."""
        return {**asdict(self), "log_sums": list(self.log_sums), "recent": list(self.recent)}

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> Detector:
        """The state again, exactly; ValueError where it is none."""
        fresh = new_detector(
            state.text(document, "name"),
            tolerated=state.number(document, "tolerated"),
            patience=state.number(document, "patience"),
        )
        log_sums = state.numbers(document, "log_sums")
        if len(log_sums) != len(BETS):
            raise ValueError(f"a detector has {len(log_sums)} sums, not {len(BETS)}")
        return replace(
            fresh,
            log_sums=log_sums,
            units=state.number(document, "units"),
            observed=state.count(document, "observed"),
            alarmed=state.flag(document, "alarmed"),
            recent=state.numbers(document, "recent"),
        )


def new_detector(name: str, *, tolerated: float, patience: float) -> Detector:
    """A detector that has seen nothing; ValueError unless 0 < tolerated < 1 and patience >= 1."""
    if not 0 < state.as_number(tolerated, "tolerated") < 1:
        raise ValueError(f"tolerated is {tolerated!r}, not a share between 0 and 1")
    if state.as_number(patience, "patience") < 1:
        raise ValueError(f"patience is {patience!r}, less than 1")
    return Detector(name=name, tolerated=float(tolerated), patience=float(patience))


def observe(d: Detector, loss: float | None, *, weight: float = 1.0, is_told: bool = True) -> Detector:
    """One more loss in [0, 1]; a missing one (None) counts 0. ValueError for a loss or weight outside its range.

    What is not told is left out of `recent` (the certain zeros of contract A).
    """
    harm = 0.0 if loss is None else state.within(loss, 0, 1, "a loss")
    return _step(d, harm, harm / d.tolerated - 1, weight=weight, is_told=is_told)


def observe_difference(d: Detector, difference: float | None, *, weight: float = 1.0) -> Detector:
    """One more D = Y_owned - Y_provider in [-1, 1]; a missing one (None) counts +1. ValueError outside the range."""
    found = 1.0 if difference is None else state.within(difference, -1, 1, "a difference")
    return _step(d, -found, (1 - found) / (1 + d.tolerated) - 1, weight=weight, is_told=True)


def recent_harm(d: Detector) -> tuple[float, int]:
    """The latest run of observations that stands out most: the sum of their harms, and how many they are."""
    usual = max(2 * d.tolerated, 0.1)
    best, found, total, excess = 0.0, (0.0, 0), 0.0, 0.0
    for length, harm in enumerate(reversed(d.recent), start=1):
        total += harm
        excess += harm - usual
        if excess >= best:
            best, found = excess, (total, length)
    return found if found[1] else (sum(d.recent), len(d.recent))


def _step(d: Detector, harm: float, excess: float, *, weight: float, is_told: bool) -> Detector:
    if not 0 < state.as_number(weight, "a weight") <= 1:
        raise ValueError(f"a weight is {weight!r}, outside (0, 1]")
    log_sums = shiryaev_roberts.grow(d.log_sums, [1 + bet * weight * excess for bet in BETS], weight)
    return replace(
        d,
        log_sums=log_sums,
        units=d.units + weight,
        observed=d.observed + 1,
        alarmed=d.alarmed or shiryaev_roberts.mean(log_sums) >= d.patience,
        recent=(*d.recent, harm)[-KEPT:] if is_told else d.recent,
    )
