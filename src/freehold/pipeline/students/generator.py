"""The generator: a base with an adapter, which writes its answer token by token and is served by an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from freehold.model import ModelCard, OwnedAnswer
from freehold.model.dataset import OutputKind
from freehold.model.prompt import Prompt
from freehold.model.task import Task
from freehold.pipeline.progress import Reporter
from freehold.pipeline.students import Ask
from freehold.pipeline.workspace import Workspace
from freehold.plugins import ENGINES
from freehold.serve import answer_all, load_engine, serving
from freehold.store import DatasetRow
from freehold.train.run.train import check_model, model_file, train_model

_AT_ONCE = 2
"""A proof has the machine to itself: two engines on half of the cores each answer nearly twice as fast as one."""


class Generator:
    """Answers with text, whatever the task wants."""

    kinds: frozenset[OutputKind] = frozenset({"label", "json", "text", "tools"})

    def train(self, workspace: Workspace, task: Task, dataset: DatasetRow, report: Reporter) -> ModelCard:
        """Fine-tune the base and export it; see `train_model`."""
        return train_model(workspace, task, dataset, report)

    def check(self, workspace: Workspace, task: Task, dataset: DatasetRow, model_id: str, report: Reporter) -> None:
        """Compare the served model with the trained one; see `check_model`."""
        check_model(workspace, task, dataset, model_id, report)

    @contextmanager
    def answering(self, workspace: Workspace, task: Task, card: ModelCard) -> Iterator[Ask]:
        """Serve the model by several engines that share the prompts."""
        name = workspace.settings.text("serve.engine")
        engine = load_engine(name, "logprobs")
        threads, slots = workspace.settings.whole("serve.threads"), workspace.settings.whole("serve.slots")
        most = int(card.metrics.get("max_output_tokens", 512))
        log = workspace.folder("logs") / f"engine-{card.id}.log"
        gguf = model_file(task, card)
        with ExitStack() as engines:
            with ENGINES.errors_of(name):
                urls = [
                    engines.enter_context(
                        serving(engine, gguf, log=log, threads=threads, slots=slots, sha256=card.served_sha256)
                    )
                    for _ in range(_AT_ONCE)
                ]

            def ask(prompts: Sequence[Prompt], on_answer: Callable[[int, OwnedAnswer], None]) -> None:
                with ENGINES.errors_of(name):
                    answer_all(urls, prompts, max_tokens=most, body=engine.body, concurrency=slots, on_answer=on_answer)

            yield ask
