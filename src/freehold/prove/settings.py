"""What a proof is asked for (`ProofSettings`) and what it is told (`ProofFacts`).

Not covered: reading either from a file or a command line (`freehold.settings`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from freehold.errors import SettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofSettings:
    """The promise that a `move` has to keep; every share is of all calls of the task.

    `margin`: how far the owned model alone may fall below the provider, for replacing it wholly.
    `alpha`: the chance that a model worse than that is certified all the same.
    `risk`: the share of calls that a cascade may answer locally and wrong.
    `delta`: the chance that a cascade which breaks that is proven all the same.
    `min_coverage`: the share of calls that must be answered locally for a cascade to be worth having.
    `seed`: draws the order in which users are bet on.
    `judge`: the model that compares both sides' answers; empty for none. `judge_calls`: the most pairs it compares, 0
    for one of every user.
    `labels`: the pairs that the test of people's labels is planned for; 0 for one of every user, for text at most 300.
    `least_labels`: the labels below which the judge's scores decide nothing.
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

    @property
    def least_coverage(self) -> float:
        """The coverage that a cascade must be shown to have: never so little that a useless model could reach it.

        A model that is always wrong may still answer a share `risk` of the calls; twice that asks it to be right more
        often than not where it answers.
        """
        return min(1.0, max(self.min_coverage, 2 * self.risk))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFacts:
    """What the driver knows and a report shows; None is unknown and is shown as unknown.

    `parity` is the result of the check that the served model is the trained one. `recipe` is how it was trained.
    `noise` says how often the provider agrees with itself; empty where it was not asked again.
    """

    verdict_id: str
    model_id: str
    created_at: float
    base: str = ""
    provider: str = "the provider"
    is_provider_simulated: bool = False
    calls_per_day: float | None = None
    provider_cost_per_call_usd: float | None = None
    provider_latency_ms: float | None = None
    provider_input_tokens: float | None = None
    provider_output_tokens: float | None = None
    audit_rate: float = 0.0
    engine: str = "llama.cpp"
    machine: str = ""
    noise: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
