"""The directory: every task and its route, held in memory by a running gateway and kept fresh from the store.

`refresh` is cheap when nothing changed, so it is called several times a second; `find` takes microseconds. Readers see
either the old directory or the new one, never a mixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from freehold.core import Asked, Message, Route, rented_route
from freehold.core.live import as_of_now
from freehold.core.task import Task
from freehold.core.template import Template
from freehold.store import Store
from freehold.tasks import TaskIndex


class Found(NamedTuple):
    """A request's task, its route as of now, what the owned model is given (None where it does not fit), the share."""

    task: Task
    route: Route
    messages: tuple[Message, ...] | None
    share: float


class _Placing(NamedTuple):
    route: Route
    template: Template
    share: float
    stale: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Edition:
    index: TaskIndex = field(default_factory=lambda: TaskIndex(()))
    routes: dict[str, _Placing] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


class Directory:
    """Tasks and routes as of the last `refresh`; `store` gives the store, or raises while its database is away."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._stamp: tuple[tuple[int, int, float], float] | None = None
        self._edition = _Edition()
        self._routes: dict[str, tuple[Route, Template]] = {}

    def refresh(self) -> bool:
        """Read the store again if anything changed; returns whether it had.

        Live figures change more often than tasks and routes, and are read alone where nothing else did.
        """
        store = self._store()
        stamp = (store.book.stamp(), store.watches.stamp())
        if stamp == self._stamp:
            return False
        index, names = self._edition.index, self._edition.names
        if self._stamp is None or stamp[0] != self._stamp[0]:
            tasks, routes = store.book.tasks(), store.book.routes()
            index, names = TaskIndex(tasks), {word: task.name for task in tasks for word in (task.id, task.key)}
            self._routes = {task_id: (route, Template.from_json(route.template)) for task_id, route in routes.items()}
        lives = store.watches.lives()
        placings = {}
        for task_id, (route, template) in self._routes.items():
            live = lives.get(task_id)
            now, share = as_of_now(route, live)
            stale = live.stale if live is not None and live.route_version == route.version else ()
            placings[task_id] = _Placing(now, template, share, stale)
        self._edition = _Edition(index, placings, names)
        self._stamp = stamp
        return True

    def find(self, asked: Asked, explicit_task: str | None) -> Found | None:
        """Where a request belongs.

        The route's own template counts, not the task's: the model was trained and proven with that one.
        """
        edition = self._edition
        task = edition.index.find(asked, explicit_task)
        if task is None:
            return None
        if task.id not in edition.routes:
            return Found(task, rented_route(task.id), None, 1.0)
        route, template, share, _ = edition.routes[task.id]
        return Found(task, route, template.strip(asked) if route.model_id else None, share)

    @property
    def is_known(self) -> bool:
        """Whether the store was ever read."""
        return self._stamp is not None

    @property
    def has_routes(self) -> bool:
        """Whether any task has a route of its own; without one the provider answers everything."""
        return bool(self._edition.routes)

    def levels(self) -> Iterator[tuple[str, tuple[str, str], float]]:
        """How the routes stand, as levels for the metrics page."""
        for task_id, (route, _, share, stale) in self._edition.routes.items():
            labels = (task_id, route.kind)
            is_local = route.kind not in ("rented", "shadow")
            yield "freehold_route_share", labels, share if is_local else 0.0
            yield "freehold_route_audit_rate", labels, route.audit_rate if is_local else 0.0
            yield "freehold_route_stale", labels, float(len(stale))

    def name_of(self, task: str) -> str:
        """The name of the task of this id or key; the text itself where none is known by it."""
        return self._edition.names.get(task, task)

    def served_models(self) -> dict[str, str]:
        """The models that some route needs now, by id, with their folders."""
        routes = [placing.route for placing in self._edition.routes.values()]
        found = {route.model_id: route.model_path for route in routes if route.kind != "rented"}
        return {model_id: path for model_id, path in found.items() if model_id and path}
