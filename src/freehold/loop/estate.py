"""The estate: one state folder with its settings and its store, and the locks that keep processes apart.

Layout of a state folder: `freehold.db` the record, `loop.db` the workflows, `bases/`, `datasets/`, `models/`,
`proofs/`, `locks/`. Not covered: what the stages do with it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from freehold.core.model import ModelCard
from freehold.core.task import Task
from freehold.errors import BusyError, NotFoundError, StateError
from freehold.settings import Settings
from freehold.store import Store
from freehold.store.taskbook import DatasetRow


@dataclass(frozen=True, slots=True)
class Estate:
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
        """The task of this name or id; NotFoundError names the nearest."""
        tasks = self.store.book.tasks()
        for task in tasks:
            if name in (task.name, task.id):
                return task
        known = ", ".join(task.name for task in tasks) or "none yet; send calls through the gateway first"
        raise NotFoundError(f"There is no task {name!r}.", hint=f"Known tasks: {known}.")

    def dataset(self, task: Task) -> DatasetRow:
        """A task's newest dataset."""
        rows = self.store.book.datasets(task.id)
        if not rows:
            raise NotFoundError(f"Task {task.name!r} has no dataset.", hint=f"Run: freehold freeze {task.name}")
        return rows[0]

    def model(self, task: Task, model_id: str | None = None) -> ModelCard:
        """A task's newest model, or the one of this id."""
        cards = self.store.book.models(task.id)
        for card in cards:
            if model_id is None or card.id == model_id:
                return card
        what = f"no model {model_id!r}" if model_id else "no model"
        raise NotFoundError(f"Task {task.name!r} has {what}.", hint=f"Run: freehold train {task.name}")


def open_estate(settings: Settings) -> Estate:
    """Open the state folder that the settings name; StateError when it cannot be used."""
    if settings.state.exists() and not settings.state.is_dir():
        raise StateError(f"The state folder {str(settings.state)!r} is a file.", hint="Choose another --state.")
    return Estate(settings, Store(settings.database_url))


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file for as long as the block runs; the system frees it when the process dies.

    Raises BusyError, naming the process that holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 200).decode("utf-8", "replace").strip() or "another process"
            raise BusyError(f"{what} is already running: {holder}.", hint="Wait for it, or stop it first.") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()}".encode())
        yield
    finally:
        os.close(descriptor)
