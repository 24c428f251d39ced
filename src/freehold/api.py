"""Freehold from Python: what the verbs of the command line do, on one state folder.

    from freehold import Workspace

    with Workspace(".freehold") as workspace:
        for call in workspace.calls(limit=10):
            print(call["created_at"], call["task"], call["answer"])

Values are plain: dicts with the names that `--json` prints, so that a list of them is a table for pandas or polars.
Errors are those of `freehold.errors`, with a hint that names the next step. Not covered: the gateway itself
(`freehold up`), gateway keys, backups.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from freehold.errors import UsageError
from freehold.model import Arm, ModelCard, Verdict
from freehold.ops.heads import try_to_keep_head
from freehold.ops.privacy import keep_private
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.workspace import Workspace as _Opened
from freehold.pipeline.workspace import open_workspace
from freehold.settings import Value, load_settings

if TYPE_CHECKING:
    from freehold.route.run.move import RoutePlan


class Workspace:
    """A state folder with its settings and its database.

    `state` is the folder; None takes that of the settings (`.freehold`). `config` is the settings file; None takes
    `freehold.toml` here, if there is one. `settings` override both, by their names (`{"prove.margin": 0.01}`).
    `on_progress` gets a `Progress` now and then while long work runs. Not safe to use from several threads at once.
    SettingError for an unknown setting, StateError for a folder that cannot be used.
    """

    def __init__(
        self,
        state: str | Path | None = None,
        *,
        config: str | Path | None = None,
        settings: Mapping[str, Value] | None = None,
        on_progress: Reporter | None = None,
    ) -> None:
        loaded = load_settings(None if config is None else Path(config), state=None if state is None else str(state))
        self._overrides = dict(settings or {})
        loaded.override(self._overrides)  # an unknown name is an error now, and not with the first work
        self._settings = loaded
        keep_private(loaded.state.absolute())
        self._opened = open_workspace(loaded)
        self._on_progress = on_progress or _say_nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Keep the head of the receipts beside them, as each verb does, and let go of the database."""
        try_to_keep_head(self._opened)
        self._opened.store.close()

    def __repr__(self) -> str:
        return f"Workspace({str(self._opened.state)!r})"

    # what is there

    def calls(
        self,
        task: str | None = None,
        *,
        arm: Arm | None = None,
        is_failed: bool | None = None,
        since: float | None = None,
        limit: int | None = None,
        newest_first: bool = True,
    ) -> Iterator[dict[str, Any]]:
        """Recorded calls, read as they are asked for; `since` is Unix seconds, None as the limit is all.

        Each has the fields that `freehold calls --json` prints, bodies as text, and `answer` on one line.
        """
        from freehold.record.run.call_lookup import CallFilter, find_calls

        work = self._work(None)
        chosen = CallFilter(
            task_id=None if task is None else work.task(task).id,
            arm=arm,
            is_failed=is_failed,
            since=since,
            limit=limit,
            newest_first=newest_first,
        )
        for view in find_calls(work, chosen):
            yield view.plain() | {"answer": view.answer}

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks with their figures and what each needs next, as `freehold tasks --json`; new calls are sorted."""
        from freehold.pipeline.overview import overviews
        from freehold.sort.run.sort import sort_new_calls

        work = self._work(None)
        sort_new_calls(work)
        return [view.plain() for view in overviews(work)]

    def status(self, task: str | None = None) -> list[dict[str, Any]]:
        """The route of each task, or of one, with live metrics, as `freehold status --json`."""
        from freehold.route.run.route_status import route_status, route_statuses

        work = self._work(None)
        views = route_statuses(work) if task is None else [route_status(work, work.task(task))]
        return [view.plain() for view in views]

    def datasets(self, task: str) -> list[dict[str, Any]]:
        """The datasets of a task, newest first, each with its manifest and its folder (`path`)."""
        work = self._work(task)
        rows = work.store.registry.datasets(work.task(task).id)
        return [asdict(row.manifest) | {"path": row.path} for row in rows]

    # the pipeline

    def freeze(self, task: str) -> dict[str, Any]:
        """Make an immutable dataset of a task's calls; its manifest, with its folder (`path`)."""
        from freehold.pipeline.runs import freeze_task

        row = freeze_task(self._work(task), task, self._on_progress)
        return asdict(row.manifest) | {"path": row.path}

    def train(self, task: str) -> ModelCard:
        """Fine-tune the base on a task's newest dataset, export the model and check it.

        A training that was interrupted goes on. MissingExtraError where the parts for training are not installed.
        """
        from freehold.pipeline.runs import train_task

        return train_task(self._work(task), task, self._on_progress)

    def prove(self, task: str, *, model_id: str | None = None) -> Verdict:
        """Prove how much of a task's traffic its newest model, or the one of this id, can take over.

        UndertrainedError, before an attempt is spent, for a model whose training was cut short.
        """
        from freehold.pipeline.runs import check_task_training, prove_task

        work = self._work(task)
        check_task_training(work, task, model_id)
        return prove_task(work, task, model_id, self._on_progress)

    def run(self, task: str, *, and_move: bool = False) -> Verdict:
        """Run the whole pipeline of a task as one durable run: freeze, train, check, prove, and move if asked."""
        from freehold.pipeline.runs import run_task

        return run_task(self._work(task), task, self._on_progress, and_move=and_move)

    # routes

    def plan_move(self, task: str, kind: Literal["cascade", "ramp", "shadow"] = "cascade") -> str:
        """What `move` would change, in words; nothing is changed."""
        return self._plan(self._work(task), task, kind).text

    def move(self, task: str, kind: Literal["cascade", "ramp", "shadow"] = "cascade") -> dict[str, Any]:
        """Put a task's route in place: at the proven threshold, with a share that grows, or to compare alone.

        DataError where the newest verdict is none to move, StateError where the proven model's file was changed.
        """
        from freehold.route.run.move import put_route

        work = self._work(task)
        plan = self._plan(work, task, kind)
        return asdict(plan.route if plan.is_in_place else put_route(work, plan.route))

    def back(self, task: str) -> dict[str, Any]:
        """Return all of a task's traffic to the provider at once; the route that is in place then."""
        from freehold.route.run.move import return_all

        work = self._work(task)
        return asdict(return_all(work, task))

    # feedback

    def correct(self, call_id: str, answer: str) -> None:
        """Say what the answer to a call should have been; the newest correction counts."""
        from freehold.record.run.call_lookup import correct_call

        correct_call(self._opened, call_id, answer)

    def rate(self, call_id: str, *, is_good: bool) -> None:
        """Say whether the answer to a call was good; the newest rating counts."""
        from freehold.record.run.call_lookup import rate_call

        rate_call(self._opened, call_id, is_good=is_good)

    def _work(self, task: str | None) -> _Opened:
        """The workspace with all calls that were answered so far, and with the task's own settings."""
        from freehold.record.run.journal import catch_up

        catch_up(self._opened)
        settings = self._settings if task is None else self._settings.for_task(self._opened.known_name(task))
        return _Opened(settings.override(self._overrides), self._opened.store)

    def _plan(self, work: _Opened, task: str, kind: str) -> RoutePlan:
        from freehold.route.run.move import move_plan, shadow_plan

        if kind not in ("cascade", "ramp", "shadow"):
            raise UsageError(f"{kind!r} is no kind of route.", hint="Known: cascade, ramp, shadow.")
        return shadow_plan(work, task) if kind == "shadow" else move_plan(work, task, is_ramped=kind == "ramp")


def _say_nothing(_: Progress) -> None:
    """Nobody asked to be told."""
