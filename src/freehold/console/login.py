"""The way into the console where keys are required: a page that takes a gateway key and opens a session with it.

Programs send the key with each request, as for calls. A key that is limited to tasks or models opens nothing here: the
console shows the calls of everybody. What changes something and comes with a session must come from a page of this very
origin; the cookie is `HttpOnly` and `SameSite=Strict`, so that no script reads it and no other site sends it.

Not covered: sessions (`console.session`); operations that callers elsewhere may use (`console.api`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from freehold.console.session import LONGEST_S, Sessions
from freehold.errors import FreeholdError
from freehold.model.key import SESSION_COOKIE
from freehold.system.hosts import is_own_origin

LOGIN, LOGOUT = "/login", "/logout"
LetIn = Callable[[Callable[[bytes], str]], str | None]
"""Lets a request in by its headers; gives the id of its gateway key, None where none is needed. FreeholdError else."""

_COOKIE = SESSION_COOKIE.decode()
_LARGEST_FORM_BYTES = 4096
_PAGE_PATH = re.compile(r"/(?!/)[\w\-./]{0,200}")
_SAFE_METHODS = ("GET", "HEAD")


class KeyWall:
    """Wraps an application; asks for a key or a session first, but for paths that are open."""

    def __init__(
        self,
        inner: ASGIApp,
        *,
        sessions: Sessions | None,
        let_in: LetIn,
        is_open: Callable[[str], bool],
        ask: Callable[[int, str, str], Response],
    ) -> None:
        self._inner = inner
        self._sessions = sessions
        self._let_in = let_in
        self._is_open = is_open
        self._ask = ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http" or self._sessions is None or self._is_open(scope["path"]):
            await self._inner(scope, receive, send)
            return
        request = Request(scope, receive)
        reply = await self._reply(request, self._sessions)
        await (self._inner if reply is None else reply)(scope, receive, send)

    async def _reply(self, request: Request, sessions: Sessions) -> Response | None:
        """What is answered in place of what was asked for; None for who may look."""
        if request.url.path == LOGIN:
            return await self._log_in(request, sessions) if request.method == "POST" else self._ask(200, "", "/")
        if request.url.path == LOGOUT:
            return _log_out(request)
        if sessions.key_of(request.cookies.get(_COOKIE, ""), time.time()) is not None:
            is_safe = request.method in _SAFE_METHODS or is_own_page(request)
            return None if is_safe else _refused(403, "foreign_page", "A page elsewhere may change nothing.")
        return await run_in_threadpool(self._by_key, request, sessions)

    def _by_key(self, request: Request, sessions: Sessions) -> Response | None:
        try:
            key_id = self._let_in(lambda name: request.headers.get(name.decode("latin-1"), ""))
            if key_id is not None and sessions.may_look(key_id):
                return None
            limited, none = (403, "key_not_for_console", _LIMITED), (401, "missing_gateway_key", _NONE)
            status, code, words = limited if key_id else none
        except FreeholdError as error:
            status, code, words = error.status, error.code, str(error)
        if request.url.path.startswith("/api/"):
            return _refused(status, code, words)
        return self._ask(status, "" if code == "missing_gateway_key" else words, request.url.path)

    async def _log_in(self, request: Request, sessions: Sessions) -> Response:
        if not is_own_page(request):
            return _refused(403, "foreign_page", "A page elsewhere may not log in here.")
        form = await _read_form(request)
        key, path = form.get("key", "").strip(), form.get("next", "/")
        path = path if _PAGE_PATH.fullmatch(path) else "/"
        given = {b"freehold-key": key}
        try:
            key_id = await run_in_threadpool(self._let_in, lambda name: given.get(name, "")) if key else None
        except FreeholdError as error:
            return self._ask(error.status, str(error), path)
        if key_id is None:
            return self._ask(401, "Give a gateway key: fhk_...", path)
        if not sessions.may_look(key_id):
            return self._ask(403, _LIMITED, path)
        reply = RedirectResponse(path, status_code=303, headers={"cache-control": "no-store"})
        is_secure = urlsplit(request.headers.get("origin", "")).scheme == "https"
        cookie = sessions.open(key_id, time.time())
        reply.set_cookie(_COOKIE, cookie, max_age=LONGEST_S, httponly=True, samesite="strict", secure=is_secure)
        return reply


_LIMITED = (
    "This key is limited to tasks or models, and the console shows the calls of everybody."
    " Use a key without such limits: freehold keys add NAME."
)
_NONE = "This gateway asks for a gateway key. Send it as Bearer fhk_..., or log in at /login."


def is_own_page(request: Request) -> bool:
    """Whether the browser says that a page of this very origin sends the request."""
    return is_own_origin(request.headers.get("origin", ""), request.headers.get("host", ""))


async def _read_form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM_BYTES:
            return {}
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=8)
    return {name: values[-1] for name, values in fields.items()}


def _log_out(request: Request) -> Response:
    if request.method != "POST" or not is_own_page(request):
        return _refused(403, "foreign_page", "Only a page of this console may log out.")
    reply = RedirectResponse(LOGIN, status_code=303, headers={"cache-control": "no-store"})
    reply.delete_cookie(_COOKIE, httponly=True, samesite="strict")
    return reply


def _refused(status: int, code: str, words: str) -> Response:
    error = {"code": code, "message": words, "hint": "freehold keys add NAME makes a key; docs/keys.md says more."}
    return JSONResponse({"error": error}, status_code=status, headers={"cache-control": "no-store"})
