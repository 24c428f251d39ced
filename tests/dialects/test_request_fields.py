"""Every field of a request is decided, for every dialect; what is decided is what happens."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anthropic.types.beta.message_create_params as anthropic_beta
import anthropic.types.message_create_params as anthropic_params
import openai.types.beta.response_create_params as openai_beta
import openai.types.chat.completion_create_params as openai_chat
import openai.types.completion_create_params as openai_completions
import openai.types.responses.response_create_params as openai_responses
import pytest

from freehold.cli.request_fields import page
from freehold.dialects import read_request
from freehold.dialects.fields import FIELDS, fields_left_to_provider
from freehold.model.exchange import Asked, Dialect

DOCS = Path(__file__).parents[2] / "docs"
SDK_TYPES: tuple[tuple[Dialect, Any], ...] = (
    ("openai-chat", openai_chat.CompletionCreateParams),
    ("openai-responses", openai_responses.ResponseCreateParams),
    ("openai-responses", openai_beta.ResponseCreateParams),
    ("openai-completions", openai_completions.CompletionCreateParams),
    ("anthropic-messages", anthropic_params.MessageCreateParams),
    ("anthropic-messages", anthropic_beta.MessageCreateParams),
    ("anthropic-messages", anthropic_beta.ParseMessageCreateParamsBase),
)
ENOUGH: Mapping[Dialect, dict[str, Any]] = {
    "openai-chat": {"messages": [{"role": "user", "content": "Hi"}]},
    "openai-responses": {"input": "Hi"},
    "openai-completions": {"prompt": "Hi"},
    "anthropic-messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50},
}


def read(dialect: Dialect, **fields: Any) -> Asked:
    return read_request(dialect, json.dumps({**ENOUGH[dialect], **fields}).encode())


def fields_of(params: Any) -> set[str]:
    return {name for one in typing.get_args(params) or (params,) for name in typing.get_type_hints(one)}


def test_every_field_of_the_sdks_request_types_is_decided() -> None:
    walked: dict[Dialect, set[str]] = {}
    for dialect, params in SDK_TYPES:
        walked.setdefault(dialect, set()).update(fields_of(params))
    undecided = {d: names - set(FIELDS[d]) for d, names in walked.items() if names - set(FIELDS[d])}
    assert undecided == {}
    assert all("stream" in names and "model" in names for names in walked.values())
    counts = {dialect: len(names) for dialect, names in walked.items()}
    least = {"openai-chat": 37, "openai-responses": 36, "openai-completions": 18, "anthropic-messages": 28}
    assert {d: n for d, n in counts.items() if n < least[d]} == {}, "the SDKs' types have lost fields"
    assert counts.keys() == FIELDS.keys() == ENOUGH.keys()


def test_the_docs_say_what_the_tables_say() -> None:
    wanted = "run: python -m freehold.cli.request_fields > docs/request-fields.md"
    assert (DOCS / "request-fields.md").read_text(encoding="utf-8") == page(), wanted
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) == sum(len(fields) for fields in FIELDS.values()) > 250
    assert all(row.count("|") == 5 for row in rows)


LEFT: list[tuple[Dialect, dict[str, Any]]] = [
    *[("openai-chat", {"stop": stop}) for stop in (",", [","], ["\n", "END"])],
    ("openai-chat", {"logit_bias": {"15": 100}}),
    ("openai-chat", {"n": 2}),
    ("openai-chat", {"n": 0}),
    ("openai-chat", {"n": "1"}),
    ("openai-chat", {"logprobs": True}),
    ("openai-chat", {"top_logprobs": 2}),
    ("openai-chat", {"max_tokens": 0}),
    ("openai-chat", {"max_completion_tokens": -1}),
    ("openai-chat", {"max_tokens": "many"}),
    ("openai-chat", {"modalities": ["text", "audio"]}),
    ("openai-chat", {"audio": {"voice": "alloy", "format": "wav"}}),
    ("openai-chat", {"web_search_options": {}}),
    ("openai-chat", {"moderation": {"model": "omni"}}),
    ("openai-chat", {"prompt_cache_options": {"prewarm": True}}),
    ("openai-chat", {"tool_choice": "required"}),
    ("openai-chat", {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
    ("openai-chat", {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}}),
    ("openai-chat", {"tools": [{"type": "web_search"}]}),
    ("openai-chat", {"functions": [{"name": "f"}]}),
    ("openai-chat", {"function_call": {"name": "f"}}),
    ("openai-chat", {"response_format": {"type": "grammar", "value": "x"}}),
    ("openai-chat", {"response_format": "json"}),
    ("openai-chat", {"stream": "yes"}),
    ("openai-chat", {"guided_choice": ["a", "b"]}),
    ("openai-chat", {"min_tokens": 9}),
    ("openai-chat", {"search_parameters": {"mode": "auto"}}),
    ("openai-chat", {"chat_template_kwargs": {"today": "1 May"}}),
    ("openai-chat", {"continue_final_message": True}),
    ("openai-chat", {"a_field_of_tomorrow": 1}),
    ("openai-responses", {"previous_response_id": "resp_1"}),
    ("openai-responses", {"conversation": "conv_1"}),
    ("openai-responses", {"conversation": {"id": "conv_1"}}),
    ("openai-responses", {"prompt": {"id": "pmpt_1"}}),
    ("openai-responses", {"background": True}),
    ("openai-responses", {"store": True}),
    ("openai-responses", {"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]}),
    ("openai-responses", {"include": ["file_search_call.results"]}),
    ("openai-responses", {"include": "reasoning.encrypted_content"}),
    ("openai-responses", {"top_logprobs": 1}),
    ("openai-responses", {"max_output_tokens": 0}),
    ("openai-responses", {"text": {"format": {"type": "python"}}}),
    ("openai-responses", {"tools": [{"type": "mcp", "server_label": "x"}]}),
    ("openai-responses", {"tool_choice": {"type": "file_search"}}),
    ("openai-responses", {"context_management": [{"type": "compaction"}]}),
    ("openai-responses", {"generate": False}),
    ("openai-responses", {"stop": [","]}),
    ("openai-completions", {"n": 3}),
    ("openai-completions", {"best_of": 2}),
    ("openai-completions", {"logprobs": 0}),
    ("openai-completions", {"echo": True}),
    ("openai-completions", {"suffix": "end"}),
    ("openai-completions", {"stop": "\n"}),
    ("anthropic-messages", {"stop_sequences": [","]}),
    ("anthropic-messages", {"max_tokens": 0}),
    ("anthropic-messages", {"thread": {"type": "create"}}),
    ("anthropic-messages", {"thread": {"type": "continue", "previous_message_id": "msg_1"}}),
    ("anthropic-messages", {"mcp_servers": [{"type": "url", "url": "https://tools.example"}]}),
    ("anthropic-messages", {"container": "c_1"}),
    ("anthropic-messages", {"compaction": {}}),
    ("anthropic-messages", {"context_management": {"edits": [{"type": "clear_thinking"}]}}),
    ("anthropic-messages", {"fallback_credit_token": "t"}),
    ("anthropic-messages", {"tool_choice": {"type": "tool", "name": "f"}}),
    ("anthropic-messages", {"tools": [{"type": "bash_20250124", "name": "bash"}]}),
    ("anthropic-messages", {"output_config": {"format": {"type": "xml"}}}),
    ("anthropic-messages", {"output_config": {"paper": "A4"}}),
]


@pytest.mark.parametrize(("dialect", "fields"), LEFT)
def test_what_an_owned_answer_would_lack_is_left_to_the_provider(dialect: Dialect, fields: dict[str, Any]) -> None:
    assert not read(dialect, **fields).is_plain
    assert set(fields_left_to_provider(dialect, fields)) <= set(fields)


FITTING: list[tuple[Dialect, dict[str, Any]]] = [
    ("openai-chat", {"stop": None, "logit_bias": {}, "n": 1, "logprobs": False, "top_logprobs": 0}),
    ("openai-chat", {"stop": []}),
    ("openai-chat", {"seed": 7, "temperature": 1.5, "top_p": 0.1, "presence_penalty": 1, "frequency_penalty": 1}),
    ("openai-chat", {"max_tokens": 1, "user": "u", "service_tier": "flex", "store": True, "metadata": {"a": "b"}}),
    ("openai-chat", {"modalities": ["text"], "audio": None, "verbosity": "low", "reasoning_effort": "minimal"}),
    ("openai-chat", {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "auto"}),
    ("openai-chat", {"tool_choice": "none", "parallel_tool_calls": False}),
    ("openai-chat", {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}}),
    ("openai-chat", {"prediction": {"type": "content", "content": "x"}, "prompt_cache_key": "k"}),
    ("openai-chat", {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}}),
    ("openai-chat", {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}}),
    ("openai-chat", {"search_parameters": {"mode": "off"}, "chat_template_kwargs": {"enable_thinking": False}}),
    ("openai-chat", {"top_k": 20, "min_p": 0.1, "provider": {"order": ["x"]}, "a_field_of_tomorrow": None}),
    ("openai-responses", {"include": ["reasoning.encrypted_content"], "store": False}),
    ("openai-responses", {"include": [], "reasoning": {"effort": "low", "summary": "auto"}}),
    ("openai-responses", {"text": {"verbosity": "low", "format": {"type": "text"}}, "truncation": "auto"}),
    ("openai-responses", {"background": False, "previous_response_id": None, "max_tool_calls": 3}),
    ("openai-completions", {"n": 1, "best_of": 1, "echo": False, "suffix": "", "seed": 1}),
    ("anthropic-messages", {"stop_sequences": [], "temperature": 0, "top_k": 5, "service_tier": "auto"}),
    ("anthropic-messages", {"thinking": {"type": "enabled", "budget_tokens": 1024}, "mcp_servers": []}),
    ("anthropic-messages", {"output_config": {"effort": "low"}, "context_management": {"edits": []}}),
    ("anthropic-messages", {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}, "thread": None}),
]


@pytest.mark.parametrize(("dialect", "fields"), FITTING)
def test_what_makes_no_difference_leaves_the_call_to_the_owned_model(dialect: Dialect, fields: dict[str, Any]) -> None:
    assert list(fields_left_to_provider(dialect, fields)) == []
    assert read(dialect, **fields).is_plain


def test_no_value_of_a_field_is_an_error() -> None:
    odd: list[Any] = [None, True, False, 0, -1, 1e300, "", "x", [], [1], [[]], {}, {"a": []}, [None], [{"type": []}]]
    checked = 0
    for dialect, fields in FIELDS.items():
        for name in fields:
            for value in odd:
                assert list(fields_left_to_provider(dialect, {name: value})) in ([], [name])
                read(dialect, **{name: value})
                checked += 1
    assert checked > 3000


def test_a_null_field_counts_as_absent() -> None:
    for dialect, fields in FIELDS.items():
        assert list(fields_left_to_provider(dialect, dict.fromkeys([*fields, "unheard_of"]))) == []
