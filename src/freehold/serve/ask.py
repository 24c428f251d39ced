"""Asking an engine for owned answers, several at a time.

Not covered: what is asked (`serve.engines`), live traffic (the gateway asks by itself).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from freehold.dialects.paths import path_of
from freehold.errors import EngineError
from freehold.model.engine import OwnedAnswer, key_headers, owned_body, read_owned
from freehold.model.prompt import Prompt
from freehold.serve.engines import Body
from freehold.system.http_client import Response, UnreachableError, send

_PATIENCE_S = 60.0
_PAUSE_S = 0.25
_ANSWER_TIMEOUT_S = 300.0


def answer_all(
    urls: Sequence[str],
    prompts: Sequence[Prompt],
    *,
    max_tokens: int,
    body: Body = owned_body,
    concurrency: int = 8,
    on_answer: Callable[[int, OwnedAnswer], None] | None = None,
) -> list[OwnedAnswer]:
    """One greedy answer for each prompt, in order; `on_answer` is told each index and answer as it comes.

    Engines at several `urls` share the prompts; `concurrency` is that of each. `body` is how they are asked
    (`serve.engines.Engine.body`).

    An engine that is away is waited for, up to a minute; EngineError after that.
    """

    def work(numbered: tuple[int, Prompt]) -> OwnedAnswer:
        index, prompt = numbered
        answer = ask(urls[index % len(urls)], prompt, max_tokens=max_tokens, body=body)
        if on_answer is not None:
            on_answer(index, answer)
        return answer

    with ThreadPoolExecutor(max_workers=max(1, concurrency * len(urls))) as pool:
        return list(_cancelling(pool, pool.map(work, enumerate(prompts))))


def ask(url: str, prompt: Prompt, *, max_tokens: int, body: Body = owned_body) -> OwnedAnswer:
    """One greedy answer with its logprobs."""
    asked = json.dumps(body(prompt, max_tokens=max_tokens)).encode()
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        began = time.monotonic()
        try:
            response = post(url, path_of("openai-chat"), asked)
            status, answer = response.status, response.body
        except UnreachableError as error:
            status, answer = 503, str(error).encode()
        if status == 200:
            return read_owned(answer, latency_ms=1000 * (time.monotonic() - began))
        if status not in (429, 503) or time.monotonic() > deadline:
            text = answer.decode("utf-8", "replace")[:300]
            raise EngineError(f"The engine answered {status}: {text!r}.", hint="Look into the engine's log.")
        time.sleep(_PAUSE_S)


def post(url: str, path: str, body: bytes) -> Response:
    """What an engine answers to a request; raises UnreachableError."""
    headers = {"content-type": "application/json", **key_headers(url)}
    return send("POST", url, path, body, headers=headers, timeout_s=_ANSWER_TIMEOUT_S)


def _cancelling(pool: ThreadPoolExecutor, results: Iterator[OwnedAnswer]) -> Iterator[OwnedAnswer]:
    try:
        yield from results
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
