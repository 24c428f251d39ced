"""Anthropic: messages, streamed and not, with thinking, tools of both sides, refusals and errors."""

from __future__ import annotations

from typing import Any

from replay.traffic import MESSAGES, Reading, Recorded, streamed, whole

M = "claude-x-20260801"
GO = {"model": "claude-x", "max_tokens": 99, "messages": [{"role": "user", "content": "Where is my parcel?"}]}
STREAM = {**GO, "stream": True}


def used(fresh: int, output: int, **more: int) -> dict[str, Any]:
    return {
        "input_tokens": fresh,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output,
        **more,
    }


def message(blocks: list[dict[str, Any]], stop: str | None, usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": M,
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def start(**usage: int) -> dict[str, Any]:
    return {"type": "message_start", "message": message([], None, {**used(20, 1), **usage})}


def block(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": fields}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def raw_delta(escaped: str) -> str:
    """A text delta as it stands in the stream, its text escaped."""
    fields = '"index":0,"delta":{"type":"text_delta","text":"TEXT"}'.replace("TEXT", escaped)
    return f'event: content_block_delta\ndata: {{"type":"content_block_delta",{fields}}}\n\n'


def stop(reason: str, output: int, **more: Any) -> list[dict[str, Any] | str]:
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None, **more},
            "usage": {"output_tokens": output},
        },
        {"type": "message_stop"},
    ]


PING = {"type": "ping"}
USED = {"type": "tool_use", "id": "toolu_1", "name": "track", "input": {"id": 1}}
SEARCHED = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "parcel"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
]

CALLS: list[Recorded] = [
    whole(
        "a text",
        GO,
        message([text("On its way.")], "end_turn", used(20, 4)),
        Reading("On its way.", usage=(20, 0, 4), model=M),
        path=MESSAGES,
    ),
    whole(
        "a cached prompt",
        GO,
        message([text("Yes.")], "end_turn", used(5, 4, cache_read_input_tokens=100, cache_creation_input_tokens=20)),
        Reading("Yes.", usage=(125, 100, 4), model=M),
        path=MESSAGES,
    ),
    whole(
        "thinking and a tool",
        GO,
        message([{"type": "thinking", "thinking": "Look it up.", "signature": "s"}, USED], "tool_use", used(20, 9)),
        Reading(thought="Look it up.", tools=[("track", '{"id":1}')], ending="tool_calls", usage=(20, 0, 9), model=M),
        path=MESSAGES,
    ),
    whole(
        "tools that the provider ran",
        GO,
        message([*SEARCHED, text("It is "), text("in Oslo.")], "end_turn", used(20, 9)),
        Reading("It is in Oslo.", usage=(20, 0, 9), model=M),
        path=MESSAGES,
    ),
    whole(
        "a paused turn",
        GO,
        message([text("Let me")], "pause_turn", used(20, 9)),
        Reading("Let me", ending="cut_off", usage=(20, 0, 9), model=M),
        path=MESSAGES,
    ),
    whole(
        "a refusal",
        GO,
        message([], "refusal", used(20, 1)),
        Reading(ending="refusal", is_refusal=True, usage=(20, 0, 1), model=M),
        path=MESSAGES,
    ),
    whole(
        "a full context",
        GO,
        message([text("On")], "model_context_window_exceeded", used(20, 1)),
        Reading("On", ending="cut_off", usage=(20, 0, 1), model=M),
        path=MESSAGES,
    ),
    whole(
        "an error under 200",
        GO,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        Reading(ending="none", error="Overloaded", call_error="upstream_error"),
        path=MESSAGES,
    ),
    streamed(
        "a stream",
        STREAM,
        [
            start(),
            block(0, type="text", text=""),
            PING,
            delta(0, "text_delta", text="On its "),
            delta(0, "text_delta", text="way."),
            {"type": "content_block_stop", "index": 0},
            *stop("end_turn", 4),
        ],
        Reading("On its way.", usage=(20, 0, 4), model=M),
        path=MESSAGES,
        done=False,
        names=True,
    ),
    streamed(
        "thinking, text and a tool",
        STREAM,
        [
            start(),
            block(0, type="thinking", thinking="", signature=""),
            delta(0, "thinking_delta", thinking="Look "),
            delta(0, "thinking_delta", thinking="it up."),
            delta(0, "signature_delta", signature="s"),
            block(1, type="text", text=""),
            delta(1, "text_delta", text="One moment."),
            block(2, type="tool_use", id="toolu_1", name="track", input={}),
            delta(2, "input_json_delta", partial_json=""),
            delta(2, "input_json_delta", partial_json='{"id"'),
            delta(2, "input_json_delta", partial_json=":1}"),
            *stop("tool_use", 9),
        ],
        Reading("One moment.", "Look it up.", [("track", '{"id":1}')], "tool_calls", (20, 0, 9), M),
        path=MESSAGES,
        done=False,
        names=True,
    ),
    streamed(
        "half characters",
        STREAM,
        [
            start(),
            block(0, type="text", text=""),
            raw_delta(r"ok \ud83d"),
            raw_delta(r"\ude00!"),
            *stop("end_turn", 3),
        ],
        Reading("ok 😀!", usage=(20, 0, 3), model=M),
        path=MESSAGES,
        done=False,
        names=True,
    ),
    streamed(
        "broken off",
        STREAM,
        [start(), block(0, type="text", text=""), delta(0, "text_delta", text="On its")],
        Reading("On its", ending="none", usage=(20, 0, None), model=M, call_error="cut_off"),
        path=MESSAGES,
        done=False,
        names=True,
    ),
    streamed(
        "an error in the middle",
        STREAM,
        [
            start(),
            block(0, type="text", text=""),
            delta(0, "text_delta", text="On"),
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ],
        Reading("On", ending="none", usage=(20, 0, None), model=M, error="Overloaded", call_error="upstream_error"),
        path=MESSAGES,
        done=False,
        names=True,
    ),
    streamed(
        "events that are not known",
        STREAM,
        [
            start(),
            block(0, type="text", text=""),
            {"type": "content_block_hint", "index": 0, "hint": 1},
            delta(0, "text_delta", text="Yes."),
            delta(0, "colour_delta", colour="red"),
            *stop("end_turn", 2),
        ],
        Reading("Yes.", usage=(20, 0, 2), model=M),
        path=MESSAGES,
        done=False,
        names=True,
    ),
    streamed(
        "without event lines",
        STREAM,
        [start(), block(0, type="text", text=""), delta(0, "text_delta", text="Yes."), *stop("end_turn", 2)],
        Reading("Yes.", usage=(20, 0, 2), model=M),
        path=MESSAGES,
        done=False,
    ),
    streamed(
        "a stop sequence",
        STREAM,
        [
            start(),
            block(0, type="text", text=""),
            delta(0, "text_delta", text="Yes"),
            *stop("stop_sequence", 1, stop_sequence="END"),
        ],
        Reading("Yes", usage=(20, 0, 1), model=M),
        path=MESSAGES,
        done=False,
        names=True,
        end="\r\n",
    ),
]
