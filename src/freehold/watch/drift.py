"""Drift of what is rented, or of what comes in: evidence that now is not as it was.

    probes      e(lambda) = 1 + lambda g,  lambda in +-{.1, .25, .5, .8},  g in [-1, 1] with E[g] = 0 if nothing changed
    conformal   e(kappa) = kappa p^(kappa - 1),  kappa in {.1, .25, .5, .75},  p uniform if nothing changed
    M_t = M_{t-1} e_t + 1 for each bet and kind,  alarm when their mean >= A,  P(alarm by t) <= t / A

(`watch.shiryaev_roberts`). For frozen labelled probes g is antisymmetric in the old and the new answer: the change of
correctness, the sign of the change of length, the change of "can be parsed" (each -1, 0 or 1): two answers of an
unchanged model may be swapped, so E[g] = 0 however noisy it is. Assumes answers to different probes do not depend on
each other (ask one day's as one cluster where they may). Checkable: a probe set that turns longer by 1 each time alarms
A = 36,500 (at most one false alarm in 5 years at 20 probes a day) at probe 23 (all three kinds watched).

Not covered: asking the probes (a driver's), computing p from inputs (`watch.inputs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from freehold.watch import shiryaev_roberts, state

LAMBDAS = (-0.8, -0.5, -0.25, -0.1, 0.1, 0.25, 0.5, 0.8)
KAPPAS = (0.1, 0.25, 0.5, 0.75)
LEAST_P = 1e-12
PROBES = ("correct", "length", "parse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Evidence of change over several `kinds` of observation at once; `log_sums` holds every bet of every kind."""

    kinds: tuple[str, ...]
    patience: float
    log_sums: tuple[float, ...]
    observed: int = 0
    alarmed: bool = False

    @property
    def evidence(self) -> float:
        """The mean of M over bets and kinds."""
        return shiryaev_roberts.mean(self.log_sums)

    @property
    def alarm(self) -> bool:
        """Whether the evidence ever reached the patience."""
        return self.alarmed

    def to_json(self) -> dict[str, object]:
        """The state as a JSON object."""
        return {
            "kinds": list(self.kinds),
            "patience": self.patience,
            "log_sums": list(self.log_sums),
            "observed": self.observed,
            "alarmed": self.alarmed,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> Drift:
        """The state again, exactly; ValueError where it is none."""
        kinds = state.texts(document, "kinds")
        log_sums = state.numbers(document, "log_sums")
        if not kinds or len(log_sums) not in (len(kinds) * len(LAMBDAS), len(kinds) * len(KAPPAS)):
            raise ValueError(f"{len(log_sums)} sums do not fit {len(kinds)} kinds")
        return cls(
            kinds=kinds,
            patience=state.number(document, "patience"),
            log_sums=log_sums,
            observed=state.count(document, "observed"),
            alarmed=state.flag(document, "alarmed"),
        )


def new_probe_drift(*, patience: float, kinds: Sequence[str] = PROBES) -> Drift:
    """Watches probes; ValueError without kinds or with patience under 1."""
    return _new(tuple(kinds), patience, len(LAMBDAS))


def new_conformal_drift(*, patience: float, kinds: Sequence[str] = ("score",)) -> Drift:
    """Watches conformal p-values; ValueError without kinds or with patience under 1."""
    return _new(tuple(kinds), patience, len(KAPPAS))


def observe_probe(d: Drift, changes: Mapping[str, float]) -> Drift:
    """One more probe: g by kind, a kind left out is 0. ValueError for an unknown kind or a g outside [-1, 1]."""
    if unknown := set(changes) - set(d.kinds):
        raise ValueError(f"{sorted(unknown)!r} is watched by nobody: known are {list(d.kinds)!r}")
    found = [state.within(changes.get(kind, 0.0), -1, 1, kind) for kind in d.kinds]
    return _step(d, [1 + bet * change for change in found for bet in LAMBDAS])


def observe_p(d: Drift, p_values: Sequence[float]) -> Drift:
    """One more p-value in [0, 1] for each kind; ValueError for another number of them or one outside."""
    if len(p_values) != len(d.kinds):
        raise ValueError(f"{len(p_values)} p-values for {len(d.kinds)} kinds")
    found = [max(LEAST_P, state.within(p, 0, 1, "a p-value")) for p in p_values]
    return _step(d, [kappa * p ** (kappa - 1) for p in found for kappa in KAPPAS])


def sign_of_change(before: float, after: float) -> float:
    """1.0, 0.0 or -1.0 as the second is more than, equal to or less than the first."""
    return float(after > before) - float(after < before)


def _new(kinds: tuple[str, ...], patience: float, bets: int) -> Drift:
    if not kinds or len(set(kinds)) < len(kinds):
        raise ValueError(f"kinds are {kinds!r}: wanted at least one, each once")
    if state.as_number(patience, "patience") < 1:
        raise ValueError(f"patience is {patience!r}, less than 1")
    return Drift(kinds=kinds, patience=float(patience), log_sums=shiryaev_roberts.nothing(bets * len(kinds)))


def _step(d: Drift, factors: Sequence[float]) -> Drift:
    log_sums = shiryaev_roberts.grow(d.log_sums, factors, 1.0)
    alarmed = d.alarmed or shiryaev_roberts.mean(log_sums) >= d.patience
    return replace(d, log_sums=log_sums, observed=d.observed + 1, alarmed=alarmed)
