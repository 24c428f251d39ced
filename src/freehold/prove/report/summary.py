"""The top of a report in plain sentences, told from the evidence alone: what moves, what it saves, what comes next.

Not covered: what could go wrong and what stays (`prove.report.risks`), what is not shown (`prove.report.limitations`),
statistics (`prove.report.methods`), layout (`templates/`).
"""

from __future__ import annotations

from dataclasses import dataclass

from freehold.model.evidence.evidence import Evidence
from freehold.model.verdict import Verdict
from freehold.prove.report import risks
from freehold.prove.report.basis import basis
from freehold.prove.report.limitations import limitations
from freehold.prove.report.traffic import aside_told
from freehold.prove.report.words import in_hundred, in_points, interval, milliseconds, money, number, share


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One large figure: its name, how it is shown, and where in the evidence the value lies (`of`, a dotted path)."""

    name: str
    shown: str
    value: float | None
    of: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Sentences for someone who does not read statistics; `notices` stand above everything else."""

    headline: str
    notices: tuple[str, ...]
    tiles: tuple[Tile, ...]
    moves: tuple[str, ...]
    saves: tuple[str, ...]
    risks: tuple[str, ...]
    stays: tuple[str, ...]
    unshown: tuple[str, ...]
    next_command: str


def tell(verdict: Verdict, evidence: Evidence) -> Story:
    """Put a verdict into sentences."""
    return Story(
        headline=_headline(verdict, evidence),
        notices=risks.notices(verdict, evidence),
        tiles=_tiles(verdict, evidence),
        moves=_moves(verdict, evidence),
        saves=_saves(verdict, evidence),
        risks=risks.risks(verdict, evidence),
        stays=risks.stays(verdict, evidence),
        unshown=limitations(verdict, evidence),
        next_command=next_command(verdict, evidence),
    )


def next_command(verdict: Verdict, evidence: Evidence) -> str:
    """The command that follows from the verdict."""
    task, training = evidence.task, evidence.facts.train_on
    match verdict.decision:
        case "move":
            return f"freehold move {task}"
        case "hold" | "need" if training:
            return training
        case "need" if _is_for_people(evidence):
            return f"freehold label {task}"
        case "need":
            return f"freehold freeze {task}   # once {verdict.need or 0:,} more calls can be held out"
        case "hold":
            return f"freehold status {task}"


def _is_for_people(evidence: Evidence) -> bool:
    """Whether what is needed are comparisons by people."""
    return evidence.outcome.need_of == "labels"


def _headline(verdict: Verdict, evidence: Evidence) -> str:
    task = evidence.task
    match verdict.decision:
        case "move" if evidence.outcome.scope == "whole" and not verdict.withheld:
            return f"The owned model can take over {task}."
        case "move":
            return f"The owned model can answer {verdict.coverage or 0:.0%} of the calls of {task}."
        case "need" if _is_for_people(evidence):
            return f"Not decided yet: people have to compare {verdict.need or 0:,} more pairs of answers of {task}."
        case "need":
            return f"Not decided yet: {verdict.need or 0:,} more held-out calls of {task} would decide."
        case "hold":
            return f"Keep {task} with the provider."


def _tiles(verdict: Verdict, evidence: Evidence) -> tuple[Tile, ...]:
    speed = _tile(
        "The owned model takes",
        milliseconds,
        evidence.speed.latency_p50_ms,
        "speed.latency_p50_ms",
        _speed_note(evidence),
    )
    if verdict.decision == "move":
        a_day = evidence.savings.local_per_day
        moved = "of the calls" + (f", about {number(a_day)} a day" if a_day is not None else "")
        return (
            _tile("Moves", share, evidence.savings.local_share, "savings.local_share", moved),
            _saved(evidence),
            speed,
            _asked(evidence),
        )
    owned = evidence.owned
    word = basis(evidence).verb
    of = "of the calls" if (evidence.scored_calls or 0) in (0, (evidence.calls or 0)) else "where that is known"
    seen = f"{of}; {interval(owned.low, owned.high)}, n={number(owned.n)}"
    kept = Tile(
        name="Moves",
        shown="nothing",
        value=evidence.savings.local_share,
        of="savings.local_share",
        note="all calls stay with the provider",
    )
    tiles = [kept, _tile(f"The model {word} in", share, evidence.owned.share, "sides.1.share", seen), _asked(evidence)]
    if verdict.decision == "need":
        what = "pairs for people to compare" if _is_for_people(evidence) else "held-out calls would decide"
        tiles.insert(
            1, _tile("Needs", lambda value: f"{number(value)} more", evidence.outcome.need, "outcome.need", what)
        )
    else:
        tiles.append(speed)
    return tuple(tiles)


def _tile(name: str, words: risks.Words, value: float | None, of: str, note: str) -> Tile:
    return Tile(name=name, shown=words(value), value=None if value is None else float(value), of=of, note=note)


