"""The road as a durable workflow: freeze, train, check, answer, prove, and move where that was asked.

DBOS writes down each finished step. A road that was killed goes on, when the same command is given again, at the step
where it was; a road that ended is not walked twice; one that failed starts a new attempt, and the stages themselves
find what is already there (datasets are content-addressed, training resumes from its checkpoint, answers are kept).

One process walks one task's road at a time: a lock file says which. Not covered: what the steps do (`stages`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from freehold.core.ids import canonical_json, sha256_hex
from freehold.core.task import Task
from freehold.loop.estate import Estate, locked
from freehold.loop.stages import Stages

WORKFLOW_VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which part of a task's road to walk, and what it starts from; equal plans are one walk.

    `stages` is a run of `freeze`, `train`, `check`, `prove`, `move`. Without `freeze` (or `train`) the road starts from
    the named dataset (or model). `mark` tells what was in the record when the plan was made, so that a plan that
    freezes is a new one when new calls have come.
    """

    task_id: str
    stages: tuple[str, ...]
    dataset_hash: str | None = None
    model_id: str | None = None
    mark: str = ""
    options: tuple[tuple[str, str | int | float | bool], ...] = ()

    @property
    def kind(self) -> str:
        """What plans of the same stages for the same task share."""
        return f"{'+'.join(self.stages)}-{self.task_id}"

    @property
    def name(self) -> str:
        """The workflow's id, but for the number of the attempt."""
        return f"{self.kind}-{sha256_hex(canonical_json(asdict(self)))[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What came of a walk; None for what its plan did not include."""

    dataset_hash: str | None = None
    model_id: str | None = None
    verdict_id: str | None = None
    decision: str | None = None
    route_version: int | None = None


def walk(estate: Estate, task: Task, plan: Plan, stages: Stages) -> Walked:
    """Walk the plan, or go on with it where it was left; errors of the stages come through as they are."""
    lock = estate.folder("locks") / f"{task.id}.lock"
    with locked(lock, f"Work on task {task.name!r}"), _durable(estate, plan.kind, stages) as road:
        return Walked(**road(plan))


@contextmanager
def _durable(estate: Estate, kind: str, stages: Stages) -> Iterator[Callable[[Plan], dict[str, Any]]]:
    """Start DBOS for one kind of walk: a killed one of this kind goes on by itself, others are left alone."""
    from dbos import DBOS, SetWorkflowID

    url = estate.settings.text("database_url") or f"sqlite:///{estate.state / 'loop.db'}"
    DBOS(
        config={
            "name": "freehold",
            "system_database_url": url,
            "application_version": WORKFLOW_VERSION,
            "executor_id": kind,
            "log_level": "CRITICAL",
            "enable_otlp": False,
            "notification_listener_polling_interval_sec": 0.2,
        }
    )

    @DBOS.workflow(name="road", max_recovery_attempts=None)
    def road(names: list[str], dataset_hash: str | None, model_id: str | None) -> dict[str, Any]:
        done: dict[str, Any] = {"dataset_hash": dataset_hash, "model_id": model_id}
        for stage in names:
            done |= DBOS.run_step({"name": stage}, stages.run, stage, done)
        return done

    def start(plan: Plan) -> dict[str, Any]:
        workflow_id = _unfinished(DBOS, plan.kind) or _attempt(DBOS, plan.name)
        if DBOS.get_workflow_status(workflow_id) is None:
            with SetWorkflowID(workflow_id):
                DBOS.start_workflow(road, list(plan.stages), plan.dataset_hash, plan.model_id)
        result: dict[str, Any] = DBOS.retrieve_workflow(workflow_id).get_result()
        return result

    try:
        DBOS.launch()
        yield start
    finally:
        DBOS.destroy(destroy_registry=True)


def _unfinished(dbos: Any, kind: str) -> str | None:
    """The id of a walk of this kind that was killed before it ended."""
    pending = dbos.list_workflows(status=["PENDING", "ENQUEUED"], workflow_id_prefix=kind, load_input=False)
    return str(pending[0].workflow_id) if pending else None


def _attempt(dbos: Any, name: str) -> str:
    """The id of the walk to join: the first attempt that has not failed."""
    number = 0
    while True:
        status = dbos.get_workflow_status(f"{name}-{number}")
        if status is None or status.status not in ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
            return f"{name}-{number}"
        number += 1
