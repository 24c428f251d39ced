"""Usage in chat streams: nobody can tell Freehold from the provider, whatever its habit, from the first call on.

Not covered: the edits of single events (`test_gateway_edits`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from fidelity.upstream import LAST_CHUNK, SSE_HEAD, End, Script, Seen, chunk, plain
from wired import wired

from freehold.gateway.config import GatewaySettings, Provider, Resilience
from freehold.gateway.provider.usage import BELIEVED_S, MOST_HABITS, UsageHabits, habit_of, refuses_option
from freehold.httpd.client import Origin

CHAT = "/v1/chat/completions"
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
ASK = {"model": "m-1", "stream": True, "messages": [{"role": "user", "content": "hello"}]}


def piece(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice], **more}


def is_asked(seen: Seen) -> bool:
    return bool((seen.data.get("stream_options") or {}).get("include_usage"))


LAST = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [], "usage": USAGE}
Events = list[dict[str, Any]]


def as_openai(asked: bool) -> Events:
    none = {"usage": None} if asked else {}
    return [piece({"content": "re"}, **none), piece({"content": "fund"}, "stop", **none), *([LAST] if asked else [])]


def with_nulls(asked: bool) -> Events:
    """`usage: null` in each chunk, asked or not; a count only when asked."""
    return [piece({"content": "refund"}, usage=None), piece({}, "stop", usage=None), *([LAST] if asked else [])]


def in_the_finish_chunk_if_asked(asked: bool) -> Events:
    return [piece({"content": "refund"}), piece({}, "stop", **({"usage": USAGE} if asked else {}))]


def in_every_chunk_if_asked(asked: bool) -> Events:
    told = {"usage": USAGE} if asked else {}
    return [piece({"content": "refund"}, **told), piece({}, "stop", **told), *([LAST] if asked else [])]


def always_a_last_chunk(asked: bool) -> Events:
    return [piece({"content": "refund"}, usage=None), piece({}, "stop", usage=None), LAST]


def always_in_the_finish_chunk(asked: bool) -> Events:
    return [piece({"content": "refund"}), piece({}, "stop", usage=USAGE)]


def always_a_last_chunk_with_choices(asked: bool) -> Events:
    return [piece({"content": "refund"}), piece({}, "stop"), piece({"content": ""}, usage=USAGE)]


def always_as_groq(asked: bool) -> Events:
    ended = piece({}, "stop", x_groq={"id": "r", "usage": USAGE})
    return [piece({"content": "refund"}, x_groq={"id": "r"}), ended, *([LAST] if asked else [])]


def always_in_the_choice(asked: bool) -> Events:
    ended = piece({}, "stop")
    ended["choices"][0]["usage"] = USAGE
    return [piece({"content": "refund"}), ended]


def never(asked: bool) -> Events:
    return [piece({"content": "refund"}), piece({}, "stop")]


def speaking(events: Callable[[bool], Events], *, end: bytes = b"data: [DONE]\n\n", step: int = 0) -> Script:
    """A provider with this habit; its bytes are cut every so many."""

    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        raw = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events(is_asked(seen))) + end
        yield SSE_HEAD
        for start in range(0, len(raw), step or len(raw)):
            yield chunk(raw[start : start + (step or len(raw))])
        yield LAST_CHUNK

    return script


HABITS = [
    (as_openai, True, True),
    (with_nulls, True, True),
    (in_the_finish_chunk_if_asked, True, True),
    (in_every_chunk_if_asked, True, True),
    (always_a_last_chunk, False, True),
    (always_in_the_finish_chunk, False, True),
    (always_a_last_chunk_with_choices, False, True),
    (always_as_groq, False, True),
    (always_in_the_choice, False, True),
    (never, True, False),
]
"""Habits, whether the option is added after the first stream, and whether tokens are known then."""


@pytest.mark.parametrize("step", [0, 7])
@pytest.mark.parametrize(("events", "is_added", "is_known"), HABITS)
def test_bytes_are_equal_from_the_first_call_on(
    events: Callable[[bool], Events], is_added: bool, is_known: bool, step: int
) -> None:
    with wired(speaking(events, step=step)) as town:
        for number in range(3):
            wanted = town.ask(CHAT, ASK, is_direct=True)[2]
            town.upstream.seen.clear()
            status, headers, got = town.ask(CHAT, ASK)
            assert (status, got) == (200, wanted)
            assert [is_asked(seen) for seen in town.upstream.seen] == [is_added and number > 0]
            call = town.call(headers)
            if is_known and (number or not is_added):
                assert (call.input_tokens, call.output_tokens, call.is_estimated) == (12, 3, False)
            else:
                assert call.is_estimated
        own = town.ask(CHAT, {**ASK, "stream_options": {"include_usage": True}})[2]
        assert own == town.ask(CHAT, {**ASK, "stream_options": {"include_usage": True}}, is_direct=True)[2]


REFUSALS: list[tuple[int, bytes]] = [
    (422, b'{"error": {"message": "Extra inputs are not permitted: stream_options"}}'),
    (422, b'{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}}'),
    (400, b'{"error": {"message": "Unknown parameter: \'stream_options.include_usage\'", "param": "stream_options"}}'),
    (400, b'{"error_code": "BAD_REQUEST", "message": "Bad request: json: unknown field \\"stream_options\\"\\n"}'),
    (400, b'{"error": {"message": "Additional parameters are not allowed", "code": "BadRequest"}}'),
    (400, b"Unrecognized request argument supplied"),
    (400, b""),
    (404, b"<html><body>include_usage: unexpected</body></html>"),
    (405, b'{"detail": "Unsupported parameter(s): streamOptions"}'),
    (413, b'["stream_options is not supported"]'),
    (451, b'{"message": "property stream_options is unsupported"}'),
    (500, b'{"error": {"message": "unknown field stream_options"}}'),
    (200, b'{"error": {"message": "unknown field stream_options"}}'),
]


def refusing(status: int, error: bytes, *, is_packed: bool = False) -> Script:
    """A provider that refuses the option with these words, and answers without it."""

    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        if "stream_options" in seen.data:
            head = ((b"content-encoding", b"gzip"),) if is_packed else ()
            yield plain(gzip.compress(error) if is_packed else error, status=status, headers=head)
            return
        async for step in speaking(as_openai)(seen):
            yield step

    return script


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(("status", "error"), REFUSALS)
def test_a_refused_option_is_not_asked_twice(status: int, error: bytes, is_packed: bool) -> None:
    with wired(refusing(status, error, is_packed=is_packed)) as town:
        wanted = town.ask(CHAT, ASK, is_direct=True)[2]
        town.upstream.seen.clear()
        asked = []
        for _ in range(4):
            code, _, got = town.ask(CHAT, ASK)
            assert (code, got) == (200, wanted)
            asked.append([is_asked(seen) for seen in town.upstream.seen])
            town.upstream.seen.clear()
        assert asked == [[False], [True, False], [False], [False]]
        assert town.shelf.wait_for(lambda call: call.tags.get("usage_option") == "refused").status == 200
        assert len(town.shelf.calls) == 4


OTHERS: list[tuple[int, bytes]] = [
    (400, b'{"error": {"message": "This model\'s maximum context length is 8192 tokens.", "code": "context_length"}}'),
    (400, b'{"error": {"message": "Unsupported parameter: \'top_k\'", "param": "top_k"}}'),
    (
        422,
        b'{"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs are not permitted"}]}',
    ),
    (401, b'{"error": {"message": "Unknown key; stream_options"}}'),
    (403, b'{"error": {"message": "stream_options not allowed"}}'),
    (429, b'{"error": {"message": "stream_options rate"}}'),
    (404, b'{"error": {"message": "The model does not exist"}}'),
    (404, b""),
    (500, b'{"error": {"message": "unknown field"}}'),
    (200, b'{"error": {"message": "unknown field"}}'),
    (200, b'{"choices": [{"message": {"content": "stream_options"}, "finish_reason": "stop"}]}'),
]


@pytest.mark.parametrize(("status", "error"), OTHERS)
def test_an_error_of_another_cause_passes_as_it_came(status: int, error: bytes) -> None:
    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        if len(town.upstream.seen) > 1:
            yield plain(error, status=status, headers=((b"retry-after", b"7"),))
            return
        async for step in speaking(as_openai)(seen):
            yield step

    with wired(script) as town:
        body = {**ASK, "top_k": 4}
        town.ask(CHAT, body)
        code, headers, got = town.ask(CHAT, body)
        assert (code, got, headers["retry-after"]) == (status, error, "7")
        assert len(town.upstream.seen) == 2
        assert int(headers["content-length"]) == len(error)


def test_what_fails_without_the_option_too_is_the_clients_own() -> None:
    """The client gets the answer to the request that it sent, and the option is not blamed."""

    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        if len(town.upstream.seen) == 1 or len(town.upstream.seen) > 3:
            async for step in speaking(as_openai)(seen):
                yield step
            return
        yield plain(b'{"error": "unknown field, in: %b"}' % json.dumps(sorted(seen.data)).encode(), status=422)

    with wired(script) as town:
        town.ask(CHAT, ASK)
        status, _, got = town.ask(CHAT, ASK)
        assert (status, got) == (422, b'{"error": "unknown field, in: ["messages", "model", "stream"]"}')
        town.ask(CHAT, ASK)
        assert [is_asked(seen) for seen in town.upstream.seen] == [False, True, False, True]


def test_each_model_has_its_habit() -> None:
    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        events = always_a_last_chunk if seen.data["model"] == "m-2" else as_openai
        async for step in speaking(events)(seen):
            yield step

    with wired(script) as town:
        for model in ("m-1", "m-2", "m-1", "m-2"):
            assert (
                town.ask(CHAT, {**ASK, "model": model})[2] == town.ask(CHAT, {**ASK, "model": model}, is_direct=True)[2]
            )
        assert [is_asked(seen) for seen in town.upstream.seen if seen.header(b"accept-encoding") != b"x"].count(
            True
        ) == 1


def test_a_refusal_is_no_failure_of_the_provider() -> None:
    """Retries, fallbacks and the breaker have nothing to do with it."""
    plan = Resilience(retries=2, backoff_s=0.0, breaker_failures=1)
    provider: Callable[[str], Provider] = lambda url: Provider(name="up", base_url=url, resilience=plan)  # noqa: E731
    with wired(refusing(422, REFUSALS[0][1]), provider) as town:
        for _ in range(3):
            assert town.ask(CHAT, ASK)[0] == 200
        assert len(town.upstream.seen) == 4
        assert [call.tags.get("attempts") for call in town.shelf.calls] == [None] * 3


def test_nothing_is_added_or_taken_out_where_that_is_switched_off() -> None:
    settings = GatewaySettings(add_usage=False, record_wait_s=5)
    for events in (as_openai, always_a_last_chunk):
        with wired(speaking(events), settings=settings) as town:
            for _ in range(2):
                assert town.ask(CHAT, ASK)[2] == town.ask(CHAT, ASK, is_direct=True)[2]
            assert not any(is_asked(seen) for seen in town.upstream.seen)


@pytest.mark.parametrize("content_type", [b"application/json", b"text/plain", b""])
def test_usage_is_taken_out_of_a_stream_of_another_type(content_type: bytes) -> None:
    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        raw = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in as_openai(is_asked(seen)))
        yield plain(raw + b"data: [DONE]\n\n", kind=content_type)

    with wired(script) as town:
        for _ in range(2):
            wanted = town.ask(CHAT, ASK, is_direct=True)
            status, headers, got = town.ask(CHAT, ASK)
            assert (status, got) == (200, wanted[2])
        assert is_asked(town.upstream.seen[-1])
        assert town.call(headers).output_tokens == 3


def test_a_plain_answer_to_an_edited_request_passes_with_its_length() -> None:
    whole = b' {"choices": [{"message": {"content": "usage"}, "finish_reason": "stop"}], "usage": {"total_tokens": 9}}'

    async def script(seen: Seen) -> AsyncIterator[bytes | End]:
        if is_asked(seen):
            yield plain(whole)
            return
        async for step in speaking(as_openai)(seen):
            yield step

    with wired(script) as town:
        town.ask(CHAT, ASK)
        _, headers, got = town.ask(CHAT, ASK)
        assert (got, headers["content-length"]) == (whole, str(len(whole)))


# what is learnt, without a gateway


def stream(events: Events, *, is_done: bool = True) -> bytes:
    lines = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)
    return lines + (b"data: [DONE]\n\n" if is_done else b"")


def test_habits_that_streams_show() -> None:
    assert habit_of(stream(as_openai(False))) == "silent"
    assert habit_of(stream(as_openai(False), is_done=False)) == "silent"
    assert habit_of(stream(with_nulls(False))) == "null"
    assert habit_of(stream(always_as_groq(False))) == "tells"
    assert habit_of(stream(as_openai(False)[:1], is_done=False)) is None, "it broke off before usage could come"
    assert habit_of(stream([*as_openai(False)[:1], {"error": {"message": "x"}}])) is None
    assert habit_of(b"") is None
    assert habit_of(b"data: [DONE]\n\n") == "silent"
    assert habit_of(b'{"choices": []}') is None


def test_habits_are_forgotten_in_time_and_bounded() -> None:
    now = 0.0
    habits = UsageHabits(clock=lambda: now)
    provider, origin = Provider(name="up", base_url="http://x/v1"), Origin(False, "x", 80)
    assert habits.of(provider, origin, "m") is None
    habits.learn(provider, "m", "tells")
    habits.learn(provider, None, "refuses")
    assert (habits.of(provider, origin, "m"), habits.of(provider, origin, None)) == ("tells", "refuses")
    assert habits.of(replace(provider, name="other"), origin, "m") is None
    now = BELIEVED_S + 1
    assert habits.of(provider, origin, "m") is None
    for number in range(MOST_HABITS + 5):
        habits.learn(provider, str(number), "silent")
    assert [habits.of(provider, origin, name) for name in ("0", "4", "5")] == [None, None, "silent"]


def test_openais_habit_is_known() -> None:
    habits = UsageHabits()
    provider, origin = (
        Provider(name="openai", base_url="https://api.openai.com/v1"),
        Origin(True, "api.openai.com", 443),
    )
    assert habits.of(provider, origin, "gpt-x") == "silent"
    habits.learn(provider, "gpt-x", "refuses")
    assert habits.of(provider, origin, "gpt-x") == "refuses"


def test_whose_fault_an_error_is() -> None:
    request = json.dumps({**ASK, "stream_options": {"include_usage": True}, "top_k": 4, "user": "u"}).encode()
    for status, error in REFUSALS:
        assert refuses_option(status, error, request), error
    for status, error in OTHERS:
        assert not refuses_option(status, error, request), error
    assert refuses_option(400, b'{"error": {"message": "Unsupported parameter for this user"}}', request)
    assert refuses_option(400, b"\xff stream_options \xff", request)
