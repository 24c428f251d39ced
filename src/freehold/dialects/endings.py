"""How an answer ended, whatever word its provider has for it.

Providers spell one and the same ending in many ways (`max_tokens`, `MAX_TOKENS`, `maxTokens`, `length`,
`model_length`, `FinishReason.MAX_TOKENS`). The words are compared without case and signs. A word that is not in the
list is `unknown`, never `complete`: half an answer must not pass for a whole one because its provider has a new word.

Sources: the API references of OpenAI, Anthropic, Google, Mistral, Cohere, Amazon Bedrock, DeepSeek, xAI, Z.ai,
Together, OpenRouter, DashScope, Hugging Face TGI, vLLM, SGLang, llama.cpp, Ollama.

Not covered: what the answer itself shows (a broken stream, a refusal in words, an error beside the reason).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

Ending = Literal["complete", "cut_off", "refusal", "tool_calls", "error", "unknown", "none"]
"""`cut_off`: a limit or a stop from outside ended it. `none`: nothing was said, or that it is not ended yet."""

_WORDS: Mapping[Ending, str] = MappingProxyType(
    {
        "complete": """
            stop stopped stop_sequence stop_sequences stop_token stop_criteria_met stop_word
            end_turn end_of_turn end_of_text end_of_sequence endoftext eos eos_token eot eot_id
            complete completed finish finished final normal word done ended success
        """,
        "cut_off": """
            length max_tokens max_token max_output_tokens max_completion_tokens max_output max_length max_len
            max_new_tokens max_context max_tool_calls max_turns model_length context_length context_length_exceeded
            context_window_exceeded model_context_window_exceeded exceed_context_size limit token_limit
            token_limit_reached output_limit truncated truncated_final incomplete time_limit time max_time
            pause_turn pause_run pause paused compaction
            abort aborted cancel canceled cancelled user_cancel user_cancelled interrupted repetition
            repetition_detected preempted budget budget_exceeded max_budget
        """,
        "refusal": """
            refusal refused content_filter content_filtered content_filter_error content_policy content_policy_violation
            filter filtered safety sensitive recitation blocklist prohibited_content spii language blocked
            image_safety image_prohibited_content image_recitation model_armor jailbreak
            guardrail guardrails guardrail_intervened error_toxic toxic moderation policy_violation
        """,
        "tool_calls": """
            tool_calls tool_call tool_use function_call function_calls requires_action
        """,
        "error": """
            error errored failed failure error_limit server_error internal_error upstream_error provider_error
            network_error timeout timed_out insufficient_system_resource resource_exhausted rate_limit
            rate_limit_exceeded overloaded overloaded_error unavailable
            malformed_function_call malformed_response malformed_tool_use malformed_tool_call malformed_model_output
            function_call_filter function_call_failure function_call_error unexpected_tool_call too_many_tool_calls
            missing_thought_signature no_image image_other
        """,
        "none": """
            null none nil in_progress queued not_finished running pending incomplete_stream
        """,
    }
)
_SIGNS = re.compile(r"[^a-z0-9]+")
_PREFIX = re.compile(r"^(?:finishreason|stopreason|alternativestatus|reason)+(?=.)")
_LONGEST_CHARS = 200


@lru_cache(maxsize=1024)
def ending_of(finish_reason: str | None) -> Ending:
    """How an answer with this finish reason ended. Example: `ending_of("MAX_TOKENS") == "cut_off"`.

    A reason in two parts (`content_filter: RECITATION`) is the part that is known, the first one before the second.
    """
    if finish_reason is None or not finish_reason.strip():
        return "none"
    text = finish_reason[:_LONGEST_CHARS]
    for part in (text, *text.split(":")):
        found = _ENDINGS.get(_bare(part))
        if found is not None:
            return found
    return "unknown"


def _bare(word: str) -> str:
    return _PREFIX.sub("", _SIGNS.sub("", word.lower()))


_ENDINGS: Mapping[str, Ending] = MappingProxyType(
    {_bare(word): ending for ending, words in _WORDS.items() for word in words.split()}
)
