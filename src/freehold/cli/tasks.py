"""`freehold tasks`: what the calls turned out to be, and what each task needs next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from freehold.cli.opening import json_option, open_estate
from freehold.core.spoken import count, ms, usd
from freehold.terminal import next_command, say, say_json, say_rows, tell

if TYPE_CHECKING:
    from freehold.loop.overview import TaskOverview


@click.command()
@json_option
def tasks(*, as_json: bool) -> None:
    """Sort new calls into tasks; show each and what it needs next.

    Shown are calls, spend, tokens in and out, median latency, the newest verdict and the route.
    """
    from freehold.loop.overview import overviews, unsorted_calls
    from freehold.loop.sorting import sort_new_calls

    with open_estate() as estate:
        sort_new_calls(estate)
        found, without_task = overviews(estate), unsorted_calls(estate)
    if as_json:
        say_json([view.plain() for view in found])
        return
    heads = ("task", "calls", "spend", "tokens", "p50", "verdict", "route")
    say_rows(heads, [_row(view) for view in found], right=(1, 2, 3, 4), flexible=0)
    for view in found:
        say(f"\n{view.name} ({view.kind})\n  next: {view.next_step}")
    if without_task:
        tell(
            f"\n{without_task:,} calls belong to no task: lists of models, calls without an answer, unreadable bodies."
        )
    next_command("freehold calls --failed" if without_task and not found else _next(found))


def _row(view: TaskOverview) -> tuple[str, ...]:
    figures = view.figures
    tokens = f"{count(figures.input_tokens)}+{count(figures.output_tokens)}"
    verdict = view.verdict.words if view.verdict else "-"
    spent = (f"{figures.calls:,}", usd(figures.cost_usd), tokens, ms(figures.latency_p50_ms))
    return (view.name, *spent, verdict, view.route.kind)


def _next(found: list[TaskOverview]) -> str:
    ready = [view.next_step for view in found if view.next_step.startswith("freehold ")]
    if ready:
        return ready[0]
    return "freehold status" if found else "freehold up, then point a client at it"
