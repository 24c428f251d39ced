"""How a plan of a proof is told: what it rests on, and one line for each way to a decision, within 80 columns.

Not covered: the plan (`prove.run.proof_plan`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freehold.prove.run.proof_plan import Forecast, ProofPlan

_HOURS = 24
_MINUTES = 24 * 60


def plan_lines(plan: ProofPlan) -> list[str]:
    """What the plan rests on."""
    basis = {
        "verdict": f"from the newest verdict, {plan.seen:,} held-out calls",
        "dev": f"from {plan.seen:,} dev answers that are kept; nothing was proven yet",
        "assumed": "from ASSUMED shares of calls that differ; nothing was proven yet",
    }[plan.basis]
    lines = [
        f"Proof {plan.attempt} of {plan.task}: it may spend {plan.level:.1%} of alpha and of delta.",
        f"Planned {basis}.",
        f"{plan.held_out:,} calls are held out now. {_rate(plan)}",
    ]
    if plan.training:
        lines.append(f"The newest model: {plan.training.words}")
        lines.append("Train it on first: what a longer training learns, no number of calls below makes up for.")
    if plan.can_provider_err is False:
        lines.append("No call is corrected, so that only the cascade can be decided now.")
    return [*lines, "A plan promises nothing: it holds if shares and rate stay as they are.", ""]


def plan_row(row: Forecast) -> tuple[str, ...]:
    """One line of the table."""
    return (
        "replace wholly" if row.way == "whole" else "cascade",
        f"{row.limit:.1%}",
        f"{row.discordance:.1%}" if row.way == "whole" else "",
        "none would do" if row.calls is None else f"{row.calls:,}",
        "" if row.more is None else f"{row.more:,}",
        _ready_in(row.days, row.more),
    )


def _rate(plan: ProofPlan) -> str:
    if plan.calls_per_day is None:
        return "How fast calls come is not known yet."
    if plan.held_out_share is None:
        return f"{plan.calls_per_day:,.0f} calls come a day; none was frozen yet."
    return f"{plan.calls_per_day:,.0f} calls come a day; {plan.held_out_share:.1%} become held-out ones."


def _ready_in(days: float | None, more: int | None) -> str:
    if more == 0:
        return "now"
    if more is None:
        return ""
    if days is None:
        return "unknown"
    if days >= 2:
        return f"{days:,.0f} days"
    return f"{days * _HOURS:.0f} h" if days * _HOURS >= 2 else f"{max(1, round(days * _MINUTES))} min"
