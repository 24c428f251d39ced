"""A student as another package would offer it: it learns the most frequent label, and needs no engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from freehold.freeze import load
from freehold.model import ModelCard, OwnedAnswer
from freehold.model.dataset import OutputKind
from freehold.model.model_card import MODEL_FILE
from freehold.model.prompt import Prompt
from freehold.model.task import Task
from freehold.pipeline.progress import Reporter
from freehold.pipeline.students import Ask
from freehold.pipeline.workspace import Workspace
from freehold.store import DatasetRow


class Majority:
    """Always gives the answer that was most frequent."""

    kinds: frozenset[OutputKind] = frozenset({"json", "label"})

    def train(self, workspace: Workspace, task: Task, dataset: DatasetRow, report: Reporter) -> ModelCard:
        """Count."""
        del report
        ((answer, _count),) = Counter(one.target for one in load(Path(dataset.path)).train).most_common(1)
        folder = workspace.folder("models") / "majority"
        folder.mkdir(exist_ok=True)
        (folder / MODEL_FILE).write_text(answer, "utf-8")
        made = {"base": "", "base_sha256": "", "dataset_hash": dataset.id, "recipe": {}, "seed": 0, "metrics": {}}
        card = ModelCard(id="m-majority", task_id=task.id, path=str(folder), **made)
        workspace.store.registry.put_model(card)
        return card

    def check(self, workspace: Workspace, task: Task, dataset: DatasetRow, model_id: str, report: Reporter) -> None:
        """There is nothing that could differ."""
        del dataset, report
        card = workspace.model(task, model_id)
        workspace.store.registry.put_model(replace(card, parity={"is_ok": True}))

    @contextmanager
    def answering(self, workspace: Workspace, task: Task, card: ModelCard) -> Iterator[Ask]:
        """Read the answer once."""
        del workspace, task
        text = (Path(card.path) / MODEL_FILE).read_text("utf-8")

        def ask(prompts: Sequence[Prompt], on_answer: Callable[[int, OwnedAnswer], None]) -> None:
            for place, _prompt in enumerate(prompts):
                on_answer(place, OwnedAnswer(text=text, logprobs=(-0.1,)))

        yield ask


class Talker(Majority):
    """Can give nothing but text."""

    kinds: frozenset[OutputKind] = frozenset({"text"})


class Untaught(Majority):
    """Fails when it is trained."""

    def train(self, workspace: Workspace, task: Task, dataset: DatasetRow, report: Reporter) -> ModelCard:
        """Fail."""
        raise ArithmeticError("nothing\nadds up")


class Silent(Majority):
    """Fails when it is checked, and when it is asked."""

    def check(self, workspace: Workspace, task: Task, dataset: DatasetRow, model_id: str, report: Reporter) -> None:
        """Fail."""
        raise ArithmeticError("no sum")

    @contextmanager
    def answering(self, workspace: Workspace, task: Task, card: ModelCard) -> Iterator[Ask]:
        """Fail when asked."""

        def ask(prompts: Sequence[Prompt], on_answer: Callable[[int, OwnedAnswer], None]) -> None:
            raise ArithmeticError("no words")

        yield ask
