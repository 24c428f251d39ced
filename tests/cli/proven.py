"""A workspace in which a task was frozen, trained, proven, moved and returned; nothing in it was computed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from made import BEGAN_AT, a_call, a_workspace, triage_calls
from msgspec import structs

from freehold.freeze.run.freeze import freeze
from freehold.model import ModelCard, Verdict
from freehold.model.task import Task
from freehold.pipeline.progress import Progress
from freehold.pipeline.workspace import Workspace
from freehold.route.run.move import move_plan, put_route, return_all
from freehold.sort.run.sort import sort_new_calls

SECRET = "Please call me on 0170 1234567"
EVIDENCE = {
    "calls": 24,
    "users": 12,
    "outcome": {"decision": "move", "reason": "It is shown.", "scope": "cascade"},
    "sides": [{"name": "provider", "n": 24, "share": 0.9}, {"name": "owned model", "n": 24, "share": 0.95}],
    "differences": [{"input": SECRET, "owned": "refund", "confidence": 0.5}],
    "worst": {"input": SECRET, "texts": [SECRET, "b"], "is_local": True},
    "settings": {"margin": 0.02, "alpha": 0.05, "delta": 0.1, "seed": 7},
    "facts": {"created_at": 1.0, "machine": "here"},
}
MODEL_BYTES = b"GGUF" * 100


def quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


def recorded_workspace(folder: Path, **values: object) -> tuple[Workspace, Task]:
    """A workspace with 120 calls of one task, of which five were asked twice and one is corrected."""
    workspace = a_workspace(folder, **values)
    calls = triage_calls(120)
    calls = [structs.replace(call, id=f"0190{number:08x}-7abc-{number:010x}") for number, call in enumerate(calls)]
    names = ("request_body", "response_body", "created_at", "session_key")
    again = [
        a_call(**{name: getattr(call, name) for name in names} | {"id": f"0191{number:08x}-7abc-{number:010x}"})
        for number, call in enumerate(calls[:5])
    ]
    workspace.store.calls.add([*calls, *again])
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    workspace.store.calls.add_feedback(calls[7].id, "correction", '{"intent": "other", "urgency": 0}', BEGAN_AT)
    return workspace, task


def prove(workspace: Workspace, task: Task, *, decision: str = "move", created_at: float = BEGAN_AT) -> Verdict:
    """Freeze the task, put a model and a verdict on it into the record, with their files."""
    dataset_hash = freeze(workspace, task, quiet)
    folder = workspace.folder("models") / "model-1"
    folder.mkdir(exist_ok=True)
    (folder / "model.gguf").write_bytes(MODEL_BYTES)
    workspace.store.registry.put_model(
        ModelCard(
            id="model-1",
            task_id=task.id,
            base="smollm2-135m",
            base_sha256="b" * 64,
            dataset_hash=dataset_hash,
            recipe={"rank": 16},
            seed=3,
            metrics={},
            path=str(folder),
            files={"model.gguf": hashlib.sha256(MODEL_BYTES).hexdigest()},
        )
    )
    verdict = Verdict(
        id="verdict-1",
        task_id=task.id,
        model_id="model-1",
        dataset_hash=dataset_hash,
        decision=decision,
        threshold=0.8,
        coverage=0.625,
        margin=0.02,
        risk=0.05,
        evidence=EVIDENCE,
        used={"calls": 24, "ids": [f"call-{number}" for number in range(24)]},
        report_path=str(workspace.folder("proofs") / "verdict-1" / "report.html"),
        created_at=created_at,
    )
    write_report(verdict)
    workspace.store.attempts.claim(task.id, verdict.id, [f"call-{number}" for number in range(24)], created_at)
    workspace.store.registry.put_verdict(verdict)
    return verdict


def write_report(verdict: Verdict, **evidence: object) -> None:
    """Write the files of a report, with changes of its evidence."""
    folder = Path(verdict.report_path).parent
    folder.mkdir(exist_ok=True)
    whole = {**verdict.evidence, **evidence}
    (folder / "report.html").write_text(f"<html>{verdict.decision} {len(str(whole))}</html>")
    (folder / "report.txt").write_text("The proof.\n")
    (folder / "report.json").write_text(json.dumps({"evidence": whole}, indent=1))


def walked_workspace(folder: Path, **values: object) -> tuple[Workspace, Task]:
    """A workspace whose task was proven, moved and returned: three receipts."""
    workspace, task = recorded_workspace(folder, **values)
    prove(workspace, task)
    put_route(workspace, move_plan(workspace, task.name).route)
    return_all(workspace, task.name)
    return workspace, task
