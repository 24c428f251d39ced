"""What is decided about every field of a request when an owned model could answer it, dialect by dialect.

- honoured: the owned answer does what the field says, or is not used.
- harmless: the field is not looked at, and the owned answer is as good without it. So are fields that only move what
  the provider writes (temperature, reasoning effort): how close the owned model comes is measured by the proof.
- provider: the call is the provider's, since an owned answer would lack what the field asks for.

A decision may have exceptions by value. A field that is null counts as absent. A field that nobody decided is the
provider's. `docs/request-fields.md` is written out of these tables.

Not covered: what messages may hold (`plain`), dialects that have no answers in text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from freehold.dialects import field_rules as rules
from freehold.dialects.field_rules import Rule
from freehold.model.exchange import Dialect

Decision = Literal["honoured", "harmless", "provider"]


@dataclass(frozen=True, slots=True)
class Field:
    """One decision and why; the rule says which values need the provider, None that none does; then that in words."""

    decision: Decision
    why: str
    rule: Rule | None = None
    exception: str = ""


def _honoured(why: str, rule: Rule | None = None, exception: str = "") -> Field:
    return Field("honoured", why, rule, exception)


def _harmless(why: str, rule: Rule | None = None, exception: str = "") -> Field:
    return Field("harmless", why, rule, exception)


def _provider(why: str, rule: Rule = rules.always, exception: str = "") -> Field:
    return Field("provider", why, rule, exception)


def _said(why: str) -> Field:
    return _provider(why, rules.is_said, "empty, 0 or false is harmless")


def _each(names: str, field: Field) -> dict[str, Field]:
    return dict.fromkeys(names.split(), field)


_SAMPLING = _harmless("owned answers are greedy; how close they come is what the proof measures")
_THOUGHTS = _harmless("an owned answer has no thoughts: none are shown, summed up or encrypted")
_EFFORT = _harmless("how long the provider thinks or writes; the proof measures what comes of it")
_CALLER = _harmless("says who asks; recorded")
_TERMS = _harmless("speed, place and price of the provider's own work")
_CACHE = _harmless("the provider's prompt cache")
_LIMIT = _honoured(
    "an owned answer of more tokens, counted as the owned model does, is not used",
    rules.is_no_limit,
    "0, or what is no number of tokens: provider",
)
_STREAM = _honoured("as a stream or in one piece", rules.is_no_flag, "neither true nor false: provider")
_TOOLS = _harmless(
    "the owned model answers in text; a call that wants a tool called is not of the proven kind",
    rules.runs_tools,
    "with a tool that the provider runs: provider",
)
_CHOICE = _honoured("auto and none leave a text as answer", rules.forces_a_tool, "a forced tool: provider")
_FORMAT = _honoured(
    "an owned answer that breaks the format or its schema is not used",
    rules.has_another_format,
    "other than text, json_object, json_schema: provider",
)
_ONE = _provider("more than one answer", rules.is_not_one, "1 is harmless")
_STOP = _said("the owned model is not asked to stop there")
_STATE = _said("the provider holds the conversation, or a part of the prompt")
_PARTS = "only text, and no results of tools: see below"

_OPENAI: Mapping[str, Field] = {
    "model": _harmless("names the provider's model; the answer names the owned one"),
    "stream": _STREAM,
    "metadata": _CALLER,
    **_each("user safety_identifier", _CALLER),
    **_each("temperature top_p", _SAMPLING),
    "stream_options": _honoured("`include_usage` is; obfuscation is left out"),
}
_OPENAI_NEW: Mapping[str, Field] = {
    **_each("prompt_cache_key prompt_cache_retention", _CACHE),
    "prompt_cache_options": _harmless(
        "the provider's prompt cache", rules.prepares_a_cache, "`prewarm` and `comparison_response_id`: provider"
    ),
    "service_tier": _TERMS,
    "moderation": _provider("the provider adds its findings, or blocks"),
    "parallel_tool_calls": _harmless("an owned answer calls no tools"),
    "top_logprobs": _said("log probabilities of the provider's tokens"),
    "tools": _TOOLS,
    "tool_choice": _CHOICE,
}
_OTHERS: Mapping[str, Field] = {  # of other providers and engines that speak OpenAI's dialects
    **_each("top_k min_p top_a typical_p repetition_penalty length_penalty", _SAMPLING),
    **_each("do_sample random_seed tfs_z mirostat mirostat_tau mirostat_eta dynatemp_range", _SAMPLING),
    **_each("include_reasoning reasoning_format reasoning_split separate_reasoning stream_reasoning", _THOUGHTS),
    **_each("thinking enable_thinking thinking_budget prompt_mode think", _EFFORT),
    "chat_template_kwargs": _harmless(
        "switches the provider's thoughts", rules.changes_the_template, "with anything else in it: provider"
    ),
    **_each("provider route models fallbacks transforms usage trace request_id user_id session_id", _TERMS),
    **_each("cache_prompt cache_control keep_alive id_slot n_keep ttl timeout num_retries", _TERMS),
    **_each("safe_prompt safety_model", _harmless("the provider's own precautions")),
    "search_parameters": _provider("the provider searches", rules.searches, "mode off is harmless"),
    **_each(
        "enable_search plugins data_sources documents extra_body deferred", _said("the provider adds to the prompt")
    ),
    **_each("ignore_eos min_tokens stop_token_ids bad_words guided_json guided_regex", _said("shapes the answer")),
    **_each("guided_choice guided_grammar structured_outputs grammar json_schema", _said("shapes the answer")),
    **_each("include_stop_str_in_output prompt_logprobs n_probs return_token_ids", _said("adds to the answer")),
}
_CHAT: Mapping[str, Field] = {
    **_OTHERS,
    **_OPENAI,
    **_OPENAI_NEW,
    "messages": _honoured(_PARTS),
    **_each("max_tokens max_completion_tokens", _LIMIT),
    **_each("frequency_penalty presence_penalty seed", _SAMPLING),
    "logit_bias": _said("names tokens of the provider's"),
    "logprobs": _provider("log probabilities of the provider's tokens", rules.is_true, "false is harmless"),
    "n": _ONE,
    "stop": _STOP,
    "audio": _said("a spoken answer"),
    "modalities": _provider("an answer that is more than text", rules.wants_more_than_text, "text alone is harmless"),
    "functions": _said("functions in the old form"),
    "function_call": _CHOICE,
    "response_format": _FORMAT,
    "prediction": _harmless("only makes the provider faster"),
    **_each("reasoning_effort reasoning verbosity", _EFFORT),
    "store": _harmless("kept at the provider for its own training and tests; a local answer is in this record"),
    "web_search_options": _provider("the provider searches the web, also where the options are empty"),
    "continue_final_message": _honoured("the last message is the beginning of the answer", rules.is_no_flag),
    "add_generation_prompt": _harmless("a new message is what there is without it", rules.is_no_flag),
    "echo": _said("the answer begins with what was sent"),
}
_RESPONSES: Mapping[str, Field] = {
    **_OTHERS,
    **_OPENAI,
    **_OPENAI_NEW,
    **_each("input instructions", _honoured(_PARTS)),
    "max_output_tokens": _LIMIT,
    "text": _honoured(
        "the format is, as `response_format` in chat; verbosity is harmless",
        rules.configures_more_than(frozenset({"format", "verbosity"})),
        "other members or formats: provider",
    ),
    "include": _provider(
        "more output of the provider's tools",
        rules.includes_more_than_reasoning,
        "`reasoning.encrypted_content` is harmless: there is no reasoning to encrypt",
    ),
    **_each("reasoning verbosity", _THOUGHTS),
    "max_tool_calls": _harmless("an owned answer calls no tools"),
    "truncation": _harmless("an input that is too long for the engine is the provider's in any case"),
    "image": _harmless("about images, and a call with images is the provider's"),
    "store": _provider(
        "the answer is to be found at the provider later", rules.is_true, "false or not said is harmless"
    ),
    "previous_response_id": _STATE,
    "conversation": _STATE,
    "prompt": _STATE,
    "context_management": _said("the provider shortens the conversation"),
    **_each("background background_options", _said("the answer is fetched later, from the provider")),
    "access_programs": _provider("what the provider lets this caller ask"),
    "multi_agent": _said("the provider runs agents"),
    "generate": _provider("a call that fills the cache and wants no answer", rules.is_false, "true is harmless"),
    "betas": _harmless("a header; what it turns on is in other fields"),
    **_each("stop logit_bias logprobs seed n", _said("no field of this dialect; a backend may take it")),
}
_COMPLETIONS: Mapping[str, Field] = {
    **_OTHERS,
    **_OPENAI,
    "prompt": _honoured("one text; several, or token ids: provider"),
    "max_tokens": _LIMIT,
    **_each("frequency_penalty presence_penalty seed", _SAMPLING),
    **_each("n best_of", _ONE),
    "logprobs": _provider("log probabilities of the provider's tokens, also for 0"),
    "logit_bias": _said("names tokens of the provider's"),
    "stop": _STOP,
    "echo": _said("the answer begins with the prompt"),
    "suffix": _said("text for a gap"),
    "response_format": _provider("no field of this dialect; a backend may take it"),
}
_MESSAGES: Mapping[str, Field] = {
    "model": _OPENAI["model"],
    **_each("messages system", _honoured(_PARTS)),
    "max_tokens": _LIMIT,
    "stream": _STREAM,
    **_each("metadata user_profile_id", _CALLER),
    **_each("temperature top_p top_k", _SAMPLING),
    "stop_sequences": _STOP,
    "thinking": _THOUGHTS,
    "output_config": _honoured(
        "the format is; effort and budget are harmless",
        rules.configures_more_than(frozenset({"format", "effort", "task_budget"})),
        "other members or formats: provider",
    ),
    "output_format": _FORMAT,
    "tools": _TOOLS,
    "tool_choice": _CHOICE,
    "cache_control": _CACHE,
    "diagnostics": _CACHE,
    **_each("service_tier speed inference_geo workspace_id billing_policy", _TERMS),
    "fallbacks": _harmless("other models of the provider's, where the first declines"),
    **_each("betas anthropic_beta anthropic_version", _harmless("a header; what it turns on is in other fields")),
    "mcp_servers": _said("tools that the provider runs"),
    "container": _STATE,
    "thread": _provider("the provider holds the conversation"),
    "compaction": _provider("the answer is a summary of the conversation"),
    "context_management": _provider(
        "the provider shortens the conversation", rules.edits_context, "without edits it is harmless"
    ),
    "fallback_credit_token": _provider("belongs to one refused call of the provider's"),
}
FIELDS: Mapping[Dialect, Mapping[str, Field]] = MappingProxyType(
    {
        "openai-chat": MappingProxyType(_CHAT),
        "openai-responses": MappingProxyType(_RESPONSES),
        "openai-completions": MappingProxyType(_COMPLETIONS),
        "anthropic-messages": MappingProxyType(_MESSAGES),
    }
)
_UNDECIDED = _provider("nobody decided about it")


def left_to_provider(dialect: Dialect, data: Mapping[str, object]) -> str | None:
    """The first field of a request that makes it the provider's; None where there is none."""
    return next(fields_left_to_provider(dialect, data), None)


def fields_left_to_provider(dialect: Dialect, data: Mapping[str, object]) -> Iterator[str]:
    """Every field of a request that makes it the provider's, in the request's order."""
    decided = FIELDS.get(dialect, {})
    for name, value in data.items():
        rule = decided.get(name, _UNDECIDED).rule
        if rule is not None and value is not None and rule(value):
            yield name
