"""Hosts and routers of others' models that speak OpenAI's chat completions: OpenRouter, clouds, gateways."""

from __future__ import annotations

from replay.traffic import Reading, Recorded, ask, head, streamed, tokens, whole

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
