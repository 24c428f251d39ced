"""The dialects that clients and providers speak: reading, assembling and rendering them.

A dialect's form stands in a table that other packages add to (`freehold.plugins`).
Reading never raises on odd content: wrong types read as absent. Only a request body that is not a JSON object at all
is an error, `BadBodyError`. Not covered: translating one dialect into another; the gateway forwards bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from freehold.dialects import paths
from freehold.dialects.fields import fields_left_to_provider
from freehold.dialects.form import Form, LocalAnswer
from freehold.dialects.other import OTHER, read_others
from freehold.dialects.static import static_slices
from freehold.dialects.stream import StreamAssembler as _StreamAssembler
from freehold.dialects.values import BadBodyError, dump, parse_anyhow, parse_object
from freehold.model.exchange import Answer, Asked, Dialect, Usage
from freehold.plugins import DIALECTS

__all__ = [
    "BadBodyError",
    "StreamAssembler",
    "can_render",
    "dialect_of",
    "error_body",
    "load_others",
    "provider_fields",
    "read_answer",
    "read_request",
    "render_answer",
    "render_stream",
    "static_parts",
]


def dialect_of(path: str) -> Dialect:
    """The dialect that is spoken at a path like `/v1/chat/completions`; `other` where no package knows one."""
    known = paths.dialect_of(path)
    return known if known != OTHER else _paths_of_others().get(path.partition("?")[0].rstrip("/"), OTHER)


def load_others() -> None:
    """Import the dialects of other packages now; else the first call at a path of no dialect of ours waits for them."""
    _forms_of_others()


@lru_cache
def _form(dialect: Dialect) -> Form:
    """How a dialect is read and rendered; that of a package which is gone is read as any other one."""
    if dialect in DIALECTS.own:
        form: Form = DIALECTS.load_own(dialect)
        return form
    return _forms_of_others().get(dialect) or _form(OTHER)


@lru_cache
def _forms_of_others() -> Mapping[Dialect, Form]:
    """The dialects of other packages, looked up once for each process."""
    return read_others(DIALECTS)


@lru_cache
def _paths_of_others() -> Mapping[str, Dialect]:
    return {path: dialect for dialect, form in _forms_of_others().items() for path in form.paths}


def read_request(dialect: Dialect, body: bytes) -> Asked:
    """Read a request body; BadBodyError when it is not a JSON object."""
    try:
        return _form(dialect).read_request(parse_object(body))
    except RecursionError as error:
        raise BadBodyError("The request body is not JSON that can be read: it is nested too deeply.") from error


def provider_fields(dialect: Dialect, body: bytes) -> tuple[str, ...]:
    """The fields of a request body that leave it to the provider; see `dialects.fields`."""
    return tuple(fields_left_to_provider(dialect, parse_anyhow(body))) if can_render(dialect) else ()


def read_answer(dialect: Dialect, body: bytes) -> Answer:
    """Read a response body; what is not there, or not JSON, reads as empty."""
    return _form(dialect).read_answer(parse_anyhow(body))


def static_parts(dialect: Dialect, body: bytes) -> tuple[bytes, ...]:
    """The long shared parts of a request body (system prompt, tools, response format), byte for byte."""
    return static_slices(_form(dialect), body)


class StreamAssembler(_StreamAssembler):
    """Builds the body that a streamed response would have had without streaming; see `dialects.stream`."""

    def __init__(self, dialect: Dialect) -> None:
        make = _form(dialect).assembly
        super().__init__(make() if make else None)


def can_render(dialect: Dialect) -> bool:
    """Whether a local answer can be given in this dialect."""
    return _form(dialect).render is not None


def render_answer(dialect: Dialect, *, id: str, model: str, text: str, usage: Usage, created: int) -> bytes:  # noqa: A002
    """A locally produced answer as an ordinary response; ValueError for a dialect that has no answers in text."""
    render = _form(dialect).render
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
    render = _form(dialect).render_events
    if render is None:
        raise ValueError(f"dialect {dialect!r} has no streams")
    return render(LocalAnswer(id=id, model=model, text=text, usage=usage, created=created), include_usage)


def error_body(dialect: Dialect, *, message: str, code: str) -> bytes:
    """An error of the gateway's own, in the caller's dialect; its type is `freehold_error`."""
    if dialect == "anthropic-messages":
        return dump({"type": "error", "error": {"type": "freehold_error", "message": message, "code": code}})
    return dump({"error": {"message": message, "type": "freehold_error", "param": None, "code": code}})
