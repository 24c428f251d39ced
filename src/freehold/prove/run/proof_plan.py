"""Plan a proof: how many more calls a decision needs, and when they will be there.

From the first of these that there is: the evidence of the newest verdict by the metrics and the contract that are asked
for, on 30 calls or more; the answers to the newest model's dev calls that are kept (dev is for tuning: looking costs no
attempt); discordances that are assumed, and said to be. No model is asked. Calls come as they did in the seven days
before the last one, and as many of them become held-out calls as did at the last freeze; calls within less than an hour
tell no rate. Where nothing was seen, users make as many calls each as in the newest dataset.

Not covered: the figures themselves (`prove.plan`).
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import msgspec

from freehold.freeze import load
from freehold.model import Example
from freehold.model.evidence.terms import TrainingFigures
from freehold.model.task import Task
from freehold.model.verdict import Verdict
from freehold.pipeline.workspace import Workspace
from freehold.prove import (
    LEAST_CALLS,
    PlanRow,
    ProofSettings,
    Seen,
    call_mark,
    level,
    plan_assumed,
    plan_cascade,
    plan_whole,
    rehearse,
)
from freehold.prove.run.prove import kept_answers, proof_settings
from freehold.store import CallFilter
from freehold.train.run.train import training_facts

_DAY_S = 86400.0
_WINDOW_S = 7 * _DAY_S
_LEAST_SPAN_S = 3600.0
_MARGINS = (0.01, 0.02, 0.03, 0.05)
_RISKS = (0.02, 0.05, 0.10)

Basis = Literal["verdict", "dev", "assumed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One way to a move: replacing the provider wholly (`whole`) at a margin, or a `cascade` at a risk.

    `limit` is that share, `discordance` how often both sides differ, seen or assumed. `calls` are the held-out calls
    needed in all, `more` those still missing, `days` until they are there; None where no number would do, or unknown.
    """

    way: str
    limit: float
    discordance: float
    calls: int | None
    more: int | None
    days: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofPlan:
    """What the task's next proof, its `attempt`-th, needs.

    `seen` is how many calls the shares were seen on, `held_out` how many calls the newest dataset can prove on now.
    `calls_per_day` and `held_out_share` are None while they are unknown. `can_provider_err` is whether replacing the
    provider wholly can be decided at all: not while no call is corrected (None: unknown). `training` says of the newest
    model that it was trained too little (`words`) and what would train it on (`next`); None where it was not.
    """

    task: str
    attempt: int
    level: float
    basis: Basis
    seen: int
    held_out: int
    held_out_max: int
    calls_per_day: float | None
    held_out_share: float | None
    can_provider_err: bool | None
    rows: tuple[Forecast, ...]
    training: TrainingFigures | None = None

    def plain(self) -> dict[str, object]:
        """The plan as JSON-able values; `ready_at` is in Unix seconds."""
        now = time.time()
        rows = [{**asdict(row), "ready_at": None if row.days is None else now + row.days * _DAY_S} for row in self.rows]
        training = {} if self.training is None else msgspec.to_builtins(self.training)
        return {**asdict(self), "rows": rows, "training": training}


def plan_proof(workspace: Workspace, name: str) -> ProofPlan:
    """Plan the next proof of a task."""
    task = workspace.task(name)
    number = workspace.store.attempts.next_number(task.id)
    asked = proof_settings(workspace)
    limits = _Limits(
        settings=asked.spending(level(number)),
        margins=sorted({*_MARGINS, asked.margin}),
        risks=sorted({*_RISKS, asked.risk}),
    )
    basis, seen, rows, can_err = _rows(workspace, task, limits)
    held_out = len(_held_out(workspace, task, is_fresh=asked.is_fresh))
    card = next(iter(workspace.store.registry.models(task.id)), None)
    per_day, share = _calls_per_day(workspace, task), _held_out_share(workspace, task)
    return ProofPlan(
        task=task.name,
        attempt=number,
        level=level(number),
        basis=basis,
        seen=seen,
        held_out=held_out,
        held_out_max=workspace.settings.whole("freeze.proof_max"),
        calls_per_day=per_day,
        held_out_share=share,
        can_provider_err=can_err,
        training=training_facts(card, task) if card else None,
        rows=tuple(_forecast(row, held_out, per_day * share if per_day and share else None) for row in rows),
    )


