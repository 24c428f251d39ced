"""OpenAI completions (the old text endpoint) and embeddings.

Not covered: prompts given as token ids; they are recorded, and their text reads as empty.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.dialects.choices import ChoicesAssembly, is_finished, latest
from freehold.dialects.failure import choice_failure, failure_of
from freehold.dialects.fields import left_to_provider
from freehold.dialects.form import Form, LocalAnswer
from freehold.dialects.sse import DONE, sse_bytes
from freehold.dialects.thought import joined_thoughts, split_thought, thought_of
from freehold.dialects.usage import openai_usage
from freehold.dialects.values import (
    JsonObject,
    as_count,
    as_list,
    as_messages,
    as_name,
    as_object,
    as_text,
    dump_text,
    raw_text,
    read_metadata,
)
from freehold.model.exchange import Answer, Asked


def read_request(data: JsonObject) -> Asked:
    """Read a completion's request; its prompt becomes one user message."""
    prompt = data.get("prompt")
    prompts = prompt if isinstance(prompt, list) else [prompt]
    texts = [as_text(item) for item in prompts if isinstance(item, str)]
    is_plain = left_to_provider("openai-completions", data) is None
    metadata = read_metadata(data)
    return Asked(
        dialect="openai-completions",
        model=as_name(data.get("model")),
        messages=as_messages([("user", text) for text in texts]),
        max_tokens=as_count(data.get("max_tokens")),
        is_stream=data.get("stream") is True,
        wants_usage=as_object(data.get("stream_options")).get("include_usage") is True,
        is_plain=is_plain and len(prompts) == len(texts) == 1,
        user_key=as_name(data.get("user")) or metadata.get("user_id"),
        session_key=metadata.get("session_id"),
        metadata=metadata,
    )


def read_answer(data: JsonObject) -> Answer:
    """Read a completion: its first choice."""
    choices = as_list(data.get("choices"))
    choice = as_object(choices[0]) if choices else {}
    thought, text = split_thought(as_text(choice.get("text")))
    reason = as_name(choice.get("finish_reason"))
    return Answer(
        text=text,
        thought=joined_thoughts(thought_of(choice), thought),
        finish_reason=reason if is_finished(reason) else None,
        model=as_name(data.get("model")),
        system_fingerprint=as_name(data.get("system_fingerprint")),
        usage=openai_usage(as_object(data.get("usage")) or as_object(choice.get("usage"))),
        error=failure_of(data) or choice_failure(choice),
    )


class CompletionAssembly(ChoicesAssembly):
    """Completion chunks into a completion."""

    def _add_choice(self, chunk: JsonObject) -> None:
        index = as_count(chunk.get("index")) or 0
        fresh: JsonObject = {"index": index, "text": "", "logprobs": None, "finish_reason": None}
        choice = self._choices.setdefault(index, fresh)
        for key, value in chunk.items():
            if key in ("text", "reasoning", "reasoning_content"):
                choice[key] = raw_text(choice.get(key)) + raw_text(value)
            elif key == "logprobs" and isinstance(value, dict):
                so_far = as_object(choice["logprobs"])
                choice[key] = {name: as_list(so_far.get(name)) + as_list(new) for name, new in value.items()}
            elif key == "finish_reason":
                choice[key] = value if is_finished(value) else choice[key]
            elif key not in ("index", "logprobs") and value is not None:
                choice[key] = latest(choice.get(key), value)


def render(answer: LocalAnswer) -> JsonObject:
    """A completion."""
    choice: JsonObject = {"text": answer.text, "index": 0, "logprobs": None, "finish_reason": "stop"}
    return {**_head(answer), "choices": [choice], "usage": _usage_json(answer)}


def render_events(answer: LocalAnswer, include_usage: bool) -> Iterator[bytes]:
    """A completion as a stream of chunks."""
    no_usage: JsonObject = {"usage": None} if include_usage else {}

    def chunk(text: str, reason: str | None) -> bytes:
        choice: JsonObject = {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}
        return sse_bytes(dump_text({**_head(answer), "choices": [choice], **no_usage}))

    for piece in answer.pieces():
        yield chunk(piece, None)
    yield chunk("", "stop")
    if include_usage:
        yield sse_bytes(dump_text({**_head(answer), "choices": [], "usage": _usage_json(answer)}))
    yield sse_bytes(DONE)


def _head(answer: LocalAnswer) -> JsonObject:
    return {
        "id": f"cmpl-{answer.bare_id}",
        "object": "text_completion",
        "created": answer.created,
        "model": answer.model,
    }


def _usage_json(answer: LocalAnswer) -> JsonObject:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def read_embedding_request(data: JsonObject) -> Asked:
    """Read an embedding's request; its inputs are not messages."""
    return Asked(
        dialect="openai-embeddings",
        model=as_name(data.get("model")),
        is_plain=False,
        user_key=as_name(data.get("user")),
    )


def read_embedding_answer(data: JsonObject) -> Answer:
    """Read the model and token counts of embeddings; they have no output tokens."""
    usage = openai_usage({**as_object(data.get("usage")), "completion_tokens": 0})
    return Answer(model=as_name(data.get("model")), usage=usage, error=failure_of(data))


FORM = Form(
    read_request=read_request,
    read_answer=read_answer,
    assembly=CompletionAssembly,
    render=render,
    render_events=render_events,
)

EMBEDDINGS_FORM = Form(read_request=read_embedding_request, read_answer=read_embedding_answer)
