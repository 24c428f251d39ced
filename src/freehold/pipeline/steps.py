"""The steps of the pipeline: each runs a stage, takes what the earlier ones gave and adds what it made.

A stage can be run again after a kill: it finds what is finished and does only the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from freehold.errors import FreeholdError
from freehold.freeze import load
from freehold.freeze.run.freeze import freeze
from freehold.model.task import Task
from freehold.pipeline.progress import Reporter
from freehold.pipeline.students import check_student, train_student
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.convergence import check_training
from freehold.prove.run.preferences import preferences_mark, preferences_of
from freehold.prove.run.prove import prove_model
from freehold.route.run.move import move_plan, put_route
from freehold.store import DatasetRow
from freehold.train.run.train import model_file

Done = dict[str, str | int | None]
"""What a run has made so far, by name; plain values, for they are written down by the workflow."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one task's pipeline; `report` is told how each gets on."""

    workspace: Workspace
    task: Task
    report: Reporter

    def run(self, stage: str, done: Done) -> Done:
        """Run one stage by name and return what it adds to `done`."""
        match stage:
            case "freeze":
                return {"dataset_hash": freeze(self.workspace, self.task, self.report)}
            case "train":
                return {"model_id": train_student(self.workspace, self.task, self._dataset(done), self.report).id}
            case "check":
                card = self.workspace.model(self.task, str(done["model_id"]))
                check_student(self.workspace, self.task, self._dataset(done), card, self.report)
                return {}
            case "prove":
                card = self.workspace.model(self.task, str(done["model_id"]))
                dataset, mark = self._dataset(done), preferences_mark(self.workspace, self.task, card)
                check_training(self.workspace, self.task, dataset, card)
                opinions = preferences_of(self.workspace, self.task, card, dataset, self.report)
                verdict = prove_model(self.workspace, self.task, dataset, card, self.report, opinions, mark)
                return {"verdict_id": verdict.id, "decision": verdict.decision}
            case "move":
                return self._move(done)
            case _:
                raise ValueError(f"there is no stage {stage!r}")

    def is_kept(self, stage: str, done: Done) -> bool:
        """Whether what a finished stage made is still there, whole, and the newest of its kind."""
        try:
            match stage:
                case "freeze":
                    dataset = self.workspace.dataset(self.task)
                    load(Path(dataset.path))
                    return dataset.id == done["dataset_hash"]
                case "train":
                    card = self.workspace.model(self.task)
                    model_file(self.task, card)
                    return card.id == done["model_id"]
                case "check" if "model_id" in done:
                    card = self.workspace.model(self.task, str(done["model_id"]))
                    engine = self.workspace.settings.text("serve.engine")
                    return bool(card.parity.get("is_ok")) and card.engine == engine
                case "prove":
                    newest = self.workspace.store.registry.verdicts(self.task.id)[:1]
                    return [v.id for v in newest if Path(v.report_path).is_file()] == [done["verdict_id"]]
                case "move" if done["decision"] == "move":
                    return self.workspace.store.registry.route(self.task.id).version == done["route_version"]
        except FreeholdError:
            return False
        return True

    def _move(self, done: Done) -> Done:
        if done["decision"] != "move":
            return {}
        plan = move_plan(self.workspace, self.task.name)
        current = self.workspace.store.registry.route(self.task.id)
        if current.verdict_id != plan.route.verdict_id:
            current = put_route(self.workspace, replace(plan.route, decided_by="road"))
        return {"route_version": current.version}

    def _dataset(self, done: Done) -> DatasetRow:
        return self.workspace.dataset_of(self.task, str(done["dataset_hash"]))
