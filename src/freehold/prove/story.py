"""The top of a report in plain sentences: what moves, what it saves, what could go wrong and how it is caught.

Not covered: numbers beyond those sentences, layout (`templates/`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from freehold.core.verdict import Verdict
from freehold.prove.decide import Outcome
from freehold.prove.measure import Examined, Held
from freehold.prove.settings import ProofFacts, ProofSettings
from freehold.prove.tables import Savings, Speed

ENOUGH_OF_MODEL = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Sentences for someone who does not read statistics; `notices` stand above everything else."""

    headline: str
    notices: tuple[str, ...]
    moves: tuple[str, ...]
    saves: tuple[str, ...]
    risks: tuple[str, ...]
    next_command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Everything that the story is told from."""

    task: str
    verdict: Verdict
    held: Held
    owned: Examined
    others: tuple[Examined, ...]
    savings: Savings
    speed: Speed
    settings: ProofSettings
    facts: ProofFacts


def tell(told: Told) -> Story:
    """Put a proof into sentences."""
    return Story(
        headline=_headline(told.owned.outcome, told.task),
        notices=_notices(told),
        moves=_moves(told),
        saves=_saves(told),
        risks=_risks(told),
        next_command=next_command(told.task, told.verdict),
    )


def next_command(task: str, verdict: Verdict) -> str:
    """The command that follows from the verdict."""
    match verdict.decision:
        case "move":
            return f"freehold move {task}"
        case "need":
            return f"freehold freeze {task}   # once {verdict.need:,} more calls can be held out"
        case "hold":
            return f"freehold status {task}"


def needs_no_model(owned: Examined, baseline: Examined) -> bool:
    """Whether a baseline passes the proof and takes over nearly as much as the owned model does."""
    if baseline.outcome.decision != "move":
        return False
    return (baseline.outcome.coverage or 0.0) >= ENOUGH_OF_MODEL * (owned.outcome.coverage or 0.0)


def money(value_usd: float | None) -> str:
    """Dollars with as many digits as matter; unknown where there is no figure."""
    if value_usd is None:
        return "unknown"
    if value_usd == 0 or abs(value_usd) >= 0.995:
        return f"${value_usd:,.2f}"
    return f"${value_usd:.{1 - math.floor(math.log10(abs(value_usd)))}f}"


def _headline(outcome: Outcome, task: str) -> str:
    match outcome.decision:
        case "move" if outcome.scope == "whole":
            return f"The owned model can take over {task}."
        case "move":
            return f"The owned model can answer {outcome.coverage or 0:.0%} of the calls of {task}."
        case "need":
            return f"Not decided yet: {outcome.need:,} more held-out calls of {task} would decide."
        case "hold":
            return f"Keep {task} with the provider."


def _notices(told: Told) -> tuple[str, ...]:
    notices = [_of_baseline(told.owned, other) for other in told.others if other.outcome.decision == "move"]
    if told.facts.is_provider_simulated:
        notices.append("The provider is simulated: its answers, latency and prices stand for no real product.")
    notices += _of_attempt(told.verdict)
    if not told.held.has_corrections:
        notices.append(
            "No call here was corrected, so “right” means “agrees with the provider”. Where the provider is wrong,"
            " a model that agrees with it is wrong too."
        )
    return tuple(notices)


def _of_attempt(verdict: Verdict) -> list[str]:
    """What earlier proofs of the task, and the training of the model, have to do with these calls."""
    used, notices = verdict.used, []
    if used.get("looked_at_before"):
        notices.append(
            f"{used['looked_at_before']:,} of {used['calls']:,} held-out calls were looked at by earlier proofs of this"
            " task. The error rate allows for that only where model and settings were not fitted to them;"
            " --fresh leaves them out."
        )
    if used.get("of_trained_users"):
        notices.append(
            f"{used['of_trained_users']:,} of {used['calls']:,} held-out calls are of users or sessions that the model"
            " was trained on: so few others are left. The proof is for traffic with such users in it."
        )
    return notices


def _of_baseline(owned: Examined, other: Examined) -> str:
    share = other.outcome.coverage or 0.0
    if needs_no_model(owned, other):
        return (
            f"This task needs no language model: the baseline “{other.side.name}” passes the same proof"
            f" and answers {share:.0%} of the calls."
        )
    return (
        f"{share:.0%} of the calls need no language model: for them the baseline “{other.side.name}” passes the same"
        f" proof. The owned model answers {owned.outcome.coverage or 0:.0%}."
    )


def _moves(told: Told) -> tuple[str, ...]:
    outcome, n = told.owned.outcome, len(told.held.examples)
    sentences = [outcome.reason]
    if outcome.decision == "move":
        sentences.append(
            f"Of {n:,} held-out calls the owned model would have answered {round((outcome.coverage or 0) * n):,};"
            f" the provider keeps the other {n - round((outcome.coverage or 0) * n):,}."
        )
    if outcome.decision == "need":
        sentences.append(f"With {outcome.need:,} more held-out calls a decision is likely. Nothing moves until then.")
    if outcome.decision == "hold":
        sentences.append("All calls stay with the provider; nothing is lost by it.")
    return tuple(sentences)


def _saves(told: Told) -> tuple[str, ...]:
    if told.owned.outcome.decision != "move":
        return ("Nothing yet: no traffic moves.",)
    saved, facts = told.savings, told.facts
    sentences = []
    if saved.per_month_usd is None:
        sentences.append(f"{saved.share_of_bill:.0%} of this task's bill, audits paid{_per_thousand(saved, facts)}.")
    else:
        sentences.append(
            f"{money(saved.per_month_usd)} a month ({saved.share_of_bill:.0%} of the bill at {facts.calls_per_day:,.0f}"
            f" calls a day), audits paid. Your own hardware is not counted."
        )
    if facts.provider_latency_ms is not None:
        sentences.append(
            f"A local answer took {told.speed.latency_p50_ms:,.0f} ms (median, asked several at once, on this machine);"
            f" the provider took {facts.provider_latency_ms:,.0f} ms."
        )
    sentences.append("A call that is passed on to the provider waits for the local answer first.")
    return tuple(sentences)


def _per_thousand(saved: Savings, facts: ProofFacts) -> str:
    """The amount for a task whose calls a day are not known yet."""
    if facts.provider_cost_per_call_usd is None:
        return "; its amount is unknown, as prices are not set"
    return f": {money(1000 * saved.share_of_bill * facts.provider_cost_per_call_usd)} for every 1,000 calls"


def _risks(told: Told) -> tuple[str, ...]:
    outcome, settings = told.owned.outcome, told.settings
    if outcome.decision != "move":
        return ("Nothing changes for your users.",)
    chosen = told.owned.cascade.chosen
    sentences = []
    if outcome.scope == "cascade" and chosen is not None:
        sentences.append(
            f"Wrong answers: {chosen.wrong:,} of {told.owned.cascade.n:,} held-out calls would have been answered"
            f" locally and wrong; in traffic like this it is at most {settings.risk:.1%} of calls,"
            f" with {1 - settings.delta:.0%} confidence."
        )
    else:
        sentences.append(
            "Wrong answers: the share of right ones is at most"
            f" {100 * settings.margin:.1f} points below the provider's, with {1 - settings.alpha:.0%} confidence."
        )
    sentences.append(
        "Changed traffic: the proof holds for calls like those held out."
        + (
            f" {told.facts.audit_rate:.0%} of local answers are audited against the provider to notice."
            if told.facts.audit_rate
            else " No audits are planned, so a change would not be noticed: set an audit rate."
        )
    )
    sentences.append(f"Anything else: “freehold back {told.task}” returns everything to the provider at once.")
    return tuple(sentences)
