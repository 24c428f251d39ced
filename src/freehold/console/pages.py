"""A page of all tasks, one of each task (ramp, evidence, verdicts, changes of its route), and the reports.

Reads only; it changes nothing and loads nothing from elsewhere. Not covered: signing in (it is served to this machine
alone), sorting new calls (the gateway does so every few seconds).
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
from freehold.console.loopback import LoopbackOnly
from freehold.console.task_page import of_task
from freehold.core.spoken import count, ms, usd
from freehold.errors import FreeholdError
from freehold.loop.estate import Estate
from freehold.loop.overview import overview_of, overview_page

TASKS_PER_PAGE = 50
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


def no_key_needed(_header: Callable[[bytes], str]) -> None:
    """Let everybody in who asks from this machine."""


def build_console(estate: Estate, *, is_simulated: bool, let_in: LetIn = no_key_needed) -> Starlette:
    """The console and the admin API as an ASGI application; `is_simulated` says so on every page."""
    templates = Environment(loader=PackageLoader("freehold.console"), autoescape=select_autoescape(default=True))
    templates.filters.update(usd=usd, ms=ms, count=count)

    def page(name: str, **values: object) -> Response:
        now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
        html = templates.get_template(name).render(now=now, version=__version__, is_simulated=is_simulated, **values)
        return HTMLResponse(html, headers=_HEADERS)

    def tasks_page(request: Request) -> Response:
        found = overview_page(estate, number=_page_number(request), size=TASKS_PER_PAGE)
        return page("tasks.html", found=found, base_url=f"{request.base_url}v1")

    def task_page(request: Request) -> Response:
        found = estate.store.book.tasks_of([request.path_params["task_id"]])
        if not found:
            return _missing(request, None)
        return page("task.html", **of_task(estate, overview_of(estate, found[0])))

    def report_page(request: Request) -> Response:
        verdict = estate.store.book.verdict(request.path_params["verdict_id"])
        path = Path(verdict.report_path) if verdict else None
        if path is None or not path.is_file():
            return _missing(request, None)
        return HTMLResponse(path.read_bytes(), headers=_HEADERS)

    return Starlette(
        routes=[
            Endpoint("/", tasks_page),
            Endpoint("/tasks/{task_id}", task_page),
            Endpoint("/reports/{verdict_id}", report_page),
            *api_endpoints(estate, let_in),
        ],
        middleware=[Middleware(LoopbackOnly, is_open=is_open_path)],
        exception_handlers={404: _missing, FreeholdError: _failed},
    )


def _page_number(request: Request) -> int:
    """The page that is asked for; the first one where that is no number."""
    text = request.query_params.get("page", "1")
    return int(text) if text.isdecimal() and len(text) < 10 else 1


def _missing(request: Request, _error: Exception | None) -> Response:
    text = f"There is nothing at {request.url.path}. All tasks and reports are on the first page: {request.base_url}\n"
    return PlainTextResponse(text, status_code=404, headers=_HEADERS)


def _failed(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", status_code=500, headers=_HEADERS)
