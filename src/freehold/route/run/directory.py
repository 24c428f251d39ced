"""The directory: every task and its route, held in memory by a running gateway and kept fresh from the store.

`refresh` is cheap when nothing changed, so it is called several times a second; `find` takes microseconds. Readers see
either the old directory or the new one, never a mixture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from freehold.freeze.prompt_steps import Preparation, live_preparation
from freehold.model import Asked, Message, Route, rented_route
from freehold.model.assignment import Assignment, NewPrompt
from freehold.model.live import as_of_now
from freehold.model.task import Task, version_of, versions_of
from freehold.sort import NearPrompts, TaskIndex
from freehold.store import Store
from freehold.watch.run.prompt_news import proven_version

_LAST_CALLS = 100
_MOST_TIMES = 200


class ServedModel(NamedTuple):
    """A model's folder, and the SHA-256 of the one file that may be served out of it; empty in routes of before."""

    folder: str
    sha256: str


class _Placing(NamedTuple):
    route: Route
    preparation: Preparation
    share: float
    stale: tuple[str, ...]
    proven: int = 1
    provider_ms: tuple[float, ...] = ()


class _Fit:
    """Which of the last calls of a task had the prompt that its route was proven with."""

    def __init__(self, version: int) -> None:
        self.version = version
        self._last: deque[bool] = deque(maxlen=_LAST_CALLS)
        self._fitting = 0

    def count(self, *, fits: bool) -> None:
        """Take one more call."""
        if len(self._last) == _LAST_CALLS:
            self._fitting -= self._last[0]
        self._last.append(fits)
        self._fitting += fits

    @property
    def share(self) -> float:
        """The share of them; 1 where none came yet."""
        return self._fitting / len(self._last) if self._last else 1.0


@dataclass(frozen=True, slots=True)
class _Edition:
    index: TaskIndex = field(default_factory=lambda: TaskIndex(()))
    routes: dict[str, _Placing] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    near: NearPrompts = field(default_factory=lambda: NearPrompts(()))


