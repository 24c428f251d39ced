"""Renew a verdict after a prompt was edited: the model that is there is proven on calls with the new prompt.

Nothing is trained. The calls of the newest version are frozen, most of them held out, and the model answers them as it
would live: with the new version's shared text taken out. It is the task's next attempt, with what attempts have left to
spend, and its verdict can be moved like any other.

Not covered: whether the new prompt wants other answers than the model learnt to give; that is what the proof says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from freehold.errors import DataError
from freehold.model import Verdict
from freehold.model.route import Route
from freehold.model.task import Task, versions_of
from freehold.pipeline.progress import Reporter
from freehold.pipeline.runs import freeze_task, prove_task
from freehold.pipeline.workspace import Workspace
from freehold.settings import Value
from freehold.sort.run.sort import sort_new_calls
from freehold.watch.run.prompt_news import RENEWAL_PROOF_SHARE, proven_version

_DEV_SHARE = 0.1
"""The thresholds come from the model's own dev split, and nothing is trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The verdict that was given, and on which version of the prompt."""

    verdict: Verdict
    version: int


def renew(workspace: Workspace, name: str, report: Reporter) -> Renewal:
    """Prove the task's model on calls with its newest prompt; DataError where that is the one it was proven with."""
    sort_new_calls(workspace)
    task = workspace.task(name)
    route = workspace.store.registry.route(task.id)
    newest = versions_of(task)[-1]
    card = workspace.model(task, route.model_id)
    if newest.number == _proven_number(workspace, task, route):
        raise DataError(
            f"The prompt of task {task.name!r} is the one that its model was proven with (version {newest.number}).",
            hint=f"With new calls: freehold freeze {task.name}, then prove it again.",
        )
    chosen: dict[str, Value | None] = {
        "freeze.prompts": "newest",
        "freeze.proof_share": RENEWAL_PROOF_SHARE,
        "freeze.dev_share": _DEV_SHARE,
    }
    freeze_task(replace(workspace, settings=workspace.settings.override(chosen)), task.name, report)
    verdict = prove_task(workspace, task.name, card.id, report)
    return Renewal(verdict=verdict, version=newest.number)


def _proven_number(workspace: Workspace, task: Task, route: Route) -> int | None:
    """The version that the route was proven with, or of a task without one the newest verdict; None without either."""
    if route.kind != "rented":
        return proven_version(task, route).number
    verdicts = workspace.store.registry.verdicts(task.id)
    if not verdicts:
        return None
    as_route = replace(route, expected=verdicts[0].expected, created_at=verdicts[0].created_at)
    return proven_version(task, as_route).number
