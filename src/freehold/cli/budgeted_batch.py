"""What costs money is shown and agreed to first: asking the provider again, and asking a judge."""

from __future__ import annotations

import math
import os
import sys
import textwrap
from typing import TYPE_CHECKING

import click

from freehold.errors import UsageError
from freehold.terminal import next_command, reporting, say, say_json, say_rows, tell, terminal_width
from freehold.text.formatting import usd

if TYPE_CHECKING:
    from freehold.pipeline.workspace import Workspace
    from freehold.prove.run.budgeted_batch import Asked
    from freehold.prove.run.self_consistency import NoiseFound


def show_noise(
    workspace: Workspace, task: str, count: int, *, model: str | None, budget: float | None, yes: bool, as_json: bool
) -> None:
    """Ask the provider again on `count` held-out calls, after agreeing to the cost, and show what came of it."""
    from freehold.net.provider_client import Asking
    from freehold.prove.run.budgeted_batch import Budget
    from freehold.prove.run.self_consistency import ask_again, plan_noise

    plan = plan_noise(workspace, task, count, model)
    if len(plan.examples) < count:
        tell(f"Only {len(plan.examples):,} held-out calls can be asked again.")
    kept = len(plan.examples) - len(plan.requests)
    tell(f"{len(plan.examples):,} held-out calls of {plan.task.name}; {kept:,} were asked again before and are kept.")
    budget = agree(len(plan.requests), plan.expected_usd, whom=plan.provider_names, budget=budget, yes=yes)
    with reporting() as report:
        found = ask_again(workspace, plan, Budget(budget), Asking(os.environ), report, model)
    tell_asked(found.asked)
    if as_json:
        say_json(found.document | {"spent_usd": found.asked.spent_usd, "left": found.asked.left})
    else:
        _show(found, plan.task.name)
    margin = found.noise.margin
    if margin and not plan.is_corrected:
        tell(
            "Nothing was corrected, so no margin decides here; what differs from the provider counts against the risk."
        )
    step = f"prove {plan.task.name}" if margin else f"label {plan.task.name}"
    next_command(f"freehold {step}" + (f" --margin {margin:g}" if margin and plan.is_corrected else ""))


def ask_the_judge(workspace: Workspace, task: str, *, model: str | None, budget: float | None, yes: bool) -> None:
    """Let the judge of the settings compare what it has not compared yet, after agreeing to the cost."""
    from freehold.net.provider_client import Asking
    from freehold.prove.run.budgeted_batch import Budget
    from freehold.prove.run.judge import ask_judge, plan_judge
    from freehold.prove.run.label import compare

    with reporting() as report:
        comparison = compare(workspace, task, model, report)
        plan = plan_judge(workspace, comparison)
        tell(f"{plan.pairs:,} drawn pairs of answers differ; each is shown to {plan.model} twice, sides swapped.")
        budget = agree(len(plan.requests), plan.expected_usd, whom=plan.provider, budget=budget, yes=yes)
        tell_asked(ask_judge(workspace, comparison, plan, Budget(budget), Asking(os.environ), report))


def check_budget(budget: float | None) -> None:
    """UsageError for dollars that are none: a budget that is no number would never be spent."""
    if budget is not None and not (math.isfinite(budget) and budget >= 0):
        raise UsageError(f"--budget is {budget!r}.", hint="Give dollars, 0 or more.")


def agree(count: int, expected_usd: float | None, *, whom: str, budget: float | None, yes: bool) -> float | None:
    """Show the cost, ask for a budget in dollars where none was given, and return it; None is none.

    UsageError where nobody can be asked, or a budget cannot be kept.
    """
    if not count:
        return budget
    cost = "and what they cost is unknown" if expected_usd is None else f"about {usd(expected_usd)} in all"
    tell(f"{count:,} requests to {whom}, {cost}.")
    if budget is not None and expected_usd is None:
        raise UsageError(
            f"A budget of {usd(budget)} cannot be kept: what a request costs is unknown.",
            hint="Set prices in [providers.NAME], or leave --budget out and say --yes.",
        )
    if budget is not None and expected_usd is not None and budget < expected_usd:
        tell(f"The budget of {usd(budget)} does not reach for all of them; it ends when that is spent.")
    if yes:
        return budget
    if sys.stdin.isatty():
        return _ask_budget(expected_usd) if budget is None else budget
    if budget is None or expected_usd is None or budget < expected_usd:
        least = "" if expected_usd is None else f", or --budget with at least {_cents(expected_usd):.2f}"
        raise UsageError("Asking costs money, and there is no terminal to agree on.", hint=f"Add --yes{least}.")
    return budget


def _ask_budget(expected_usd: float | None) -> float | None:
    """Ask a person on a terminal; the process ends where nothing may be spent."""
    if expected_usd is None:
        budget = None if click.confirm("What it costs is unknown. Ask all the same?", err=True) else 0.0
    else:
        text = "Most dollars to spend (0 asks nothing)"
        budget = float(click.prompt(text, default=f"{_cents(expected_usd):.2f}", value_proc=_dollars, err=True))
    if budget == 0.0:
        tell("Nothing was asked.")
        sys.exit(1)
    return budget


def _dollars(typed: str) -> float:
    """What was typed as dollars; click asks again for what is none."""
    try:
        budget = float(typed)
        check_budget(budget)
    except (ValueError, UsageError) as error:
        raise click.UsageError(f"{typed!r} is no amount of dollars, 0 or more.") from error
    return budget


def _cents(amount_usd: float) -> float:
    """An amount in dollars, up to the next cent."""
    return math.ceil(round(100 * amount_usd, 6)) / 100


def tell_asked(asked: Asked) -> None:
    """Say how many requests were answered, what that cost, and whether the budget ended it."""
    if asked.asked:
        tell(f"{asked.asked:,} requests were answered, {usd(asked.spent_usd)}.")
    if asked.is_spent:
        tell(f"The budget is spent; {asked.left:,} requests are left. The same command goes on from here.")


def _show(found: NoiseFound, task: str) -> None:
    noise = found.noise
    say(f"Noise of {task}: agreement with the provider's first answer\n")
    say_rows(("who", "agrees", "95% interval", "n", "graded"), found.rows, right=(1, 2, 3, 4))
    if noise.difference is not None and noise.owned is not None:
        low, high = 100 * max(-1.0, noise.low), 100 * min(1.0, noise.high)
        points = f"{100 * noise.difference:+.1f} [{low:+.1f}, {high:+.1f}] points"
        say(f"\nowned less provider, on the same calls: {points}, n={noise.owned.n:,}")
    else:
        say("\nNo owned model stands beside it: there is none, or no call of the dev split.")
    if found.document["refused"]:
        say(f"{found.document['refused']:,} calls got no answer that can be read and are left out.")
    if found.document["of_other_model"]:
        say(f"{found.document['of_other_model']:,} calls were answered by another model than before and are left out.")
    proposed = "none" if noise.margin is None else f"{noise.margin:.1%}"
    say(textwrap.fill(f"\nProposed margin: {proposed}. {noise.reason}", terminal_width(), replace_whitespace=False))
