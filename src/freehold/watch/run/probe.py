"""Probing the provider: is the model that it rents out still the one that answered, under the same name?

A probe is a call that the provider answered twice before: when it was recorded, and when it was asked again for
`freehold prove --noise`. Asked a third time it answers, if nothing changed, as it did the second time, however noisy it
is: second and third answer may be swapped. So none of these has a reason to go up or down (`watch.drift`):

    answer   likeness of the second answer to the first, less that of the third
    length   whether the third answer is longer (1) or shorter (-1) than the second
    parse    whether the third can be read where the second cannot (1), or the other way round (-1)

Each call is a probe once. Probes count in the order in which they were planned, not in which they were answered, as
short answers come sooner. What was found is kept with the watch of the task's route, where it makes the proof stale.

Not covered: when to probe (a schedule of the user's, cron say), what stale evidence does (`watch.staleness`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from freehold.errors import BusyError, DataError
from freehold.freeze import load
from freehold.model.task import Task
from freehold.net.provider_client import Asking, Request
from freehold.pipeline.locks import locked
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.budgeted_batch import Asked, Budget, Replies, ask_all, total_usd
from freehold.prove.run.self_consistency import again_path, request_of
from freehold.system.files import write_whole
from freehold.text.scoring import is_acceptable, score
from freehold.watch import Drift, new_probe_drift, observe_probe, sign_of_change

KINDS = ("answer", "length", "parse")
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A call that was answered twice, and is asked a third time."""

    id: str
    kind: str
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """The probes so far and the new ones at their end; `requests` are still to be sent."""

    task: Task
    probes: tuple[Probe, ...]
    fresh: int
    left: int
    requests: tuple[Request, ...]
    expected_usd: float | None

    @property
    def provider_names(self) -> str:
        """Whom it asks."""
        return ", ".join(sorted({request.provider.name for request in self.requests})) or "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeFound:
    """How the evidence stands after all probes that were answered; `changed_at` is the probe at which it was enough."""

    asked: Asked
    observed: int
    evidence: float
    patience: float
    changed_at: int | None
    left: int

    @property
    def words(self) -> str:
        """What was found, in one sentence; what a stale proof says of itself."""
        if self.changed_at is None:
            return f"no change found in {self.observed:,} probes: evidence {self.evidence:,.1f} of {self.patience:,.0f}"
        return f"rented model changed: noticed after {self.changed_at:,} probes, its answers differ from those before"

    def plain(self) -> dict[str, object]:
        """The finding as JSON-able values."""
        return {
            "is_changed": self.changed_at is not None,
            "changed_at": self.changed_at,
            "probes": self.observed,
            "evidence": min(self.evidence, 1e300),
            "patience": self.patience,
            "left": self.left,
            "spent_usd": self.asked.spent_usd,
            "unanswered": self.asked.left,
        }


def plan_probe(workspace: Workspace, name: str, count: int) -> ProbePlan:
    """The next `count` probes of a task, after those that were planned and not yet answered; DataError for none."""
    task = workspace.task(name)
    known = _read(_list_path(workspace, task))
    fresh = _unused(workspace, task, {probe.id for probe in known})
    replies = Replies(_replies_path(workspace, task))
    waiting = sum(probe.id not in replies for probe in known)
    added = fresh[: max(0, count - waiting)]
    if not added and not waiting:
        why = "that the provider answered twice has been a probe" if known else "was answered by the provider once only"
        raise DataError(
            f"Every call of task {task.name!r} {why}.",
            hint=f"Make more: freehold prove {task.name} --noise {max(200, 2 * len(known))}",
        )
    asked = {probe.id: request_of(workspace, probe.id) for probe in (*known, *added) if probe.id not in replies}
    found = tuple(request for request in asked.values() if request is not None)
    return ProbePlan(
        task=task,
        probes=tuple(probe for probe in (*known, *added) if probe.id in replies or asked[probe.id] is not None),
        fresh=len(added),
        left=len(fresh) - len(added),
        requests=found,
        expected_usd=total_usd(found),
    )


