"""What the gateways are asked and what the upstream answers: about 300 bytes one way, 600 the other.

The system prompt is the same in every request and the user's message is not, as in a product. Not covered: sending
any of it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

MODEL = "gpt-4o-mini"
KEY = "sk-bench"
REQUESTS = 1000  # different bodies; they are sent round and round
CHUNKS = 100  # content chunks of a stream that is sent as fast as it goes
PACED_CHUNKS = 20  # content chunks of a stream that takes its time
PACE_S = 0.01
PACED_MARK = "(slowly)"  # in the user's message: the one thing that reaches the upstream through every gateway

ANSWER = "delivery: the parcel left the depot on Monday, so the carrier is asked where it is."

_SYSTEM = "You triage support mail. Answer with refund, delivery, account or other, and one reason."
_SENTENCES = (
    "Order {n} was due on Tuesday and is still not here, can you tell me where it is?",
    "I sent back the shoes of order {n} two weeks ago and have not seen any money yet.",
    "The password link you mailed me for account {n} says that it has expired, please help.",
    "Do you also sell spare lids for the pan in order {n}? I cannot find them in the shop.",
)


def request_bodies(model: str, *, is_stream: bool = False, is_paced: bool = False) -> list[bytes]:
    """Chat requests as a client sends them; `is_paced` asks the upstream for the slow stream."""
    rng = random.Random(0)
    bodies = []
    for _ in range(REQUESTS):
        text = rng.choice(_SENTENCES).format(n=rng.randrange(10_000, 100_000))
        messages = [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": f"{text} {PACED_MARK}" if is_paced else text},
        ]
        body: dict[str, object] = {"model": model, "messages": messages, "temperature": 0}
        bodies.append(json.dumps({**body, "stream": True} if is_stream else body).encode())
    return bodies


def completion() -> bytes:
    """The static answer: one chat completion."""
    message = {"role": "assistant", "content": ANSWER, "refusal": None, "annotations": []}
    return json.dumps(
        {
            "id": "chatcmpl-BenchBenchBenchBenchBench01",
            "object": "chat.completion",
            "created": 1795000000,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {**_usage(), "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0}},
            "service_tier": "default",
            "system_fingerprint": "fp_bench",
        }
    ).encode()


def stream_events(count: int, *, with_usage: bool) -> Sequence[bytes]:
    """A chat stream of `count` content chunks, event by event, with the usage chunk where it was asked for."""
    words = ANSWER.split()
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f"{words[place % len(words)]} "} for place in range(count - 2)]
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"})
    events = [_chunk([choice], **({"usage": None} if with_usage else {})) for choice in choices]
    if with_usage:
        events.append(_chunk([], usage=_usage()))
    return [*(b"data: " + event + b"\n\n" for event in events), b"data: [DONE]\n\n"]


def _chunk(choices: list[dict[str, object]], **more: object) -> bytes:
    fixed = {"id": "chatcmpl-BenchBenchBenchBenchBench01", "object": "chat.completion.chunk", "created": 1795000000}
    return json.dumps({**fixed, "model": MODEL, "choices": choices, **more}).encode()


def _usage() -> dict[str, object]:
    return {"prompt_tokens": 58, "completion_tokens": 21, "total_tokens": 79}
