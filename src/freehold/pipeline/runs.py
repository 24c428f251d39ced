"""The runs that people ask for: one stage, or the whole pipeline of a task."""

from __future__ import annotations

from freehold.errors import NotFoundError
from freehold.model import ModelCard, Verdict
from freehold.model.ids import canonical_json, sha256_hex
from freehold.model.task import Task
from freehold.pipeline.progress import Reporter
from freehold.pipeline.steps import Steps
from freehold.pipeline.workflow import Plan, RunResult, run_pipeline
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.convergence import check_training
from freehold.prove.run.preferences import preferences_mark
from freehold.prove.run.prove import proof_settings
from freehold.settings import SETTINGS
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter, DatasetRow

_OPTIONS = {
    "freeze": tuple(setting.key for setting in SETTINGS if setting.section == "freeze"),
    "train": tuple(setting.key for setting in SETTINGS if setting.section == "train"),
    "check": ("serve.engine",),
    "prove": (*(setting.key for setting in SETTINGS if setting.section == "prove"), "serve.engine"),
    "move": ("route.audit_rate",),
}
_LATER = frozenset(
    {
        ("freeze.prompt_steps", "strip"),
        ("train.student", "generator"),
        ("train.trainer", "lora"),
        ("serve.engine", "llamacpp"),
    }
)
"""Settings that runs of before did not have, as they were then: such a run goes on under the id that it began with."""


def freeze_task(workspace: Workspace, name: str, report: Reporter) -> DatasetRow:
    """Freeze a task's calls."""
    task = _sorted_task(workspace, name)
    result = _run(workspace, task, report, ("freeze",), mark=_mark(workspace, task))
    return workspace.dataset_of(task, str(result.dataset_hash))


def train_task(workspace: Workspace, name: str, report: Reporter) -> ModelCard:
    """Train, export and check a model on a task's newest dataset."""
    task = workspace.task(name)
    dataset = workspace.dataset(task)
    result = _run(workspace, task, report, ("train", "check"), dataset_hash=dataset.id)
    return workspace.model(task, result.model_id)


def prove_task(workspace: Workspace, name: str, model_id: str | None, report: Reporter) -> Verdict:
    """Prove a model on the task's newest dataset, whichever it was trained on; the newest model by default."""
    task = workspace.task(name)
    card = workspace.model(task, model_id)
    dataset, mark = workspace.dataset(task), preferences_mark(workspace, task, card) + _judges(workspace)
    result = _run(workspace, task, report, ("prove",), dataset_hash=dataset.id, model_id=card.id, mark=mark)
    return _verdict(workspace, task, result)


def check_task_training(workspace: Workspace, name: str, model_id: str | None) -> None:
    """UndertrainedError where `prove_task` would raise it, so that nobody is asked or paid before."""
    task = workspace.task(name)
    card = workspace.model(task, model_id)
    check_training(workspace, task, workspace.dataset(task), card)


def run_task(workspace: Workspace, name: str, report: Reporter, *, and_move: bool) -> Verdict:
    """Run the whole pipeline of a task, durably."""
    task = _sorted_task(workspace, name)
    stages = ("freeze", "train", "check", "prove", "move") if and_move else ("freeze", "train", "check", "prove")
    return _verdict(
        workspace, task, _run(workspace, task, report, stages, mark=_mark(workspace, task) + _judges(workspace))
    )


def _run(
    workspace: Workspace,
    task: Task,
    report: Reporter,
    stages: tuple[str, ...],
    *,
    dataset_hash: str | None = None,
    model_id: str | None = None,
    mark: str = "",
) -> RunResult:
    values = workspace.settings.values
    keys = dict.fromkeys(key for stage in stages for key in _OPTIONS.get(stage, ()))
    options = tuple((key, values[key]) for key in keys if (key, values[key]) not in _LATER)
    plan = Plan(
        task_id=task.id, stages=stages, dataset_hash=dataset_hash, model_id=model_id, mark=mark, options=options
    )
    return run_pipeline(workspace, task, plan, Steps(workspace, task, report))


def _sorted_task(workspace: Workspace, name: str) -> Task:
    sort_new_calls(workspace)
    return workspace.task(name)


def _mark(workspace: Workspace, task: Task) -> str:
    """What tells one state of a task's record from another: its calls, and what people said of their answers."""
    direct = CallFilter(task_id=task.id, is_direct=True, limit=1, newest_first=True)
    newest = [call.id for call in workspace.store.calls.find(direct)]
    said = [
        sorted(workspace.store.calls.corrections(task.id).items()),
        sorted(workspace.store.calls.ratings(task.id).items()),
    ]
    return sha256_hex(canonical_json([newest, workspace.store.calls.count(direct), *said]))


def _judges(workspace: Workspace) -> str:
    """What tells one state of the user's own metrics from another; empty where there are none."""
    return "".join(proof_settings(workspace).sources)


def _verdict(workspace: Workspace, task: Task, result: RunResult) -> Verdict:
    verdict = workspace.store.registry.verdict(str(result.verdict_id))
    if verdict is None:
        raise NotFoundError(f"Verdict {result.verdict_id!r} is gone.", hint=f"Run: freehold prove {task.name}")
    return verdict
