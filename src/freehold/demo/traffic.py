"""Traffic: requests sent through the gateway by the official OpenAI SDK, each exactly until it was answered.

A request is known by its `row` tag, so that traffic that was interrupted goes on with what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from freehold.errors import MissingExtraError, UpstreamError

CONCURRENCY = 24
GENTLE_CONCURRENCY = 6
"""For traffic that an engine on the same cores answers: more would only wait in its queue."""
CLIENT_TIMEOUT_S = 600.0
"""Longer than a gateway on a busy machine waits for its engine: an answer that is given up is asked for twice."""
_ATTEMPTS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the product: its row, the SDK's keyword arguments, and what the right answer would be."""

    row: str
    arguments: dict[str, Any]
    gold: str
    session: str | None = None
    is_stream: bool = False
    teacher: str | None = None
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the product received; `call_id` names the call in the record."""

    row: str
    text: str
    call_id: str


def send_all(
    base_url: str,
    requests: Sequence[Request],
    *,
    part: str,
    on_progress: Callable[[int, int], None],
    concurrency: int = CONCURRENCY,
) -> list[Reply]:
    """Send all requests, in order and several at a time; returns the replies in the same order.

    `part` is the tag that tells this traffic from other traffic. Raises UpstreamError when a request is refused for
    good, MissingExtraError without the SDK.
    """
    try:
        return asyncio.run(_send_all(base_url, requests, part, on_progress, concurrency))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


async def _send_all(
    base_url: str,
    requests: Sequence[Request],
    part: str,
    on_progress: Callable[[int, int], None],
    concurrency: int,
) -> list[Reply]:
    try:
        import openai
    except ImportError as error:
        raise MissingExtraError("demo", "The demo's client, the official OpenAI SDK,") from error
    replies: list[Reply | None] = [None] * len(requests)
    waiting = iter(enumerate(requests))
    done = 0

    async with openai.AsyncOpenAI(
        base_url=base_url, api_key="freehold", max_retries=0, timeout=CLIENT_TIMEOUT_S
    ) as client:

        async def work() -> None:
            nonlocal done
            for index, request in waiting:
                replies[index] = await _send(client, request, part)
                done += 1
                on_progress(done, len(requests))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, len(requests))):
                group.create_task(work())
    return [reply for reply in replies if reply is not None]


async def _send(client: Any, request: Request, part: str) -> Reply:
    import openai

    headers = {"freehold-tags": f"row={request.row},part={part}"}
    if request.session:
        headers["freehold-session"] = request.session
    for attempt in range(_ATTEMPTS):
        try:
            if request.is_stream:
                return await _read_stream(client, request, headers)
            raw = await client.chat.completions.with_raw_response.create(**request.arguments, extra_headers=headers)
            text = raw.parse().choices[0].message.content or ""
            return Reply(row=request.row, text=text, call_id=raw.headers.get("freehold-call-id", ""))
        except (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError):
            await asyncio.sleep(min(2.0, 0.1 * 2**attempt))
        except openai.APIStatusError as error:
            raise UpstreamError(
                f"Row {request.row!r} was refused: {error}.", hint="See: freehold calls --failed"
            ) from error
    raise UpstreamError(f"Row {request.row!r} was not answered in {_ATTEMPTS} attempts.", hint="See the gateway's log.")


async def _read_stream(client: Any, request: Request, headers: dict[str, str]) -> Reply:
    import openai

    raw = await client.chat.completions.with_raw_response.create(
        **request.arguments, stream=True, extra_headers=headers
    )
    pieces: list[str] = []
    is_whole = False
    try:
        async for chunk in raw.parse():
            for choice in chunk.choices:
                pieces.append(choice.delta.content or "")
                is_whole = is_whole or choice.finish_reason is not None
    except Exception as error:  # the SDK lets its transport's own errors through here: the stream broke
        raise openai.APIConnectionError(request=raw.http_request) from error
    if not is_whole:
        raise openai.APIConnectionError(request=raw.http_request)
    return Reply(row=request.row, text="".join(pieces), call_id=raw.headers.get("freehold-call-id", ""))
