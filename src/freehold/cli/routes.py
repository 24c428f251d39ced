"""`freehold move` and `back`: change where traffic goes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from freehold.cli.options import json_option, open_workspace, setting_option
from freehold.errors import UsageError
from freehold.settings import Value
from freehold.terminal import next_command, say, say_json, tell

if TYPE_CHECKING:
    from freehold.model import Route
    from freehold.pipeline.workspace import Workspace
    from freehold.route.run.move import RoutePlan

NOTHING_CHANGED = "Nothing was changed."


@click.command()
@click.argument("task")
@click.option("--ramp", is_flag=True, help="Begin with a small share that grows as live evidence does.")
@click.option(
    "--shadow", is_flag=True, help="Let the provider answer everything and compare the model; needs no verdict."
)
@click.option("--again", is_flag=True, help="Move although live evidence has taken this verdict back.")
@click.option("--model", metavar="ID", help="With --shadow: the model to compare (default: the newest).")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask (nothing is asked where there is no terminal).")
@setting_option("route.harm", "--harm")
@setting_option("route.shadow_rate", "--shadow-rate")
@setting_option("route.audit_rate", "--audit-rate")
@json_option
def move(
    task: str,
    *,
    ramp: bool,
    shadow: bool,
    again: bool,
    model: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **flags: Value | None,
) -> None:
    """Put TASK's route in place: a cascade at the proven threshold.

    With --ramp a canary, which becomes that cascade by itself; with --shadow a comparison that no client notices. The
    plan is shown first.
    """
    from freehold.route.run.move import move_plan, put_route, shadow_plan

    _check(ramp=ramp, shadow=shadow, model=model, flags=flags)
    with open_workspace(flags, task=task) as workspace:
        plan = (
            shadow_plan(workspace, task, model)
            if shadow
            else move_plan(workspace, task, is_ramped=ramp, is_again=again)
        )
        name = workspace.task(task).name
        if plan.is_in_place:
            _show_as_it_is(workspace, name, as_json=as_json)
            return
        tell(plan.text)
        if dry_run:
            _show_plan(plan, name, as_json=as_json)
            return
        if sys.stdin.isatty() and not yes and not click.confirm("Move?", err=True):
            tell(NOTHING_CHANGED)
            sys.exit(1)
        route = put_route(workspace, plan.route)
    _show_route(route, name, as_json=as_json)
    next_command(f"freehold status; freehold back {name} undoes it at once")


def _check(*, ramp: bool, shadow: bool, model: str | None, flags: Mapping[str, Value | None]) -> None:
    """UsageError for options that have nothing to say to each other."""
    if ramp and shadow:
        raise UsageError("--ramp and --shadow are two routes.", hint="Shadow first, ramp once a verdict says `move`.")
    if model is not None and not shadow:
        raise UsageError("--model goes with --shadow: what is moved is the proven model.", hint="Leave it out.")
    for key, flag, is_meant in (
        ("route__harm", "--harm", ramp),
        ("route__shadow_rate", "--shadow-rate", ramp or shadow),
        ("route__audit_rate", "--audit-rate", not shadow),
    ):
        if flags.get(key) is not None and not is_meant:
            raise UsageError(f"{flag} says nothing to this route.", hint="See: freehold move --help")


@click.command()
@click.argument("task")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@json_option
def back(task: str, *, dry_run: bool, as_json: bool) -> None:
    """Return all of TASK's traffic to the provider at once."""
    from freehold.route.run.move import back_plan, return_all

    with open_workspace(task=task, is_strict=False) as workspace:  # a slip in the settings must not hold up a return
        plan, name = back_plan(workspace, task), workspace.task(task).name
        if plan.is_in_place:
            _show_as_it_is(workspace, name, as_json=as_json)
            return
        tell(plan.text)
        if dry_run:
            _show_plan(plan, name, as_json=as_json)
            return
        route = return_all(workspace, task)
    _show_route(route, name, as_json=as_json)
    next_command("freehold status")


def _show_plan(plan: RoutePlan, task: str, *, as_json: bool) -> None:
    if as_json:
        say_json({**_plain(plan.route, task), "is_dry_run": True})
    tell(NOTHING_CHANGED)


def _show_as_it_is(workspace: Workspace, task: str, *, as_json: bool) -> None:
    """Say that the route that was asked for is in place already."""
    route = workspace.store.registry.route(workspace.task(task).id)
    if as_json:
        say_json(_plain(route, task))
    else:
        say(f"{task}: {route.kind}, version {route.version}, as before")
    tell(f"This is the route of {task} already. {NOTHING_CHANGED}")
    next_command(f"freehold status {task}")


def _show_route(route: Route, task: str, *, as_json: bool) -> None:
    if as_json:
        say_json(_plain(route, task))
    else:
        say(f"{task}: {route.kind}, version {route.version}; running gateways follow within a second")


def _plain(route: Route, task: str) -> dict[str, object]:
    plain: dict[str, object] = {
        "task": task,
        "route": route.kind,
        "version": route.version,
        "threshold": route.threshold,
    }
    if route.kind != "rented":
        plain |= {"model": route.model_id, "audit_rate": route.audit_rate, "risk": route.risk}
    if route.kind in ("canary", "shadow"):
        plain |= {"harm": route.harm, "shadow_rate": route.shadow_rate}
    return plain
