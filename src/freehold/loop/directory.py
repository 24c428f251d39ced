"""The directory: every task and its route, held in memory by a running gateway and kept fresh from the store.

`refresh` is cheap when nothing changed, so it is called several times a second; `find` takes microseconds. Readers see
either the old directory or the new one, never a mixture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from freehold.core import Asked, Message, Route, rented_route
from freehold.core.task import Task
from freehold.core.template import Template
from freehold.store import Store
from freehold.tasks import TaskIndex


@dataclass(frozen=True, slots=True)
class _Edition:
    index: TaskIndex = field(default_factory=lambda: TaskIndex(()))
    routes: dict[str, tuple[Route, Template]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


class Directory:
    """Tasks and routes as of the last `refresh`; `store` gives the store, or raises while its database is away."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._stamp: tuple[int, int, float] | None = None
        self._edition = _Edition()

    def refresh(self) -> bool:
        """Read the store again if anything changed; returns whether it had."""
        book = self._store().book
        stamp = book.stamp()
        if stamp == self._stamp:
            return False
        routes = book.routes()
        tasks = book.tasks()
        self._edition = _Edition(
            TaskIndex(tasks),
            {task_id: (route, Template.from_json(route.template)) for task_id, route in routes.items()},
            {word: task.name for task in tasks for word in (task.id, task.key)},
        )
        self._stamp = stamp
        return True

    def find(self, asked: Asked, explicit_task: str | None) -> tuple[Task, Route, tuple[Message, ...] | None] | None:
        """The request's task, its route, and what the owned model is given; None for the last where it does not fit.

        The route's own template counts, not the task's: the model was trained and proven with that one.
        """
        edition = self._edition
        task = edition.index.find(asked, explicit_task)
        if task is None:
            return None
        if task.id not in edition.routes:
            return task, rented_route(task.id), None
        route, template = edition.routes[task.id]
        return task, route, template.strip(asked) if route.model_id else None

    @property
    def is_known(self) -> bool:
        """Whether the store was ever read."""
        return self._stamp is not None

    @property
    def has_routes(self) -> bool:
        """Whether any task has a route of its own; without one the provider answers everything."""
        return bool(self._edition.routes)

    def name_of(self, task: str) -> str:
        """The name of the task of this id or key; the text itself where none is known by it."""
        return self._edition.names.get(task, task)

    def served_models(self) -> dict[str, str]:
        """The models that some route needs now, by id, with their folders."""
        found = {
            route.model_id: route.model_path for route, _ in self._edition.routes.values() if route.kind != "rented"
        }
        return {model_id: path for model_id, path in found.items() if model_id and path}
