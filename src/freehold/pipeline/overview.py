"""What there is to know of each task, for the command line and the console."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from freehold.model import ModelCard, Route, Verdict, rented_route
from freehold.model.task import Task
from freehold.pipeline.workspace import Workspace
from freehold.route.run.move import taken_back
from freehold.sort import next_step
from freehold.sort.run.sample import sample_calls
from freehold.sort.run.sort import NO_TASK
from freehold.store import CallFilter, DatasetRow, TaskFigures, TaskTotal, WatchRow
from freehold.train.run.train import undertraining
from freehold.watch.run.monitor_status import MonitorStatus, is_taken_back, monitor_status_of, remarks, route_words
from freehold.watch.run.prompt_news import PromptNews, prompt_news


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
    standing: MonitorStatus | None = None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """Some of the tasks, those with the most calls first; counts and spend are of all of them.

    `number` is this page's, from 1, and `pages` how many there are, 1 at the least.
    """

    views: list[TaskOverview]
    number: int
    pages: int
    tasks: int
    calls: int
    cost_usd: float | None


def overviews(workspace: Workspace) -> list[TaskOverview]:
    """All tasks, those with the most calls first."""
    found = _overviews(workspace, workspace.store.registry.tasks())
    return sorted(found, key=lambda view: (-view.figures.calls, view.name))


def overview_page(workspace: Workspace, *, number: int, size: int) -> OverviewPage:
    """One page of the tasks, in the same number of queries however many there are; beyond the last page, that one."""
    names, totals = workspace.store.registry.names(), workspace.store.registry.totals()
    none = TaskTotal(0, None)
    ordered = sorted(names, key=lambda task_id: (-totals.get(task_id, none).calls, names[task_id]))
    pages = max(1, math.ceil(len(ordered) / size))
    number = min(max(1, number), pages)
    shown = ordered[(number - 1) * size : number * size]
    views = {view.task.id: view for view in _overviews(workspace, workspace.store.registry.tasks_of(shown))}
    known = [totals[task_id] for task_id in names if task_id in totals]
    spent = [total.cost_usd for total in known if total.cost_usd is not None]
    return OverviewPage(
        views=[views[task_id] for task_id in shown if task_id in views],
        number=number,
        pages=pages,
        tasks=len(names),
        calls=sum(total.calls for total in known),
        cost_usd=sum(spent) if spent else None,
    )


def overview_of(workspace: Workspace, task: Task) -> TaskOverview:
    """One task."""
    return _overviews(workspace, [task])[0]


def unsorted_calls(workspace: Workspace) -> int:
    """How many calls clients made that can belong to no task."""
    return workspace.store.calls.count(CallFilter(task_id=NO_TASK, is_direct=True))


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made for one task, and what is known of it, as it was read for several at once."""

    figures: TaskFigures
    route: Route
    dataset: DatasetRow | None
    model: ModelCard | None
    verdict: Verdict | None
    watch: WatchRow


def _overviews(workspace: Workspace, tasks: Sequence[Task]) -> list[TaskOverview]:
    """The overviews of these tasks: one query of each kind for all, and others only where a task raises a question."""
    book, ids = workspace.store.registry, [task.id for task in tasks]
    figures, routes, watches = book.figures_of(ids), book.routes(), workspace.store.watches.rows_of(ids)
    datasets, models, verdicts = book.newest_datasets(ids), book.newest_models(ids), book.newest_verdicts(ids)
    return [
        _overview(
            workspace,
            task,
            _Made(
                figures=figures[task.id],
                route=routes.get(task.id) or rented_route(task.id),
                dataset=datasets.get(task.id),
                model=models.get(task.id),
                verdict=verdicts.get(task.id),
                watch=watches.get(task.id) or WatchRow(task_id=task.id),
            ),
        )
        for task in tasks
    ]


def _overview(workspace: Workspace, task: Task, made: _Made) -> TaskOverview:
    route, verdict = made.route, made.verdict
    return TaskOverview(
        task=task,
        figures=made.figures,
        dataset=made.dataset,
        model=made.model,
        verdict=verdict,
        route=route,
        standing=monitor_status_of(workspace, route, made.watch),
        prompt=prompt_news(workspace, task, route),
        next_step=_next_step(workspace, task, made),
    )


def _next_step(workspace: Workspace, task: Task, made: _Made) -> str:
    model, verdict, route = made.model, made.verdict, made.route
    if verdict is not None and is_taken_back(route) and taken_back(workspace, task.id, verdict.id) is not None:
        return f"taken back by live evidence; with new calls or corrections: freehold freeze {task.name}"
    training = undertraining(model)
    is_of_model = verdict is not None and model is not None and verdict.model_id == model.id
    decision = verdict.decision if verdict is not None and (is_of_model or verdict.decision == "move") else None
    return next_step(
        task,
        calls=made.figures.calls,
        has_dataset=made.dataset is not None,
        has_model=model is not None,
        verdict=decision,
        need=verdict.need if verdict else None,
        route=route.kind,
        training=training.command(task.name) if training else None,
        is_training_first=training is not None and training.is_too_little,
        sample=sample_calls(workspace, task) if made.dataset is None and task.is_trainable else None,
    )
