"""A proof names the providers whose answers it was made of, and no other that is configured."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import a_call, an_estate, triage_calls

from freehold.core import ModelCard
from freehold.loop.estate import Estate
from freehold.loop.freezing import freeze
from freehold.loop.incumbent import incumbents
from freehold.loop.progress import Progress
from freehold.loop.proving import _facts
from freehold.loop.sorting import sort_new_calls
from freehold.store import DatasetRow


def _quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


def _frozen(folder: Path, providers: list[str]) -> tuple[Estate, DatasetRow]:
    estate = an_estate(folder)
    calls = triage_calls(120)
    named = [
        a_call(**{name: getattr(c, name) for name in KEPT}, provider=p) for c, p in zip(calls, providers, strict=True)
    ]
    estate.store.calls.add([*named, a_call(provider="of-another-task", request_body=b'{"input": 1}', dialect="other")])
    sort_new_calls(estate)
    (task,) = [task for task in estate.store.book.tasks() if task.kind == "json"]
    freeze(estate, task, _quiet)
    (dataset,) = estate.store.book.datasets(task.id)
    return estate, dataset


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
    estate, dataset = _frozen(tmp_path, providers)
    assert incumbents(estate, dataset) == named
    assert {provider.name for provider in estate.settings.providers} == {"openai", "anthropic"}
    (task,) = [task for task in estate.store.book.tasks() if task.id == dataset.task_id]
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
    facts = _facts(estate, task, dataset, card, "v1")
    assert facts.provider == (", ".join(named) or "unknown")
    assert facts.is_provider_simulated == ("simulated" in named)
