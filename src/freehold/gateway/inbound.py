"""A request as it came in: its bytes, and a reading of them.

Not covered: who answers it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

from freehold.core.call import Dialect
from freehold.core.dialects import BadBodyError, dialect_of, read_request
from freehold.core.ids import uuid7
from freehold.gateway.refusal import ClientGoneError, RefusedError
from freehold.record import RequestSide, decode_body

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One request: `target` is path and query as sent, `body` the bytes as sent, `begun_at` a `perf_counter` time.

    `problem` says why a body that must be JSON is not.
    """

    request: RequestSide
    target: str
    headers: tuple[Header, ...]
    by_name: Mapping[bytes, bytes]
    body: bytes = b""
    begun_at: float = 0.0
    explicit_task: str | None = None
    problem: str | None = None

    @property
    def error_dialect(self) -> Dialect:
        """The dialect in which the caller expects an error."""
        return "anthropic-messages" if self.speaks_anthropic else self.request.dialect

    @property
    def speaks_anthropic(self) -> bool:
        """Whether the caller is an Anthropic client."""
        return self.request.path.startswith("/v1/messages") or bool(self.header(b"anthropic-version"))

    def header(self, name: bytes) -> str:
        """The last header of this (lower-case) name, or an empty text."""
        return self.by_name.get(name, b"").decode("latin-1")


def begin(scope: Scope) -> Inbound:
    """A request whose body has not been read yet."""
    path: str = scope["path"]
    raw_path: bytes = scope.get("raw_path") or path.encode()
    query: bytes = scope["query_string"]
    target = raw_path + b"?" + query if query else raw_path
    headers = tuple(scope["headers"])
    request = RequestSide(
        id=uuid7(),
        created_at=time.time(),
        dialect=dialect_of(path),
        method=scope["method"],
        path=clean(path),
        body=b"",
    )
    return Inbound(
        request=request,
        target=target.decode("latin-1"),
        headers=headers,
        by_name=dict(headers),
        begun_at=time.perf_counter(),
    )


async def read_body(inbound: Inbound, receive: Receive, limit_bytes: int) -> bytes:
    """The whole body of a request; RefusedError when it is larger than `limit_bytes`."""
    too_large = RefusedError(
        413,
        "body_too_large",
        f"The request body is larger than {limit_bytes} bytes, the most that this gateway takes.",
        hint="Raise gateway.max_body_mb in freehold.toml.",
    )
    declared = inbound.header(b"content-length")
    if declared.isdigit() and int(declared) > limit_bytes:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientGoneError
        chunks.append(event.get("body", b""))
        size += len(chunks[-1])
        if size > limit_bytes:
            raise too_large
        if not event.get("more_body", False):
            return b"".join(chunks)


def read(inbound: Inbound, body: bytes, limit_bytes: int) -> Inbound:
    """The request with its body and a reading of it and of the `freehold-*` headers."""
    begun_at = time.perf_counter()
    request = inbound.request
    encoding = inbound.header(b"content-encoding")
    plain = decode_body(encoding, body, limit_bytes=limit_bytes) if encoding else body
    asked, problem = None, None
    if request.method == "POST" and plain is not None and _may_be_json(inbound):
        try:
            asked = read_request(request.dialect, plain)
        except BadBodyError as error:
            problem = str(error) if request.dialect != "other" else None
    request = replace(
        request,
        body=body if plain is None else plain,
        asked=asked,
        tags=read_tags(inbound.header(b"freehold-tags")),
        user_key=clean(inbound.header(b"freehold-user")) or None,
        session_key=clean(inbound.header(b"freehold-session")) or None,
    )
    named = inbound.header(b"freehold-task") or (asked.metadata.get("freehold_task", "") if asked else "")
    task = clean(named) or None
    return replace(inbound, request=request, body=body, begun_at=begun_at, explicit_task=task, problem=problem)


def _may_be_json(inbound: Inbound) -> bool:
    return inbound.request.dialect != "other" or "json" in inbound.header(b"content-type")


def read_tags(header: str) -> dict[str, str]:
    """The tags of a header like `team=search,env=prod`; a name without a value has an empty one."""
    pairs = (item.partition("=") for item in header.split(","))
    return {clean(name.strip()): clean(value.strip()) for name, _, value in pairs if name.strip()}


def clean(text: str) -> str:
    """A text that is fit for a database column: no zero bytes, no lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
