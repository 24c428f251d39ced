"""`freehold tasks`: what the calls turned out to be, what each task needs next, and edits of tasks by hand."""

from __future__ import annotations

import sys
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from freehold.cli.options import SORTING_S, json_option, open_workspace
from freehold.cli.routes import NOTHING_CHANGED
from freehold.errors import UsageError
from freehold.terminal import next_command, say, say_json, say_rows, tell, terminal_width
from freehold.text.formatting import count, ms, usd

if TYPE_CHECKING:
    from freehold.model.task import SplitBy
    from freehold.pipeline.overview import TaskOverview
    from freehold.pipeline.workspace import Workspace
    from freehold.sort.run.task_edits import EditPlan

_dry_run = click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
_yes = click.option("--yes", "-y", is_flag=True, help="Do not ask (nothing is asked where there is no terminal).")


@click.group(invoke_without_command=True)
@click.option("--again", is_flag=True, help="Sort calls again that were set aside because it took too long.")
@json_option
@click.pass_context
def tasks(ctx: click.Context, *, again: bool, as_json: bool) -> None:
    """Sort new calls into tasks; show each and what it needs next.

    Shown are calls, spend, tokens in and out, median latency, the newest verdict and the route. The subcommands change
    by hand which calls make a task; new calls follow, and `freehold tasks undo` takes the last change back.
    """
    if ctx.invoked_subcommand is None:
        _list(is_again=again, as_json=as_json)
    elif again:
        raise UsageError("--again goes with no subcommand.", hint="Run: freehold tasks --again")


def _list(*, is_again: bool, as_json: bool) -> None:
    from freehold.pipeline.overview import overviews, unsorted_calls
    from freehold.sort.run.loose_calls import unsorted
    from freehold.sort.run.sort import sort_new_calls, try_again

    with open_workspace() as workspace:
        if is_again:
            tell(f"{try_again(workspace):,} calls that were set aside are sorted again.")
        sort_new_calls(workspace, most_s=SORTING_S)
        found, without_task, left = overviews(workspace), unsorted_calls(workspace), unsorted(workspace)
    if as_json:
        say_json([view.plain() for view in found])
        return
    heads = ("task", "calls", "spend", "tokens", "p50", "verdict", "route")
    say_rows(heads, [_row(view) for view in found], right=(1, 2, 3, 4), flexible=0)
    for view in found:
        say(f"\n{view.name} ({view.kind})")
        if view.prompt is not None:
            say(textwrap.fill(view.prompt.words, terminal_width() - 1, initial_indent="  ", subsequent_indent="    "))
        say(f"  next: {view.next_step}")
    if without_task:
        tell(
            f"\n{without_task:,} calls belong to no task: lists of models, calls without an answer, unreadable bodies."
        )
    if left.waiting:
        tell(f"\n{left.waiting_words}; `freehold up` goes on with them, and so does the same command.")
    if left.set_aside:
        tell(f"\n{left.aside_words}. {left.aside_hint}")
    next_command("freehold calls --failed" if without_task and not found else _next(found))


