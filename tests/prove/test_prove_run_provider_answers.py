"""A proof names the providers whose answers it was made of, and no other that is configured."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import a_call, a_workspace, triage_calls

from freehold.freeze.run.freeze import freeze
from freehold.model import ModelCard
from freehold.pipeline.progress import Progress
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.prove import _facts
from freehold.prove.run.provider_answers import provider_answers
from freehold.sort.run.sort import sort_new_calls
from freehold.store import DatasetRow


def _quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


def _frozen(folder: Path, providers: list[str]) -> tuple[Workspace, DatasetRow]:
    workspace = a_workspace(folder)
    calls = triage_calls(120)
    named = [
        a_call(**{name: getattr(c, name) for name in KEPT}, provider=p) for c, p in zip(calls, providers, strict=True)
    ]
    workspace.store.calls.add(
        [*named, a_call(provider="of-another-task", request_body=b'{"input": 1}', dialect="other")]
    )
    sort_new_calls(workspace)
    (task,) = [task for task in workspace.store.registry.tasks() if task.kind == "json"]
    freeze(workspace, task, _quiet)
    (dataset,) = workspace.store.registry.datasets(task.id)
    return workspace, dataset


KEPT = ("id", "created_at", "request_body", "response_body", "session_key")


@pytest.mark.parametrize(
    ("providers", "named"),
    [
        (["openai"] * 120, ("openai",)),
        (["backup"] * 30 + ["azure"] * 90, ("azure", "backup")),
        (["simulated"] * 50 + ["openai"] * 70, ("openai", "simulated")),
        ([""] * 120, ()),
    ],
)
def test_only_providers_whose_calls_were_used_are_named(
    tmp_path: Path, providers: list[str], named: tuple[str, ...]
) -> None:
    workspace, dataset = _frozen(tmp_path, providers)
    assert provider_answers(workspace, dataset) == named
    assert {provider.name for provider in workspace.settings.providers} == {"openai", "anthropic"}
    (task,) = [task for task in workspace.store.registry.tasks() if task.id == dataset.task_id]
    card = ModelCard(
        id="m1",
        task_id=task.id,
        base="b",
        base_sha256="c",
        dataset_hash=dataset.id,
        recipe={},
        seed=0,
        metrics={},
        path="/m",
    )
    facts = _facts(workspace, task, dataset, card, "v1")
    assert facts.provider == (", ".join(named) or "unknown")
    assert facts.is_provider_simulated == ("simulated" in named)
