"""What a proof was asked for and told: the promise, and facts of the task, the provider, the machine, the training."""

from __future__ import annotations

import msgspec

from freehold.model.evidence.lenient import read


class SettingsFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The promise that was asked for, as `prove.settings.ProofSettings`."""

    margin: float | None = None
    alpha: float | None = None
    risk: float | None = None
    delta: float | None = None
    min_coverage: float | None = None
    seed: int | None = None
    judge: str = ""
    judge_calls: int | None = None
    labels: int | None = None
    least_labels: int | None = None
    contract: str = ""
    slice_risk: float | None = None
    metrics: str = ""
    sources: tuple[str, ...] = ()
    is_fresh: bool = False


class TrainingFigures(msgspec.Struct, frozen=True, kw_only=True):
    """That the training was too little or had room left: what is known of it, and the command that would train on."""

    steps: int | None = None
    passes: float | None = None
    is_cut_short: bool = False
    is_too_little: bool = False
    fall: tuple[float, float] | None = None
    minutes: int | None = None
    epochs: float | None = None
    words: str = ""
    next: str = ""


class FactsFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the proof was told, as `prove.settings.ProofFacts`; None is unknown.

    What another part of Freehold wrote is kept word for word: `training` (typed: `undertraining`), `noise` (typed:
    `Evidence.self_consistency`), `parity` and `recipe`, which are shown as they are.
    """

    verdict_id: str = ""
    model_id: str = ""
    created_at: float | None = None
    base: str = ""
    provider: str = ""
    is_provider_simulated: bool = False
    calls_per_day: float | None = None
    provider_cost_per_call_usd: float | None = None
    relative_cost: float | None = None
    provider_latency_ms: float | None = None
    provider_input_tokens: float | None = None
    provider_output_tokens: float | None = None
    audit_rate: float | None = None
    harm: float | None = None
    patience: float | None = None
    engine: str = ""
    machine: str = ""
    noise: dict[str, object] = {}
    parity: dict[str, object] = {}
    recipe: dict[str, object] = {}
    training: dict[str, object] = {}

    @property
    def undertraining(self) -> TrainingFigures | None:
        """What is said of a training that was too little or had room left; None of any other."""
        return read(TrainingFigures, self.training) if self.training else None

    @property
    def train_on(self) -> str:
        """The command that would train on a model whose training was too little or had room left; else empty."""
        return self.undertraining.next if self.undertraining else ""
