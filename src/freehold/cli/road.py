"""The verbs of the road: freeze, verify, train, prove, and exit, which does all of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from freehold.cli.opening import json_option, open_estate, setting_option
from freehold.terminal import next_command, reporting, say, say_json, tell
from freehold.errors import DataError
from freehold.settings import Value

if TYPE_CHECKING:
    from freehold.core import Verdict
    from freehold.loop.estate import Estate

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
    """Make an immutable dataset of TASK's calls, split into train, dev and proof."""
    from freehold.loop.walks import freeze_task

    with open_estate(flags, task=task) as estate, reporting(is_quiet=as_json) as report:
        row = freeze_task(estate, task, report)
        if as_json:
            say_json(
                {"dataset": row.id, "path": row.path, "counts": row.manifest.counts, "dropped": row.manifest.dropped}
            )
            return
        say(f"dataset {row.id[:16]}  {row.path}")
        say("kept    " + ", ".join(f"{count:,} {split}" for split, count in row.manifest.counts.items()))
        dropped = ", ".join(f"{n:,} {reason}" for reason, n in sorted(row.manifest.dropped.items()) if n)
        say(f"dropped {dropped or 'none'}")
        next_command(f"freehold train {task}")


@click.command()
@click.argument("dataset")
@json_option
def verify(dataset: str, *, as_json: bool) -> None:
    """Check that DATASET (a task's newest, or a folder) is whole, unchanged and free of leaks."""
    from freehold.dataset import verify as verify_folder

    folder = Path(dataset)
    if not (folder / "manifest.json").exists():
        with open_estate() as estate:
            folder = Path(estate.dataset(estate.task(dataset)).path)
    problems = [str(problem) for problem in verify_folder(folder)]
    if as_json:
        say_json({"path": str(folder), "problems": problems})
    else:
        say("\n".join(problems) if problems else f"whole: {folder}")
    if problems:
        sys.exit(1)


@click.command()
@click.argument("task")
@setting_option("train.base", "--base")
@setting_option("train.minutes", "--minutes")
@setting_option("train.epochs", "--epochs")
@setting_option("train.seed", "--seed")
@json_option
def train(task: str, *, as_json: bool, **flags: Value | None) -> None:
    """Fine-tune the base on TASK's newest dataset, export it, and check that what is served is what was trained.

    Killed at any point, the same command goes on from the last checkpoint.
    """
    from freehold.loop.walks import train_task

    with open_estate(flags, task=task) as estate, reporting(is_quiet=as_json) as report:
        card = train_task(estate, task, report)
        if as_json:
            say_json({"model": card.id, "path": card.path, "metrics": card.metrics, "parity": card.parity})
            return
        say(f"model   {card.id}  {card.path}")
        say("metrics " + ", ".join(f"{name} {_figure(value)}" for name, value in card.metrics.items()))
        say(f"parity  {card.parity.get('words', 'not checked')}")
        next_command(f"freehold prove {task}")


@click.command()
@click.argument("task")
@click.option("--model", help="Model to prove (default: the newest).")
@setting_option("prove.margin", "--margin")
@setting_option("prove.risk", "--risk")
@setting_option("prove.delta", "--delta")
@setting_option("prove.min_coverage", "--min-coverage")
@setting_option("prove.seed", "--seed")
@json_option
def prove(task: str, *, model: str | None, as_json: bool, **flags: Value | None) -> None:
    """Prove on held-out calls how much of TASK's traffic its model can take over.

    Exit code 0: move. 3: hold, or more calls are needed.
    """
    from freehold.loop.walks import prove_task

    with open_estate(flags, task=task) as estate, reporting(is_quiet=as_json) as report:
        verdict = prove_task(estate, task, model, report)
        _show_verdict(verdict, task, as_json=as_json)


@click.command("exit")
@click.argument("task")
@click.option("--move", "and_move", is_flag=True, help="Put the route in place when the verdict is move.")
@setting_option("train.minutes", "--minutes")
@setting_option("prove.margin", "--margin")
@setting_option("prove.risk", "--risk")
@setting_option("route.audit_rate", "--audit-rate")
@json_option
def exit_task(task: str, *, and_move: bool, as_json: bool, **flags: Value | None) -> None:
    """Walk TASK's whole road in one durable run: freeze, train, check, prove, and with --move also move."""
    from freehold.loop.walks import walk_task

    with open_estate(flags, task=task) as estate, reporting(is_quiet=as_json) as report:
        verdict = walk_task(estate, task, report, and_move=and_move)
        _show_verdict(verdict, task, as_json=as_json)


def _show_verdict(verdict: Verdict, task: str, *, as_json: bool) -> None:
    report = Path(verdict.report_path)
    if as_json:
        say((report.parent / "report.json").read_text(encoding="utf-8").strip())
    else:
        say((report.parent / "report.txt").read_text(encoding="utf-8").rstrip())
        tell(f"Report: {report}")
        next_command(
            f"freehold move {task}" if verdict.decision == "move" else f"freehold tasks   (verdict: {verdict.words})"
        )
    if verdict.decision != "move":
        sys.exit(HOLD_EXIT_CODE)


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def require_verdict(estate: Estate, task: str) -> Verdict:
    """The newest verdict of a task; DataError when nothing was proven yet."""
    found = estate.store.book.verdicts(estate.task(task).id)
    if not found:
        raise DataError(f"Nothing has been proven for task {task!r}.", hint=f"Run: freehold prove {task}")
    return found[0]
