"""The workspace: one state folder with its settings and its store.

Layout of a state folder: `freehold.db` the record, `loop.db` the workflows, `bases/`, `datasets/`, `models/`,
`proofs/`, `logs/`, `locks/`. Not covered: what the stages do with it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from freehold.errors import NotFoundError, StateError
from freehold.model.model_card import ModelCard
from freehold.model.task import Task
from freehold.settings import Settings
from freehold.store import DatasetRow, Store

_NAMES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Workspace:
    """What every driver works on; `settings` are those of the command that runs."""

    settings: Settings
    store: Store

    @property
    def state(self) -> Path:
        """The state folder, absolute."""
        return self.settings.state.absolute()

    def folder(self, name: str) -> Path:
        """A folder of the state folder, made when it is not there."""
        path = self.state / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def task(self, name: str) -> Task:
        """The task of this name or id, or that it was merged into or had before; NotFoundError names the nearest."""
        names = self.store.registry.names()
        own = next((task_id for task_id, known in names.items() if name in (known, task_id)), "")
        if found := self.store.registry.tasks_of([own]):
            return found[0]
        tasks = self.store.registry.tasks()
        task = _named(tasks, name)
        if task is not None:
            return task
        raise NotFoundError(f"There is no task {name!r}.", hint=_nearest(name, [task.name for task in tasks]))

    def known_name(self, name: str) -> str:
        """The name of the task of this name or id; the text itself where no task is known by it yet."""
        task = _named(self.store.registry.tasks(), name)
        return name if task is None else task.name

    def dataset(self, task: Task) -> DatasetRow:
        """A task's newest dataset."""
        rows = self.store.registry.datasets(task.id)
        if not rows:
            raise NotFoundError(f"Task {task.name!r} has no dataset.", hint=f"Run: freehold freeze {task.name}")
        return rows[0]

    def dataset_of(self, task: Task, dataset_hash: str) -> DatasetRow:
        """The dataset of this hash."""
        row = self.store.registry.dataset(dataset_hash)
        if row is None:
            raise NotFoundError(
                f"Dataset {dataset_hash[:16]!r} is not in the record.", hint=f"Run: freehold freeze {task.name}"
            )
        return row

    def model(self, task: Task, model_id: str | None = None) -> ModelCard:
        """A task's newest model, or the one of this id, also of a task that was merged into it."""
        ids = (task.id,) if model_id is None else (task.id, *task.merged)
        cards = [card for task_id in ids for card in self.store.registry.models(task_id)]
        for card in cards:
            if model_id is None or card.id == model_id:
                return card
        if model_id is None:
            raise NotFoundError(f"Task {task.name!r} has no model.", hint=f"Run: freehold train {task.name}")
        known = ", ".join(card.id for card in cards) or f"none; run: freehold train {task.name}"
        raise NotFoundError(f"Task {task.name!r} has no model {model_id!r}.", hint=f"Known: {known}.")


def open_workspace(settings: Settings) -> Workspace:
    """Open the state folder that the settings name; StateError when it cannot be used."""
    state = settings.state
    if state.exists() and not state.is_dir():
        raise StateError(f"The state folder {str(state)!r} is a file.", hint="Choose another --state.")
    return Workspace(settings, Store(settings.database_url))


def _named(tasks: Sequence[Task], name: str) -> Task | None:
    """The task that a name or an id means: its own first, then one that it had before, or that of a task merged in."""
    own = (task for task in tasks if name in (task.name, task.id))
    earlier = (task for task in tasks if name in (*task.earlier_names, *task.merged))
    return next(own, None) or next(earlier, None)


def _nearest(name: str, known: Sequence[str]) -> str:
    if not known:
        return "There are none yet: run freehold up and send calls through it."
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    more = f" and {len(known) - _NAMES_SHOWN} more (freehold tasks)" if len(known) > _NAMES_SHOWN else ""
    return f"Known tasks: {', '.join(known[:_NAMES_SHOWN])}{more}."