@tasks.command()
@click.argument("task", nargs=-1, required=True)
@_dry_run
@_yes
@json_option
def merge(task: tuple[str, ...], *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Make each further TASK part of the first.

    Its calls and prompts become those of the first, whose name and route stay. What was made for it stays findable by
    its id. A moved task can only be the first.
    """
    from freehold.sort.run.task_edits import merge_plan

    with open_workspace() as workspace:
        _edit(workspace, merge_plan(workspace, task), dry_run=dry_run, yes=yes, as_json=as_json)


@tasks.command()
@click.argument("task")
@click.argument("new")
@click.option("--contains", metavar="TEXT", help="Calls with TEXT in their prompt or first message.")
@click.option("--begins", metavar="TEXT", help="Calls whose first message begins with TEXT.")
@click.option("--asks", metavar="KIND", help="Calls that ask for json, tools or (neither of these) text.")
@_dry_run
@_yes
@json_option
def split(
    task: str,
    new: str,
    *,
    contains: str | None,
    begins: str | None,
    asks: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make those calls of TASK that one rule takes a task of their own, named NEW."""
    from freehold.model.task import SplitRule
    from freehold.sort.run.task_edits import split_plan

    given: list[tuple[SplitBy, str]] = []
    if contains is not None:
        given.append(("contains", contains))
    if begins is not None:
        given.append(("begins", begins))
    if asks is not None:
        given.append(("asks", asks))
    if len(given) != 1:
        raise UsageError(
            f"{len(given)} rules were given; a split needs one.", hint="Give --contains, --begins or --asks."
        )
    rule = SplitRule(parent="", by=given[0][0], text=given[0][1])
    with open_workspace() as workspace:
        _edit(workspace, split_plan(workspace, task, rule, new), dry_run=dry_run, yes=yes, as_json=as_json)


@tasks.command()
@click.argument("old")
@click.argument("new")
@_dry_run
@_yes
@json_option
def rename(old: str, new: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Give the task OLD the name NEW. A header freehold-task that says OLD still means it."""
    from freehold.sort.run.task_edits import rename_plan

    with open_workspace() as workspace:
        _edit(workspace, rename_plan(workspace, old, new), dry_run=dry_run, yes=yes, as_json=as_json)


@tasks.command()
@_dry_run
@_yes
@json_option
def undo(*, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Take the newest merge, split or rename back."""
    from freehold.sort.run import task_edits

    with open_workspace() as workspace:
        plan = task_edits.undo_plan(workspace)
        tell(plan.text)
        if not _goes_on(dry_run=dry_run, yes=yes, question="Undo?"):
            _say({"undone": plan.edit.words, "is_dry_run": True}, NOTHING_CHANGED, as_json=as_json and dry_run)
            return
        task_edits.undo(workspace, plan)
    _say({"undone": plan.edit.words}, f"undone: {plan.edit.words}", as_json=as_json)
    next_command("freehold tasks")


@tasks.command()
@json_option
def edits(*, as_json: bool) -> None:
    """List what was merged, split and renamed, the newest first."""
    with open_workspace() as workspace:
        found = workspace.store.task_edits.history()
    if as_json:
        say_json(
            [
                {"id": e.id, "kind": e.kind, "created_at": e.created_at, "edit": e.words, "undone_at": e.undone_at}
                for e in found
            ]
        )
        return
    rows = [(_moment(e.created_at), e.words, "undone" if e.undone_at is not None else "") for e in found]
    say_rows(("at", "edit", ""), rows, flexible=1)
    next_command("freehold tasks undo" if any(e.undone_at is None for e in found) else "freehold tasks")


def _edit(workspace: Workspace, plan: EditPlan, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    from freehold.sort.run.task_edits import apply_edit

    said: dict[str, object] = {"edit": plan.words, "calls": plan.calls, "tasks": [task.name for task in plan.after]}
    tell(plan.text)
    if not _goes_on(dry_run=dry_run, yes=yes, question=f"{plan.kind.capitalize()}?"):
        _say({**said, "is_dry_run": True}, NOTHING_CHANGED, as_json=as_json and dry_run)
        return
    apply_edit(workspace, plan)
    _say(said, f"done: {plan.words}", as_json=as_json)
    next_command("freehold tasks; freehold tasks undo takes it back")


def _goes_on(*, dry_run: bool, yes: bool, question: str) -> bool:
    """Whether the plan is to be done; exit code 1 where somebody says no."""
    if dry_run:
        return False
    if sys.stdin.isatty() and not yes and not click.confirm(question, err=True):
        tell(NOTHING_CHANGED)
        sys.exit(1)
    return True


def _say(plain: dict[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        say_json(plain)
    elif text == NOTHING_CHANGED:
        tell(text)
    else:
        say(text)


def _moment(stamp: float) -> str:
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d %H:%M")


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
