"""What enters a proof: held-out calls that the model never learnt from, as one attempt of the task's life.

With `prove.fresh` only those that no attempt with a lower number looked at. The same proof given again has the number
that it had, so that it finds the same calls.

Not covered: what an attempt may spend (`freehold.prove`), keeping attempts (`freehold.store`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from freehold.errors import BusyError
from freehold.freeze import load
from freehold.model import Example, ModelCard
from freehold.model.task import Task
from freehold.pipeline.workspace import Workspace
from freehold.prove import Attempt, ProofBudget, call_mark
from freehold.prove.run.contamination import Contamination, contamination
from freehold.store import DatasetRow

_NEAR_DUPLICATE = 0.9


def entry_of(
    workspace: Workspace, task: Task, dataset: DatasetRow, card: ModelCard, *, proof_id: str, is_fresh: bool
) -> ProofBudget:
    """The entry of the proof of this id."""
    own = _own(workspace, task, dataset, card)
    found = left_out(workspace, task, dataset, card, proof_id=proof_id, is_fresh=is_fresh)

    def claim(entered: Sequence[Example]) -> Attempt:
        marks = [call_mark(example.id) for example in entered]
        row = workspace.store.attempts.claim(task.id, proof_id, marks, time.time())
        used = _looked_at(workspace, task, before=row.number)
        again = sum(mark in used for mark in marks)
        if is_fresh and again:
            raise BusyError(
                f"Another proof of task {task.name!r} looked at {again:,} of these calls meanwhile.",
                hint="Prove again: it goes on with the others, as the same attempt.",
            )
        return Attempt(number=row.number, looked_at_before=again)

    return ProofBudget(
        left_out=found.left_out,
        notes={"of_trained_users": found.of_trained_users, "of_learnt_inputs": found.of_learnt_inputs},
        tuned_on=None if own is dataset else Path(own.path),
        claim=claim,
    )


def left_out(
    workspace: Workspace, task: Task, dataset: DatasetRow, card: ModelCard, *, proof_id: str, is_fresh: bool
) -> Contamination:
    """Which held-out calls may not enter the proof of this id, and why."""
    proof = load(Path(dataset.path)).proof
    found = _unseen(proof, dataset, _own(workspace, task, dataset, card))
    if not is_fresh:
        return found
    known = workspace.store.attempts.find(task.id, proof_id)
    used = _looked_at(workspace, task, before=known.number if known else None)
    again = {example.id: "looked at by an earlier proof" for example in proof if call_mark(example.id) in used}
    return replace(found, left_out=again | found.left_out)


def _own(workspace: Workspace, task: Task, dataset: DatasetRow, card: ModelCard) -> DatasetRow:
    """The dataset that the model was trained on."""
    return dataset if card.dataset_hash == dataset.id else workspace.dataset_of(task, card.dataset_hash)


def _unseen(proof: Sequence[Example], dataset: DatasetRow, own: DatasetRow) -> Contamination:
    if own.id == dataset.id:
        return Contamination(of_learnt_inputs=dataset.manifest.learnt_inputs)
    trained = load(Path(own.path))
    threshold = own.manifest.settings.get("near_duplicate", _NEAR_DUPLICATE)
    return contamination(proof, (*trained.train, *trained.dev), near_duplicate=float(threshold))


def _looked_at(workspace: Workspace, task: Task, *, before: int | None) -> set[str]:
    """The marks of all calls that attempts with a lower number looked at."""
    return {mark for attempt in workspace.store.attempts.of_task(task.id, before=before) for mark in attempt.calls}