class Directory:
    """Tasks and routes as of the last `refresh`; `store` gives the store, or raises while its database is away."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._stamp: tuple[tuple[int, int, float], float] | None = None
        self._edition = _Edition()
        self._routes: dict[str, tuple[Route, Preparation, int, tuple[float, ...]]] = {}
        self._fits: dict[str, _Fit] = {}

    def refresh(self) -> bool:
        """Read the store again if anything changed; returns whether it had.

        Live figures change more often than tasks and routes, and are read alone where nothing else did.
        """
        store = self._store()
        stamp = (store.registry.stamp(), store.watches.stamp())
        if stamp == self._stamp:
            return False
        index, names, near = self._edition.index, self._edition.names, self._edition.near
        if self._stamp is None or stamp[0] != self._stamp[0]:
            tasks, routes = store.registry.tasks(), store.registry.routes()
            index, names = TaskIndex(tasks), {word: task.name for task in tasks for word in (task.id, task.key)}
            near = NearPrompts(task for task in tasks if task.id in routes and routes[task.id].kind != "rented")
            known = {task.id: task for task in tasks}
            self._routes = {
                task_id: (*_read(route, known.get(task_id)), self._times(store, route))
                for task_id, route in routes.items()
            }
        lives = store.watches.lives()
        placings = {}
        for task_id, (route, steps, proven, provider_ms) in self._routes.items():
            live = lives.get(task_id)
            now, share = as_of_now(route, live)
            stale = live.stale if live is not None and live.route_version == route.version else ()
            placings[task_id] = _Placing(now, steps, share, stale, proven, provider_ms)
        self._edition = _Edition(index, placings, names, near)
        self._stamp = stamp
        return True

    def _times(self, store: Store, route: Route) -> tuple[float, ...]:
        """How long the provider took for the task's last calls; read once for each version of its route."""
        if not route.model_id:
            return ()
        before = self._routes.get(route.task_id)
        if before is not None and before[0].version == route.version:
            return before[3]
        return store.call_stream.provider_ms(route.task_id, most=_MOST_TIMES)

    def find(self, asked: Asked, explicit_task: str | None) -> Assignment | None:
        """Where a request belongs.

        The route's own template counts, not the task's: the model was trained and proven with that one.
        """
        edition = self._edition
        task = edition.index.find(asked, explicit_task)
        if task is None:
            return self._near(edition, asked)
        placing = edition.routes.get(task.id)
        if placing is None or not placing.route.model_id:
            route = rented_route(task.id) if placing is None else placing.route
            return _assigned(task, route, None, 1.0 if placing is None else placing.share)
        messages = placing.preparation.messages(asked)
        if messages is None:
            return self._misfit(task, placing, asked)
        self._fit(task.id, placing).count(fits=True)
        return _assigned(task, placing.route, messages, placing.share, provider_ms=placing.provider_ms)

    def _misfit(self, task: Task, placing: _Placing, asked: Asked) -> Assignment:
        """A request of a moved task that does not fit: of another version of its prompt, or with another value."""
        version = version_of(task, asked) if len(task.versions) > 1 else None
        is_new = version is not None and version.number != placing.proven
        self._fit(task.id, placing).count(fits=False)
        new = None
        if version is not None and is_new:
            new = NewPrompt(version.number, placing.preparation.of_version(version.template).messages(asked))
        return _assigned(task, placing.route, None, placing.share, new=new, provider_ms=placing.provider_ms)

    def _near(self, edition: _Edition, asked: Asked) -> Assignment | None:
        """A request that no task is known for, as one of the moved task whose prompt it seems to be an edit of."""
        task = edition.near.find(asked)
        placing = None if task is None else edition.routes.get(task.id)
        if task is None or placing is None:
            return None
        self._fit(task.id, placing).count(fits=False)
        number = max(version.number for version in versions_of(task)) + 1
        new = NewPrompt(number)
        return _assigned(task, placing.route, None, placing.share, new=new, provider_ms=placing.provider_ms)

    def _fit(self, task_id: str, placing: _Placing) -> _Fit:
        found = self._fits.get(task_id)
        if found is None or found.version != placing.route.version:
            found = self._fits[task_id] = _Fit(placing.route.version)
        return found

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
        for task_id, placing in self._edition.routes.items():
            route, stale = placing.route, placing.stale
            labels = (task_id, route.kind)
            is_local = route.kind not in ("rented", "shadow")
            fit = self._fit(task_id, placing).share
            yield "freehold_route_share", labels, placing.share * fit if is_local else 0.0
            yield "freehold_route_fit", labels, fit if route.kind != "rented" else 0.0
            yield "freehold_route_audit_rate", labels, route.audit_rate if is_local else 0.0
            yield "freehold_route_stale", labels, float(len(stale))

    def name_of(self, task: str) -> str:
        """The name of the task of this id or key; the text itself where none is known by it."""
        return self._edition.names.get(task, task)

    def served_models(self) -> dict[str, ServedModel]:
        """The models that some route needs now, by id."""
        routes = [placing.route for placing in self._edition.routes.values() if placing.route.kind != "rented"]
        return {
            route.model_id: ServedModel(route.model_path, route.model_sha256)
            for route in routes
            if route.model_id and route.model_path
        }


def _assigned(
    task: Task,
    route: Route,
    messages: tuple[Message, ...] | None,
    share: float,
    *,
    new: NewPrompt | None = None,
    provider_ms: tuple[float, ...] = (),
) -> Assignment:
    return Assignment(
        task_id=task.id,
        task_key=task.key,
        task_name=task.name,
        route=route,
        messages=messages,
        share=share,
        new_prompt=new,
        provider_ms=provider_ms,
    )


def _read(route: Route, task: Task | None) -> tuple[Route, Preparation, int]:
    """A route with the steps of its prompts, and the version of the prompt that it was proven with."""
    return route, live_preparation(route.template), 1 if task is None else proven_version(task, route).number
