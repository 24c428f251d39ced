"""The dialects that clients and providers speak: reading, assembling and rendering them.

Reading never raises on odd content: wrong types read as absent. Only a request body that is not a JSON object at all
is an error, `BadBodyError`. Not covered: translating one dialect into another; the gateway forwards bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from freehold.dialects import anthropic_messages, openai_chat, openai_completions, openai_responses
from freehold.dialects.fields import fields_left_to_provider
from freehold.dialects.form import Form, LocalAnswer
from freehold.dialects.paths import dialect_of
from freehold.dialects.static import static_slices
from freehold.dialects.stream import StreamAssembler as _StreamAssembler
from freehold.dialects.values import BadBodyError, JsonObject, as_name, dump, parse_anyhow, parse_object
from freehold.model.exchange import Answer, Asked, Dialect, Usage

__all__ = [
    "BadBodyError",
    "StreamAssembler",
    "can_render",
    "dialect_of",
    "error_body",
    "provider_fields",
    "read_answer",
    "read_request",
    "render_answer",
    "render_stream",
    "static_parts",
]


def _read_other_request(data: JsonObject) -> Asked:
    is_stream = data.get("stream") is True
    return Asked(dialect="other", model=as_name(data.get("model")), is_stream=is_stream, is_plain=False)


def _read_other_answer(data: JsonObject) -> Answer:
    return Answer(model=as_name(data.get("model")))


_FORMS: Mapping[Dialect, Form] = MappingProxyType(
    {
        "openai-chat": openai_chat.FORM,
        "openai-responses": openai_responses.FORM,
        "openai-completions": openai_completions.FORM,
        "openai-embeddings": openai_completions.EMBEDDINGS_FORM,
        "anthropic-messages": anthropic_messages.FORM,
        "other": Form(read_request=_read_other_request, read_answer=_read_other_answer),
    }
)


def read_request(dialect: Dialect, body: bytes) -> Asked:
    """Read a request body; BadBodyError when it is not a JSON object."""
    try:
        return _FORMS[dialect].read_request(parse_object(body))
    except RecursionError as error:
        raise BadBodyError("The request body is not JSON that can be read: it is nested too deeply.") from error


def provider_fields(dialect: Dialect, body: bytes) -> tuple[str, ...]:
    """The fields of a request body that leave it to the provider; see `dialects.fields`."""
    return tuple(fields_left_to_provider(dialect, parse_anyhow(body))) if can_render(dialect) else ()


def read_answer(dialect: Dialect, body: bytes) -> Answer:
    """Read a response body; what is not there, or not JSON, reads as empty."""
    return _FORMS[dialect].read_answer(parse_anyhow(body))


def static_parts(dialect: Dialect, body: bytes) -> tuple[bytes, ...]:
    """The long shared parts of a request body (system prompt, tools, response format), byte for byte."""
    return static_slices(_FORMS[dialect], body)


class StreamAssembler(_StreamAssembler):
    """Builds the body that a streamed response would have had without streaming; see `dialects.stream`."""

    def __init__(self, dialect: Dialect) -> None:
        make = _FORMS[dialect].assembly
        super().__init__(make() if make else None)


def can_render(dialect: Dialect) -> bool:
    """Whether a local answer can be given in this dialect."""
    return _FORMS[dialect].render is not None


def render_answer(dialect: Dialect, *, id: str, model: str, text: str, usage: Usage, created: int) -> bytes:  # noqa: A002
    """A locally produced answer as an ordinary response; ValueError for a dialect that has no answers in text."""
    render = _FORMS[dialect].render
    if render is None:
        raise ValueError(f"dialect {dialect!r} has no text answers")
    return dump(render(LocalAnswer(id=id, model=model, text=text, usage=usage, created=created)))


def render_stream(
    dialect: Dialect,
    *,
    id: str,  # noqa: A002
    model: str,
    text: str,
    usage: Usage,
    created: int,
    include_usage: bool,
) -> Iterator[bytes]:
    """A locally produced answer as an ordinary stream, one event at a time."""
    render = _FORMS[dialect].render_events
    if render is None:
        raise ValueError(f"dialect {dialect!r} has no streams")
    return render(LocalAnswer(id=id, model=model, text=text, usage=usage, created=created), include_usage)


def error_body(dialect: Dialect, *, message: str, code: str) -> bytes:
    """An error of the gateway's own, in the caller's dialect; its type is `freehold_error`."""
    if dialect == "anthropic-messages":
        return dump({"type": "error", "error": {"type": "freehold_error", "message": message, "code": code}})
    return dump({"error": {"message": message, "type": "freehold_error", "param": None, "code": code}})
