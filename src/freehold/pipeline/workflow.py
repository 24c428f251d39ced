"""The pipeline as a durable workflow: freeze, train, check, prove, and move where that was asked.

DBOS writes down each finished step. A run that was killed goes on at the step where it was when the same command is
given again. A run that ended is not repeated, unless what it made is gone or something newer took its place. One that
failed starts a new attempt, and the stages themselves find what is already there (datasets are content-addressed,
training resumes from its checkpoint, answers are kept).

One process runs one task's pipeline at a time: a lock file says which. Not covered: what the steps do (`steps`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from freehold.errors import StateError
from freehold.model.ids import canonical_json, sha256_hex
from freehold.model.task import Task
from freehold.pipeline.locks import locked
from freehold.pipeline.steps import Done, Steps
from freehold.pipeline.workspace import Workspace
from freehold.settings import Value
from freehold.store import make_private_file, translated

WORKFLOW_VERSION = "1"
_LOOK_S = 2.0
_POLL_S = 0.1
_WRITE_S = 5.0
_RUNNING = ("PENDING", "ENQUEUED")
_FAILED = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which steps of a task's pipeline to run, from what, and with which settings; equal plans are one run.

    `stages` are some of `freeze`, `train`, `check`, `prove`, `move`, in this order. Without `freeze` (or `train`) they
    start from the named dataset (or model). `mark` tells what was in the record when the plan was made: new calls make
    a plan that freezes a new one, but a run that was killed goes on although calls have come since. The ids of runs are
    made of these fields and their names, so a field that is renamed would lose the runs that were interrupted.
    """

    task_id: str
    stages: tuple[str, ...]
    dataset_hash: str | None = None
    model_id: str | None = None
    mark: str = ""
    options: tuple[tuple[str, Value], ...] = ()

    @property
    def kind(self) -> str:
        """What plans share that differ in their mark alone."""
        return f"{'+'.join(self.stages)}-{self.task_id}-{_digest(asdict(replace(self, mark='')))}"

    @property
    def name(self) -> str:
        """The workflow's id, but for the number of the attempt."""
        return f"{self.kind}-{_digest(self.mark)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a run; None for what its plan did not include."""

    dataset_hash: str | None = None
    model_id: str | None = None
    verdict_id: str | None = None
    decision: str | None = None
    route_version: int | None = None


def run_pipeline(workspace: Workspace, task: Task, plan: Plan, stages: Steps) -> RunResult:
    """Run the plan, or go on with it where it was left; errors of the stages come through as they are."""
    lock = workspace.folder("locks") / f"{task.id}.lock"
    with locked(lock, f"Work on task {task.name!r}"), _durable(workspace, plan, stages) as start:
        return RunResult(**start())


@contextmanager
def _durable(workspace: Workspace, plan: Plan, stages: Steps) -> Iterator[Callable[[], dict[str, Any]]]:
    """Start DBOS for one kind of run: a killed one of this kind goes on by itself, others are left alone."""
    from dbos import DBOS, SetWorkflowID

    from freehold.pipeline.run_serializer import WORKFLOW, JsonSerializer, check_form, without_pickle

    url, place = _database(workspace)
    check_form(url, place)
    _forget_closed_streams()
    config: Any = _config(plan, url) | {"serializer": JsonSerializer()}
    DBOS(config=config)
    body = _Body()

    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)
    def pipeline(names: list[str], dataset_hash: str | None, model_id: str | None) -> Done:
        done: Done = {"dataset_hash": dataset_hash, "model_id": model_id}
        with body.watched():
            for stage in names:
                done |= DBOS.run_step({"name": stage}, stages.run, stage, done)
        return done

    def start() -> dict[str, Any]:
        workflow_id = _unfinished(DBOS, plan.kind) or _attempt(DBOS, plan, stages)
        if DBOS.get_workflow_status(workflow_id) is None:
            with SetWorkflowID(workflow_id):
                DBOS.start_workflow(pipeline, list(plan.stages), plan.dataset_hash, plan.model_id)
        body.wait_until_written(lambda: _is_running(DBOS, workflow_id), place)
        body.raise_error()
        return _result(DBOS, workflow_id)

    with without_pickle():
        try:
            with translated(place):
                DBOS.launch()
                yield start
        finally:
            DBOS.destroy(destroy_registry=True)


