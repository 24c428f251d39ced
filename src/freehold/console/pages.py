"""A page of all tasks, one of each task (ramp, evidence, verdicts, changes of its route), and the reports.

Reads only; it changes nothing and loads nothing from elsewhere. Not covered: keys (`console.login`), sorting new calls
(the gateway does so every few seconds).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route as Endpoint

from freehold import __version__
from freehold.console.api import LetIn, api_endpoints, is_open_path
from freehold.console.login import KeyWall
from freehold.console.loopback import LoopbackOnly, is_loopback
from freehold.console.session import Sessions
from freehold.console.task_page import of_task
from freehold.errors import FreeholdError
from freehold.pipeline.overview import overview_of, overview_page
from freehold.pipeline.workspace import Workspace
from freehold.text.formatting import count, ms, usd

TASKS_PER_PAGE = 50
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


def no_key_needed(_header: Callable[[bytes], str]) -> None:
    """Let everybody in who asks from this machine."""


def build_console(
    workspace: Workspace,
    *,
    is_simulated: bool,
    let_in: LetIn = no_key_needed,
    sessions: Sessions | None = None,
    is_own_host: Callable[[str], bool] = is_loopback,
) -> Starlette:
    """The console and the admin API as an ASGI application; `is_simulated` says so on every page.

    With `sessions` a key is asked for, which `let_in` knows. `is_own_host` says whether a `host` header names this
    gateway.
    """
    pages = _Pages(workspace, is_simulated=is_simulated)
    return Starlette(
        routes=[
            Endpoint("/", pages.tasks),
            Endpoint("/tasks/{task_id}", pages.task),
            Endpoint("/reports/{verdict_id}", pages.report),
            *api_endpoints(workspace, let_in, is_own_host),
        ],
        middleware=[
            Middleware(LoopbackOnly, is_open=is_open_path, is_own_host=is_own_host),
            Middleware(KeyWall, sessions=sessions, let_in=let_in, is_open=is_open_path, ask=pages.ask_for_key),
        ],
        exception_handlers={404: _missing, FreeholdError: _failed},
    )


class _Pages:
    """The pages over one workspace."""

    def __init__(self, workspace: Workspace, *, is_simulated: bool) -> None:
        self._workspace = workspace
        self._is_simulated = is_simulated
        self._templates = Environment(
            loader=PackageLoader("freehold.console"), autoescape=select_autoescape(default=True)
        )
        self._templates.filters.update(usd=usd, ms=ms, count=count)

    def tasks(self, request: Request) -> Response:
        found = overview_page(self._workspace, number=_page_number(request), size=TASKS_PER_PAGE)
        return self._page("tasks.html", found=found, base_url=f"{request.base_url}v1")

    def task(self, request: Request) -> Response:
        found = self._workspace.store.registry.tasks_of([request.path_params["task_id"]])
        if not found:
            return _missing(request, None)
        return self._page("task.html", **of_task(self._workspace, overview_of(self._workspace, found[0])))

    def report(self, request: Request) -> Response:
        verdict = self._workspace.store.registry.verdict(request.path_params["verdict_id"])
        path = Path(verdict.report_path) if verdict else None
        if path is None or not path.is_file():
            return _missing(request, None)
        return HTMLResponse(path.read_bytes(), headers=_HEADERS)

    def ask_for_key(self, status: int, problem: str, path: str) -> Response:
        asked = self._page("login.html", problem=problem, next=path)
        asked.status_code = status
        return asked

    def _page(self, name: str, **values: object) -> Response:
        now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
        template = self._templates.get_template(name)
        html = template.render(now=now, version=__version__, is_simulated=self._is_simulated, **values)
        return HTMLResponse(html, headers=_HEADERS)


def _page_number(request: Request) -> int:
    """The page that is asked for; the first one where that is no number."""
    text = request.query_params.get("page", "1")
    return int(text) if text.isdecimal() and len(text) < 10 else 1


def _missing(request: Request, _error: Exception | None) -> Response:
    text = f"There is nothing at {request.url.path}. All tasks and reports are on the first page: {request.base_url}\n"
    return PlainTextResponse(text, status_code=404, headers=_HEADERS)


def _failed(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", status_code=500, headers=_HEADERS)
