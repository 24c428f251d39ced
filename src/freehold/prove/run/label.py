"""Comparing answers: the pairs that people decide, in the order that was drawn for them, and what they said.

The pairs, their order and the side on which each answer stands follow from the seed, so that nobody chooses them and
that they are the same on a terminal and in an exported file.

What was said first of a pair counts. Were a second opinion weighed in, whoever asks for one where the first was bad
news could have it as good as they like (`tests/prove/test_prove_judging.py` simulates that); and each person who goes
over all pairs again would be another try at the same test. So nobody changes a label that a proof looked at, either.

Not covered: files of labels (`prove.run.label_files`), what labels show (`freehold.prove.labels.judge`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from freehold.errors import DataError, UsageError
from freehold.freeze import load
from freehold.model import ModelCard
from freehold.model.example import Example
from freehold.model.label import Label, Preference, answers_digest, is_owned_first
from freehold.model.task import Task
from freehold.pipeline.progress import Reporter
from freehold.pipeline.workspace import Workspace
from freehold.prove import draw_pairs, planned_pairs, settled
from freehold.prove.run.eligibility import left_out
from freehold.prove.run.prove import owned_answers, proof_id, proof_settings
from freehold.store import DatasetRow
from freehold.text.prompts.template import Template

HUMAN = "human:"
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two answers to one call; `instructions` is what all calls of the task share.

    `is_same` needs nobody: both answers are the same, or it is known without people which side is better.
    """

    example_id: str
    place: int
    instructions: str
    request: str
    owned: str
    rented: str
    is_owned_first: bool
    is_same: bool

    @property
    def first(self) -> str:
        """The answer that is shown first."""
        return self.owned if self.is_owned_first else self.rented

    @property
    def second(self) -> str:
        """The answer that is shown second."""
        return self.rented if self.is_owned_first else self.owned

    @property
    def digest(self) -> str:
        """What tells these two answers from others."""
        return answers_digest(self.owned, self.rented)

    def preferred(self, choice: str) -> Preference:
        """Which side a choice means: `1`, `2`, `same`, or the side itself; ValueError for anything else."""
        match choice:
            case "1":
                return "owned" if self.is_owned_first else "rented"
            case "2":
                return "rented" if self.is_owned_first else "owned"
            case "owned" | "rented" | "same":
                return choice
        raise ValueError(f"{choice!r} prefers nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All drawn pairs of one model's proof, in their order, with the labels that count for them."""

    task: Task
    model_id: str
    pairs: tuple[Pair, ...]
    planned: int
    labels: tuple[Label, ...]

    @property
    def open_pairs(self) -> list[Pair]:
        """The planned pairs that differ and that nobody has decided, in their order."""
        done = {label.example_id for label in self.labels}
        return [pair for pair in self.pairs[: self.planned] if not pair.is_same and pair.example_id not in done]

    @property
    def differing(self) -> int:
        """How many of the planned pairs people are asked for."""
        return sum(not pair.is_same for pair in self.pairs[: self.planned])

    @property
    def values(self) -> dict[str, float]:
        """What people said of each pair, 1 for the owned answer; the first of them where several spoke."""
        said: dict[str, float] = {}
        for label in self.labels:
            said.setdefault(label.example_id, label.value)
        return said

    @property
    def waiting(self) -> int:
        """How many decided pairs count only once a pair before them, which was skipped, is decided, too."""
        first_open = next((pair.place for pair in self.open_pairs), self.planned + 1)
        behind = {
            pair.example_id for pair in self.pairs[: self.planned] if pair.place > first_open and not pair.is_same
        }
        return len(behind & {label.example_id for label in self.labels})


def compare(
    workspace: Workspace, name: str, model_id: str | None, report: Reporter, dataset: DatasetRow | None = None
) -> Comparison:
    """The pairs of the calls that would enter a proof of a task's model, each the newest by default.

    The model is asked where its answers are not kept. Raises DataError where no call would enter.
    """
    task = workspace.task(name)
    card = workspace.model(task, model_id)
    dataset = dataset or workspace.dataset(task)
    frozen, settings = load(Path(dataset.path)), proof_settings(workspace)
    entering = _entering(workspace, task, dataset, card, frozen.proof)
    drawn = [entering[position] for position in draw_pairs(entering, settings.seed)]
    answers = owned_answers(workspace, task, card, drawn, report)
    shared = shared_text(task.template)
    pairs = tuple(
        Pair(
            example_id=example.id,
            place=place,
            instructions=shared,
            request=request_text(example),
            owned=answer.text,
            rented=example.incumbent,
            is_owned_first=is_owned_first(card.id, example.id, settings.seed),
            is_same=settled(frozen.manifest.kind, example, answer.text) is not None,
        )
        for place, (example, answer) in enumerate(zip(drawn, answers, strict=True), 1)
    )
    return Comparison(
        task=task,
        model_id=card.id,
        pairs=pairs,
        planned=planned_pairs(frozen.manifest.kind, len(pairs), settings),
        labels=_counting(workspace.store.labels.of_model(task.id, card.id), _digests(pairs)),
    )


def _entering(
    workspace: Workspace, task: Task, dataset: DatasetRow, card: ModelCard, proof: Sequence[Example]
) -> list[Example]:
    """The held-out calls that enter the proof which uses these comparisons."""
    settings = proof_settings(workspace)
    attempt_id = proof_id(card, dataset, settings, is_compared=True)
    found = left_out(workspace, task, dataset, card, proof_id=attempt_id, is_fresh=settings.is_fresh)
    entering = [example for example in proof if example.id not in found.left_out]
    if not entering:
        raise DataError(
            f"Task {task.name!r} has no held-out call whose answers could be compared.",
            hint=f"Record newer calls, then: freehold freeze {task.name}",
        )
    return entering


def labels_of(workspace: Workspace, task: Task, card: ModelCard) -> list[Label]:
    """All labels of a model's answers."""
    return workspace.store.labels.of_model(task.id, card.id)


def keep(workspace: Workspace, comparison: Comparison, said: Mapping[str, Preference], *, by: str) -> None:
    """Write down what one person said of pairs, by example, all or nothing.

    DataError where that would change what a proof has looked at already.
    """
    who, now = source(by), time.time()
    pairs = {pair.example_id: pair for pair in comparison.pairs}
    known = _counting(
        workspace.store.labels.of_model(comparison.task.id, comparison.model_id), _digests(comparison.pairs)
    )
    before = {label.example_id: label for label in known if label.source == who}
    _check_unseen(workspace, comparison, [before[i] for i, choice in said.items() if _changes(before.get(i), choice)])
    labels = [
        Label(
            task_id=comparison.task.id,
            model_id=comparison.model_id,
            example_id=example_id,
            source=who,
            preferred=preferred,
            answers=pairs[example_id].digest,
            created_at=before[example_id].created_at if example_id in before else now,
        )
        for example_id, preferred in said.items()
    ]
    workspace.store.labels.put(labels)


def _changes(before: Label | None, preferred: Preference) -> bool:
    return before is not None and before.preferred != preferred


def _check_unseen(workspace: Workspace, comparison: Comparison, changed: Sequence[Label]) -> None:
    if not changed:
        return
    proofs = [
        v.created_at for v in workspace.store.registry.verdicts(comparison.task.id) if v.model_id == comparison.model_id
    ]
    seen = [label.example_id for label in changed if label.created_at <= max(proofs, default=0.0)]
    if seen:
        raise DataError(
            f"{len(seen):,} decisions would change after a proof has looked at them, {seen[0]!r} first.",
            hint="What was said first counts. Leave these as they were.",
        )


def source(by: str) -> str:
    """The source of a person's labels; UsageError for a name that is none."""
    name = by.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"{by!r} is no name for somebody.", hint=f"Give --by NAME, up to {_LONGEST_NAME} characters.")
    return HUMAN + name


def request_text(example: Example) -> str:
    """What one call asked, as people and judges read it."""
    if len(example.messages) == 1:
        return example.messages[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in example.messages)


def shared_text(template: Template) -> str:
    """What all calls of a task say, with a mark where each call has its own text."""
    texts = [part.text("[...]") if part.static_chars else "" for part in template.parts]
    return "\n\n".join(text for text in texts if text)


def _digests(pairs: Sequence[Pair]) -> dict[str, str]:
    return {pair.example_id: pair.digest for pair in pairs}


def _counting(labels: Sequence[Label], digests: Mapping[str, str]) -> tuple[Label, ...]:
    """The labels that were given on these very answers, oldest first."""
    return tuple(label for label in labels if digests.get(label.example_id) == label.answers)
