"""Providers and servers that speak OpenAI's chat completions, each with its own accent."""

from __future__ import annotations

from typing import Any

from replay.made import RESPONSES, Reading, Recorded, ask, head, streamed, tokens, tool, whole


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

OR = head("anthropic/claude-x", provider="Anthropic")
OR_USAGE = tokens(
    20, 4, cost=0.0012, prompt_tokens_details={"cached_tokens": 0}, completion_tokens_details={"reasoning_tokens": 0}
)
DETAIL = {
    "reasoning": "Look.",
    "reasoning_details": [{"type": "reasoning.text", "text": "Look.", "format": "anthropic-claude-v1", "index": 0}],
}
OPENROUTER: list[Recorded] = [
    whole(
        "reasoning twice",
        ask("claude"),
        OR.body(
            {"content": "Yes.", "refusal": None, **DETAIL},
            "stop",
            OR_USAGE,
            choice={"native_finish_reason": "end_turn"},
        ),
        Reading("Yes.", "Look.", usage=(20, 0, 4), model="anthropic/claude-x"),
    ),
    whole(
        "an error as the body",
        ask("claude"),
        {
            "error": {"message": "Provider returned error", "code": 429, "metadata": {"provider_name": "X"}},
            "user_id": "u",
        },
        Reading(ending="none", error="Provider returned error", call_error="upstream_error"),
    ),
    whole(
        "an error in the choice",
        ask("claude"),
        OR.body(
            {"content": "The parcel is on its w"},
            "error",
            OR_USAGE,
            choice={"error": {"code": 502, "message": "Upstream died"}},
        ),
        Reading(
            "The parcel is on its w",
            ending="error",
            usage=(20, 0, 4),
            model="anthropic/claude-x",
            error="Upstream died",
            call_error="upstream_error",
        ),
    ),
    streamed(
        "comments, and usage in a chunk with choices",
        ask("claude", stream=True),
        [
            ": OPENROUTER PROCESSING\n\n",
            ": OPENROUTER PROCESSING\n\n",
            OR.chunk({"role": "assistant", "content": "", **DETAIL}),
            OR.chunk({"role": "assistant", "content": "Yes."}),
            OR.chunk({"role": "assistant", "content": ""}, "stop", choice={"native_finish_reason": "end_turn"}),
            OR.chunk({"role": "assistant", "content": ""}, usage=OR_USAGE),
        ],
        Reading("Yes.", "Look.", usage=(20, 0, 4), model="anthropic/claude-x"),
    ),
    streamed(
        "an error behind the finish reason",
        ask("claude", stream=True),
        [
            OR.chunk({"role": "assistant", "content": "On its"}),
            OR.chunk({"content": ""}, "error"),
            {
                **OR.fields,
                "error": {"code": 502, "message": "Upstream idle timeout"},
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
            },
        ],
        Reading(
            "On its",
            ending="error",
            model="anthropic/claude-x",
            error="Upstream idle timeout",
            call_error="upstream_error",
        ),
    ),
]

