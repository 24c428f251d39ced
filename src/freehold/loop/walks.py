"""The walks that people ask for: one stage, or the whole road of a task."""

from __future__ import annotations

from freehold.core import ModelCard, Verdict
from freehold.core.ids import canonical_json, sha256_hex
from freehold.core.task import Task
from freehold.errors import NotFoundError
from freehold.loop.convergence import check_training
from freehold.loop.estate import Estate
from freehold.loop.opinions import opinions_mark
from freehold.loop.progress import Reporter
from freehold.loop.proving import proof_settings
from freehold.loop.road import Plan, Walked, walk
from freehold.loop.sorting import sort_new_calls
from freehold.loop.stages import Stages
from freehold.settings import SETTINGS
from freehold.store import CallFilter, DatasetRow

_OPTIONS = {
    "freeze": tuple(setting.key for setting in SETTINGS if setting.section == "freeze"),
    "train": tuple(setting.key for setting in SETTINGS if setting.section == "train"),
    "prove": tuple(setting.key for setting in SETTINGS if setting.section == "prove"),
    "move": ("route.audit_rate",),
}


def freeze_task(estate: Estate, name: str, report: Reporter) -> DatasetRow:
    """Freeze a task's calls."""
    task = _sorted_task(estate, name)
    walked = _walk(estate, task, report, ("freeze",), mark=_mark(estate, task))
    return estate.dataset_of(task, str(walked.dataset_hash))


def train_task(estate: Estate, name: str, report: Reporter) -> ModelCard:
    """Train, export and check a model on a task's newest dataset."""
    task = estate.task(name)
    dataset = estate.dataset(task)
    walked = _walk(estate, task, report, ("train", "check"), dataset_hash=dataset.id)
    return estate.model(task, walked.model_id)


def prove_task(estate: Estate, name: str, model_id: str | None, report: Reporter) -> Verdict:
    """Prove a model on the task's newest dataset, whichever it was trained on; the newest model by default."""
    task = estate.task(name)
    card = estate.model(task, model_id)
    dataset, mark = estate.dataset(task), opinions_mark(estate, task, card) + _judges(estate)
    walked = _walk(estate, task, report, ("prove",), dataset_hash=dataset.id, model_id=card.id, mark=mark)
    return _verdict(estate, task, walked)


def check_task_training(estate: Estate, name: str, model_id: str | None) -> None:
    """UndertrainedError where `prove_task` would raise it, so that nobody is asked or paid before."""
    task = estate.task(name)
    card = estate.model(task, model_id)
    check_training(estate, task, estate.dataset(task), card)


def walk_task(estate: Estate, name: str, report: Reporter, *, and_move: bool) -> Verdict:
    """Walk the whole road of a task in one durable run."""
    task = _sorted_task(estate, name)
    stages = ("freeze", "train", "check", "prove", "move") if and_move else ("freeze", "train", "check", "prove")
    return _verdict(estate, task, _walk(estate, task, report, stages, mark=_mark(estate, task) + _judges(estate)))


def _walk(
    estate: Estate,
    task: Task,
    report: Reporter,
    stages: tuple[str, ...],
    *,
    dataset_hash: str | None = None,
    model_id: str | None = None,
    mark: str = "",
) -> Walked:
    options = tuple((key, estate.settings.values[key]) for stage in stages for key in _OPTIONS.get(stage, ()))
    plan = Plan(
        task_id=task.id, stages=stages, dataset_hash=dataset_hash, model_id=model_id, mark=mark, options=options
    )
    return walk(estate, task, plan, Stages(estate, task, report))


def _sorted_task(estate: Estate, name: str) -> Task:
    sort_new_calls(estate)
    return estate.task(name)


def _mark(estate: Estate, task: Task) -> str:
    """What tells one state of a task's record from another: its calls, and what people said of their answers."""
    direct = CallFilter(task_id=task.id, is_direct=True, limit=1, newest_first=True)
    newest = [call.id for call in estate.store.calls.find(direct)]
    said = [
        sorted(estate.store.calls.corrections(task.id).items()),
        sorted(estate.store.calls.ratings(task.id).items()),
    ]
    return sha256_hex(canonical_json([newest, estate.store.calls.count(direct), *said]))


def _judges(estate: Estate) -> str:
    """What tells one state of the user's own metrics from another; empty where there are none."""
    return "".join(proof_settings(estate).sources)


def _verdict(estate: Estate, task: Task, walked: Walked) -> Verdict:
    verdict = estate.store.book.verdict(str(walked.verdict_id))
    if verdict is None:
        raise NotFoundError(f"Verdict {walked.verdict_id!r} is gone.", hint=f"Run: freehold prove {task.name}")
    return verdict
