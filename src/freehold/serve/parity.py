"""Parity: the served model is the trained one, checked on held-out examples before anything is proven.

Two things are compared. The prompt: the engine renders and tokenizes it with what stands in the GGUF, transformers with
what stands in the trained folder; the token ids must be equal, every one. The weights: the engine answers greedily with
its log probabilities, and the trained weights, in fp32 and in a process of their own (`reference`), say what they give
those same tokens.

How much rounding moves a log probability depends on how sure the model is: hardly where one token has all the
probability, much where two are about equally likely. So the mean difference is judged relative to the model's doubt,
the mean of 1 - p over the same tokens. Measured with SmolLM2-135M on ViGGO, barely and fully trained (8 examples each):
an export in F16 gives 0.04 and 0.03, in Q8_0 0.12 and 0.12; an adapter at nine tenths of its scale gives 0.29, with
unpermuted heads 1.97, forgotten 2.64.

Not covered: whether the model is any good (`prove`).
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from freehold.errors import EngineError, MissingExtraError, ParityError
from freehold.model import Example
from freehold.serve.engines import Engine
from freehold.system.environment import lean_environment
from freehold.text.chatml import turns

RELATIVE_BOUND = 0.4
LEAST_DOUBT = 0.005
"""What a model's doubt counts for at least, so that one that is all but certain is not held to less than rounding."""
MAX_BOUND = 1.0
LEAST_TOP_AGREEMENT = 0.90
_MAX_TOKENS = 96
_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "passive",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """What the check found; differences are of natural-log probabilities, None where there was nothing to compare.

    `relative_difference` is the mean difference over the model's doubt; `top_agreement` is the share of the engine's
    tokens that the trained weights find likeliest too.
    """

    is_ok: bool
    reason: str = ""
    prompts: int = 0
    same_prompts: int = 0
    tokens: int = 0
    mean_difference: float | None = None
    relative_difference: float | None = None
    max_difference: float | None = None
    top_agreement: float | None = None

    @property
    def words(self) -> str:
        """The check in one line."""
        ids = f"token ids equal for {self.same_prompts} of {self.prompts} prompts"
        if not self.tokens:
            return ids
        return (
            f"{ids}; logprobs of {self.tokens} tokens differ by {self.mean_difference:.4f} on average"
            f" ({self.relative_difference:.2f} of the model's doubt, at most {RELATIVE_BOUND}) and"
            f" {self.max_difference:.3f} at most; same likeliest token for {self.top_agreement:.1%}"
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """One example as one side sees it: the prompt's ids, and the answer's log probabilities."""

    prompt_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    is_top: tuple[bool, ...] = ()


def check_parity(model_dir: Path, examples: Sequence[Example], engine: type[Engine], url: str) -> Parity:
    """Compare the engine that serves at `url` with the trained weights in `model_dir`/hf on held-out examples.

    Raises ParityError when there is nothing to compare, EngineError when one side does not answer.
    """
    if any(find_spec(name) is None for name in ("torch", "transformers")):
        raise MissingExtraError("train", "The parity check")
    if not examples:
        raise ParityError("There is no held-out example to check parity on.", hint="Freeze a dataset with a dev split.")
    served, questions = [], []
    for example in examples:
        reading, question = _ask_engine(engine, url, example)
        served.append(reading)
        questions.append(question)
    return compare(served, _ask_trained(model_dir / "hf", questions))


def compare(served: Sequence[Reading], trained: Sequence[Reading]) -> Parity:
    """Judge two readings of the same examples; the first difference that matters is named."""
    for number, (one, other) in enumerate(zip(served, trained, strict=True), 1):
        if one.prompt_ids != other.prompt_ids:
            same = sum(a.prompt_ids == b.prompt_ids for a, b in zip(served, trained, strict=True))
            return Parity(is_ok=False, reason=_first_other(number, one, other), prompts=len(served), same_prompts=same)
    count = len(served)
    pairs = list(zip(_all_logprobs(served), _all_logprobs(trained), strict=True))
    if not pairs:
        return Parity(is_ok=False, reason="the engine gave only empty answers", prompts=count, same_prompts=count)
    differences = [abs(a - b) for a, b in pairs]
    mean, largest = sum(differences) / len(pairs), max(differences)
    doubt = sum(1 - math.exp(min(0.0, logprob)) for _, logprob in pairs) / len(pairs)
    relative = mean / max(LEAST_DOUBT, doubt)
    agreement = sum(is_top for reading in trained for is_top in reading.is_top) / len(pairs)
    reason = ""
    if not relative <= RELATIVE_BOUND:
        reason = f"the log probabilities differ by {relative:.2f} of the model's doubt, more than {RELATIVE_BOUND}"
    elif not largest <= MAX_BOUND:
        reason = f"a token's log probability differs by {largest:.3f}, more than {MAX_BOUND}"
    elif agreement < LEAST_TOP_AGREEMENT:
        reason = f"the likeliest token is the same for {agreement:.1%} of tokens, less than {LEAST_TOP_AGREEMENT:.0%}"
    return Parity(
        is_ok=not reason,
        reason=reason,
        prompts=count,
        same_prompts=count,
        tokens=len(pairs),
        mean_difference=mean,
        relative_difference=relative,
        max_difference=largest,
        top_agreement=agreement,
    )


def _all_logprobs(readings: Sequence[Reading]) -> list[float]:
    return [logprob for reading in readings for logprob in reading.logprobs]


def _first_other(number: int, served: Reading, trained: Reading) -> str:
    ids = list(zip(served.prompt_ids, trained.prompt_ids, strict=False))
    place = next((i for i, (a, b) in enumerate(ids) if a != b), len(ids))
    one, other = (reading.prompt_ids[place : place + 4] for reading in (served, trained))
    return f"prompt {number} has other token ids from place {place} on: served {list(one)}, trained {list(other)}"


def _ask_engine(engine: type[Engine], url: str, example: Example) -> tuple[Reading, dict[str, Any]]:
    """The engine's ids of the prompt and its greedy answer's log probabilities; and what to ask the trained weights."""
    told = engine.greedy(url, example.messages, max_tokens=_MAX_TOKENS)
    asked = {"answer_ids": list(told.answer_ids), "places": list(told.places)}
    return Reading(told.prompt_ids, told.logprobs), {"messages": turns(example.messages)} | asked


def _ask_trained(hf_dir: Path, questions: Sequence[dict[str, Any]]) -> list[Reading]:
    """What the trained weights say, from a process of its own, so that torch is never in this one."""
    done = subprocess.run(
        [sys.executable, "-m", "freehold.serve.reference", str(hf_dir), str(os.getpid())],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=False,
        env=_ENVIRONMENT | lean_environment(os.environ),
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it left no message"])[-1]
        raise EngineError(f"The trained weights cannot be asked: {last}.", hint="Train the task again.")
    rows = json.loads(done.stdout.splitlines()[-1])
    return [Reading(tuple(row["prompt_ids"]), tuple(row["logprobs"]), tuple(row["is_top"])) for row in rows]
