"""What people and a judge said about a model's answers, as a proof takes it.

Not covered: asking them (`loop.labelling`, `loop.judging`).
"""

from __future__ import annotations

from freehold.core import ModelCard
from freehold.core.ids import canonical_json, sha256_hex
from freehold.core.task import Task
from freehold.loop.estate import Estate
from freehold.loop.judging import judge_state, scores_of
from freehold.loop.labelling import compare, labels_of
from freehold.loop.progress import Reporter
from freehold.loop.proving import kept_noise
from freehold.prove import Opinions
from freehold.store import DatasetRow


def opinions_of(estate: Estate, task: Task, card: ModelCard, dataset: DatasetRow, report: Reporter) -> Opinions | None:
    """The opinions that count for a model's proof; None where nobody was asked and nobody need be.

    Free text is hardly ever the same twice, so that its proof waits for people from its first attempt on.
    """
    if not labels_of(estate, task, card) and not estate.settings.text("prove.judge"):
        return Opinions() if dataset.manifest.kind == "text" else None
    comparison = compare(estate, task.name, card.id, report, dataset)
    answers = [(pair.example_id, pair.digest) for pair in comparison.pairs]
    return Opinions(labels=comparison.values, scores=scores_of(estate, card.id, answers))


def opinions_mark(estate: Estate, task: Task, card: ModelCard) -> str:
    """What tells one state of opinions and of the provider's noise from another; empty where there are none."""
    labels = [[label.example_id, label.source, label.preferred] for label in labels_of(estate, task, card)]
    state = [sorted(labels), judge_state(estate, card), kept_noise(estate, task, card)]
    return sha256_hex(canonical_json(state)) if any(state) else ""
