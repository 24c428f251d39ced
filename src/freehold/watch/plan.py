"""What is watched on one version of a route, and against which bounds: fixed before the first call is seen.

Not covered: where the figures come from (a driver reads them from the route, its verdict and the settings).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import cast

from freehold.model.verdict import Contract
from freehold.watch import state


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The bounds of a watch; None leaves a watch out.

    `risk` is what the contract allows, `margin` what pairs may lose (m_R), `invalid`, `refused`, `slow`, `bad` and
    `misfit` the tolerated shares of local answers (of calls, for `misfit`) that cannot be read, refuse, are slow, are
    disliked or do not fit the template. `base_rate` is the route's audit rate. `patience` counts audits and pairs,
    `call_patience` calls. `harm` and `alpha` make a ramp. `evidence_at`, when the proof's newest call came, and
    `valid_days` say when evidence expires. `slices` are the slices that are watched, each with the share of its local
    answers that may be wrong.
    """

    contract: Contract = "A"
    risk: float | None = None
    margin: float | None = None
    invalid: float | None = None
    refused: float | None = None
    slow: float | None = None
    bad: float | None = None
    misfit: float | None = 0.05
    base_rate: float = 0.05
    patience: float = 73_000.0
    call_patience: float = 1_000_000.0
    harm: float | None = None
    alpha: float = 0.05
    stale_factor: float = 3.0
    evidence_at: float = 0.0
    valid_days: float | None = None
    models: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    slices: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse figures that are none: ValueError."""
        if self.contract not in ("A", "B"):
            raise ValueError(f"the contract is {self.contract!r}, not A or B")
        for name, share in self._shares().items():
            if share is not None and not 0 < state.as_number(share, name) < 1:
                raise ValueError(f"{name} is {share!r}, not a share between 0 and 1")
        for name, share in self.slices:
            if not name or not 0 < state.as_number(share, name) < 1:
                raise ValueError(f"the slice {name!r} is held to {share!r}, not to a share between 0 and 1")
        state.within(self.base_rate, 0, 1, "base_rate")
        state.as_number(self.evidence_at, "evidence_at")
        least = {"patience": self.patience, "call_patience": self.call_patience, "stale_factor": self.stale_factor}
        for name, value in least.items():
            if state.as_number(value, name) < 1:
                raise ValueError(f"{name} is {value!r}, less than 1")
        if self.valid_days is not None and state.as_number(self.valid_days, "valid_days") <= 0:
            raise ValueError(f"valid_days is {self.valid_days!r}, not above 0")

    def _shares(self) -> dict[str, float | None]:
        return {
            "risk": self.risk,
            "margin": self.margin,
            "invalid": self.invalid,
            "refused": self.refused,
            "slow": self.slow,
            "bad": self.bad,
            "misfit": self.misfit,
            "harm": self.harm,
            "alpha": self.alpha,
        }

    def to_json(self) -> dict[str, object]:
        """The plan as a JSON object."""
        lists = {"models": list(self.models), "fingerprints": list(self.fingerprints)}
        return {**asdict(self), **lists, "slices": [[name, share] for name, share in self.slices]}

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> Plan:
        """The plan again; ValueError where it is none."""
        known = {field.name for field in fields(cls)}
        if unknown := set(document) - known:
            raise ValueError(f"a plan has no {sorted(unknown)!r}")
        lists = {name: state.texts(document, name) for name in ("models", "fingerprints")}
        contract = cast(Contract, state.text(document, "contract"))
        optional = {"risk", "margin", "invalid", "refused", "slow", "bad", "misfit", "harm", "valid_days"}
        figures = {
            name: None if name in optional and document.get(name) is None else state.number(document, name)
            for name in known - set(lists) - {"contract", "slices"}
        }
        slices = tuple(_slice(pair) for pair in state.array({"slices": [], **document}, "slices"))
        return cls(**{"contract": contract, "slices": slices, **lists, **figures})  # type: ignore[arg-type]  # each was checked above


def _slice(pair: object) -> tuple[str, float]:
    match pair:
        case [str(name), share]:
            return name, state.as_number(share, name)
    raise ValueError(f"slices hold {pair!r}, not a name with its share")


def tolerated_share(expected: float, *, least: float = 0.02) -> float:
    """A share to tolerate where `expected` was seen at proof time: twice that, between `least` and 0.9.

    ValueError for a share outside [0, 1]. Example: 0 gives .02, .05 gives .10.
    """
    return min(0.9, max(least, 2 * state.within(expected, 0, 1, "the expected share")))
