"""OpenAI: chat completions, responses, completions; Azure with its filters."""

from __future__ import annotations

from typing import Any

from replay.traffic import COMPLETIONS, RESPONSES, Reading, Recorded, ask, head, streamed, tokens, tool, whole

H = head("gpt-x-2026-08-01", system_fingerprint="fp_9", service_tier="default")
DETAILS = {"prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0}}
INSIDE = {"completion_tokens_details": {"reasoning_tokens": 40}}
M = "gpt-x-2026-08-01"
OPTION = {"stream_options": {"include_usage": True}}

CHAT_CALLS: list[Recorded] = [
    whole(
        "a text",
        ask("gpt-x"),
        H.body({"content": "On its way.", "refusal": None, "annotations": []}, "stop", tokens(20, 4, **DETAILS)),
        Reading("On its way.", usage=(20, 8, 4), model=M),
    ),
    whole(
        "reasoning tokens inside the completion",
        ask("gpt-x"),
        H.body({"content": "Yes.", "refusal": None}, "stop", tokens(20, 50, **INSIDE)),
        Reading("Yes.", usage=(20, None, 50), model=M),
    ),
    whole(
        "two tools",
        ask("gpt-x", tools=[]),
        H.body(
            {"content": None, "tool_calls": [tool("track", '{"id":1}', "a"), tool("track", '{"id":2}', "b")]},
            "tool_calls",
            tokens(9, 9),
        ),
        Reading(tools=[("track", '{"id":1}'), ("track", '{"id":2}')], ending="tool_calls", usage=(9, None, 9), model=M),
    ),
    whole(
        "a custom tool",
        ask("gpt-x"),
        H.body(
            {"content": None, "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "sh", "input": "ls"}}]},
            "tool_calls",
            tokens(9, 9),
        ),
        Reading(tools=[("sh", "ls")], ending="tool_calls", usage=(9, None, 9), model=M),
    ),
    whole(
        "the old function_call",
        ask("gpt-x"),
        H.body({"content": None, "function_call": {"name": "track", "arguments": "{}"}}, "function_call", tokens(9, 9)),
        Reading(tools=[("track", "{}")], ending="tool_calls", usage=(9, None, 9), model=M),
    ),
    whole(
        "a refusal",
        ask("gpt-x"),
        H.body({"content": None, "refusal": "I can't help with that."}, "stop", tokens(9, 9)),
        Reading("I can't help with that.", is_refusal=True, usage=(9, None, 9), model=M),
    ),
    whole(
        "cut",
        ask("gpt-x"),
        H.body({"content": "On its"}, "length", tokens(9, 2)),
        Reading("On its", ending="cut_off", usage=(9, None, 2), model=M),
    ),
    streamed(
        "a stream that nobody asked for usage",
        ask("gpt-x", stream=True),
        [
            H.chunk({"role": "assistant", "content": "", "refusal": None}),
            H.chunk({"content": "On its "}),
            H.chunk({"content": "way. 📦"}),
            H.chunk({}, "stop"),
        ],
        Reading("On its way. 📦", model=M),
    ),
    streamed(
        "a stream with usage",
        ask("gpt-x", stream=True, **OPTION),
        [
            H.chunk({"role": "assistant", "content": ""}, usage=None, obfuscation="aa"),
            H.chunk({"content": "Yes."}, usage=None, obfuscation="b"),
            H.chunk({}, "stop", usage=None),
            H.bare(usage=tokens(20, 4, **DETAILS)),
        ],
        Reading("Yes.", usage=(20, 8, 4), model=M),
    ),
    streamed(
        "parallel tools in pieces",
        ask("gpt-x", stream=True),
        [
            H.chunk({"role": "assistant", "content": None}),
            H.chunk({"tool_calls": [tool("track", "", "a", index=0)]}),
            H.chunk({"tool_calls": [tool("", '{"id"', None, index=0)]}),
            H.chunk({"tool_calls": [tool("refund", "", "b", index=1)]}),
            H.chunk({"tool_calls": [tool("", ":1}", None, index=0)]}),
            H.chunk({"tool_calls": [tool("", '{"eur":5}', None, index=1)]}),
            H.chunk({}, "tool_calls"),
        ],
        Reading(tools=[("track", '{"id":1}'), ("refund", '{"eur":5}')], ending="tool_calls", model=M),
    ),
    streamed(
        "filtered",
        ask("gpt-x", stream=True),
        [H.chunk({"role": "assistant", "content": "Well"}), H.chunk({}, "content_filter")],
        Reading("Well", ending="refusal", model=M),
    ),
    streamed(
        "broken off",
        ask("gpt-x", stream=True),
        [H.chunk({"role": "assistant", "content": "On its"})],
        Reading("On its", ending="none", model=M, call_error="cut_off"),
        done=False,
    ),
    streamed(
        "an error in the middle",
        ask("gpt-x", stream=True),
        [
            H.chunk({"role": "assistant", "content": "On its"}),
            {"error": {"message": "The server had an error", "type": "server_error", "code": None}},
        ],
        Reading("On its", ending="none", model=M, error="The server had an error", call_error="upstream_error"),
    ),
    whole(
        "completions",
        {"model": "gpt-x-instruct", "prompt": "Sort: late"},
        {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": "gpt-x-instruct",
            "choices": [{"text": " parcel", "index": 0, "logprobs": None, "finish_reason": "stop"}],
            "usage": tokens(3, 1),
        },
        Reading(" parcel", usage=(3, None, 1), model="gpt-x-instruct"),
        path=COMPLETIONS,
    ),
    streamed(
        "completions in a stream",
        {"model": "gpt-x-instruct", "prompt": "Sort: late", "stream": True},
        [
            {
                "id": "cmpl-1",
                "object": "text_completion",
                "created": 1,
                "model": "gpt-x-instruct",
                "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": finish}],
            }
            for text, finish in ((" par", None), ("cel", None), ("", "length"))
        ],
        Reading(" parcel", ending="cut_off", model="gpt-x-instruct"),
        path=COMPLETIONS,
    ),
]


