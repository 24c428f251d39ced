"""What there is to know of each task, for the command line and the console."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from freehold.core import ModelCard, Route, Verdict, rented_route
from freehold.core.task import Task
from freehold.loop.estate import Estate
from freehold.loop.moving import taken_back
from freehold.loop.prompt_news import PromptNews, prompt_news
from freehold.loop.sample import sample_calls
from freehold.loop.sorting import NO_TASK
from freehold.loop.standing import Standing, is_taken_back, remarks, route_words, standing_of
from freehold.loop.training import undertraining
from freehold.store import CallFilter, DatasetRow, TaskFigures
from freehold.tasks import next_step


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOverview:
    """One task with its figures and the newest of all that was made for it."""

    task: Task
    figures: TaskFigures
    dataset: DatasetRow | None
    model: ModelCard | None
    verdict: Verdict | None
    route: Route
    next_step: str
    standing: Standing | None = None
    prompt: PromptNews | None = None

    @property
    def name(self) -> str:
        """The task's name."""
        return self.task.name

    @property
    def kind(self) -> str:
        """What the task's answers are: label, json, text or tools."""
        return self.task.kind

    @property
    def route_text(self) -> str:
        """The route as it is now, in two words."""
        return route_words(self.route, self.standing)

    @property
    def remarks(self) -> list[str]:
        """What there is to say about the prompt, and about the route beside its figures."""
        return [*([self.prompt.words] if self.prompt else []), *remarks(self.route, self.standing)]

    def plain(self) -> dict[str, object]:
        """The overview as JSON-able values."""
        return {
            "task": self.name,
            "id": self.task.id,
            "kind": self.kind,
            **asdict(self.figures),
            "dataset": self.dataset.id if self.dataset else None,
            "model": self.model.id if self.model else None,
            "verdict": self.verdict.words if self.verdict else None,
            "report": self.verdict.report_path if self.verdict else None,
            "route": self.route.kind,
            "route_version": self.route.version,
            "threshold": self.route.threshold,
            "share": self.standing.share if self.standing else None,
            "prompt": self.prompt.plain() if self.prompt else None,
            "remarks": self.remarks,
            "next": self.next_step,
        }


def overviews(estate: Estate) -> list[TaskOverview]:
    """All tasks, those with the most calls first."""
    routes = estate.store.book.routes()
    found = [
        _overview(estate, task, routes.get(task.id) or rented_route(task.id)) for task in estate.store.book.tasks()
    ]
    return sorted(found, key=lambda view: (-view.figures.calls, view.name))


def unsorted_calls(estate: Estate) -> int:
    """How many calls clients made that can belong to no task."""
    return estate.store.calls.count(CallFilter(task_id=NO_TASK, is_direct=True))


def _overview(estate: Estate, task: Task, route: Route) -> TaskOverview:
    book = estate.store.book
    figures = book.figures(task.id)
    dataset = next(iter(book.datasets(task.id)), None)
    model = next(iter(book.models(task.id)), None)
    verdict = next(iter(book.verdicts(task.id)), None)
    training = undertraining(model)
    is_of_model = verdict is not None and model is not None and verdict.model_id == model.id
    decision = verdict.decision if verdict is not None and (is_of_model or verdict.decision == "move") else None
    if verdict is not None and is_taken_back(route) and taken_back(estate, task.id, verdict.id) is not None:
        waits = f"taken back by live evidence; with new calls or corrections: freehold freeze {task.name}"
    else:
        waits = None
    return TaskOverview(
        task=task,
        figures=figures,
        dataset=dataset,
        model=model,
        verdict=verdict,
        route=route,
        standing=standing_of(estate, route),
        prompt=prompt_news(estate, task, route),
        next_step=waits
        or next_step(
            task,
            calls=figures.calls,
            has_dataset=dataset is not None,
            has_model=model is not None,
            verdict=decision,
            need=verdict.need if verdict else None,
            route=route.kind,
            training=training.command(task.name) if training else None,
            is_training_first=training is not None and training.is_too_little,
            sample=sample_calls(estate, task) if dataset is None and task.is_trainable else None,
        ),
    )
