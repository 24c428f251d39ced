"""`freehold move`, `back` and `status`: change where traffic goes, and see where it goes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from freehold.cli.opening import json_option, open_estate, setting_option
from freehold.core.spoken import usd
from freehold.settings import Value
from freehold.terminal import next_command, say, say_json, say_rows, tell

if TYPE_CHECKING:
    from freehold.core import Route
    from freehold.loop.moving import LiveView, RoutePlan

NOTHING_CHANGED = "Nothing was changed."


@click.command()
@click.argument("task")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask (nothing is asked where there is no terminal).")
@setting_option("route.audit_rate", "--audit-rate")
@json_option
def move(task: str, *, dry_run: bool, yes: bool, as_json: bool, **flags: Value | None) -> None:
    """Put TASK's route in place: a cascade at the proven threshold.

    The plan is shown first.
    """
    from freehold.loop.moving import move_plan, put_route

    with open_estate(flags, task=task) as estate:
        plan, name = move_plan(estate, task), estate.task(task).name
        tell(plan.text)
        if dry_run:
            _show_plan(plan, name, as_json=as_json)
            return
        if sys.stdin.isatty() and not yes and not click.confirm("Move?", err=True):
            tell(NOTHING_CHANGED)
            sys.exit(1)
        route = put_route(estate, plan.route)
    _show_route(route, name, as_json=as_json)
    next_command(f"freehold status; freehold back {name} undoes it at once")


@click.command()
@click.argument("task")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@json_option
def back(task: str, *, dry_run: bool, as_json: bool) -> None:
    """Return all of TASK's traffic to the provider at once."""
    from freehold.loop.moving import back_plan, return_all

    with open_estate(task=task) as estate:
        plan, name = back_plan(estate, task), estate.task(task).name
        tell(plan.text)
        if dry_run:
            _show_plan(plan, name, as_json=as_json)
            return
        route = return_all(estate, task)
    _show_route(route, name, as_json=as_json)
    next_command("freehold status")


@click.command()
@json_option
def status(*, as_json: bool) -> None:
    """Show each task's route and how it has fared since it was put."""
    from freehold.loop.moving import live_views
    from freehold.loop.sorting import sort_new_calls

    with open_estate() as estate:
        sort_new_calls(estate)
        views = live_views(estate)
    if as_json:
        say_json([view.plain() for view in views])
        return
    heads = ("task", "route", "local", "audits agree", "own ms", "rent ms", "saved")
    say_rows(heads, [_row(view) for view in views], right=(4, 5, 6), flexible=0)
    next_command("freehold tasks" if views else "freehold up, then point a client at it")


def _row(view: LiveView) -> tuple[str, ...]:
    figures = view.figures
    local = "-" if figures.share_local is None else f"{figures.share_local:.0%} of {figures.calls:,}"
    saved = usd(figures.saved_usd) if figures.local else "-"
    latencies = (_ms(figures.owned_p50_ms), _ms(figures.rented_p50_ms))
    return (view.task, view.route, local, view.agreement_text, *latencies, saved)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _show_plan(plan: RoutePlan, task: str, *, as_json: bool) -> None:
    if as_json:
        planned = {"route": plan.route.kind, "version": plan.route.version, "threshold": plan.route.threshold}
        say_json({"task": task, **planned, "is_dry_run": True})
    tell(NOTHING_CHANGED)


def _show_route(route: Route, task: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"task": task, "route": route.kind, "version": route.version, "threshold": route.threshold})
    else:
        say(f"{task}: {route.kind}, version {route.version}; running gateways follow within a second")
