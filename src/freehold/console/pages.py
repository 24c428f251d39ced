"""One page to begin with: each task with its calls, spend, verdict, route and report.

Reads only; it changes nothing and loads nothing from elsewhere. Not covered: signing in (it listens on loopback).
"""

from __future__ import annotations

import time
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route as Endpoint

from freehold import __version__
from freehold.loop.estate import Estate
from freehold.loop.overview import overviews
from freehold.loop.sorting import sort_new_calls

_SECURITY = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


def build_console(estate: Estate, *, is_simulated: bool) -> Starlette:
    """The console as an ASGI application; `is_simulated` says so on every page."""
    pages = Environment(loader=PackageLoader("freehold.console"), autoescape=select_autoescape(default=True))

    async def tasks_page(_request: Request) -> Response:
        def render() -> str:
            sort_new_calls(estate)
            found = overviews(estate)
            spend = [view.figures.cost_usd for view in found if view.figures.cost_usd is not None]
            return pages.get_template("tasks.html").render(
                views=found,
                calls=sum(view.figures.calls for view in found),
                spend=sum(spend) if spend else None,
                now=time.strftime("%Y-%m-%d %H:%M:%S %Z"),
                version=__version__,
                is_simulated=is_simulated,
            )

        return HTMLResponse(await run_in_threadpool(render), headers=_SECURITY)

    async def report_page(request: Request) -> Response:
        wanted = request.path_params["verdict_id"]
        paths = await run_in_threadpool(_report_paths, estate)
        path = paths.get(wanted)
        if path is None or not path.exists():
            return PlainTextResponse("There is no such report. It may have been deleted.\n", status_code=404)
        return HTMLResponse(path.read_bytes(), headers=_SECURITY)

    return Starlette(routes=[Endpoint("/", tasks_page), Endpoint("/reports/{verdict_id}", report_page)])


def _report_paths(estate: Estate) -> dict[str, Path]:
    book = estate.store.book
    return {v.id: Path(v.report_path) for task in book.tasks() for v in book.verdicts(task.id)}