def _saved(evidence: Evidence) -> Tile:
    saved = evidence.savings
    if saved.per_month_usd is None:
        note = "of the bill; in money: unknown"
        return _tile("Saves", share, saved.share_of_bill, "savings.share_of_bill", note)
    rate = number(evidence.facts.calls_per_day)
    note = f"a month at {rate} calls a day: {share(saved.share_of_bill)} of the bill"
    return _tile("Saves", money, saved.per_month_usd, "savings.per_month_usd", note)


def _speed_note(evidence: Evidence) -> str:
    rented = evidence.facts.provider_latency_ms
    took = "unknown" if rented is None else milliseconds(rented)
    return f"for an answer (median); the provider: {took}"


def _asked(evidence: Evidence) -> Tile:
    name = "Promise: at most" if evidence.outcome.decision == "move" else "Asked for: at most"
    if evidence.outcome.scope == "whole":
        note = f"fewer {basis(evidence).answers} than the provider gives"
        if risks.is_by_people(evidence):
            note = "by which people prefer the provider's answers"
        return _tile(
            name, lambda value: f"{in_points(value)} points", evidence.settings.margin, "settings.margin", note
        )
    whose = "of its answers are wrong" if risks.is_b(evidence) else "calls get a wrong answer from it"
    return _tile(name, in_hundred, evidence.settings.risk, "settings.risk", whose)


def _moves(verdict: Verdict, evidence: Evidence) -> tuple[str, ...]:
    reason, is_undertrained = evidence.outcome.reason, evidence.facts.train_on
    n, local = (evidence.calls or 0), risks.local_calls(verdict, evidence)
    match verdict.decision:
        case "move":
            rest = f"the provider keeps the other {n - local:,}" if n > local else "the provider keeps none"
            sentences = [
                f"Of {n:,} held-out calls the owned model would have answered {local:,} itself, locally; {rest}.",
                reason,
                aside_told(evidence),
            ]
        case "need" if _is_for_people(evidence):
            sentences = [reason, "Nothing moves until then, and nothing changes for your users."]
        case "need" if is_undertrained:
            sentences = [reason, _training_first(evidence), "Until then nothing moves, and nothing changes for users."]
        case "need":
            sentences = [
                reason,
                f"With {verdict.need or 0:,} more held-out calls a decision is likely; “freehold prove"
                f" {evidence.task} --plan” says when they will be there. Until then nothing moves, and nothing"
                " changes for your users.",
            ]
        case "hold":
            sentences = [reason, "All calls stay with the provider, and nothing changes for your users."]
            if is_undertrained:
                sentences.append(_training_first(evidence))
            elif (evidence.calls or 0) and evidence.calls_that_would_decide is None:
                sentences.append(
                    "At the shares seen so far no number of further held-out calls would change that. A model that"
                    " learned from more calls or corrections might."
                )
    return tuple(sentence for sentence in sentences if sentence)


def _training_first(evidence: Evidence) -> str:
    """What comes before more calls or corrections, for a model that was trained too little."""
    command = evidence.facts.train_on
    return f"A model that was trained for longer may do better before it has more calls: “{command}” would be next."


def _saves(verdict: Verdict, evidence: Evidence) -> tuple[str, ...]:
    if verdict.decision != "move":
        return ()
    saved, facts = evidence.savings, evidence.facts
    of_bill = f"{saved.share_of_bill or 0:.0%}"
    if saved.per_month_usd is None:
        sentences = [f"{of_bill} of this task's bill, audits paid for{_per_thousand(evidence)}."]
    else:
        sentences = [
            f"{money(saved.per_month_usd)} a month, {of_bill} of this task's bill at"
            f" {number(facts.calls_per_day)} calls a day, audits paid for. Your own hardware is not counted."
        ]
    rented = facts.provider_latency_ms
    owned = evidence.speed.latency_p50_ms
    if owned is not None:
        slower = " It is slower here." if rented is not None and owned > rented else ""
        sentences.append(
            f"An owned answer took {milliseconds(owned)} (median, asked several at once, on this machine); the"
            f" provider's took {'an unknown time' if rented is None else milliseconds(rented)}.{slower}"
        )
    if saved.local_share != 1.0:
        longer = "" if owned is None else f" and takes about {milliseconds(owned)} longer"
        sentences.append(f"A call that the provider keeps waits for the owned model first{longer}.")
    return tuple(sentences)


def _per_thousand(evidence: Evidence) -> str:
    """The amount for a task whose calls a day are not known yet."""
    cost, part = evidence.facts.provider_cost_per_call_usd, evidence.savings.share_of_bill
    if cost is None or part is None:
        return "; its amount is unknown, as prices are not set"
    return (
        f": {money(1000 * part * cost)} for every 1,000 calls; the amount a month is unknown, as the rate of calls is"
    )