def response(status: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": M,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "output": [],
        **more,
    }


def said(text: str, *, kind: str = "output_text") -> dict[str, Any]:
    part = {"type": kind, "text": text, "annotations": []} if kind == "output_text" else {"type": kind, kind: text}
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}


def used(prompt: int, output: int, *, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    inside = {"input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0}}
    return {
        "input_tokens": prompt,
        **inside,
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": prompt + output,
    }


REASONED = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "They want it back."}]}
CALLED = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "track",
    "arguments": '{"id":1}',
    "status": "completed",
}
GO = {"model": "gpt-x", "input": "Where is my parcel?"}
AT: dict[str, Any] = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
DELTAS: list[dict[str, Any] | str] = [
    {"type": "response.created", "sequence_number": 0, "response": response("in_progress")},
    {
        "type": "response.output_item.added",
        "sequence_number": 1,
        "output_index": 0,
        "item": {**said(""), "content": [], "status": "in_progress"},
    },
    {
        "type": "response.content_part.added",
        "sequence_number": 2,
        **AT,
        "part": {"type": "output_text", "text": "", "annotations": []},
    },
    {"type": "response.output_text.delta", "sequence_number": 3, **AT, "delta": "On its "},
    {"type": "response.output_text.delta", "sequence_number": 4, **AT, "delta": "way."},
    {"type": "response.output_text.done", "sequence_number": 5, **AT, "text": "On its way."},
    {"type": "response.output_item.done", "sequence_number": 6, "output_index": 0, "item": said("On its way.")},
]

