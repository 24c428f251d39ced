"""`freehold prove`: the proof, its plan, and what a second opinion adds to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from freehold.cli.forecast import plan_lines, plan_row
from freehold.cli.label import drawn_by
from freehold.cli.options import json_option, open_workspace, setting_option
from freehold.errors import UsageError
from freehold.settings import Value
from freehold.terminal import next_command, reporting, say, say_json, say_rows, tell

if TYPE_CHECKING:
    from freehold.model import Route, Verdict

HOLD_EXIT_CODE = 3


@click.command()
@click.argument("task")
@click.option("--model", help="Model to prove (default: the newest).")
@setting_option("prove.margin", "--margin")
@setting_option("prove.alpha", "--alpha")
@setting_option("prove.risk", "--risk")
@setting_option("prove.contract", "--contract")
@setting_option("prove.slice_risk", "--slice-risk")
@setting_option("prove.delta", "--delta")
@setting_option("prove.min_coverage", "--min-coverage")
@setting_option("prove.seed", "--seed")
@setting_option("prove.metrics", "--metrics")
@setting_option("prove.fresh", "--fresh")
@setting_option("prove.undertrained", "--undertrained")
@setting_option("prove.judge", "--judge")
@setting_option("prove.judge_calls", "--judge-calls")
@setting_option("prove.labels", "--labels")
@click.option("--plan", "is_plan", is_flag=True, help="Say how many more calls a decision needs; prove nothing.")
@click.option("--noise", type=click.IntRange(min=1), help="Ask the provider again on so many calls; prove nothing.")
@click.option("--budget", type=float, help="Most dollars that --noise or --judge may spend now.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before money is spent.")
@json_option
def prove(
    task: str,
    *,
    model: str | None,
    is_plan: bool,
    noise: int | None,
    budget: float | None,
    yes: bool,
    as_json: bool,
    **flags: Value | None,
) -> None:
    """Prove how much of TASK's traffic its model can take over.

    The model answers calls that were held out, and both sides are scored. Exit code 0: move. 3: hold, or more calls
    or labels are needed. Where nothing was corrected, or for free text, people compare answers (freehold label); a
    judge sharpens what they said and never stands alone.
    """
    from freehold.cli.budgeted_batch import ask_the_judge, check_budget, show_noise
    from freehold.pipeline.runs import check_task_training, prove_task

    _check_alone(is_plan=is_plan, noise=noise, judge=flags.get("prove__judge"))
    check_budget(budget)
    if is_plan:
        _show_plan(task, flags, as_json=as_json)
        return
    with open_workspace(flags, task=task) as workspace:
        if noise is not None:
            show_noise(workspace, task, noise, model=model, budget=budget, yes=yes, as_json=as_json)
            return
        check_task_training(workspace, task, model)
        if workspace.settings.text("prove.judge"):
            ask_the_judge(workspace, task, model=model, budget=budget, yes=yes)
        elif budget is not None:
            raise UsageError("There is nothing to spend --budget on.", hint="Give --noise N or --judge MODEL with it.")
        with reporting() as report:
            verdict = prove_task(workspace, task, model, report)
        name = workspace.task(task).name
    show_verdict(verdict, name, as_json=as_json, drawn=drawn_by(flags))


def _check_alone(*, is_plan: bool, noise: int | None, judge: Value | None) -> None:
    given = [name for name, is_given in (("--plan", is_plan), ("--noise", noise), ("--judge", judge)) if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} are two things.", hint="Give one, then the other.")


def _show_plan(task: str, flags: dict[str, Value | None], *, as_json: bool) -> None:
    from freehold.prove.run.proof_plan import plan_proof

    with open_workspace(flags, task=task) as workspace:
        plan = plan_proof(workspace, task)
    if as_json:
        say_json(plan.plain())
        return
    say("\n".join(plan_lines(plan)))
    heads = ("way", "limit", "differ", "held-out calls", "more", "ready in")
    say_rows(heads, [plan_row(row) for row in plan.rows], right=(1, 2, 3, 4, 5))
    if any((row.calls or 0) > plan.held_out_max for row in plan.rows):
        say(f"A freeze holds out at most {plan.held_out_max:,} calls: --proof-max raises that.")
    if plan.training:
        next_command(plan.training.next)
        return
    step = f"freehold train {plan.task}" if plan.basis == "assumed" else f"freehold prove {plan.task}"
    next_command(f"freehold freeze {plan.task}, once the calls are there; then: {step}")


def show_verdict(verdict: Verdict, task: str, *, as_json: bool, route: Route | None = None, drawn: str = "") -> None:
    """Show a verdict's report and what follows; the exit code of the process is 3 unless it is a move."""
    report = Path(verdict.report_path)
    if as_json:
        say_json(json.loads((report.parent / "report.json").read_text(encoding="utf-8")))
    else:
        say((report.parent / "report.txt").read_text(encoding="utf-8").rstrip())
    tell(f"Report: {report}")
    if verdict.decision != "move":
        training = verdict.figures.facts.undertraining
        after = training.next if training else "freehold tasks"
        step = f"freehold label {task}{drawn}" if verdict.need_of == "labels" and not training else after
        next_command(f"{step}   (verdict: {verdict.words})")
        sys.exit(HOLD_EXIT_CODE)
    if route is None:
        next_command(f"freehold move {task}")
    else:
        tell(f"{task}: {route.kind}, version {route.version}")
        next_command(f"freehold status; freehold back {task} undoes it at once")
