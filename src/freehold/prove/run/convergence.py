"""The refusal of a proof that would spend an attempt on a model whose training was cut short.

Not covered: what too little is (`train.convergence`). Nothing of a proof's figures depends on it.
"""

from __future__ import annotations

from freehold.errors import UndertrainedError
from freehold.model import ModelCard
from freehold.model.task import Task
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.prove import proof_id, proof_settings
from freehold.store import DatasetRow
from freehold.train.run.train import undertraining


def check_training(workspace: Workspace, task: Task, dataset: DatasetRow, card: ModelCard) -> None:
    """UndertrainedError for the proof of a model whose training was cut short, before it costs anything.

    Not where `prove.undertrained` asks for it, where this very proof has its attempt already, and for a model that an
    earlier proof moved.
    """
    found = undertraining(card)
    if found is None or not found.is_too_little or workspace.settings.flag("prove.undertrained"):
        return
    if _has_its_attempt(workspace, task, dataset, card) or _was_moved(workspace, task, card):
        return
    raise UndertrainedError(
        f"Model {card.id} is not proven, as its training was cut short: {found.words}. A proof would spend one of the"
        " attempts of the task's life on it.",
        hint=f"Run: {found.command(task.name)}. With --undertrained it is proven all the same.",
    )


def _has_its_attempt(workspace: Workspace, task: Task, dataset: DatasetRow, card: ModelCard) -> bool:
    settings = proof_settings(workspace)
    names = (proof_id(card, dataset, settings, is_compared=is_compared) for is_compared in (False, True))
    return any(workspace.store.attempts.find(task.id, name) is not None for name in names)


def _was_moved(workspace: Workspace, task: Task, card: ModelCard) -> bool:
    verdicts = workspace.store.registry.verdicts(task.id)
    return any(verdict.model_id == card.id and verdict.decision == "move" for verdict in verdicts)