RESPONSE_CALLS: list[Recorded] = [
    whole(
        "a text with reasoning",
        GO,
        response(output=[REASONED, said("On its way.")], usage=used(30, 20, cached=10, reasoning=12)),
        Reading("On its way.", "They want it back.", usage=(30, 10, 20), model=M),
        path=RESPONSES,
    ),
    whole(
        "a function call",
        GO,
        response(output=[CALLED], usage=used(9, 5)),
        Reading(tools=[("track", '{"id":1}')], usage=(9, 0, 5), model=M),
        path=RESPONSES,
    ),
    whole(
        "a custom tool call",
        GO,
        response(
            output=[{"type": "custom_tool_call", "id": "c", "call_id": "c", "name": "sh", "input": "ls"}],
            usage=used(9, 5),
        ),
        Reading(tools=[("sh", "ls")], usage=(9, 0, 5), model=M),
        path=RESPONSES,
    ),
    whole(
        "a tool search by the client",
        GO,
        response(
            output=[
                {
                    "type": "tool_search_call",
                    "id": "t",
                    "execution": "client",
                    "arguments": {"query": "x"},
                    "status": "completed",
                }
            ],
            usage=used(9, 5),
        ),
        Reading(tools=[("tool_search", '{"query":"x"}')], usage=(9, 0, 5), model=M),
        path=RESPONSES,
    ),
    whole(
        "cut",
        GO,
        response(
            "incomplete", incomplete_details={"reason": "max_output_tokens"}, output=[said("On its")], usage=used(9, 2)
        ),
        Reading("On its", ending="cut_off", usage=(9, 0, 2), model=M),
        path=RESPONSES,
    ),
    whole(
        "refused",
        GO,
        response(output=[said("No.", kind="refusal")], usage=used(9, 2)),
        Reading("No.", is_refusal=True, usage=(9, 0, 2), model=M),
        path=RESPONSES,
    ),
    whole(
        "failed under 200",
        GO,
        response("failed", error={"code": "server_error", "message": "It broke."}),
        Reading(ending="error", error="It broke.", model=M, call_error="upstream_error"),
        path=RESPONSES,
    ),
    streamed(
        "a stream",
        {**GO, "stream": True},
        [
            *DELTAS,
            {
                "type": "response.completed",
                "sequence_number": 7,
                "response": response(output=[said("On its way.")], usage=used(9, 4)),
            },
        ],
        Reading("On its way.", usage=(9, 0, 4), model=M),
        path=RESPONSES,
        done=False,
        names=True,
    ),
    streamed(
        "a stream whose last event has no output",
        {**GO, "stream": True, "store": False},
        [*DELTAS, {"type": "response.completed", "response": response(usage=used(9, 4))}],
        Reading("On its way.", usage=(9, 0, 4), model=M),
        path=RESPONSES,
        done=False,
        names=True,
    ),
    streamed(
        "a stream that broke off",
        {**GO, "stream": True},
        DELTAS[:5],
        Reading("On its way.", ending="none", model=M, call_error="cut_off"),
        path=RESPONSES,
        done=False,
        names=True,
    ),
    streamed(
        "a stream with an error",
        {**GO, "stream": True},
        [
            *DELTAS[:4],
            {"type": "error", "code": "server_error", "message": "It broke.", "param": None, "sequence_number": 4},
        ],
        Reading("On its ", ending="none", model=M, error="It broke.", call_error="upstream_error"),
        path=RESPONSES,
        done=False,
        names=True,
    ),
]

EMPTY = {"id": "", "object": "", "created": 0, "model": ""}
CLEAN = {"hate": {"filtered": False, "severity": "safe"}}
AZURE_PATH = "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
AZURE_CALLS: list[Recorded] = [
    whole(
        "a text with filter results",
        {"messages": []},
        H.body(
            {"content": "Yes."},
            "stop",
            tokens(9, 1),
            prompt_filter_results=[{"prompt_index": 0, "content_filter_results": CLEAN}],
            choice={"content_filter_results": CLEAN},
        ),
        Reading("Yes.", usage=(9, None, 1), model=M),
        path=AZURE_PATH,
    ),
    streamed(
        "the asynchronous filter",
        {"messages": [], "stream": True},
        [
            {**EMPTY, "choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": CLEAN}]},
            H.chunk({"role": "assistant", "content": "On its "}),
            {
                **EMPTY,
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": None,
                        "content_filter_results": CLEAN,
                        "content_filter_offsets": {"check_offset": 4, "start_offset": 4, "end_offset": 9},
                    }
                ],
            },
            H.chunk({"content": "way."}),
            H.chunk({}, "stop"),
            {
                **EMPTY,
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": None,
                        "content_filter_results": CLEAN,
                        "content_filter_offsets": {"check_offset": 9, "start_offset": 4, "end_offset": 9},
                    }
                ],
            },
        ],
        Reading("On its way.", model=M),
        path=AZURE_PATH,
    ),
    streamed(
        "filtered on the way",
        {"messages": [], "stream": True},
        [
            H.chunk({"role": "assistant", "content": "Well"}),
            {
                **EMPTY,
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "content_filter",
                        "content_filter_results": {"hate": {"filtered": True}},
                    }
                ],
            },
        ],
        Reading("Well", ending="refusal", model=M),
        path=AZURE_PATH,
    ),
]
