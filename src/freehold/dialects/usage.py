"""Token counts as providers tell them.

All tokens that are billed as output are output here. Some providers leave reasoning out of `completion_tokens`
(Gemini's and xAI's endpoints): there `total_tokens` has it, or it is more than the completion itself. Tokens read from
or written to a prompt cache are part of the input.

Not covered: prices (`model.price`), tokens that nobody told (`text.estimate`).
"""

from __future__ import annotations

from freehold.dialects.values import JsonObject, as_count, as_object
from freehold.model.exchange import Usage

_CACHED = ("cached_tokens", "cache_read_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
_REASONING = ("reasoning_tokens", "thinking_tokens")


def openai_usage(usage: JsonObject) -> Usage:
    """Token counts in the OpenAI manner, of chat completions and of responses."""
    inside = _details(usage, "prompt_tokens_details", "input_tokens_details")
    outside = _details(usage, "completion_tokens_details", "output_tokens_details")
    prompt = _first(usage, ("prompt_tokens", "input_tokens"))
    completion = _first(usage, ("completion_tokens", "output_tokens"))
    cached = _first(usage, _CACHED, inside)
    written = _first(usage, _WRITTEN, inside)
    reasoning = _first(usage, _REASONING, outside)
    prompt, completion = _billed(
        prompt, completion, total=as_count(usage.get("total_tokens")), parts=(cached, written, reasoning)
    )
    return Usage(
        input_tokens=prompt,
        cached_tokens=cached,
        output_tokens=completion,
        written_tokens=written,
        reasoning_tokens=reasoning,
    )


def timings_usage(timings: JsonObject) -> Usage:
    """Token counts in the manner of llama.cpp's server, which tells them beside its times, asked or not."""
    fresh, cached = as_count(timings.get("prompt_n")), as_count(timings.get("cache_n"))
    return Usage(
        input_tokens=None if fresh is None else fresh + (cached or 0),
        cached_tokens=cached,
        output_tokens=as_count(timings.get("predicted_n")),
    )


def _billed(
    prompt: int | None, completion: int | None, *, total: int | None, parts: tuple[int | None, int | None, int | None]
) -> tuple[int | None, int | None]:
    """Input and output tokens with what was told apart from them: `total` has it."""
    if prompt is None or completion is None:
        return prompt, completion
    cached, written, reasoning = (part or 0 for part in parts)
    left_out = (total or 0) - prompt - completion
    if left_out > 0:
        is_input = cached > prompt or (left_out == cached + written and left_out != reasoning)
        return (prompt + left_out, completion) if is_input else (prompt, completion + left_out)
    if reasoning > completion:  # it cannot be a part of what is less
        return prompt, completion + reasoning
    return prompt, completion


def anthropic_usage(usage: JsonObject) -> Usage:
    """Token counts in Anthropic's manner: its input tokens leave out what was read from or written to a cache."""
    fresh = as_count(usage.get("input_tokens"))
    read = as_count(usage.get("cache_read_input_tokens"))
    written = as_count(usage.get("cache_creation_input_tokens"))
    if written is None and (by_age := as_object(usage.get("cache_creation"))):
        written = sum(as_count(tokens) or 0 for tokens in by_age.values())
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        cached_tokens=read,
        output_tokens=as_count(usage.get("output_tokens")),
        written_tokens=written,
        reasoning_tokens=_first(as_object(usage.get("output_tokens_details")), _REASONING),
    )


def _details(usage: JsonObject, *keys: str) -> JsonObject:
    for key in keys:
        if found := as_object(usage.get(key)):
            return found
    return {}


_NOTHING: JsonObject = {}


def _first(usage: JsonObject, keys: tuple[str, ...], details: JsonObject = _NOTHING) -> int | None:
    """The first of these counts; the details are asked for what the usage itself does not name."""
    for key in keys:
        if (count := as_count(usage[key] if key in usage else details.get(key))) is not None:
            return count
    return None
