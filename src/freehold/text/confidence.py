"""How sure the owned model is of one answer, from the log probabilities of its tokens.

A logistic head on a few figures of the token log probabilities: quantiles, mean, sum, first token, length (token
quantiles tell right from wrong better than the sum or the mean alone: Gupta et al. 2024, arXiv 2404.10136). For JSON
there are the same figures of the tokens that carry values (`text.json_tokens`), named `value_...`. The same function
scores an answer in the proof and in the gateway, where it takes microseconds. What a proof promises never depends on
this score being good: a poor head costs coverage, not correctness. A head names its features, so that one of an older
version goes on scoring as it was proven.

Not covered: fitting the head (`prove.calibrator`), asking the model several times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freehold.model.engine import OwnedAnswer

FEATURES = ("least", "second", "q10", "q25", "q50", "mean", "sum", "first", "p_least", "p_answer", "log_length")
VALUE_FEATURES = tuple(f"value_{name}" for name in FEATURES)
LEAST_CONFIDENCE = 1e-6
_LOWEST_LOGPROB = -30.0
_LOWEST_SUM = -200.0


def features(logprobs: Sequence[float]) -> tuple[float, ...] | None:
    """The figures named in FEATURES for one answer; None where there are no tokens or one of them is not finite."""
    if not logprobs or not all(map(math.isfinite, logprobs)):
        return None
    clipped = [min(0.0, max(_LOWEST_LOGPROB, value)) for value in logprobs]
    ordered = sorted(clipped)
    last = len(ordered) - 1
    total = max(_LOWEST_SUM, math.fsum(clipped))
    return (
        ordered[0],
        ordered[min(1, last)],
        ordered[round(0.10 * last)],
        ordered[round(0.25 * last)],
        ordered[round(0.50 * last)],
        math.fsum(clipped) / len(clipped),
        total,
        clipped[0],
        math.exp(ordered[0]),
        math.exp(total),
        math.log(len(clipped)),
    )


def figures(answer: OwnedAnswer, names: Sequence[str]) -> tuple[float, ...] | None:
    """The named figures of one answer; None for an answer that must not be used.

    That is one that was cut off, has no tokens, has a log probability that is not finite, or was kept without its value
    tokens where they are asked for. Where values cannot be told from the rest, all tokens stand for them.
    """
    found = features(answer.logprobs) if answer.is_whole else None
    if found is None:
        return None
    known = dict(zip(FEATURES, found, strict=True))
    if any(name in VALUE_FEATURES for name in names):
        if answer.value_logprobs is None:
            return None
        of_values = features(answer.value_logprobs) or found
        known.update(zip(VALUE_FEATURES, of_values, strict=True))
    return tuple(known[name] for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrator:
    """A logistic regression on standardised features: sigmoid(bias + sum of weights * (x - mean) / scale)."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    features: tuple[str, ...] = FEATURES

    def __post_init__(self) -> None:
        unknown = sorted(set(self.features) - {*FEATURES, *VALUE_FEATURES})
        if unknown:
            raise ValueError(f"a confidence head asks for features that this version does not know: {unknown!r}")
        if not len(self.mean) == len(self.scale) == len(self.weights) == len(self.features):
            raise ValueError(f"a confidence head has {len(self.features)} features, not {len(self.weights)!r}")
        if not all(map(math.isfinite, (*self.mean, *self.scale, *self.weights, self.bias))) or 0.0 in self.scale:
            raise ValueError("a confidence head holds a number that is not finite, or a scale of 0")

    def score(self, answer: OwnedAnswer) -> float:
        """The confidence in `answer`: from LEAST_CONFIDENCE to 1, and 0.0 for one that must not be used."""
        found = figures(answer, self.features)
        if found is None:
            return 0.0
        terms = zip(found, self.mean, self.scale, self.weights, strict=True)
        logit = self.bias + math.fsum(w * (x - mean) / scale for x, mean, scale, w in terms)
        if logit < 0:
            odds = math.exp(max(logit, -700.0))
            return max(LEAST_CONFIDENCE, odds / (1 + odds))
        return 1 / (1 + math.exp(-min(logit, 700.0)))

    def to_json(self) -> dict[str, Any]:
        """The head as a JSON object; `features` names what the numbers stand for."""
        return {
            "features": list(self.features),
            "mean": list(self.mean),
            "scale": list(self.scale),
            "weights": list(self.weights),
            "bias": self.bias,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Calibrator:
        """Read what this version or an older one wrote; ValueError where it names features that are not known."""
        return cls(
            features=tuple(map(str, data["features"])),
            mean=tuple(map(float, data["mean"])),
            scale=tuple(map(float, data["scale"])),
            weights=tuple(map(float, data["weights"])),
            bias=float(data["bias"]),
        )


def untrained_head() -> Calibrator:
    """The head to use where there is nothing to fit one on: it orders answers by their mean token log probability."""
    weights = tuple(1.0 if name == "mean" else 0.0 for name in FEATURES)
    width = len(FEATURES)
    return Calibrator(mean=(0.0,) * width, scale=(1.0,) * width, weights=weights, bias=2.0)
