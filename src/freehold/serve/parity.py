"""Parity: the served model is the trained one, checked on held-out examples before anything is proven.

Two things are compared. The prompt: the engine renders and tokenizes it with what stands in the GGUF, transformers with
what stands in the trained folder; the token ids must be equal, every one. The weights: the engine answers greedily with
its log probabilities, and the trained weights, in fp32 and in a process of their own (`reference`), say what they give
those same tokens.

The bounds lie between two measured groups (SmolLM2-135M on ViGGO, see docs/log.md): a right export, in Q8_0 or F16,
stays well below them; a forgotten adapter, an unpermuted head or another rotary base lies far above. Single tokens may
differ more than the mean does: where two tokens are about equally likely, rounding moves both.

Not covered: whether the model is any good (`prove`).
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from freehold.core import Example
from freehold.core.engine import owned_body
from freehold.errors import EngineError, MissingExtraError, ParityError

MEAN_BOUND = 0.05
MAX_BOUND = 1.0
LEAST_TOP_AGREEMENT = 0.90
_MAX_TOKENS = 96
_TIMEOUT_S = 300.0
_ENVIRONMENT = {
    "OMP_WAIT_POLICY": "passive",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """What the check found; differences are of natural-log probabilities, None where there was nothing to compare.

    `top_agreement` is the share of the engine's tokens that the trained weights find likeliest too.
    """

    is_ok: bool
    reason: str = ""
    prompts: int = 0
    same_prompts: int = 0
    tokens: int = 0
    mean_difference: float | None = None
    max_difference: float | None = None
    top_agreement: float | None = None

    @property
    def words(self) -> str:
        """The check in one line."""
        ids = f"token ids equal for {self.same_prompts} of {self.prompts} prompts"
        if self.mean_difference is None or self.max_difference is None or self.top_agreement is None:
            return ids
        return (
            f"{ids}; logprobs of {self.tokens} tokens differ by {self.mean_difference:.4f} on average and"
            f" {self.max_difference:.3f} at most; same likeliest token for {self.top_agreement:.1%}"
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """One example as one side sees it: the prompt's ids, and the answer's log probabilities."""

    prompt_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    is_top: tuple[bool, ...] = ()


def check_parity(model_dir: Path, examples: Sequence[Example], url: str) -> Parity:
    """Compare the engine at `url` with the trained weights in `model_dir`/hf on held-out examples.

    Raises ParityError when there is nothing to compare, EngineError when one side does not answer.
    """
    if any(find_spec(name) is None for name in ("torch", "transformers")):
        raise MissingExtraError("train", "The parity check")
    if not examples:
        raise ParityError("There is no held-out example to check parity on.", hint="Freeze a dataset with a dev split.")
    served, questions = [], []
    for example in examples:
        body = owned_body(example.messages, max_tokens=_MAX_TOKENS)
        reading, answer_ids = _ask_engine(url, body)
        served.append(reading)
        questions.append({"messages": body["messages"], "answer_ids": answer_ids})
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
    agreement = sum(is_top for reading in trained for is_top in reading.is_top) / len(pairs)
    reason = ""
    if not mean <= MEAN_BOUND:
        reason = f"the log probabilities differ by {mean:.3f} on average, more than {MEAN_BOUND}"
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


def _ask_engine(url: str, body: dict[str, Any]) -> tuple[Reading, list[int]]:
    """The engine's ids of the prompt, and its greedy answer as ids and log probabilities."""
    rendered = _post(url, "/apply-template", {"messages": body["messages"]})
    tokens = _post(url, "/tokenize", {"content": rendered["prompt"], "add_special": True, "parse_special": True})
    answer = _post(url, "/v1/chat/completions", body)
    chosen = told_tokens(answer["choices"][0])
    reading = Reading(tuple(tokens["tokens"]), tuple(float(token["logprob"]) for token in chosen))
    return reading, [int(token["id"]) for token in chosen]


def told_tokens(choice: dict[str, Any]) -> list[dict[str, Any]]:
    """The tokens of an answer up to the first that the engine kept to itself.

    llama.cpp tells nothing of a token that ends inside a character; what follows it cannot be compared.
    """
    text = (choice["message"]["content"] or "").encode()
    told: list[dict[str, Any]] = []
    place = 0
    for token in (choice.get("logprobs") or {}).get("content") or []:
        part = bytes(token.get("bytes") or ())
        if text[place : place + len(part)] != part:
            break
        told.append(token)
        place += len(part)
    return told


def _post(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        raw = response.read()
        if response.status != 200:
            hint = raw.decode("utf-8", "replace")[:200]
            raise EngineError(f"The engine answered {response.status} to {path}.", hint=hint)
        found: dict[str, Any] = json.loads(raw)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EngineError(f"The engine did not answer {path}: {error}.", hint="Look into the engine's log.") from error
    finally:
        connection.close()
    return found


def _ask_trained(hf_dir: Path, questions: Sequence[dict[str, Any]]) -> list[Reading]:
    """What the trained weights say, from a process of its own, so that torch is never in this one."""
    done = subprocess.run(
        [sys.executable, "-m", "freehold.serve.reference", str(hf_dir)],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=False,
        env=_ENVIRONMENT | dict(os.environ),
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it left no message"])[-1]
        raise EngineError(f"The trained weights cannot be asked: {last}.", hint="Train the task again.")
    rows = json.loads(done.stdout.splitlines()[-1])
    return [Reading(tuple(row["prompt_ids"]), tuple(row["logprobs"]), tuple(row["is_top"])) for row in rows]
