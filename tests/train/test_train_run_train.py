"""A dataset becomes a registered model once, with its lineage; one that is not served as trained is not proven."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from made import a_workspace, triage_calls

from freehold.errors import ParityError, StateError
from freehold.freeze.run.freeze import freeze
from freehold.model.task import Task
from freehold.pipeline.progress import Progress
from freehold.pipeline.steps import Steps
from freehold.pipeline.workspace import Workspace
from freehold.prove.run import prove as prove_stage
from freehold.serve import Parity
from freehold.sort.run.sort import sort_new_calls
from freehold.store import DatasetRow
from freehold.train import Progress as TrainProgress
from freehold.train import Recipe, Trained
from freehold.train.bases.llama import Llama
from freehold.train.run import train as train_stage


class Factory:
    """Stands in for training, export and serving; counts what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.base = folder / "base.gguf"
        self.base.write_bytes(b"GGUF base")
        self.fits = 0
        self.exports = 0
        self.weights = b"GGUF weights"
        self.parity = Parity(is_ok=True, prompts=2, same_prompts=2)

    def pull(self, _name: str, _state: Path, note: Callable[[str], None]) -> Path:
        note("here")
        return self.base

    def fit(
        self,
        dataset: Path,
        base: Path,
        folder: Path,
        recipe: Recipe,
        on_progress: Callable[[TrainProgress], None],
        *,
        trainer: str,
    ) -> Trained:
        self.fits += 1
        self.trainer = trainer
        folder.mkdir(parents=True, exist_ok=True)
        return Trained(
            path=folder,
            base_sha256="b",
            dataset_hash=dataset.name,
            recipe=recipe,
            examples=1,
            dropped=0,
            steps=1,
            epochs=1.0,
            loss=0.5,
            dev_examples=1,
            dev_loss=0.5,
            dev_exact=0.9,
            tokens_per_s=1.0,
            seconds=1.0,
            peak_bytes=1,
            device="cpu",
        )

    def export(self, _base: Path, _adapter: object, out: Path, *, names: object, chat_template: str) -> Path:
        self.exports += 1
        out.write_bytes(self.weights)
        return out

    @contextmanager
    def serving(self, _engine: object, gguf: Path, **_options: object) -> Iterator[str]:
        yield "http://127.0.0.1:9"


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Factory:
    made = Factory(tmp_path)
    monkeypatch.setattr(train_stage, "pull", made.pull)
    monkeypatch.setattr(train_stage, "fit", made.fit)
    monkeypatch.setattr(train_stage, "read_adapter", lambda *_: None)
    monkeypatch.setattr(train_stage, "base_of", lambda _base: Llama())
    monkeypatch.setattr(train_stage, "architecture_of", lambda _base: "llama")
    monkeypatch.setattr(train_stage, "export_gguf", made.export)
    monkeypatch.setattr(train_stage, "serving", made.serving)
    monkeypatch.setattr(train_stage, "check_parity", lambda *_: made.parity)
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path / "state")
    opened.store.calls.add(triage_calls(120))
    sort_new_calls(opened)
    yield opened
    opened.store.close()


def _quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


def _frozen(workspace: Workspace) -> tuple[Task, DatasetRow]:
    (task,) = workspace.store.registry.tasks()
    return task, workspace.dataset_of(task, freeze(workspace, task, _quiet))


def test_the_same_training_is_one_model_with_its_lineage(workspace: Workspace, factory: Factory) -> None:
    task, dataset = _frozen(workspace)
    first = train_stage.train_model(workspace, task, dataset, _quiet)
    train_stage.check_model(workspace, task, dataset, first.id, _quiet)
    again = train_stage.train_model(workspace, task, dataset, _quiet)
    assert factory.exports == 1
    assert [card.id for card in workspace.store.registry.models(task.id)] == [first.id]
    assert again.parity["is_ok"]
    assert (first.dataset_hash, first.base, first.recipe["seed"]) == (dataset.id, "smollm2-135m", 0)
    assert first.files["model.gguf"]
    assert first.metrics["max_output_tokens"] > 24
    other = replace(workspace, settings=workspace.settings.override({"train.seed": 1}))
    second = train_stage.train_model(other, task, dataset, _quiet)
    assert second.id != first.id
    assert (factory.trainer, "trainer" in first.recipe) == ("lora", False)
    by_others = replace(workspace, settings=workspace.settings.override({"train.trainer": "theirs"}))
    third = train_stage.train_model(by_others, task, dataset, _quiet)
    assert (factory.trainer, third.recipe["trainer"]) == ("theirs", "theirs")
    assert third.id not in (first.id, second.id)
    assert train_stage.train_model(other, task, dataset, _quiet).id == second.id
    assert workspace.model(task).id == second.id
    assert train_stage.train_model(workspace, task, dataset, _quiet).id == workspace.model(task).id == first.id