def _forecast(row: PlanRow, held_out: int, held_out_per_day: float | None) -> Forecast:
    more = None if row.calls is None else max(0, row.calls - held_out)
    is_known = more == 0 or (more is not None and held_out_per_day is not None)
    days = (more or 0) / (held_out_per_day or 1.0) if is_known else None
    return Forecast(way=row.way, limit=row.limit, discordance=row.discordance, calls=row.calls, more=more, days=days)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """What to plan for: the settings at the next attempt's level, several margins and risks."""

    settings: ProofSettings
    margins: list[float]
    risks: list[float]

    def rows(self, seen: Seen, points: list[tuple[int, int]], *, is_by_user: bool) -> list[PlanRow]:
        cascade = plan_cascade(points, seen, self.settings, self.risks, is_by_user=is_by_user)
        return cascade + plan_whole(seen, self.settings, self.margins)


def _rows(workspace: Workspace, task: Task, limits: _Limits) -> tuple[Basis, int, list[PlanRow], bool | None]:
    """On what the plan rests, on how many calls that was seen, the rows, and whether the provider can be wrong."""
    verdict = next((v for v in workspace.store.registry.verdicts(task.id) if _tells(v, limits.settings)), None)
    if verdict is not None:
        seen, rows = _from_verdict(verdict, limits)
        return "verdict", seen.calls, rows, verdict.figures.is_agreement is False
    card = next(iter(workspace.store.registry.models(task.id)), None)
    dataset = workspace.store.registry.dataset(card.dataset_hash) if card else None
    if card is not None and dataset is not None:
        found = rehearse(Path(dataset.path), kept_answers(workspace, card), limits.settings)
        if found is not None:
            rows = limits.rows(found.seen, list(found.points), is_by_user=found.seen.users < found.seen.calls)
            return "dev", found.seen.calls, rows, found.can_provider_err
    groups = [example.group for example in _held_out(workspace, task)] or ["nobody yet"]
    per_user = len(groups) / len(set(groups))
    return "assumed", 0, plan_assumed(limits.settings, limits.margins, limits.risks, calls_per_user=per_user), None


def _tells(verdict: Verdict, asked: ProofSettings) -> bool:
    """Whether a verdict's figures are of what is asked for now, and of enough calls to plan by."""
    was, paired = verdict.figures.settings, verdict.figures.paired
    told = was.metrics or asked.metrics, was.contract or asked.contract
    is_known = None not in (paired.users, paired.discordance, paired.difference)
    return is_known and (paired.n or 0) >= LEAST_CALLS and told == (asked.metrics, asked.contract)


def _from_verdict(verdict: Verdict, limits: _Limits) -> tuple[Seen, list[PlanRow]]:
    paired, cascade = verdict.figures.paired, verdict.figures.cascade
    seen = Seen(
        calls=paired.n or 0,
        users=paired.users or 0,
        discordance=paired.discordance or 0.0,
        difference=paired.difference or 0.0,
        metrics=paired.metrics,
    )
    points = [(point.local or 0, point.wrong or 0) for point in cascade.curve]
    return seen, limits.rows(seen, points, is_by_user=cascade.is_by_user)


def _held_out(workspace: Workspace, task: Task, *, is_fresh: bool = False) -> list[Example]:
    """The held-out calls of the newest dataset; of fresh ones those that no proof looked at."""
    datasets = workspace.store.registry.datasets(task.id)
    proof = list(load(Path(datasets[0].path)).proof) if datasets else []
    if not is_fresh:
        return proof
    used = {mark for attempt in workspace.store.attempts.of_task(task.id) for mark in attempt.calls}
    return [example for example in proof if call_mark(example.id) not in used]


def _calls_per_day(workspace: Workspace, task: Task) -> float | None:
    """The rate of the calls that clients made, in the days before the last one; None where too little time passed."""
    figures = workspace.store.registry.figures(task.id)
    if figures.first_at is None or figures.last_at is None:
        return None
    since = max(figures.first_at, figures.last_at - _WINDOW_S)
    span_s = figures.last_at - since
    if span_s < _LEAST_SPAN_S:
        return None
    return workspace.store.calls.count(CallFilter(task_id=task.id, is_direct=True, since=since)) * _DAY_S / span_s


def _held_out_share(workspace: Workspace, task: Task) -> float | None:
    """The share of new calls that become held-out ones: of those that a proof can speak about, what is held out."""
    datasets = workspace.store.registry.datasets(task.id)
    if not datasets or not datasets[0].manifest.calls_seen:
        return None
    manifest = datasets[0].manifest
    if manifest.kinds:
        spoken = manifest.counts["proof"] / (manifest.counts["proof"] + sum(manifest.unspoken.values()))
        return spoken * workspace.settings.number("freeze.proof_share")
    return min(1.0, sum(manifest.counts.values()) / manifest.calls_seen) * workspace.settings.number(
        "freeze.proof_share"
    )
