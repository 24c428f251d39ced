"""The verbs of the road: freeze, verify, train, prove, and exit, which does all of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from freehold.cli.opening import json_option, open_estate, setting_option
from freehold.settings import Value
from freehold.terminal import next_command, reporting, say, say_json, say_rows, tell

if TYPE_CHECKING:
    from freehold.core import Route, Verdict

HOLD_EXIT_CODE = 3


@click.command()
@click.argument("task")
@setting_option("freeze.proof_share", "--proof-share")
@setting_option("freeze.proof_max", "--proof-max")
@setting_option("freeze.dev_share", "--dev-share")
@setting_option("freeze.dev_max", "--dev-max")
@setting_option("freeze.near_duplicate", "--near-duplicate")
@json_option
def freeze(task: str, *, as_json: bool, **flags: Value | None) -> None:
    """Make an immutable dataset of TASK's calls.

    It is split into train, dev and proof by time and by user or session; duplicates are left out.
    """
    from freehold.loop.walks import freeze_task

    with open_estate(flags, task=task) as estate, reporting() as report:
        row = freeze_task(estate, task, report)
        name = estate.task(task).name
    counts, dropped = row.manifest.counts, row.manifest.dropped
    if as_json:
        say_json({"dataset": row.id, "path": row.path, "counts": counts, "dropped": dropped})
    else:
        say(f"dataset {row.id[:16]}  {row.path}")
        say("kept    " + ", ".join(f"{count:,} {split}" for split, count in counts.items()))
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(dropped.items()) if n)
        say(f"dropped {reasons or 'none'}")
    next_command(f"freehold train {name}")


@click.command()
@click.argument("dataset")
@json_option
def verify(dataset: str, *, as_json: bool) -> None:
    """Check that a dataset is whole, unchanged and free of leaks.

    DATASET is a task, whose newest dataset is meant, or a folder.
    """
    from freehold.loop.freezing import verify_dataset

    with open_estate() as estate:
        folder, problems = verify_dataset(estate, dataset)
    if as_json:
        say_json({"path": str(folder), "problems": problems})
    else:
        say("\n".join(problems) if problems else f"whole: {folder}")
    if problems:
        next_command("move the folder away, then: freehold freeze TASK")
        sys.exit(1)
    next_command("freehold train TASK")


@click.command()
@click.argument("task")
@setting_option("train.base", "--base")
@setting_option("train.minutes", "--minutes")
@setting_option("train.epochs", "--epochs")
@setting_option("train.seed", "--seed")
@json_option
def train(task: str, *, as_json: bool, **flags: Value | None) -> None:
    """Fine-tune the base on TASK's newest dataset and export it.

    Then the served model is checked to be the trained one. Killed at any point, the same command goes on from the
    last checkpoint.
    """
    from freehold.loop.walks import train_task

    with open_estate(flags, task=task) as estate, reporting() as report:
        card = train_task(estate, task, report)
        name = estate.task(task).name
    if as_json:
        say_json({"model": card.id, "path": card.path, "metrics": card.metrics, "parity": card.parity})
    else:
        say(f"model   {card.id}  {card.path}")
        say("metrics " + ", ".join(f"{metric} {_figure(value)}" for metric, value in card.metrics.items()))
        say(f"parity  {card.parity.get('words', 'not checked')}")
    next_command(f"freehold prove {name}")


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
@click.option("--plan", "is_plan", is_flag=True, help="Say how many more calls a decision needs; prove nothing.")
@json_option
def prove(task: str, *, model: str | None, is_plan: bool, as_json: bool, **flags: Value | None) -> None:
    """Prove how much of TASK's traffic its model can take over.

    The model answers calls that were held out, and both sides are scored. Exit code 0: move. 3: hold, or more calls
    are needed.
    """
    from freehold.loop.walks import prove_task

    if is_plan:
        _show_plan(task, flags, as_json=as_json)
        return
    with open_estate(flags, task=task) as estate, reporting() as report:
        verdict = prove_task(estate, task, model, report)
        name = estate.task(task).name
    _show_verdict(verdict, name, as_json=as_json)


@click.command("exit")
@click.argument("task")
@click.option("--move", "and_move", is_flag=True, help="Put the route in place when the verdict is move.")
@setting_option("train.base", "--base")
@setting_option("train.minutes", "--minutes")
@setting_option("train.seed", "--seed")
@setting_option("prove.margin", "--margin")
@setting_option("prove.risk", "--risk")
@setting_option("route.audit_rate", "--audit-rate")
@json_option
def exit_task(task: str, *, and_move: bool, as_json: bool, **flags: Value | None) -> None:
    """Walk TASK's whole road in one durable run.

    That is freeze, train, check, prove, and with --move also move; killed at any point, the same command goes on.
    Exit code 0: the verdict is move. 3: hold, or more calls are needed.
    """
    from freehold.loop.walks import walk_task

    with open_estate(flags, task=task) as estate, reporting() as report:
        verdict = walk_task(estate, task, report, and_move=and_move)
        name = estate.task(task).name
        route = estate.store.book.route(verdict.task_id) if and_move else None
    _show_verdict(verdict, name, as_json=as_json, route=route)


def _show_plan(task: str, flags: dict[str, Value | None], *, as_json: bool) -> None:
    from freehold.loop.planning import plan_proof

    with open_estate(flags, task=task) as estate:
        plan = plan_proof(estate, task)
    if as_json:
        say_json(plan.plain())
        return
    basis = "assumed discordances: nothing was proven yet" if plan.is_assumed else f"{plan.held_out:,} calls proven on"
    tell(f"Proof {plan.attempt} of {plan.task!r}, planned from {basis}. A plan promises nothing.")
    rows = [
        (
            row.way,
            f"{row.limit:.1%}",
            f"{row.discordance:.1%}" if row.way == "whole" else "-",
            "none would do" if row.calls is None else f"{row.calls:,}",
            "-" if row.more is None else f"{row.more:,}",
            _in_days(plan.days(row), row.more),
        )
        for row in plan.rows
    ]
    say_rows(("way", "limit", "discordance", "held-out calls", "more", "ready in"), rows, right=(1, 2, 3, 4, 5))
    next_command(f"freehold freeze {plan.task}; freehold prove {plan.task}")


def _in_days(days: float | None, more: int | None) -> str:
    if more == 0:
        return "now"
    if days is None:
        return "unknown"
    return f"{days * 24:.0f} h" if days < 2 else f"{days:,.0f} days"


def _show_verdict(verdict: Verdict, task: str, *, as_json: bool, route: Route | None = None) -> None:
    report = Path(verdict.report_path)
    if as_json:
        say_json(json.loads((report.parent / "report.json").read_text(encoding="utf-8")))
    else:
        say((report.parent / "report.txt").read_text(encoding="utf-8").rstrip())
    tell(f"Report: {report}")
    if verdict.decision != "move":
        next_command(f"freehold tasks   (verdict: {verdict.words})")
        sys.exit(HOLD_EXIT_CODE)
    if route is None:
        next_command(f"freehold move {task}")
    else:
        tell(f"{task}: {route.kind}, version {route.version}")
        next_command(f"freehold status; freehold back {task} undoes it at once")


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
