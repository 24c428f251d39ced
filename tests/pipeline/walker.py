"""Walks a road of scripted stages; `walker.py FOLDER PLAN SCRIPT` does so in a process of its own."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from freehold.errors import DataError, FreeholdError
from freehold.model.task import Task
from freehold.pipeline.steps import Done
from freehold.pipeline.workflow import Plan, run_pipeline
from freehold.pipeline.workspace import open_workspace
from freehold.settings import load_settings

STAGES = ("freeze", "train", "check", "prove", "move")
MAKES: dict[str, Done] = {
    "freeze": {"dataset_hash": "made by freeze"},
    "train": {"model_id": "made by train"},
    "check": {},
    "prove": {"verdict_id": "made by prove", "decision": "move"},
    "move": {"route_version": 1},
}


@dataclass(frozen=True)
class Scripted:
    """Steps that write down that they ran, and hang, fail or break where the script says so."""

    folder: Path
    script: dict[str, str]

    def run(self, stage: str, done: Done) -> Done:
        self._log(f"{stage} began")
        if self.script.get("hang") == stage:
            threading.Event().wait()
        if self.script.get("fail") == stage:
            raise DataError(f"The stage {stage!r} failed.", hint="Do this next.")
        if self.script.get("break") == stage:
            print(1 / 0)
        self._log(f"{stage} ended")
        return MAKES[stage]

    def is_kept(self, stage: str, done: Done) -> bool:
        return self.script.get("gone") != stage

    def _log(self, line: str) -> None:
        with (self.folder / "log.txt").open("a") as log:
            log.write(line + "\n")


def walked(folder: Path, plan: dict[str, Any], script: dict[str, str]) -> dict[str, Any]:
    """What came of a run, or its error as name, message and hint."""
    workspace = open_workspace(load_settings(environment={}, state=str(folder / "state")))
    task = Task(id="task1", name="triage", key="k")
    options = tuple((key, value) for key, value in plan.get("options", []))
    wanted = Plan(task_id=task.id, stages=STAGES, mark=plan["mark"], options=options)
    try:
        return {"walked": asdict(run_pipeline(workspace, task, wanted, Scripted(folder, script)))}
    except FreeholdError as error:
        return {"error": [type(error).__name__, error.message, error.hint]}
    except ZeroDivisionError as error:
        return {"error": [type(error).__name__, str(error), ""]}
    finally:
        workspace.store.close()


if __name__ == "__main__":
    print(walked(Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])))