class _Body:
    """The workflow's function as it runs here: when it ended, and by what.

    Its outcome is read from the database. One that ended but could not be written (a full disk) would be waited for
    without end.
    """

    def __init__(self) -> None:
        self._has_ended = threading.Event()
        self._error: Exception | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Around the body."""
        try:
            yield
        except Exception as error:
            self._error = error
            raise
        finally:
            self._has_ended.set()

    def raise_error(self) -> None:
        """Raise what ended the body here, as it was: what was written down of it is only its words."""
        if self._error is not None:
            raise self._error

    def wait_until_written(self, is_running: Callable[[], bool], place: str) -> None:
        """Wait for the outcome; StateError, or what ended the body, when it was not written in time."""
        while is_running():
            if self._has_ended.wait(_LOOK_S):
                deadline = time.monotonic() + _WRITE_S
                while is_running() and time.monotonic() < deadline:
                    time.sleep(_POLL_S)
                if is_running():
                    raise self._error or StateError(
                        f"The outcome could not be written to {place!r}.",
                        hint="Free some space, then give the same command again; what was finished is kept.",
                    )


def _forget_closed_streams() -> None:
    """DBOS flushes the handlers of its log when it starts; one that a notebook or a test has closed would raise."""
    log = logging.getLogger("dbos")
    for handler in list(log.handlers):
        if isinstance(handler, logging.StreamHandler) and handler.stream.closed:
            log.removeHandler(handler)


def _config(plan: Plan, url: str) -> dict[str, Any]:
    return {
        "name": "freehold",
        "system_database_url": url,
        "application_version": WORKFLOW_VERSION,
        "executor_id": plan.kind,
        "log_level": "CRITICAL",
        "enable_otlp": False,
        "notification_listener_polling_interval_sec": _POLL_S,
    }


def _database(workspace: Workspace) -> tuple[str, str]:
    """The URL of the workflows' database, and its name in messages."""
    url = workspace.settings.text("database_url")
    if url.startswith("postgresql"):
        return url, workspace.store.place
    path = workspace.state / "loop.db"
    make_private_file(path)
    return f"sqlite:///{path}", str(path)


def _unfinished(dbos: Any, kind: str) -> str | None:
    """The id of a run of this kind that was killed before it ended."""
    pending = dbos.list_workflows(status=list(_RUNNING), workflow_id_prefix=kind, load_input=False)
    return str(pending[0].workflow_id) if pending else None


def _attempt(dbos: Any, plan: Plan, stages: Steps) -> str:
    """The id of the run to join: the first attempt that did not fail and whose work is still there."""
    number = 0
    while True:
        workflow_id = f"{plan.name}-{number}"
        status = dbos.get_workflow_status(workflow_id)
        if status is None:
            return workflow_id
        has_failed = status.status in _FAILED
        if not has_failed and not (status.status == "SUCCESS" and _is_spent(dbos, workflow_id, plan, stages)):
            return workflow_id
        number += 1


def _is_spent(dbos: Any, workflow_id: str, plan: Plan, stages: Steps) -> bool:
    """Whether what a finished run made is gone, or was replaced by something newer."""
    done = _result(dbos, workflow_id)
    return not all(stages.is_kept(stage, done) for stage in plan.stages)


def _is_running(dbos: Any, workflow_id: str) -> bool:
    status = dbos.get_workflow_status(workflow_id)
    return status is not None and status.status in _RUNNING


def _result(dbos: Any, workflow_id: str) -> dict[str, Any]:
    """What a finished run gave; StateError where that is not what a run gives."""
    result = dbos.retrieve_workflow(workflow_id).get_result()
    names = {field.name for field in fields(RunResult)}
    if not isinstance(result, dict) or not result.keys() <= names:
        raise StateError(
            "A finished run says something that no run gives: something else wrote to its database.",
            hint="Move loop.db* out of the state folder, then give the command again; what was finished is kept.",
        )
    return {name: value if isinstance(value, str | int) else None for name, value in result.items()}


def _digest(value: object) -> str:
    return sha256_hex(canonical_json(value))[:12]
