"""What a proof is asked for (`ProofSettings`) and what it is told (`ProofFacts`).

Not covered: reading either from a file or a command line (`freehold.settings`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from freehold.errors import SettingError
from freehold.model.evidence.terms import TrainingFigures
from freehold.model.verdict import Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSettings:
    """The promise that a `move` has to keep; every share is of all calls of the task.

    `margin`: how far the owned model alone may fall below the provider, for replacing it wholly.
    `alpha`: the chance that a model worse than that is certified all the same.
    `risk`: the share of calls that a cascade may answer locally and wrong.
    `delta`: the chance that a cascade which breaks that is proven all the same.
    `contract`: what `risk` bounds. A: the share of calls answered locally and wrong. B: that of local answers.
    `slice_risk`: the share of a slice's calls that may be answered locally and wrong; 0 stands for twice the risk.
    `min_coverage`: the share of calls that must be answered locally for a cascade to be worth having.
    `seed`: draws the order in which users are bet on.
    `judge`: the model that compares both sides' answers; empty for none. `judge_calls`: the most pairs it compares, 0
    for one of every user.
    `labels`: the pairs that the test of people's labels is planned for; 0 for one of every user, for text at most 300.
    `least_labels`: the labels below which the judge's scores decide nothing.
    `metrics`: what an answer is judged by; all must pass (`prove.metrics`).
    `sources`: digests of the files that functions among the metrics stand in: another function is another promise.
    `is_fresh`: whether calls that an earlier proof of the task looked at are left out.

    `alpha` and `delta` are for the whole life of a task; `spending` gives what one attempt may spend of them.
    """

    margin: float = 0.02
    alpha: float = 0.05
    risk: float = 0.05
    delta: float = 0.10
    min_coverage: float = 0.10
    seed: int = 0
    judge: str = ""
    judge_calls: int = 0
    labels: int = 0
    least_labels: int = 200
    contract: Contract = "A"
    slice_risk: float = 0.0
    metrics: str = "exact"
    sources: tuple[str, ...] = ()
    is_fresh: bool = False

    def __post_init__(self) -> None:
        limits = {"margin": 0.5, "alpha": 0.5, "risk": 0.5, "delta": 0.5, "min_coverage": 0.95}
        for name, value in zip(
            limits, (self.margin, self.alpha, self.risk, self.delta, self.min_coverage), strict=True
        ):
            if not 0.0 < value <= limits[name]:
                raise SettingError(
                    f"{name} is {value!r}, which is not a share above 0 and up to {limits[name]}.",
                    hint=f"Set {name} as a share: 0.05 is 5 in 100.",
                )

        if self.contract not in ("A", "B"):
            raise SettingError(f"contract is {self.contract!r}, and there are A and B.", hint="Set contract to A or B.")
        if not (self.slice_risk == 0.0 or self.risk <= self.slice_risk <= 1.0):
            raise SettingError(
                f"slice_risk is {self.slice_risk!r}, which is not a share from the risk, {self.risk}, to 1.",
                hint="Set slice_risk as a share: 0.1 is 10 in 100; 0 stands for twice the risk, 1 judges no slice.",
            )

    @property
    def slice_limit(self) -> float:
        """The share of a slice's calls that may be answered locally and wrong."""
        return self.slice_risk or min(1.0, 2 * self.risk)

    def spending(self, level: float) -> ProofSettings:
        """The same promise with this share of alpha and of delta."""
        return replace(self, alpha=self.alpha * level, delta=self.delta * level)

    @property
    def least_coverage(self) -> float:
        """The coverage that a cascade must be shown to have: never so little that a useless model could reach it.

        Under contract A a model that is always wrong may still answer a share `risk` of the calls; twice that asks it
        to be right more often than not where it answers. Under contract B such a model may answer none.
        """
        if self.contract == "B":
            return self.min_coverage
        return min(1.0, max(self.min_coverage, 2 * self.risk))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFacts:
    """What the driver knows and a report shows; None is unknown and is shown as unknown.

    `parity` is the result of the check that the served model is the trained one. `recipe` is how it was trained, and
    `training` says that it was too little (`words`) and which command would train on (`next`); None where it was not.
    `harm` is the budget of a ramp (None: no ramp is planned), `patience` that of the rollback's detector.
    `noise` says how often the provider agrees with itself; empty where it was not asked again. `relative_cost` is what
    a call that an owned model is asked about costs at the provider, as a part of what any held-out call does.
    """

    verdict_id: str
    model_id: str
    created_at: float
    base: str = ""
    provider: str = "the provider"
    is_provider_simulated: bool = False
    calls_per_day: float | None = None
    provider_cost_per_call_usd: float | None = None
    relative_cost: float = 1.0
    provider_latency_ms: float | None = None
    provider_input_tokens: float | None = None
    provider_output_tokens: float | None = None
    audit_rate: float = 0.0
    harm: float | None = None
    patience: float = 73_000.0
    engine: str = "llama.cpp"
    machine: str = ""
    noise: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    training: TrainingFigures | None = None
