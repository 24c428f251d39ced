"""The large figures at the top of a report: what moves, what it saves, how long it takes, what is promised.

Not covered: sentences (`templates/story.txt.j2`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from freehold.model.evidence.evidence import Evidence
from freehold.model.verdict import Verdict
from freehold.prove.report.grounds import Grounds, basis, grounds
from freehold.prove.report.words import in_hundred, in_points, interval, milliseconds, money, number, share


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One large figure: its name, how it is shown, and where in the evidence the value lies (`of`, a dotted path)."""

    name: str
    shown: str
    value: float | None
    of: str
    note: str


def tiles(verdict: Verdict) -> tuple[Tile, ...]:
    """The four figures that say what the verdict comes to."""
    evidence, turns = verdict.figures, grounds(verdict)
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
            _asked(evidence, turns),
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
    right = _tile(f"The model {word} in", share, owned.share, "sides.1.share", seen)
    asked = _asked(evidence, turns)
    if verdict.decision != "need":
        return kept, right, asked, speed
    what = "pairs for people to compare" if turns.is_for_people else "held-out calls would decide"
    needs = _tile("Needs", lambda value: f"{number(value)} more", evidence.outcome.need, "outcome.need", what)
    return kept, needs, right, asked


def _tile(name: str, words: Callable[[object], str], value: float | None, of: str, note: str) -> Tile:
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


def _asked(evidence: Evidence, turns: Grounds) -> Tile:
    name = "Promise: at most" if evidence.outcome.decision == "move" else "Asked for: at most"
    if turns.is_whole:
        note = f"fewer {basis(evidence).answers} than the provider gives"
        if turns.is_by_people:
            note = "by which people prefer the provider's answers"
        return _tile(
            name, lambda value: f"{in_points(value)} points", evidence.settings.margin, "settings.margin", note
        )
    whose = "of its answers are wrong" if turns.is_b else "calls get a wrong answer from it"
    return _tile(name, in_hundred, evidence.settings.risk, "settings.risk", whose)
