"""`freehold probe`: is the model that the provider rents out still the one that it was?"""

from __future__ import annotations

import os

import click

from freehold.cli.budgeted_batch import agree, check_budget, tell_asked
from freehold.cli.options import json_option, open_workspace, setting_option
from freehold.settings import Value
from freehold.terminal import next_command, reporting, say, say_json, tell

CHANGED_EXIT_CODE = 3


@click.command()
@click.argument("task")
@click.option(
    "-n", "--n", "count", type=click.IntRange(min=1), default=20, show_default=True, help="Probes to ask now."
)
@click.option("--budget", type=float, help="Most dollars that may be spent now.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before money is spent.")
@setting_option("watch.probe_patience", "--patience")
@json_option
def probe(task: str, *, count: int, budget: float | None, yes: bool, as_json: bool, **flags: Value | None) -> None:
    """Re-send recorded prompts and report whether the provider's model has changed.

    The calls are those of `freehold prove TASK --noise N`; each is a probe once. A change makes the proof behind TASK's
    route stale, with more audits. To be run by a schedule, with --yes. Exit code 0: no change found. 3: changed.
    """
    from freehold.net.provider_client import Asking
    from freehold.prove.run.budgeted_batch import Budget
    from freehold.watch.run.probe import plan_probe, probe

    check_budget(budget)
    with open_workspace(flags, task=task) as workspace:
        plan = plan_probe(workspace, task, count)
        budget = agree(len(plan.requests), plan.expected_usd, whom=plan.provider_names, budget=budget, yes=yes)
        with reporting() as report:
            found = probe(workspace, plan, Budget(budget), Asking(os.environ), report)
    tell_asked(found.asked)
    if as_json:
        say_json(found.plain())
    else:
        say(f"{plan.task.name}: {found.words}")
        tell(f"{found.left:,} calls are left to probe with.")
    is_changed = found.changed_at is not None
    next_command(f"freehold {'freeze' if is_changed else 'status'} {plan.task.name}")
    if is_changed:
        raise SystemExit(CHANGED_EXIT_CODE)
