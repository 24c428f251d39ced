"""A request as the gateway sees it: its bytes, and only as much of a reading as forwarding needs.

The whole reading (`RequestContext.asked`) is made when a route wants it, and otherwise later, from the record. Not
covered: who answers.
"""

from __future__ import annotations

import time
from contextlib import suppress
from copy import copy
from functools import cached_property
from urllib.parse import parse_qs, unquote

import msgspec

from freehold.dialects import BadBodyError, address, dialect_of, read_request
from freehold.dialects.once import read_once
from freehold.dialects.paths import API_PARAMETER, path_model
from freehold.httpd.heads import Header
from freehold.httpd.request import Request
from freehold.model.call import Dialect
from freehold.model.exchange import Asked
from freehold.model.ids import uuid7
from freehold.model.tags import TASK_FIELD, TASK_TAG, is_reserved, reserved_among
from freehold.record import RequestSide, decode_body

KEY_HEADERS = tuple(name.encode() for name in address.KEY_HEADERS)
API_HEADERS = frozenset((b"anthropic-version", b"anthropic-beta", b"openai-version", b"openai-beta"))
KEPT_HEADERS = API_HEADERS | {
    b"content-encoding",
    b"freehold-session",
    b"freehold-tags",
    b"freehold-task",
    b"freehold-user",
    b"traceparent",
}
"""Those whose values the record keeps."""


class _Options(msgspec.Struct):
    include_usage: bool | None = None


class _Peek(msgspec.Struct):
    """What forwarding needs of a body; msgspec checks that the rest of it is JSON, too."""

    model: str | None = None
    stream: bool | None = None
    stream_options: _Options | None = None


_PEEKER = msgspec.json.Decoder(_Peek)
_NOTHING = _Peek()


