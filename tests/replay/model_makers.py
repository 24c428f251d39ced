"""Mistral, Groq, DeepSeek, Gemini and xAI: OpenAI's chat completions, each with its own accent."""

from __future__ import annotations

from typing import Any

from replay.traffic import RESPONSES, Reading, Recorded, ask, head, streamed, tokens, tool, whole


def thinking(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": words}], **more}


def part(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


MS = head("magistral-medium-2609")
MISTRAL: list[Recorded] = [
    whole(
        "parts of thought and text",
        ask("magistral"),
        MS.body(
            {"content": [thinking("They want it."), part("On its way.")], "tool_calls": None}, "stop", tokens(9, 30)
        ),
        Reading("On its way.", "They want it.", usage=(9, None, 30), model="magistral-medium-2609"),
    ),
    whole(
        "cut by the model's length",
        ask("magistral"),
        MS.body({"content": "On its"}, "model_length", tokens(9, 2)),
        Reading("On its", ending="cut_off", usage=(9, None, 2), model="magistral-medium-2609"),
    ),
    whole(
        "a tool",
        ask("magistral"),
        MS.body(
            {"content": "", "tool_calls": [tool("track", '{"id": 1}', "D681PevKs", index=0)]},
            "tool_calls",
            tokens(9, 9),
        ),
        Reading(tools=[("track", '{"id": 1}')], ending="tool_calls", usage=(9, None, 9), model="magistral-medium-2609"),
    ),
    streamed(
        "a text, then parts, then a text",
        ask("magistral", stream=True),
        [
            MS.chunk({"role": "assistant", "content": ""}),
            MS.chunk({"content": [thinking("They ")]}),
            MS.chunk({"content": [thinking("want it.", closed=True)]}),
            MS.chunk({"content": [part('{"la')]}),
            MS.chunk({"content": 'bel":'}),
            MS.chunk({"content": '"late"}'}, "stop", usage=tokens(9, 30)),
        ],
        Reading('{"label":"late"}', "They want it.", usage=(9, None, 30), model="magistral-medium-2609"),
    ),
    streamed(
        "tools in one chunk",
        ask("magistral", stream=True),
        [
            MS.chunk({"role": "assistant", "content": ""}),
            MS.chunk(
                {
                    "content": "",
                    "tool_calls": [
                        tool("track", '{"id": 1}', "a1", index=0),
                        tool("track", '{"id": 2}', "b2", index=1),
                    ],
                },
                "tool_calls",
                usage=tokens(9, 9),
            ),
        ],
        Reading(
            tools=[("track", '{"id": 1}'), ("track", '{"id": 2}')],
            ending="tool_calls",
            usage=(9, None, 9),
            model="magistral-medium-2609",
        ),
    ),
]

GQ = head("openai/gpt-oss-120b", system_fingerprint="fp_1", x_groq=None)
GROQ_USAGE = tokens(20, 4, queue_time=0.1, prompt_time=0.01, completion_time=0.02, total_time=0.03)
GROQ: list[Recorded] = [
    whole(
        "reasoning in a field",
        ask("gpt-oss"),
        GQ.body({"content": "Yes.", "reasoning": "Look."}, "stop", GROQ_USAGE, x_groq={"id": "req_1"}),
        Reading("Yes.", "Look.", usage=(20, None, 4), model="openai/gpt-oss-120b"),
    ),
    streamed(
        "usage under x_groq",
        ask("gpt-oss", stream=True),
        [
            GQ.chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_1"}),
            GQ.chunk({"reasoning": "Look."}),
            GQ.chunk({"content": "Yes."}),
            GQ.chunk({}, "stop", x_groq={"id": "req_1", "usage": GROQ_USAGE}),
        ],
        Reading("Yes.", "Look.", usage=(20, None, 4), model="openai/gpt-oss-120b"),
    ),
    streamed(
        "a failure in the stream",
        ask("gpt-oss", stream=True),
        [
            GQ.chunk({"role": "assistant", "content": "Y"}),
            {
                "error": {
                    "message": "Failed to call a function.",
                    "type": "invalid_request_error",
                    "code": "tool_use_failed",
                }
            },
        ],
        Reading("Y", ending="none", model="openai/gpt-oss-120b", error="Failed to call", call_error="upstream_error"),
    ),
]

DS = head("deepseek-chat", system_fingerprint="fp_d")
DS_USAGE = tokens(
    90, 5, prompt_tokens_details={"cached_tokens": 64}, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=26
)
DS_RESPONSE = {
    "id": "resp_d",
    "object": "response",
    "created_at": 1,
    "model": "deepseek-chat",
    "status": "completed",
    "output": [],
}
DEEPSEEK: list[Recorded] = [
    whole(
        "reasoning and a cached prompt",
        ask("deepseek-reasoner"),
        DS.body({"content": "Yes.", "reasoning_content": "Look."}, "stop", DS_USAGE),
        Reading("Yes.", "Look.", usage=(90, 64, 5), model="deepseek-chat"),
    ),
    whole(
        "no resources",
        ask("deepseek-chat"),
        DS.body({"content": "On its"}, "insufficient_system_resource", tokens(9, 2)),
        Reading(
            "On its",
            ending="error",
            usage=(9, None, 2),
            model="deepseek-chat",
            error="insufficient_system_resource",
            call_error="upstream_error",
        ),
    ),
    streamed(
        "usage in the finish chunk",
        ask("deepseek-reasoner", stream=True),
        [
            ": keep-alive\n\n",
            DS.chunk({"role": "assistant", "content": None, "reasoning_content": ""}),
            DS.chunk({"content": None, "reasoning_content": "Look."}),
            ": keep-alive\n\n",
            DS.chunk({"content": "Yes.", "reasoning_content": None}),
            DS.chunk({"content": "", "reasoning_content": None}, "stop", usage=DS_USAGE),
        ],
        Reading("Yes.", "Look.", usage=(90, 64, 5), model="deepseek-chat"),
    ),
    streamed(
        "responses with reasoning in words of its own",
        {"model": "deepseek-chat", "input": "x", "stream": True},
        [
            {"type": "response.created", "response": {**DS_RESPONSE, "status": "in_progress"}},
            {
                "type": "response.reasoning_text.delta",
                "item_id": "rs",
                "output_index": 0,
                "content_index": 0,
                "delta": "Look.",
            },
            {
                "type": "response.output_text.delta",
                "item_id": "m",
                "output_index": 1,
                "content_index": 0,
                "delta": "Yes.",
            },
            {
                "type": "response.completed",
                "response": {**DS_RESPONSE, "usage": {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}},
            },
        ],
        Reading("Yes.", "Look.", usage=(9, None, 5), model="deepseek-chat"),
        path=RESPONSES,
        done=False,
        names=True,
    ),
]

GM = head("gemini-3-flash")
GEMINI: list[Recorded] = [
    whole(
        "thoughts outside the completion",
        ask("gemini-3-flash"),
        GM.body({"content": "Yes."}, "stop", tokens(35, 12, 109)),
        Reading("Yes.", usage=(35, None, 74), model="gemini-3-flash"),
    ),
    whole(
        "thoughts in the text",
        ask("gemini-3-flash"),
        GM.body({"content": "<thought>They want it.</thought>Yes."}, "stop", tokens(35, 12)),
        Reading("Yes.", "They want it.", usage=(35, None, 12), model="gemini-3-flash"),
    ),
    whole(
        "a malformed call",
        ask("gemini-3-flash"),
        GM.body({}, "function_call_filter: MALFORMED_FUNCTION_CALL", tokens(35, 0)),
        Reading(
            ending="error", usage=(35, None, 0), model="gemini-3-flash", error="MALFORMED", call_error="upstream_error"
        ),
    ),
    whole(
        "filtered",
        ask("gemini-3-flash"),
        GM.body({}, "content_filter: PROHIBITED_CONTENT", tokens(35, 0)),
        Reading(ending="refusal", usage=(35, None, 0), model="gemini-3-flash"),
    ),
    whole(
        "an error in an array",
        ask("gemini-3-flash"),
        {"error": [{"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}]},
        Reading(ending="none", error="overloaded", call_error="upstream_error"),
    ),
    streamed(
        "tools that share an index",
        ask("gemini-3-flash", stream=True),
        [
            GM.chunk({"role": "assistant", "tool_calls": [tool("track", '{"id":1}', "a", index=0)]}),
            GM.chunk(
                {"role": "assistant", "tool_calls": [tool("track", '{"id":2}', "b", index=0)]},
                "tool_calls",
                usage=tokens(35, 12, 109),
            ),
        ],
        Reading(
            tools=[("track", '{"id":1}'), ("track", '{"id":2}')],
            ending="tool_calls",
            usage=(35, None, 74),
            model="gemini-3-flash",
        ),
    ),
    streamed(
        "usage in every chunk",
        ask("gemini-3-flash", stream=True),
        [
            GM.chunk({"role": "assistant", "content": "Y"}, usage=tokens(35, 1, 90)),
            GM.chunk({"role": "assistant", "content": "es."}, "stop", usage=tokens(35, 12, 109)),
        ],
        Reading("Yes.", usage=(35, None, 74), model="gemini-3-flash"),
    ),
]

XA = head("grok-5", system_fingerprint="fp_x")
XAI_USAGE = tokens(
    32,
    9,
    135,
    prompt_tokens_details={"text_tokens": 32, "cached_tokens": 6},
    completion_tokens_details={"reasoning_tokens": 94},
)
XAI: list[Recorded] = [
    whole(
        "reasoning outside the completion",
        ask("grok-5"),
        XA.body({"content": "Yes.", "reasoning_content": "Look.", "refusal": None}, "stop", XAI_USAGE),
        Reading("Yes.", "Look.", usage=(32, 6, 103), model="grok-5"),
    ),
    streamed(
        "usage in a last chunk without choices, unasked",
        ask("grok-5", stream=True),
        [
            XA.chunk({"role": "assistant", "content": "", "reasoning_content": "Look."}),
            XA.chunk({"content": "Yes."}),
            XA.chunk({}, "stop"),
            XA.bare(usage=XAI_USAGE),
        ],
        Reading("Yes.", "Look.", usage=(32, 6, 103), model="grok-5"),
    ),
]
