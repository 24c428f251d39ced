"""The stages as the road runs them: each takes what the earlier ones gave and adds what it made.

A stage can be run again after a kill: it finds what is finished and does only the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.core.task import Task
from freehold.errors import NotFoundError
from freehold.loop.estate import Estate
from freehold.loop.freezing import freeze
from freehold.loop.moving import move_plan, put_route
from freehold.loop.progress import Reporter
from freehold.loop.proving import prove_model
from freehold.loop.training import check_model, train_model
from freehold.store.taskbook import DatasetRow


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one task's road; `report` is told how each gets on."""

    estate: Estate
    task: Task
    report: Reporter

    def run(self, stage: str, done: Mapping[str, Any]) -> dict[str, Any]:
        """Run one stage by name and return what it adds to `done`."""
        match stage:
            case "freeze":
                return {"dataset_hash": freeze(self.estate, self.task, self.report)}
            case "train":
                return {"model_id": train_model(self.estate, self.task, self._dataset(done), self.report).id}
            case "check":
                check_model(self.estate, self.task, self._dataset(done), str(done["model_id"]), self.report)
                return {}
            case "prove":
                card = self.estate.model(self.task, str(done["model_id"]))
                verdict = prove_model(self.estate, self.task, self._dataset(done), card, self.report)
                return {"verdict_id": verdict.id, "decision": verdict.decision}
            case "move":
                return self._move(done)
            case _:
                raise ValueError(f"there is no stage {stage!r}")

    def _move(self, done: Mapping[str, Any]) -> dict[str, Any]:
        if done["decision"] != "move":
            return {}
        plan = move_plan(self.estate, self.task.name)
        current = self.estate.store.book.route(self.task.id)
        if current.verdict_id != plan.route.verdict_id:
            current = put_route(self.estate, plan.route)
        return {"route_version": current.version}

    def _dataset(self, done: Mapping[str, Any]) -> DatasetRow:
        for row in self.estate.store.book.datasets(self.task.id):
            if row.id == done["dataset_hash"]:
                return row
        raise NotFoundError(f"Dataset {done['dataset_hash']!r} is gone.", hint=f"Run: freehold freeze {self.task.name}")
