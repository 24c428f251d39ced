"""What a client asked and what it was answered, free of any dialect.

These are readings of a body, made for sorting, training and scoring. They never travel: the gateway forwards bytes.
Not covered: reading and assembling the bytes (`dialects`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

Dialect = str
"""The name of a dialect in the table of seams: `openai-chat`, `openai-responses`, `openai-completions`,
`openai-embeddings`, `anthropic-messages`, one of another package, or `other`, which nothing is read out of."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message of a conversation; `content` is its text, images and files are left out."""

    role: str
    content: str


def input_text(messages: Sequence[Message]) -> str:
    """Messages as one text: all that the owned model is shown; the same in a dataset, in the proof and live."""
    return "\n".join(message.content for message in messages)


class ToolCall(msgspec.Struct, frozen=True, gc=False):
    """One tool call of an answer; `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Token counts; None where the provider did not say.

    `input_tokens` are all of them; `cached_tokens` were read from a prompt cache and `written_tokens` written to one,
    each a part of the input. `output_tokens` are all that is billed as output; `reasoning_tokens` are a part of those.
    """

    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    written_tokens: int | None = None
    reasoning_tokens: int | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A reading of one request body.

    `tools` and `response_format` are canonical JSON texts (sorted keys) or None. `is_plain` holds when an owned
    model could answer: text only, one choice, no logprobs asked for, no tools that must be called. `prefill` is the
    beginning of the answer where the request gives it (a last message of the assistant's); it is no message then.
    """

    dialect: Dialect
    model: str | None = None
    messages: tuple[Message, ...] = ()
    tools: str | None = None
    response_format: str | None = None
    max_tokens: int | None = None
    is_stream: bool = False
    wants_usage: bool = False
    is_plain: bool = True
    user_key: str | None = None
    session_key: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    prefill: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A reading of one response: its first choice, assembled when it was streamed.

    `text` is the answer without the model's thoughts, which are in `thought`. `error` is what the provider said went
    wrong, also under status 200.
    """

    text: str = ""
    thought: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    usage: Usage = Usage()
    is_refusal: bool = False
    error: str | None = None
