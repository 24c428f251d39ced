"""Plan a proof: how many more calls a decision needs, and when they will be there.

From the newest verdict's evidence; where nothing was ever proven, from assumed discordances. Nothing is asked of any
model. Not covered: the figures themselves (`freehold.prove`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from freehold.core.task import Task
from freehold.core.verdict import Verdict
from freehold.loop.estate import Estate
from freehold.loop.proving import proof_settings
from freehold.prove import PlanRow, ProofSettings, Seen, level, plan_assumed, plan_cascade, plan_whole

_DAY_S = 86400.0
_MARGINS = (0.01, 0.02, 0.03, 0.05)
_RISKS = (0.02, 0.05, 0.10)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofPlan:
    """What the task's next proof, its `attempt`-th, needs; `held_out_per_day` is None while the rate is unknown."""

    task: str
    attempt: int
    is_assumed: bool
    held_out: int
    held_out_per_day: float | None
    rows: tuple[PlanRow, ...]

    def days(self, row: PlanRow) -> float | None:
        """The days until a row's calls are there; None where that is unknown or never."""
        if row.more is None or not self.held_out_per_day:
            return None
        return row.more / self.held_out_per_day

    def plain(self) -> dict[str, object]:
        """The plan as JSON-able values."""
        rows = [{**asdict(row), "days": self.days(row)} for row in self.rows]
        return {**asdict(self), "rows": rows}


def plan_proof(estate: Estate, name: str) -> ProofPlan:
    """Plan the next proof of a task."""
    task = estate.task(name)
    number = estate.store.attempts.next_number(task.id)
    asked = proof_settings(estate)
    settings = asked.spending(level(number))
    margins, risks = sorted({*_MARGINS, asked.margin}), sorted({*_RISKS, asked.risk})
    verdict = next(iter(estate.store.book.verdicts(task.id)), None)
    rows = _from_evidence(verdict, settings, margins, risks) if verdict else None
    found = rows if rows is not None else plan_assumed(settings, margins, risks)
    return ProofPlan(
        task=task.name,
        attempt=number,
        is_assumed=rows is None,
        held_out=int(verdict.evidence["calls"]) if verdict and rows is not None else 0,
        held_out_per_day=_held_out_per_day(estate, task),
        rows=tuple(found),
    )


def _from_evidence(
    verdict: Verdict, settings: ProofSettings, margins: list[float], risks: list[float]
) -> list[PlanRow] | None:
    """The rows that the newest proof's figures give; None where it kept none."""
    paired: dict[str, Any] = verdict.evidence.get("paired") or {}
    cascade: dict[str, Any] = verdict.evidence.get("cascade") or {}
    if not paired.get("n"):
        return None
    seen = Seen(
        calls=int(paired["n"]),
        users=int(paired["users"]),
        discordance=float(paired["discordance"]),
        difference=float(paired["difference"]),
        metrics=int(paired.get("metrics", 1)),
    )
    points = [(int(point["local"]), int(point["wrong"])) for point in cascade.get("curve", ())]
    is_by_user = bool(cascade.get("is_by_user"))
    return [
        *plan_cascade(points, seen, settings, risks, is_by_user=is_by_user),
        *plan_whole(seen, settings, margins),
    ]


def _held_out_per_day(estate: Estate, task: Task) -> float | None:
    """How many calls a day become held-out ones, at the task's rate and at what the last freeze kept."""
    figures = estate.store.book.figures(task.id)
    span_s = (figures.last_at or 0.0) - (figures.first_at or 0.0)
    if span_s <= 0 or not figures.calls:
        return None
    per_day = figures.calls * _DAY_S / span_s
    datasets = estate.store.book.datasets(task.id)
    kept = sum(datasets[0].manifest.counts.values()) / figures.calls if datasets else 1.0
    return per_day * min(1.0, kept) * estate.settings.number("freeze.proof_share")
