"""`freehold status`: where traffic goes, with live metrics and evidence."""

from __future__ import annotations

import textwrap
import time
from typing import TYPE_CHECKING

import click

from freehold.cli.options import SORTING_S, json_option, open_workspace
from freehold.terminal import next_command, say, say_json, say_rows, terminal_width
from freehold.text.formatting import usd

if TYPE_CHECKING:
    from freehold.route.run.route_status import RouteStatus
    from freehold.watch.run.monitor_status import MonitorStatus


@click.command()
@click.argument("task", required=False)
@json_option
def status(task: str | None, *, as_json: bool) -> None:
    """Show each task's route and its live metrics since it was set.

    With how the evidence stands: what was found, and what would take the route back; with how far the database is
    behind the calls, and what the gateway refused today. With TASK, that one in detail.
    """
    from freehold.ops.refusal_summary import refused_today, refused_words
    from freehold.record.run.lag import lag_row
    from freehold.route.run.route_status import route_status, route_statuses
    from freehold.sort.run.loose_calls import unsorted
    from freehold.sort.run.sort import sort_new_calls

    with open_workspace() as workspace:
        sort_new_calls(workspace, most_s=SORTING_S)
        delivery, left = lag_row(workspace.settings, time.time()), unsorted(workspace)
        refused = refused_words(refused_today(workspace, time.time()))
        views = route_statuses(workspace) if task is None else [route_status(workspace, workspace.task(task))]
    if as_json:
        say_json([view.plain() for view in views] if task is None else views[0].plain())
        return
    heads = ("task", "route", "local", "own ms", "rent ms", "saved")
    say_rows(heads, [_row(view) for view in views], right=(3, 4, 5), flexible=0)
    for view in views:
        remarks = _remarks(view)
        if remarks:
            say(f"\n{view.task}")
        for remark in remarks:
            say(_folded(remark))
    if task is not None and views[0].standing is not None:
        _show_detail(views[0].standing)
    say(f"\ndelivery: {delivery}")
    for words in filter(None, (left.waiting_words, left.aside_words)):
        say(f"sorting: {words}")
    say(f"refused today (UTC): {refused}")
    next_command("freehold tasks" if views else "freehold up, then point a client at it")


def _row(view: RouteStatus) -> tuple[str, ...]:
    figures = view.figures
    local = "-" if figures.share_local is None else f"{figures.share_local:.0%} of {figures.calls:,}"
    saved = usd(figures.saved_usd) if figures.local else "-"
    latencies = (_ms(figures.owned_p50_ms), _ms(figures.rented_p50_ms))
    return (view.task, view.route_text, local, *latencies, saved)


def _remarks(view: RouteStatus) -> list[str]:
    is_audited = view.figures.agreement is not None
    return [f"audits agree with the provider: {view.agreement_text}"] * is_audited + view.remarks


def _folded(remark: str) -> str:
    return textwrap.fill(
        remark,
        terminal_width() - 1,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _show_detail(standing: MonitorStatus) -> None:
    say("")
    rows = [
        (e.name, f"{e.evidence:,.3g}", f"{e.patience:,.0f}", f"{e.tolerated:.1%}", f"{e.observed:,}")
        for e in standing.evidence
    ]
    say_rows(("detector", "evidence", "acts at", "bears", "seen"), rows, right=(1, 2, 3, 4))
    say(f"\nwatched: {standing.calls:,} calls, {standing.local:,} local, {standing.audited:,} audited")
    if standing.ramp is not None:
        say("ramp: " + ", ".join(f"{share:.0%} at {pairs:,}" for pairs, share in standing.ramp.history[-8:]))


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