class RequestContext:
    """One request. `target` is path and query as sent; `begun_at` is a `perf_counter` time, `created_at` Unix seconds.

    `problem` says why a body that must be JSON is not. `meant` is the path that a mistaken one should be.
    `has_reservation`: a part of its key's budget is reserved for it. A copy for an audit has its own id (`again`).
    """

    def __init__(self, request: Request, limit_bytes: int, *, meant: str | None = None) -> None:
        self.begun_at = time.perf_counter()
        self.created_at = time.time()
        self.id = uuid7()
        self.http = request
        self.method = request.method
        self.headers: list[Header] = request.headers
        self.body = request.body
        self.target = request.target
        self.key_id: str | None = None
        self.has_keys = True
        self.tags: dict[str, str] = {}
        self._by_name = request.by_name
        path = request.target.partition(b"?")[0].decode("latin-1")
        self.path = clean(unquote(path)) if "%" in path else path
        self._meant = meant or self.path
        self.dialect: Dialect = dialect_of(self._meant)
        self.problem: str | None = None
        self.has_reservation = False
        self._once: dict[str, object] | None = None
        self._limit_bytes = limit_bytes
        self._peek = self._look() if self.method == "POST" and self.body and self._may_be_json() else _NOTHING
        if self.method == "POST" and not self.body and self.dialect != "other" and request.problem is None:
            self.problem = "The request body is empty."

    def header(self, name: bytes) -> str:
        """The last header of this (lower-case) name, or an empty text."""
        return self._by_name.get(name, b"").decode("latin-1")

    @property
    def model(self) -> str | None:
        """The model that the request names, in its body or its path (`/v1/models/NAME`, Azure's deployments)."""
        return self._peek.model if self._peek.model is not None else path_model(self.path)

    @property
    def names_model(self) -> bool:
        """Whether the body names a model."""
        return self._peek.model is not None

    @property
    def is_stream(self) -> bool:
        """The client asks for a stream."""
        return self._peek.stream is True

    @property
    def lacks_usage(self) -> bool:
        """A chat stream that will not tell its token usage, because the client did not ask."""
        options = self._peek.stream_options
        wants_usage = options is not None and options.include_usage is True
        is_encoded = b"content-encoding" in self.http.by_name
        return self.dialect == "openai-chat" and self.is_stream and not wants_usage and not is_encoded

    @property
    def error_dialect(self) -> Dialect:
        """The dialect in which the caller expects an error."""
        return "anthropic-messages" if self.speaks_anthropic else self.dialect

    @property
    def speaks_anthropic(self) -> bool:
        """Whether the caller is an Anthropic client."""
        return self._meant.startswith("/v1/messages") or b"anthropic-version" in self.http.by_name

    @cached_property
    def asked(self) -> Asked | None:
        """A reading of the whole body; None where it cannot be read."""
        plain = self.plain_body
        if self.method != "POST" or plain is None or not self._may_be_json():
            return None
        try:
            return read_request(self.dialect, plain)
        except BadBodyError as error:
            if self.dialect != "other":
                self.problem = str(error)
            return None

    def read_once(self) -> dict[str, object]:
        """The body's JSON object, empty where no JSON is expected; BadBodyError when it can be read in two ways."""
        if self._once is None:
            plain = self.plain_body if self.body and self._may_be_json() else b"{}"
            if plain is None:
                raise BadBodyError("The request body is compressed in a way that cannot be read.")
            self._once = read_once(plain)
        return self._once

    @property
    def explicit_task(self) -> str | None:
        """The task that the caller names."""
        named = self.header(b"freehold-task")
        if not named and TASK_FIELD.encode() in self.body and self.asked is not None:
            named = self.asked.metadata.get(TASK_FIELD, "")
        return clean(named) or None

    @property
    def reserved_tags(self) -> list[str]:
        """The names that the caller gives its tags and may not: the gateway's own."""
        named = b"freehold-tags" in self.http.by_name
        return reserved_among(read_tags(self.header(b"freehold-tags"))) if named else []

    def side(self) -> RequestSide:
        """What the record keeps of it."""
        by_name = self._by_name
        tags = self.tags
        if b"freehold-tags" in by_name:
            own = read_tags(self.header(b"freehold-tags"))
            tags = {**{name: value for name, value in own.items() if not is_reserved(name)}, **tags}
        if b"freehold-task" in by_name:
            tags = {**tags, TASK_TAG: clean(self.header(b"freehold-task"))}
        return RequestSide(
            id=self.id,
            created_at=self.created_at,
            dialect=self.dialect,
            method=self.method,
            path=self.path,
            body=self.body,
            content_encoding=self.header(b"content-encoding"),
            tags=tags,
            user_key=clean(self.header(b"freehold-user")) or None,
            session_key=clean(self.header(b"freehold-session")) or None,
            key_id=self.key_id,
            api=self._api(),
        )

    def _api(self) -> dict[str, str]:
        """What chooses the provider's API version; most requests have nothing of it."""
        by_name, api = self._by_name, {}
        if not API_HEADERS.isdisjoint(by_name):
            api = {name.decode(): clean(self.header(name)) for name in sorted(API_HEADERS) if name in by_name}
        if b"api-version=" in self.target:
            query = parse_qs(self.target.partition(b"?")[2].decode("latin-1"))
            api |= {API_PARAMETER: clean(query[API_PARAMETER][-1])} if API_PARAMETER in query else {}
        return api

    def again(self) -> RequestContext:
        """The same request as a call of its own, from now on."""
        twin = copy(self)
        twin.id, twin.created_at, twin.begun_at = uuid7(), time.time(), time.perf_counter()
        return twin

    def at(self, path: str) -> RequestContext:
        """The same request at another path."""
        twin = copy(self)
        twin.path, twin.target = path, path.encode()
        return twin

    def without_keys(self) -> RequestContext:
        """The same request without its caller's keys, for a provider that they may not be meant for."""
        twin = copy(self)
        twin.headers = [header for header in self.headers if header[0].lower() not in KEY_HEADERS]
        twin.has_keys = False
        return twin

    def forget(self) -> None:
        """Keep nothing of what the caller sent for the record: a secret is in it."""
        self.headers, self._by_name, self.target, self.body = [], {}, b"/", b""
        self.path = "(not kept: a gateway key is in it or beside it)"

    @property
    def plain_body(self) -> bytes | None:
        """The body without its content encoding; None where it cannot be decoded."""
        return self._decoded_body if self._by_name.get(b"content-encoding") else self.body

    @cached_property
    def _decoded_body(self) -> bytes | None:
        return decode_body(self.header(b"content-encoding"), self.body, limit_bytes=self._limit_bytes)

    def _may_be_json(self) -> bool:
        return self.dialect != "other" or b"json" in self.http.by_name.get(b"content-type", b"")

    def _look(self) -> _Peek:
        if b"content-encoding" not in self.http.by_name:
            with suppress(msgspec.MsgspecError, RecursionError, ValueError):
                return _PEEKER.decode(self.body)
        asked = self.asked  # slow, but it says what is wrong, and takes what is only unusual
        if asked is None:
            return _NOTHING
        return _Peek(model=asked.model, stream=asked.is_stream, stream_options=_Options(asked.wants_usage))


def read_tags(header: str) -> dict[str, str]:
    """The tags of a header like `team=search,env=prod`; a name without a value has an empty one."""
    pairs = (item.partition("=") for item in header.split(","))
    return {clean(name.strip()): clean(value.strip()) for name, _, value in pairs if name.strip()}


def clean(text: str) -> str:
    """A text that is fit for a database column: no zero bytes, no lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