TG, ZA, MO, CO, FW = (
    head("meta-llama/Llama-4"),
    head("glm-5"),
    head("kimi-k3"),
    head("command-a"),
    head("accounts/fireworks/models/x"),
)
HOSTED: list[Recorded] = [
    streamed(
        "Together: usage in the finish chunk",
        ask("llama", stream=True),
        [
            TG.chunk(
                {"role": "assistant", "content": "Yes.", "token_id": 7},
                usage=None,
                choice={"text": "Yes.", "logprobs": None, "seed": None},
            ),
            TG.chunk({"role": "assistant", "content": ""}, "eos", usage=tokens(9, 2), choice={"text": "", "seed": 7}),
        ],
        Reading("Yes.", usage=(9, None, 2), model="meta-llama/Llama-4"),
    ),
    whole(
        "Together: reasoning between marks",
        ask("r1"),
        TG.body({"content": "<think>\nLook.\n</think>\n\nYes.", "tool_calls": []}, "stop", tokens(9, 8)),
        Reading("Yes.", "Look.", usage=(9, None, 8), model="meta-llama/Llama-4"),
    ),
    streamed(
        "Z.ai: usage in the finish chunk",
        ask("glm-5", stream=True),
        [
            ZA.chunk({"role": "assistant", "reasoning_content": "Look."}),
            ZA.chunk({"role": "assistant", "content": "Yes."}),
            ZA.chunk(
                {"role": "assistant", "content": ""},
                "stop",
                usage=tokens(9, 8, prompt_tokens_details={"cached_tokens": 3}),
            ),
        ],
        Reading("Yes.", "Look.", usage=(9, 3, 8), model="glm-5"),
    ),
    whole(
        "Z.ai: sensitive",
        ask("glm-5"),
        ZA.body({"content": ""}, "sensitive", tokens(9, 0), request_id="r"),
        Reading(ending="refusal", usage=(9, None, 0), model="glm-5"),
    ),
    whole(
        "Z.ai: a network error under 200",
        ask("glm-5"),
        ZA.body({"content": "On"}, "network_error", tokens(9, 1)),
        Reading(
            "On", ending="error", usage=(9, None, 1), model="glm-5", error="network_error", call_error="upstream_error"
        ),
    ),
    streamed(
        "Moonshot: usage in the choice",
        ask("kimi", stream=True),
        [
            MO.chunk({"role": "assistant", "content": "Yes."}),
            MO.chunk({}, "stop", choice={"usage": tokens(9, 2, cached_tokens=4)}),
        ],
        Reading("Yes.", usage=(9, 4, 2), model="kimi-k3"),
    ),
    whole(
        "Cohere: its own spelling",
        ask("command-a"),
        CO.body({"content": "On"}, "MAX_TOKENS", tokens(9, 1)),
        Reading("On", ending="cut_off", usage=(9, None, 1), model="command-a"),
    ),
    streamed(
        "Fireworks: usage in the finish chunk",
        ask("x", stream=True),
        [FW.chunk({"role": "assistant"}), FW.chunk({"content": "Yes."}), FW.chunk({}, "stop", usage=tokens(9, 2))],
        Reading("Yes.", usage=(9, None, 2), model="accounts/fireworks/models/x"),
    ),
    whole(
        "MiniMax: an error under 200",
        ask("minimax"),
        {"id": "", "choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}},
        Reading(ending="none", error="insufficient balance", call_error="upstream_error"),
    ),
]

HF, BR = head("Qwen/Qwen3-32B"), head("openai.gpt-oss-20b-1:0")
ROUTED: list[Recorded] = [
    streamed(
        "Hugging Face's router: usage asked or not",
        ask("qwen", stream=True),
        [
            HF.chunk({"role": "assistant", "content": "Ye"}, usage=None),
            HF.chunk({"content": "s."}, "stop", usage=None),
            HF.bare(usage=tokens(12, 3)),
        ],
        Reading("Yes.", usage=(12, None, 3), model="Qwen/Qwen3-32B"),
    ),
    streamed(
        "Hugging Face's router: done without a reason",
        ask("qwen", stream=True),
        [HF.chunk({"role": "assistant", "content": "Yes."}, usage=None)],
        Reading("Yes.", ending="none", model="Qwen/Qwen3-32B"),
    ),
    whole(
        "Bedrock: reasoning between marks",
        ask("gpt-oss"),
        BR.body({"content": "<reasoning>Look.</reasoning>Yes.", "refusal": None}, "stop", tokens(9, 8)),
        Reading("Yes.", "Look.", usage=(9, None, 8), model="openai.gpt-oss-20b-1:0"),
    ),
    whole(
        "Bedrock: a guardrail",
        ask("gpt-oss"),
        {
            **BR.body({"content": "Blocked."}, "guardrail_intervened", tokens(9, 2)),
            "amazon-bedrock-guardrailAction": "INTERVENED",
        },
        Reading("Blocked.", ending="refusal", usage=(9, None, 2), model="openai.gpt-oss-20b-1:0"),
    ),
]

VL, LC, OL = (
    head("our-model"),
    head("qwen.gguf", system_fingerprint="b11549"),
    head("llama4", system_fingerprint="fp_ollama"),
)
TIMINGS = {"timings": {"cache_n": 24, "prompt_n": 15, "prompt_ms": 19.5, "predicted_n": 4, "predicted_ms": 30.0}}
OWN: list[Recorded] = [
    whole(
        "vLLM: aborted",
        ask("our"),
        VL.body(
            {"content": "On", "reasoning": None, "tool_calls": []}, "abort", tokens(9, 1), choice={"stop_reason": None}
        ),
        Reading("On", ending="cut_off", usage=(9, None, 1), model="our-model"),
    ),
    whole(
        "vLLM: an error object",
        ask("our"),
        {
            "object": "error",
            "message": "maximum context length is 4096 tokens",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
        Reading(ending="none", error="maximum context", call_error="upstream_error"),
    ),
    streamed(
        "vLLM: usage all along, under another content type",
        ask("our", stream=True),
        [
            VL.chunk({"role": "assistant", "content": ""}, usage=tokens(9, 0)),
            VL.chunk({"content": "Yes."}, usage=tokens(9, 1)),
            VL.chunk({"content": ""}, "stop", usage=tokens(9, 2)),
            VL.bare(usage=tokens(9, 2)),
        ],
        Reading("Yes.", usage=(9, None, 2), model="our-model"),
        kind="application/json",
    ),
    streamed(
        "vLLM: an id for every piece of a tool",
        ask("our", stream=True),
        [
            VL.chunk({"role": "assistant", "content": ""}),
            VL.chunk({"tool_calls": [tool("track", "", "t-1", index=0)]}),
            VL.chunk({"tool_calls": [tool("", '{"id"', "t-2", index=0)]}),
            VL.chunk({"tool_calls": [tool("", ":1}", "t-3", index=0)]}),
            VL.chunk({}, "tool_calls"),
        ],
        Reading(tools=[("track", '{"id":1}')], ending="tool_calls", model="our-model"),
    ),
    streamed(
        "vLLM: thought whose beginning is in the prompt",
        ask("our", stream=True),
        [
            VL.chunk({"role": "assistant", "content": "Look.\n</thi"}),
            VL.chunk({"content": "nk>\n\nYes."}),
            VL.chunk({}, "stop"),
        ],
        Reading("Yes.", "Look.", model="our-model"),
    ),
    streamed(
        "llama.cpp: tokens beside the times",
        ask("qwen", stream=True),
        [
            LC.chunk({"role": "assistant", "content": None}),
            LC.chunk({"content": "Yes."}),
            LC.chunk({}, "stop", **TIMINGS),
        ],
        Reading("Yes.", usage=(39, 24, 4), model="qwen.gguf"),
    ),
    whole(
        "llama.cpp: arguments as an object",
        ask("qwen"),
        LC.body({"content": "", "tool_calls": [tool("track", {"id": 1}, "a")]}, "tool_calls", tokens(9, 9), **TIMINGS),
        Reading(tools=[("track", '{"id":1}')], ending="tool_calls", usage=(9, None, 9), model="qwen.gguf"),
    ),
    streamed(
        "llama.cpp: an empty finish reason on the way",
        ask("qwen", stream=True),
        [LC.chunk({"role": "assistant", "content": "On "}, ""), LC.chunk({"content": "its"}, "")],
        Reading("On its", ending="none", model="qwen.gguf", call_error="cut_off"),
        done=False,
    ),
    whole(
        "Ollama: thinking in a field",
        ask("llama4"),
        OL.body({"content": "Yes.", "reasoning": "Look."}, "stop", tokens(9, 8)),
        Reading("Yes.", "Look.", usage=(9, None, 8), model="llama4"),
    ),
    streamed(
        "Ollama: tools without an index",
        ask("llama4", stream=True),
        [
            OL.chunk({"role": "assistant", "content": "", "tool_calls": [tool("track", '{"id":1}', "a", index=None)]}),
            OL.chunk({"role": "assistant", "content": "", "tool_calls": [tool("track", '{"id":2}', "b", index=None)]}),
            OL.chunk({"role": "assistant", "content": ""}, "tool_calls"),
        ],
        Reading(tools=[("track", '{"id":1}'), ("track", '{"id":2}')], ending="tool_calls", model="llama4"),
    ),
    streamed(
        "a load balancer that says text/readystream",
        ask("our", stream=True),
        ["\ufeff: hello\r\n\r\n", VL.chunk({"role": "assistant", "content": "Yes."}), VL.chunk({}, "stop")],
        Reading("Yes.", model="our-model"),
        kind="text/readystream",
        end="\r\n",
    ),
    streamed(
        "gpt-oss without a parser",
        ask("our", stream=True),
        [
            VL.chunk({"role": "assistant", "content": "<|channel|>analysis<|message|>Look.<|end|>"}),
            VL.chunk({"content": "<|start|>assistant<|channel|>final<|message|>Yes."}, "stop"),
        ],
        Reading("Yes.", "Look.", model="our-model"),
    ),
    streamed(
        "a thought that never ended",
        ask("our", stream=True),
        [VL.chunk({"role": "assistant", "content": "<think>Look."}), VL.chunk({}, "length")],
        Reading("", "Look.", ending="cut_off", model="our-model"),
    ),
]
