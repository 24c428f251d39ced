"""HTTP for the admin API: reading a request strictly, running its operation in a thread, answering in JSON.

Only this machine is served (`console.loopback`), but for operations that are open: a caller elsewhere may use them with
a gateway key. A body must be said to be JSON, which no web page elsewhere can send here unasked. Not covered: what the
operations do (`console.api.operations`).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as Endpoint

from freehold.console.api.models import Failure, Problem
from freehold.console.api.openapi import openapi
from freehold.console.api.operations import OPERATIONS, Asked, Operation
from freehold.console.login import LetIn
from freehold.console.loopback import is_from_here
from freehold.errors import AwayError, FreeholdError, NotFoundError, UsageError
from freehold.pipeline.workspace import Workspace

API_PATH = "/api"

_NAME = re.compile(r"[\w-]{1,200}")
_MOST_BODY_BYTES = 2**20
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_LOG = logging.getLogger("freehold.console")


class RefusedError(FreeholdError):
    """A request that this API does not take; `status` says why."""

    def __init__(self, status: int, code: str, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


class Api:
    """The endpoints over one workspace."""

    def __init__(self, workspace: Workspace, let_in: LetIn, is_own_host: Callable[[str], bool]) -> None:
        self._workspace = workspace
        self._let_in = let_in
        self._is_own_host = is_own_host

    def endpoint(self, operations: dict[str, Operation]) -> Callable[[Request], Any]:
        """One path's endpoint, by method."""

        async def serve(request: Request) -> Response:
            operation = operations.get("GET" if request.method == "HEAD" else request.method)
            if operation is None:
                return _not_allowed(request, sorted(operations))
            try:
                asked = await self._read(operation, request)
                given = await run_in_threadpool(operation.run, self._workspace, asked)
                return _reply(given, operation.status)
            except FreeholdError as error:
                return _problem(error)
            except Exception:
                _LOG.exception("%s %s failed.", request.method, request.url.path)
                return _problem(FreeholdError("This request failed.", hint="The gateway's log says why."))

        return serve

    async def _read(self, operation: Operation, request: Request) -> Asked:
        names = {name: str(value) for name, value in request.path_params.items()}
        for name, value in names.items():
            if not _NAME.fullmatch(value):
                raise NotFoundError(f"There is no {name} {value!r}.", hint=f"See {API_PATH}/openapi.json")
        key_id = self._key_of(request) if operation.is_open else None
        return Asked(names=names, query=_query(operation, request), body=await _body(operation, request), key_id=key_id)

    def _key_of(self, request: Request) -> str | None:
        key_id = self._let_in(lambda name: request.headers.get(name.decode("latin-1"), ""))
        if key_id is None and not is_from_here(request, self._is_own_host):
            raise RefusedError(
                403, "not_from_here", "Callers elsewhere need a gateway key.", hint="Send it as Bearer fhk_..."
            )
        return key_id


def api_endpoints(workspace: Workspace, let_in: LetIn, is_own_host: Callable[[str], bool]) -> list[BaseRoute]:
    """All endpoints of the API, the OpenAPI document among them."""
    api = Api(workspace, let_in, is_own_host)
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"]
    found: list[BaseRoute] = [Endpoint(f"{API_PATH}/openapi.json", _document)]
    found += [Endpoint(API_PATH + path, api.endpoint(known), methods=every) for path, known in by_path.items()]
    found.append(Endpoint(API_PATH + "/{rest:path}", _nothing, methods=every))
    return found


def is_open_path(path: str) -> bool:
    """Whether callers elsewhere may come here with a gateway key."""
    patterns = [re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(API_PATH + op.path)) for op in OPERATIONS if op.is_open]
    return any(re.fullmatch(pattern, path) for pattern in patterns)


async def _document(_request: Request) -> Response:
    return Response(json.dumps(openapi(API_PATH)), media_type="application/json", headers=_HEADERS)


async def _nothing(request: Request) -> Response:
    return _problem(
        NotFoundError(f"There is nothing at {request.url.path!r}.", hint=f"All paths: {API_PATH}/openapi.json")
    )


def _query(operation: Operation, request: Request) -> Any:
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"The parameter {twice[0]!r} is given twice.", hint="Give it once.")
    try:
        query = msgspec.convert(dict(given), operation.query, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"The parameters cannot be read: {error}.", hint=f"See {API_PATH}/openapi.json") from error
    for name in names:
        if msgspec.structs.asdict(query)[name] is None:
            raise UsageError(f"The parameter {name!r} is null.", hint="Leave it out where it is not meant.")
    return query


async def _body(operation: Operation, request: Request) -> Any:
    if operation.body is None:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(
            415,
            "not_json",
            f"The body is said to be {kind or 'nothing'!r}.",
            hint="Send content-type: application/json",
        )
    raw = await request.body()
    if len(raw) > _MOST_BODY_BYTES:
        raise RefusedError(413, "too_large", f"The body has {len(raw):,} bytes.", hint="Send at most 1 MiB.")
    try:
        return msgspec.json.decode(raw, type=operation.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The body cannot be read: {error}.", hint=f"See {API_PATH}/openapi.json") from error


def _reply(given: object, status: int) -> Response:
    return Response(msgspec.json.encode(given), status_code=status, media_type="application/json", headers=_HEADERS)


def _problem(error: FreeholdError) -> Response:
    status = 503 if isinstance(error, AwayError) else error.status
    return _reply(Problem(Failure(code=error.code, message=error.message, hint=error.hint)), status)


def _not_allowed(request: Request, allowed: list[str]) -> Response:
    error = RefusedError(
        405, "method_not_allowed", f"{request.method} is not for this path.", hint=f"Use {', '.join(allowed)}."
    )
    response = _problem(error)
    response.headers["allow"] = ", ".join(allowed)
    return response
