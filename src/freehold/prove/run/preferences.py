"""What people and a judge said about a model's answers, as a proof takes it.

Not covered: asking them (`prove.run.label`, `prove.run.judge`).
"""

from __future__ import annotations

from freehold.model import ModelCard
from freehold.model.ids import canonical_json, sha256_hex
from freehold.model.task import Task
from freehold.pipeline.progress import Reporter
from freehold.pipeline.workspace import Workspace
from freehold.prove import Opinions
from freehold.prove.run.judge import judge_state, scores_of
from freehold.prove.run.label import compare, labels_of
from freehold.prove.run.prove import kept_noise
from freehold.store import DatasetRow


def preferences_of(
    workspace: Workspace, task: Task, card: ModelCard, dataset: DatasetRow, report: Reporter
) -> Opinions | None:
    """The opinions that count for a model's proof; None where nobody was asked and nobody need be.

    Free text is hardly ever the same twice, so that its proof waits for people from its first attempt on.
    """
    if not labels_of(workspace, task, card) and not workspace.settings.text("prove.judge"):
        return Opinions() if dataset.manifest.kind == "text" else None
    comparison = compare(workspace, task.name, card.id, report, dataset)
    answers = [(pair.example_id, pair.digest) for pair in comparison.pairs]
    return Opinions(labels=comparison.values, scores=scores_of(workspace, card.id, answers))


def preferences_mark(workspace: Workspace, task: Task, card: ModelCard) -> str:
    """What tells one state of opinions and of the provider's noise from another; empty where there are none."""
    labels = [[label.example_id, label.source, label.preferred] for label in labels_of(workspace, task, card)]
    state = [sorted(labels), judge_state(workspace, card), kept_noise(workspace, task, card)]
    return sha256_hex(canonical_json(state)) if any(state) else ""