def test_a_damaged_model_is_exported_again(workspace: Workspace, factory: Factory) -> None:
    task, dataset = _frozen(workspace)
    card = train_stage.train_model(workspace, task, dataset, _quiet)
    Path(card.path, "model.gguf").write_bytes(b"GGUF wei")
    with pytest.raises(StateError, match="not that of model"):
        train_stage.check_model(workspace, task, dataset, card.id, _quiet)
    train_stage.train_model(workspace, task, dataset, _quiet)
    assert factory.exports == 2
    train_stage.check_model(workspace, task, dataset, card.id, _quiet)
    assert workspace.model(task).parity["is_ok"]


def test_a_training_that_gives_other_weights_gives_another_model(workspace: Workspace, factory: Factory) -> None:
    """The clock ends a training: after its files were lost it gives another model, of which nothing is known."""
    task, dataset = _frozen(workspace)
    first = train_stage.train_model(workspace, task, dataset, _quiet)
    train_stage.check_model(workspace, task, dataset, first.id, _quiet)
    Path(first.path, "model.gguf").unlink()
    factory.weights = b"GGUF other weights"
    second = train_stage.train_model(workspace, task, dataset, _quiet)
    assert second.id != first.id
    assert second.parity == {}
    assert workspace.model(task).id == second.id
    with pytest.raises(StateError, match=f"not that of model {first.id}"):
        train_stage.model_file(task, first)
    settings = prove_stage.proof_settings(workspace)
    ids = {prove_stage.proof_id(card, dataset, settings, is_compared=False) for card in (first, second)}
    assert len(ids) == 2


def test_a_model_that_is_not_served_as_trained_blocks_the_proof(workspace: Workspace, factory: Factory) -> None:
    task, dataset = _frozen(workspace)
    card = train_stage.train_model(workspace, task, dataset, _quiet)
    with pytest.raises(ParityError, match="never checked"):
        prove_stage.prove_model(workspace, task, dataset, card, _quiet)
    factory.parity = Parity(is_ok=False, reason="token ids differ at position 7")
    with pytest.raises(ParityError, match="token ids differ at position 7"):
        train_stage.check_model(workspace, task, dataset, card.id, _quiet)
    with pytest.raises(ParityError, match="token ids differ at position 7"):
        prove_stage.prove_model(workspace, task, dataset, workspace.model(task), _quiet)
    assert workspace.store.registry.verdicts(task.id) == []


def test_a_damaged_dataset_is_not_trained_on(workspace: Workspace, factory: Factory) -> None:
    task, dataset = _frozen(workspace)
    train = Path(dataset.path, "train.jsonl")
    train.chmod(0o644)
    train.write_bytes(train.read_bytes()[:-40])
    with pytest.raises(StateError, match="damaged"):
        train_stage.train_model(workspace, task, dataset, _quiet)
    assert factory.fits == 0


def test_the_stages_hand_on_what_they_made(workspace: Workspace, factory: Factory) -> None:
    (task,) = workspace.store.registry.tasks()
    stages = Steps(workspace, task, _quiet)
    done = stages.run("freeze", {})
    done |= stages.run("train", done)
    done |= stages.run("check", done)
    assert set(done) == {"dataset_hash", "model_id"}
    assert all(stages.is_kept(stage, done) for stage in ("freeze", "train", "check"))
    assert stages.run("move", {"decision": "hold"}) == {}