def probe(workspace: Workspace, plan: ProbePlan, budget: Budget, asking: Asking, report: Reporter) -> ProbeFound:
    """Ask the plan's probes, weigh all that were answered, and keep what was found with the task's watch."""
    path = _list_path(workspace, plan.task)
    with locked(path.with_suffix(".lock"), f"A probe of task {plan.task.name!r}"):
        write_whole(path, msgspec.json.encode(plan.probes), is_synced=False)
        replies = Replies(_replies_path(workspace, plan.task))
        note = Progress(stage="probe", total=len(plan.requests), note=plan.provider_names)
        asked = ask_all(plan.requests, replies, budget, asking, lambda done: report(replace(note, done=done)))
        patience = workspace.settings.for_task(plan.task.name).number("watch.probe_patience")
        drift, changed_at = weigh(plan.probes, replies, patience)
    found = ProbeFound(
        asked=asked,
        observed=drift.observed,
        evidence=drift.evidence,
        patience=patience,
        changed_at=changed_at,
        left=plan.left,
    )
    _keep(workspace, plan.task, found)
    return found


def weigh(probes: Sequence[Probe], replies: Replies, patience: float) -> tuple[Drift, int | None]:
    """The evidence of all probes up to the first that is still to be answered, and where it was enough, if it was.

    A probe that the provider refused, or whose call is gone, changed nothing.
    """
    drift, changed_at = new_probe_drift(patience=patience, kinds=KINDS), None
    for number, one in enumerate(probes, 1):
        reply = replies.get(one.id)
        if reply is None:
            break
        drift = observe_probe(drift, {} if reply.problem or not reply.text else changes(one, reply.text))
        if drift.alarm and changed_at is None:
            changed_at = number
    return drift, changed_at


def changes(one: Probe, third: str) -> dict[str, float]:
    """What changed from the second answer to the third, each in [-1, 1]."""
    before, after = (score(one.kind, one.first, text).graded for text in (one.second, third))
    read = [float(is_acceptable(one.kind, text)) for text in (one.second, third)]
    return {
        "answer": before - after,
        "length": sign_of_change(len(one.second), len(third)),
        "parse": sign_of_change(*read),
    }


def _unused(workspace: Workspace, task: Task, used: set[str]) -> list[Probe]:
    """The calls that were answered twice and were no probe yet, in the order in which they were asked again."""
    frozen = load(Path(workspace.dataset(task).path))
    firsts = {example.id: example.incumbent for example in (*frozen.dev, *frozen.proof) if not example.is_aside}
    again = Replies(again_path(workspace, task))
    found = []
    for call_id in again:
        reply = again.get(call_id)
        if call_id in firsts and call_id not in used and reply is not None and reply.text and not reply.problem:
            found.append(Probe(id=call_id, kind=frozen.manifest.kind, first=firsts[call_id], second=reply.text))
    return sorted(found, key=lambda one: one.id)


def _keep(workspace: Workspace, task: Task, found: ProbeFound) -> None:
    """Write what was found into the row of the task's watch, whoever else writes it at the same moment."""
    told = {"changed": found.words if found.changed_at is not None else "", "asked_at": time.time(), **found.plain()}
    for _ in range(_TRIES):
        row = workspace.store.watches.get(task.id)
        if workspace.store.watches.put(replace(row, document={**row.document, "probes": told})):
            return
    raise BusyError("Others keep writing the watch of this task.", hint="What was answered is kept: probe again.")


def _read(path: Path) -> list[Probe]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Probe])
    except FileNotFoundError:
        return []
    except msgspec.MsgspecError as error:
        raise DataError(f"The list of probes {str(path)!r} cannot be read.", hint="Delete it to begin anew.") from error


def _list_path(workspace: Workspace, task: Task) -> Path:
    return workspace.folder("proofs") / f"{task.id}.probes.json"


def _replies_path(workspace: Workspace, task: Task) -> Path:
    return workspace.folder("proofs") / f"{task.id}.probes.jsonl"
