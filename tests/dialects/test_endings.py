"""How an answer ended is known in every provider's spelling, and an unknown word never means that it is whole."""

from __future__ import annotations

import pytest

from freehold.dialects.endings import Ending, ending_of

BY_PROVIDER: dict[str, dict[str, Ending]] = {
    "OpenAI chat": {
        "stop": "complete",
        "length": "cut_off",
        "content_filter": "refusal",
        "tool_calls": "tool_calls",
        "function_call": "tool_calls",
    },
    "OpenAI Responses": {
        "completed": "complete",
        "incomplete": "cut_off",
        "max_output_tokens": "cut_off",
        "content_filter": "refusal",
        "failed": "error",
        "cancelled": "cut_off",
        "in_progress": "none",
        "queued": "none",
    },
    "Anthropic": {
        "end_turn": "complete",
        "stop_sequence": "complete",
        "max_tokens": "cut_off",
        "model_context_window_exceeded": "cut_off",
        "pause_turn": "cut_off",
        "refusal": "refusal",
        "tool_use": "tool_calls",
    },
    "Gemini": {
        "STOP": "complete",
        "FinishReason.STOP": "complete",
        "MAX_TOKENS": "cut_off",
        "FinishReason.MAX_TOKENS": "cut_off",
        "SAFETY": "refusal",
        "RECITATION": "refusal",
        "LANGUAGE": "refusal",
        "BLOCKLIST": "refusal",
        "PROHIBITED_CONTENT": "refusal",
        "SPII": "refusal",
        "IMAGE_SAFETY": "refusal",
        "MALFORMED_FUNCTION_CALL": "error",
        "UNEXPECTED_TOOL_CALL": "error",
        "TOO_MANY_TOOL_CALLS": "error",
        "OTHER": "unknown",
        "FINISH_REASON_UNSPECIFIED": "unknown",
        "content_filter: RECITATION": "refusal",
        "function_call_filter: MALFORMED_FUNCTION_CALL": "error",
    },
    "Mistral": {"stop": "complete", "model_length": "cut_off", "error": "error", "tool_calls": "tool_calls"},
    "Cohere": {
        "COMPLETE": "complete",
        "STOP_SEQUENCE": "complete",
        "MAX_TOKENS": "cut_off",
        "TOOL_CALL": "tool_calls",
        "ERROR": "error",
        "ERROR_TOXIC": "refusal",
        "ERROR_LIMIT": "error",
        "TIMEOUT": "error",
        "USER_CANCEL": "cut_off",
    },
    "Bedrock": {
        "end_turn": "complete",
        "FINISH": "complete",
        "STOP_CRITERIA_MET": "complete",
        "LENGTH": "cut_off",
        "content_filtered": "refusal",
        "CONTENT_FILTERED": "refusal",
        "guardrail_intervened": "refusal",
        "malformed_model_output": "error",
        "malformed_tool_use": "error",
    },
    "Strands": {"endTurn": "complete", "maxTokens": "cut_off", "toolUse": "tool_calls", "contentFiltered": "refusal"},
    "vLLM, SGLang": {"abort": "cut_off", "error": "error", "repetition": "cut_off", "stop": "complete"},
    "DeepSeek": {"insufficient_system_resource": "error", "stop": "complete"},
    "OpenRouter": {"error": "error", "stop": "complete", "length": "cut_off"},
    "Z.ai": {"sensitive": "refusal", "network_error": "error", "stop": "complete"},
    "xAI": {"REASON_STOP": "complete", "REASON_MAX_LEN": "cut_off", "REASON_MAX_CONTEXT": "cut_off"},
    "Together, TGI": {"eos": "complete", "eos_token": "complete", "length": "cut_off"},
    "llama.cpp": {"limit": "cut_off", "word": "complete", "none": "none"},
    "DashScope": {"null": "none", "stop": "complete"},
    "Ollama, LM Studio, others": {
        "done": "complete",
        "max_time": "cut_off",
        "repetition_detected": "cut_off",
        "preempted": "cut_off",
    },
    "Vercel's spelling": {"content-filter": "refusal", "tool-calls": "tool_calls"},
}


def test_every_spelling_that_providers_document_is_known() -> None:
    checked = 0
    for provider, words in BY_PROVIDER.items():
        for word, ending in words.items():
            assert ending_of(word) == ending, (provider, word)
            checked += 1
    assert checked >= 75


@pytest.mark.parametrize("spelling", ["max_tokens", "MAX_TOKENS", "maxTokens", "max-tokens", " Max Tokens "])
def test_case_and_signs_make_no_difference(spelling: str) -> None:
    assert ending_of(spelling) == "cut_off"


@pytest.mark.parametrize("nothing", [None, "", "  ", "\n"])
def test_no_word_is_no_ending(nothing: str | None) -> None:
    assert ending_of(nothing) == "none"


@pytest.mark.parametrize(
    "word", ["unheard_of", "stopped_by_moon", "…", "finish_reason_", ":", "stop" * 200, "unstop", "停止", "other"]
)
def test_a_word_that_nobody_listed_is_unknown_and_never_whole(word: str) -> None:
    assert ending_of(word) == "unknown"
