"""Asking an engine for an owned answer, over the same pool of connections as providers are asked.

Not covered: what the answer is worth (`Router`), and what the client gets (`gateway.owned`).
"""

from __future__ import annotations

import json
import time
from functools import lru_cache

from freehold.dialects.paths import path_of
from freehold.gateway.provider.providers import address
from freehold.httpd.client import Pool, Timeouts, UpstreamError
from freehold.httpd.heads import plain
from freehold.model.engine import OwnedAnswer, key_headers, read_owned
from freehold.model.prompt import Prompt
from freehold.serve.engines import Body

_LARGEST_ANSWER_BYTES = 64 * 2**20
_PATH = path_of("openai-chat").encode()


async def ask_engine(
    pool: Pool, engine_url: str, prompt: Prompt, *, body: Body, max_tokens: int, timeout_s: float
) -> OwnedAnswer:
    """One owned answer, asked for with the engine's `body`; UpstreamError or ValueError when the engine gives none."""
    begun_at = time.perf_counter()
    origin, base = address(engine_url)
    asked = json.dumps(body(prompt, max_tokens=max_tokens), ensure_ascii=False).encode("utf-8", "replace")
    head = b"POST %b%b HTTP/1.1\r\nhost: %b:%d\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n" % (
        base.removesuffix(b"/v1"),
        _PATH,
        origin.host.encode(),
        origin.port,
        _key_lines(engine_url),
        len(asked),
    )
    timeouts = Timeouts(connect_s=timeout_s, total_s=timeout_s)
    response = await pool.ask(origin, head, asked, is_head=False, timeouts=timeouts)
    try:
        raw = await response.read_all(_LARGEST_ANSWER_BYTES)
    except BaseException:
        response.close()  # who leaves early frees the engine's slot
        raise
    if response.status != 200:
        raise ValueError(f"the engine answered {response.status}: {raw[:200]!r}")
    return read_owned(raw, latency_ms=1000 * (time.perf_counter() - begun_at))


@lru_cache(maxsize=64)
def _key_lines(engine_url: str) -> bytes:
    return b"".join(b"%b: %b\r\n" % (name.encode(), plain(value)) for name, value in key_headers(engine_url).items())


async def is_alive(pool: Pool, engine_url: str, *, timeout_s: float) -> bool:
    """Whether an engine answers anything at all in this time; one that refuses is alive, and so is one that is away."""
    origin, path = address(engine_url)
    head = b"GET %b/health HTTP/1.1\r\nhost: %b:%d\r\n\r\n" % (
        path.removesuffix(b"/v1"),
        origin.host.encode(),
        origin.port,
    )
    timeouts = Timeouts(connect_s=timeout_s, total_s=timeout_s)
    try:
        response = await pool.ask(origin, head, b"", is_head=False, timeouts=timeouts)
        await response.read_all(_LARGEST_ANSWER_BYTES)
    except UpstreamError as error:
        return not error.kind.endswith("_timeout")
    return True
