"""Generated streams, event by event, as each API writes them; with comments, pings, line ends and errors of all sorts.

An event of a chat stream has two forms: without usage, and as a provider writes it that was asked for usage. Not
covered: framing and cutting (`answers`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from fidelity.asks import CHAT
from fidelity.values import word

_USAGE = '{"prompt_tokens":20,"completion_tokens":4,"total_tokens":24,"prompt_tokens_details":{"cached_tokens":8}}'


@dataclass(frozen=True)
class Event:
    """One event without and with usage; the second may be there alone."""

    plain: bytes
    with_usage: bytes


def events(rng: Random, path: bytes) -> list[Event]:
    """A stream of the API at this path."""
    end = rng.choice(("\n", "\n", "\r\n"))
    return [*_noise(rng, end), *STREAMS[path](rng, end)]


def _noise(rng: Random, end: str) -> list[Event]:
    noise = rng.choice(("", "", ": ping", ": OPENROUTER PROCESSING", "id: 7" + end + "retry: 10", "event: ping"))
    mark = "\ufeff" if rng.random() < 0.1 else ""
    return [_same(mark + noise + end + end)] if noise else []


def _chat_stream(rng: Random, end: str) -> list[Event]:
    """Chat chunks; one that was asked for usage says `null` in each, and tells it in a last one without choices."""
    comma, colon = rng.choice(((",", ":"), (", ", ": ")))
    head = [f'"id"{colon}"chatcmpl-1"', f'"object"{colon}"chat.completion.chunk"', f'"model"{colon}"gpt-x"']
    place = rng.randrange(len(head) + 2)
    chunks = []
    for choices in _chat_choices(rng, comma, colon):
        members = [*head, f'"choices"{colon}{choices}']
        known = [*members[:place], f'"usage"{colon}null', *members[place:]]
        chunks.append(Event(_data(members, comma, end), _data(known, comma, end)))
        if rng.random() < 0.1:
            chunks += _noise(rng, end)
    none = rng.choice(("[]", "[]", "null"))
    chunks.append(Event(b"", _data([*head, f'"choices"{colon}{none}', f'"usage"{colon}{_USAGE}'], comma, end)))
    if rng.random() < 0.08:
        chunks.append(_same(f'data: {{"error"{colon}{{"message"{colon}"overloaded"}}}}{end}{end}'))
    if rng.random() < 0.9:
        chunks.append(_same(f"data: [DONE]{end}" + rng.choice((end, end, ""))))
    return chunks


def _data(members: list[str], comma: str, end: str) -> bytes:
    return f"data: {{{comma.join(members)}}}{end}{end}".encode()


def _same(raw: str) -> Event:
    return Event(raw.encode(), raw.encode())


def _chat_choices(rng: Random, comma: str, colon: str) -> Iterator[str]:
    def written(delta: object, finish: str | None = None, index: int = 0) -> str:
        chosen: dict[str, object] = {"index": index, "delta": delta, "finish_reason": finish}
        if rng.random() < 0.3:
            chosen["logprobs"] = {"content": [{"token": "é", "logprob": -0.1, "bytes": [195], "top_logprobs": []}]}
        return "[" + json.dumps(chosen, ensure_ascii=False, separators=(comma, colon)) + "]"

    yield written({"role": "assistant", "content": "", "refusal": None})
    if rng.random() < 0.3:
        for index in (0, 1):
            first = {"index": index, "id": f"call_{index}", "type": "function"}
            yield written({"tool_calls": [{**first, "function": {"name": "f", "arguments": ""}}]})
        for fragment in ('{"usage"', ": null, ", '"é": ', "7}"):
            yield written({"tool_calls": [{"index": rng.randrange(2), "function": {"arguments": fragment}}]})
        yield written({}, "tool_calls")
        return
    for index in range(rng.choice((1, 1, 3))):
        for _ in range(rng.randrange(4)):
            yield written({"content": word(rng)}, index=index)
        yield written({}, rng.choice(("stop", "length")), index)
    if rng.random() < 0.05:
        yield "null"


def _named_stream(rng: Random, end: str, named: Sequence[tuple[str, object]]) -> list[Event]:
    return [
        _same(f"event: {name}{end}data: {json.dumps(data, ensure_ascii=rng.random() < 0.5)}{end}{end}")
        for name, data in named
    ]


def _message_stream(rng: Random, end: str) -> list[Event]:
    """An Anthropic message: blocks whose index is not a tool's index, a ping, usage in two places."""
    start = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": []}
    named: list[tuple[str, dict[str, object]]] = [
        ("message_start", {"message": {**start, "usage": {"input_tokens": 7, "output_tokens": 1}}}),
        ("content_block_start", {"index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
        ("ping", {}),
        ("content_block_delta", {"index": 0, "delta": {"type": "thinking_delta", "thinking": word(rng)}}),
        ("content_block_stop", {"index": 0}),
        (
            "content_block_start",
            {"index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}}},
        ),
        ("content_block_delta", {"index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"usage":null'}}),
        ("content_block_delta", {"index": 1, "delta": {"type": "input_json_delta", "partial_json": "}"}}),
        ("content_block_stop", {"index": 1}),
        ("message_delta", {"delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
        ("message_stop", {}),
    ]
    if rng.random() < 0.15:
        named[5:] = [("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}})]
    return _named_stream(rng, end, [(name, {"type": name, **data}) for name, data in named])


def _response_stream(rng: Random, end: str) -> list[Event]:
    whole = {"id": "resp_1", "object": "response", "model": "gpt-x", "status": "completed", "output": []}
    delta = {"output_index": 0, "item_id": "m", "content_index": 0}
    named: list[tuple[str, dict[str, object]]] = [
        ("response.created", {"response": {**whole, "status": "in_progress"}})
    ]
    named += [("response.output_text.delta", {**delta, "delta": word(rng)}) for _ in range(rng.randrange(4))]
    named.append(("response." + rng.choice(("completed", "completed", "failed", "incomplete")), {"response": whole}))
    return _named_stream(rng, end, [(name, {"type": name, "sequence_number": 1, **data}) for name, data in named])


def _text_stream(rng: Random, end: str) -> list[Event]:
    chunks = [
        {"id": "cmpl-1", "object": "text_completion", "choices": [{"index": 0, "text": word(rng)}]} for _ in range(3)
    ]
    return [_same(f"data: {json.dumps(data)}{end}{end}") for data in chunks] + [_same(f"data: [DONE]{end}{end}")]


STREAMS = {
    CHAT: _chat_stream,
    b"/v1/messages": _message_stream,
    b"/v1/responses": _response_stream,
    b"/v1/completions": _text_stream,
}
