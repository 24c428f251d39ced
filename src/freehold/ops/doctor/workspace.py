"""What routes and tasks name: models with their files, datasets, an engine to serve with; and what was decided."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

from freehold.errors import StateError
from freehold.freeze import verify
from freehold.model.model_card import MODEL_FILE
from freehold.ops.doctor.finding import Finding
from freehold.ops.receipts import verify_database
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.settings import Settings
from freehold.sort.run.loose_calls import unsorted
from freehold.sort.run.task_tables import unknown_tables
from freehold.store import read_diagnostics
from freehold.train.run.train import model_file


def check_workspace(settings: Settings, *, is_deep: bool) -> list[Finding]:
    """The findings on models, datasets and engines; none while the database is not of this version."""
    facts = read_diagnostics(settings.database_url, check_s=0)
    if facts is None or facts.version != facts.wanted:
        return []
    workspace = open_workspace(settings)
    try:
        tables = [Finding("settings", "fail", error.message, error.hint) for error in unknown_tables(workspace)]
        left = unsorted(workspace)
        aside = [Finding("sorting", "warn", left.aside_words, left.aside_hint)] if left.set_aside else []
        wrong = tables + aside + list(_models(workspace)) + list(_datasets(workspace, is_deep=is_deep))
        tasks = workspace.store.registry.tasks()
        served = [r for r in workspace.store.registry.routes().values() if r.model_id and r.kind != "rented"]
    finally:
        workspace.store.close()
    text = f"{len(tasks)} tasks, {len(served)} of them on an owned model"
    return wrong or [Finding("workspace", "ok", text)]


def check_receipts(settings: Settings) -> list[Finding]:
    """Whether the chain of receipts is whole and tells of the verdicts and routes that there are."""
    facts = read_diagnostics(settings.database_url, check_s=0)
    if facts is None or facts.version != facts.wanted:
        return []
    workspace = open_workspace(settings)
    try:
        verified = verify_database(workspace, None, lambda _: None)
    finally:
        workspace.store.close()
    if verified.problems:
        more = f", and {len(verified.problems) - 1} more problems" if len(verified.problems) > 1 else ""
        hint = "Run: freehold receipts verify; and compare with a backup or an export."
        return [Finding("receipts", "fail", f"{verified.problems[0]}{more}", hint)]
    kept = f"; kept heads that agree: {verified.kept:,}" if verified.kept else ""
    return [Finding("receipts", "ok", f"{verified.receipts:,} receipts, whole{kept}")]


def _models(workspace: Workspace) -> Iterator[Finding]:
    routes = workspace.store.registry.routes()
    names = {task.id: task for task in workspace.store.registry.tasks()}
    for task_id, route in routes.items():
        if route.kind == "rented" or route.model_id is None or task_id not in names:
            continue
        task = names[task_id]
        if importlib.util.find_spec("xllamacpp") is None:
            text = f"task {task.name} is on an owned model, and the engine is not installed: its provider answers"
            yield Finding("engine", "fail", text, "pip install 'freehold[engine]'")
        if not Path(route.model_path or "", MODEL_FILE).is_file():
            text = f"the model {route.model_id} of task {task.name} is not in {route.model_path}: its provider answers"
            yield Finding("model", "fail", text, f"Run: freehold train {task.name}; or: freehold back {task.name}")
        else:
            try:
                model_file(task, workspace.model(task, route.model_id))
            except StateError as error:
                yield Finding("model", "fail", error.message, error.hint)


def _datasets(workspace: Workspace, *, is_deep: bool) -> Iterator[Finding]:
    for task in workspace.store.registry.tasks():
        for row in workspace.store.registry.datasets(task.id)[:1]:
            wrong = verify(Path(row.path)) if is_deep else [] if Path(row.path).is_dir() else [f"no folder {row.path}"]
            if wrong:
                text = f"the dataset of task {task.name}: {wrong[0]}"
                yield Finding("dataset", "warn", text, f"Run: freehold freeze {task.name}")
