"""Which held-out calls a model may be proven on: none that it was trained or tuned on, or that came before that ended.

On the model's own dataset the freeze saw to that. On another one a held-out call is left out when

- it is in the train or dev split of the model's own dataset,
- it is older than that dataset's held-out calls, so that it is no traffic from after the training cut-off,
- its input nearly repeats one that the model was trained or tuned on,
- its user or session is among those; unless more than six in ten calls would go for that reason, as where the same few
  users always call: then those calls stay, and are counted.

Not covered: calls that earlier proofs looked at (`loop.proving`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from freehold.core import Example
from freehold.dataset import load, near_repeats
from freehold.store import DatasetRow

_LEAST_KEPT = 0.4
_NO_GROUP = "call:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Why calls are left out, by id; `of_trained_users` counts calls that stay although their user was trained on."""

    left_out: dict[str, str]
    of_trained_users: int


def unseen(dataset: DatasetRow, own: DatasetRow) -> Unseen:
    """Look through the dataset that a model is to be proven on; `own` is the one it was trained on."""
    if dataset.id == own.id:
        return Unseen(left_out={}, of_trained_users=0)
    proof, trained = load(Path(dataset.path)).proof, load(Path(own.path))
    learnt = (*trained.train, *trained.dev)
    threshold = float(own.manifest.settings.get("near_duplicate", 0.9))
    return look_through(proof, learnt, cutoff_at=own.manifest.cutoff_at, near_duplicate=threshold)


def look_through(
    proof: Sequence[Example], learnt: Sequence[Example], *, cutoff_at: float, near_duplicate: float
) -> Unseen:
    """Which of the `proof` calls a model may not be proven on that learnt from `learnt`, all older than `cutoff_at`."""
    known = {example.id for example in learnt}
    left_out: dict[str, str] = {}
    for example in proof:
        if example.id in known:
            left_out[example.id] = "trained on"
        elif example.created_at < cutoff_at:
            left_out[example.id] = "older than the training cut-off"
    rest = [example for example in proof if example.id not in left_out]
    left_out |= dict.fromkeys(near_repeats(rest, learnt, near_duplicate), "nearly trained on")
    groups = {example.group for example in learnt if not example.group.startswith(_NO_GROUP)}
    rest = [example for example in rest if example.id not in left_out]
    shared = [example.id for example in rest if example.group in groups]
    if len(rest) - len(shared) < _LEAST_KEPT * len(rest):
        return Unseen(left_out=left_out, of_trained_users=len(shared))
    return Unseen(left_out=left_out | dict.fromkeys(shared, "of users trained on"), of_trained_users=0)
