"""What llama.cpp says of a greedy answer, token by token. Not covered: judging it (`serve.parity`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from freehold.errors import EngineError
from freehold.model.exchange import Message
from freehold.serve.ask import post
from freehold.serve.engines import Greedy
from freehold.system.http_client import UnreachableError
from freehold.text.chatml import turns


def greedy_answer(url: str, messages: Sequence[Message], *, max_tokens: int) -> Greedy:
    """The ids of the prompt and of the greedy answer, and the answer's log probabilities; EngineError for none."""
    rendered = _post(url, "/apply-template", {"messages": turns(messages)})
    asked = {"content": rendered["prompt"], "add_special": True, "parse_special": True}
    prompt_ids = [int(token) for token in _post(url, "/tokenize", asked)["tokens"]]
    greedy = {"temperature": 0, "n_predict": max_tokens, "n_probs": 1, "return_tokens": True, "cache_prompt": False}
    answer = _post(url, "/completion", {"prompt": prompt_ids} | greedy)
    answer_ids = [int(token) for token in answer["tokens"]]
    told = answer.get("completion_probabilities") or []
    places = told_places(answer_ids, [int(token["id"]) for token in told])
    logprobs = tuple(float(token["logprob"]) for token in told[: len(places)])
    return Greedy(prompt_ids=tuple(prompt_ids), answer_ids=tuple(answer_ids), places=tuple(places), logprobs=logprobs)


def told_places(answer_ids: Sequence[int], told_ids: Sequence[int]) -> list[int]:
    """Where in the answer the tokens stand whose probabilities were told.

    llama.cpp tells nothing of a token that ends inside a character, so that the told ones may have gaps between them.
    """
    places: list[int] = []
    for place, token in enumerate(answer_ids):
        if len(places) < len(told_ids) and token == told_ids[len(places)]:
            places.append(place)
    return places


def _post(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        response = post(url, path, json.dumps(body).encode())
        if response.status != 200:
            hint = response.body.decode("utf-8", "replace")[:200]
            raise EngineError(f"The engine answered {response.status} to {path}.", hint=hint)
        found: dict[str, Any] = json.loads(response.body)
    except (UnreachableError, ValueError) as error:
        raise EngineError(f"The engine did not answer {path}: {error}.", hint="Look into the engine's log.") from error
    return found
