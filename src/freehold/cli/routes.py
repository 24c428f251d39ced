"""`freehold move`, `back` and `status`: change where traffic goes, and see where it goes."""

from __future__ import annotations

import click

from freehold.cli.opening import json_option, open_estate, setting_option
from freehold.terminal import ms, next_command, say, say_json, say_rows, tell, usd
from freehold.settings import Value


@click.command()
@click.argument("task")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@setting_option("route.audit_rate", "--audit-rate")
@json_option
def move(task: str, *, dry_run: bool, yes: bool, as_json: bool, **flags: Value | None) -> None:
    """Put TASK's route in place: a cascade at the proven threshold. Shows its plan first."""
    from freehold.loop.moving import move_plan, put_route

    with open_estate(flags, task=task) as estate:
        plan = move_plan(estate, task)
        tell(plan.text)
        if dry_run or not (yes or as_json or click.confirm("Move?", err=True)):
            tell("Nothing was changed.")
            return
        route = put_route(estate, plan.route)
        if as_json:
            say_json({"task": task, "route": route.kind, "version": route.version, "threshold": route.threshold})
        else:
            say(f"{task}: {route.kind}, version {route.version}; running gateways follow within a second")
        next_command(f"freehold status; freehold back {task} undoes it at once")


@click.command()
@click.argument("task")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@json_option
def back(task: str, *, dry_run: bool, as_json: bool) -> None:
    """Return all of TASK's traffic to the provider at once."""
    from freehold.loop.moving import back_plan, put_route

    with open_estate(task=task) as estate:
        plan = back_plan(estate, task)
        tell(plan.text)
        if dry_run:
            tell("Nothing was changed.")
            return
        route = put_route(estate, plan.route)
        if as_json:
            say_json({"task": task, "route": route.kind, "version": route.version})
        else:
            say(f"{task}: {route.kind}, version {route.version}; running gateways follow within a second")
        next_command("freehold status")


@click.command()
@json_option
def status(*, as_json: bool) -> None:
    """Show each task's route and live figures since that route was put in place."""
    from freehold.loop.moving import live_views
    from freehold.loop.sorting import sort_new_calls

    with open_estate() as estate:
        sort_new_calls(estate)
        views = live_views(estate)
    if as_json:
        say_json([view.plain() for view in views])
        return
    rows = [
        (
            view.task,
            view.route,
            f"{view.calls:,}",
            view.local_text,
            view.agreement_text,
            ms(view.owned_p50_ms),
            ms(view.rented_p50_ms),
            usd(view.saved_usd),
        )
        for view in views
    ]
    heads = ("task", "route", "calls", "local", "audits agree", "owned p50", "rented p50", "saved")
    say_rows(heads, rows, right=(2, 3, 5, 6, 7))
    next_command("freehold tasks" if views else "freehold up, then point a client at it")
