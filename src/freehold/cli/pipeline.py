"""The verbs of the pipeline: freeze, verify, train, and run, which does all of it."""

from __future__ import annotations

import sys
from copy import copy

import click

from freehold.cli.options import json_option, open_workspace, setting_option
from freehold.cli.prove import show_verdict
from freehold.settings import Value
from freehold.terminal import next_command, reporting, say, say_json, tell


@click.command()
@click.argument("task")
@setting_option("freeze.proof_share", "--proof-share")
@setting_option("freeze.proof_max", "--proof-max")
@setting_option("freeze.dev_share", "--dev-share")
@setting_option("freeze.dev_max", "--dev-max")
@setting_option("freeze.near_duplicate", "--near-duplicate")
@setting_option("freeze.prompts", "--prompts")
@json_option
def freeze(task: str, *, as_json: bool, **flags: Value | None) -> None:
    """Make an immutable dataset of TASK's calls.

    It is split into train, dev and proof by time and by user, session or conversation; duplicates are left out.
    """
    from freehold.pipeline.runs import freeze_task

    with open_workspace(flags, task=task) as workspace, reporting() as report:
        row = freeze_task(workspace, task, report)
        name = workspace.task(task).name
    counts, dropped, aside = row.manifest.counts, row.manifest.dropped, row.manifest.aside
    if as_json:
        told = {"dataset": row.id, "path": row.path, "counts": counts, "dropped": dropped}
        say_json({**told, "aside": aside, "unspoken": row.manifest.unspoken, "repeats": row.manifest.repeats})
    else:
        say(f"dataset {row.id[:16]}  {row.path}")
        say("kept    " + ", ".join(f"{count:,} {split}" for split, count in counts.items()))
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(dropped.items()) if n)
        say(f"dropped {reasons or 'none'}")
        for split, found in aside.items():
            told_aside = ", ".join(f"{n:,} {reason}" for reason, n in sorted(found.items()))
            say(f"aside   in {split} {told_aside}: kept, as a proof is about all calls")
    next_command(f"freehold train {name}")


@click.command()
@click.argument("dataset")
@json_option
def verify(dataset: str, *, as_json: bool) -> None:
    """Check that a dataset is whole, unchanged and free of leaks.

    DATASET is a task, whose newest dataset is meant, or a folder.
    """
    from freehold.freeze.run.freeze import verify_dataset

    with open_workspace() as workspace:
        folder, problems = verify_dataset(workspace, dataset)
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
@setting_option("train.batch_size", "--batch-size")
@setting_option("train.learning_rate", "--learning-rate")
@setting_option("train.layers", "--layers")
@setting_option("train.seed", "--seed")
@json_option
def train(task: str, *, as_json: bool, **flags: Value | None) -> None:
    """Fine-tune the base on TASK's newest dataset and export it.

    Then the served model is checked to be the trained one. Killed at any point, the same command goes on from the
    last checkpoint.
    """
    from freehold.pipeline.runs import train_task
    from freehold.train.run.train import undertraining

    with open_workspace(flags, task=task) as workspace, reporting() as report:
        card = train_task(workspace, task, report)
        name = workspace.task(task).name
        training = undertraining(card)
    if as_json:
        say_json({"model": card.id, "path": card.path, "metrics": card.metrics, "parity": card.parity})
    else:
        say(f"model   {card.id}  {card.path}")
        say("metrics " + ", ".join(f"{metric} {_figure(value)}" for metric, value in card.metrics.items()))
        say(f"parity  {card.parity.get('words', 'not checked')}")
    if training is not None:
        tell(training.sentence)
    next_command(training.command(name) if training and training.is_too_little else f"freehold prove {name}")


@click.command()
@click.argument("task")
@click.option("--move", "and_move", is_flag=True, help="Put the route in place when the verdict is move.")
@setting_option("train.base", "--base")
@setting_option("train.minutes", "--minutes")
@setting_option("train.seed", "--seed")
@setting_option("prove.margin", "--margin")
@setting_option("prove.risk", "--risk")
@setting_option("prove.undertrained", "--undertrained")
@setting_option("route.audit_rate", "--audit-rate")
@json_option
def run(task: str, *, and_move: bool, as_json: bool, **flags: Value | None) -> None:
    """Run freeze, train, check, prove (and move, with --move) for TASK.

    The run is durable: killed at any point, the same command goes on.
    Exit code 0: the verdict is move. 3: hold, or more calls are needed. 1: the training was cut short, and the run
    stops before the proof; it goes on from there with more --minutes, or with --undertrained.
    """
    from freehold.pipeline.runs import run_task

    with open_workspace(flags, task=task) as workspace, reporting() as report:
        verdict = run_task(workspace, task, report, and_move=and_move)
        name = workspace.task(task).name
        route = workspace.store.registry.route(verdict.task_id) if and_move else None
    show_verdict(verdict, name, as_json=as_json, route=route)


exit_ = copy(run)
exit_.name, exit_.hidden, exit_.deprecated = "exit", True, "It is called freehold run now."
"""The name that this verb had."""


def _figure(value: object) -> str:
    if isinstance(value, list | tuple):  # a curve: (step, value) pairs
        return " ".join(f"{step}:{_figure(at)}" for step, at in value) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
