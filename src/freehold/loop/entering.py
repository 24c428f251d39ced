"""What enters a proof: held-out calls that the model never learnt from, as one attempt of the task's life.

On the model's own dataset the freeze saw to that. On another one a held-out call is left out when it, or a call with
the same input, is in the train or dev split of the model's own dataset, or when it is older than what that held out, so
that it is no traffic from after the training cut-off. Calls that an earlier proof looked at are left out on request.

Not covered: what an attempt may spend (`freehold.prove`), keeping attempts (`freehold.store`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from freehold.core import Example, ModelCard
from freehold.core.task import Task
from freehold.dataset import load
from freehold.loop.estate import Estate
from freehold.prove import Attempt, Entry, call_mark
from freehold.store import DatasetRow


def entry_of(
    estate: Estate, task: Task, dataset: DatasetRow, card: ModelCard, *, proof_id: str, is_fresh: bool
) -> Entry:
    """The entry of the proof of this id."""
    own = dataset if card.dataset_hash == dataset.id else estate.dataset_of(task, card.dataset_hash)
    left_out = _seen_in_training(dataset, own)
    if is_fresh:
        known = estate.store.attempts.find(task.id, proof_id)
        earlier = estate.store.attempts.of_task(task.id, before=known.number if known else None)
        used = {mark for attempt in earlier for mark in attempt.calls}
        for example in load(Path(dataset.path)).proof:
            if call_mark(example.id) in used:
                left_out.setdefault(example.id, "looked at by an earlier proof")

    def claim(entered: Sequence[Example]) -> Attempt:
        marks = [call_mark(example.id) for example in entered]
        row = estate.store.attempts.claim(task.id, proof_id, marks, time.time())
        earlier = estate.store.attempts.of_task(task.id, before=row.number)
        used = {mark for attempt in earlier for mark in attempt.calls}
        return Attempt(number=row.number, looked_at_before=sum(mark in used for mark in marks))

    return Entry(left_out=left_out, tuned_on=None if own is dataset else Path(own.path), claim=claim)


def _seen_in_training(dataset: DatasetRow, own: DatasetRow) -> dict[str, str]:
    if own.id == dataset.id:
        return {}
    proof, trained = load(Path(dataset.path)).proof, load(Path(own.path))
    learnt = (*trained.train, *trained.dev)
    ids, inputs = {example.id for example in learnt}, {example.messages for example in learnt}
    cutoff_at = max((example.created_at for example in learnt), default=0.0)
    left_out: dict[str, str] = {}
    for example in proof:
        if example.id in ids or example.messages in inputs:
            left_out[example.id] = "trained on"
        elif example.created_at <= cutoff_at:
            left_out[example.id] = "older than the training cut-off"
    return left_out
