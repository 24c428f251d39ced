"""Students: what can be trained to answer a task.

A student is trained on a dataset and leaves a model's card; it is checked, and asked in a proof, by itself. What was
trained is written on the card, so a model is asked by the student that made it, whatever `train.student` says by then.
Packages offer more of them as entry points of the group `freehold.students` (`freehold.plugins`).

Not covered: live traffic. A student's model is served by the engine that `serve.engine` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Protocol

from freehold.errors import DataError
from freehold.model import ModelCard, OwnedAnswer
from freehold.model.dataset import OutputKind
from freehold.model.model_card import DEFAULT_STUDENT
from freehold.model.prompt import Prompt
from freehold.model.task import Task
from freehold.pipeline.progress import Reporter
from freehold.pipeline.workspace import Workspace
from freehold.plugins import STUDENTS
from freehold.store import DatasetRow

Ask = Callable[[Sequence[Prompt], Callable[[int, OwnedAnswer], None]], None]
"""Asks a model for one answer to each prompt, and tells each index and answer as it comes, from any thread."""


class Student(Protocol):
    """Something that can answer a task; it is made without arguments."""

    kinds: frozenset[OutputKind]
    """The kinds of output that it can give."""

    def train(self, workspace: Workspace, task: Task, dataset: DatasetRow, report: Reporter) -> ModelCard:
        """Train on a dataset and register the model; the same dataset and settings give the same one, trained once."""

    def check(self, workspace: Workspace, task: Task, dataset: DatasetRow, model_id: str, report: Reporter) -> None:
        """Check that what will be asked is what was trained, and write it on the card (`parity`, with `is_ok`).

        ParityError where it is not.
        """

    def answering(self, workspace: Workspace, task: Task, card: ModelCard) -> AbstractContextManager[Ask]:
        """Have the model answer for as long as the block runs; EngineError where it does not."""


def load_student(name: str) -> Student:
    """The student of this name; SettingError where there is none, or where it cannot be loaded."""
    with STUDENTS.errors_of(name):
        student: Student = STUDENTS.load(name)()
    return student


def train_student(workspace: Workspace, task: Task, dataset: DatasetRow, report: Reporter) -> ModelCard:
    """Train the student that `train.student` names; DataError where it cannot give what the task wants."""
    name = workspace.settings.text("train.student")
    student = load_student(name)
    kind = dataset.manifest.kind
    if kind not in student.kinds:
        raise DataError(
            f"The student {name!r} cannot answer task {task.name!r}, which wants {kind}.",
            hint=f"It can answer: {', '.join(sorted(student.kinds))}. Set train.student to another one.",
        )
    with STUDENTS.errors_of(name):
        card = student.train(workspace, task, dataset, report)
    if name != DEFAULT_STUDENT and card.student != name:
        card = replace(card, recipe=card.recipe | {"student": name})
        workspace.store.registry.put_model(card)
    return card


def check_student(workspace: Workspace, task: Task, dataset: DatasetRow, card: ModelCard, report: Reporter) -> None:
    """Have the student that made a model check it."""
    student = load_student(card.student)
    with STUDENTS.errors_of(card.student):
        student.check(workspace, task, dataset, card.id, report)


@contextmanager
def asking_student(workspace: Workspace, task: Task, card: ModelCard) -> Iterator[Ask]:
    """Have a model answer, by the student that made it, for as long as the block runs."""
    student, errors = load_student(card.student), STUDENTS.errors_of
    with ExitStack() as stack:
        with errors(card.student):
            ask = stack.enter_context(student.answering(workspace, task, card))

        def told(prompts: Sequence[Prompt], on_answer: Callable[[int, OwnedAnswer], None]) -> None:
            with errors(card.student):
                ask(prompts, on_answer)

        yield told
