"""Engines of other packages: the setting chooses one; one that fails is a line of the log, and the gateway goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made import a_workspace
from seams import engines_of_others

from freehold.errors import DataError, EngineError, ParityError, SettingError
from freehold.model import Manifest, Message, ModelCard
from freehold.model.prompt import Prompt
from freehold.model.task import Task
from freehold.pipeline.students import asking_student, generator
from freehold.pipeline.workspace import Workspace
from freehold.prove.run import prove as prove_stage
from freehold.route.run.directory import ServedModel
from freehold.serve import Parity, answer_all, load_engine, serving
from freehold.serve.engines import live_body
from freehold.serve.run import engines
from freehold.serve.run.engines import Engines
from freehold.store import DatasetRow
from freehold.train.run import train as train_stage

Offer = Callable[[str, str, str], None]
TASK = Task(
    id="t",
    key="t",
    name="t",
)
PROMPT = Prompt(messages=(Message("user", "refund"),))


@pytest.fixture(autouse=True)
def _offered(offer: Offer) -> None:
    for name in ("Echo", "Mute", "Stubborn", "Clinging", "Broken"):
        offer("engines", name.lower(), f"seams.engines_of_others:{name}")
    offer("engines", "gone", "no_such_module_here:Engine")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    opened = a_workspace(tmp_path / ".freehold")
    yield opened
    opened.store.close()


def with_engine(workspace: Workspace, name: str) -> Workspace:
    return replace(workspace, settings=workspace.settings.override({"serve.engine": name}))


def keeper(workspace: Workspace, name: str) -> Engines:
    return Engines(with_engine(workspace, name).settings, lambda: workspace.store)


def a_dataset(folder: Path) -> DatasetRow:
    manifest = Manifest(hash="d", task="t", task_id="t", kind="label", template={}, counts={}, dropped={}, files={})
    return DatasetRow(id="d", task_id="t", created_at=0.0, path=str(folder), manifest=manifest)


def a_card(folder: Path, **changes: Any) -> ModelCard:
    values: dict[str, Any] = {"base": "b", "base_sha256": "0", "dataset_hash": "d", "recipe": {}, "seed": 0}
    parity = {"is_ok": True, "engine": "echo"}
    return ModelCard(id="m1", task_id="t", metrics={}, path=str(folder), **values, **({"parity": parity} | changes))


def test_the_setting_names_the_engine_that_serves_moved_tasks(workspace: Workspace, tmp_path: Path) -> None:
    kept = keeper(workspace, "echo")
    kept.keep({"m1": ServedModel(str(tmp_path), "")})
    url = kept.urls()["m1"]
    (answer,) = answer_all([url], [PROMPT], max_tokens=4, body=load_engine("echo").body)
    assert answer.text == "refund"
    assert engines_of_others.Echo.asked[-1]["of_others"] is True
    kept.stop()
    assert kept.urls() == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stubborn", "did not return within 0.05 s"),
        ("broken", "RuntimeError: no card for model.gguf"),
        ("gone", "'gone' of engines cannot be loaded"),
        ("nothing", "There is no 'nothing' among engines"),
    ],
)
def test_an_engine_that_does_not_begin_is_one_line_and_the_provider_answers(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    said: str,
) -> None:
    monkeypatch.setattr(engines, "LIMIT_S", 0.05)
    kept = keeper(workspace, name)
    for _ in range(2):
        kept.keep({"m1": ServedModel(str(tmp_path), "")})
    assert kept.urls() == {}
    (line,) = [record.message for record in caplog.records]
    assert line.startswith("Model m1 is not served, so the provider answers: ")
    assert said in line
    assert "\n" not in line


def test_an_engine_that_does_not_stop_is_left(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engines, "LIMIT_S", 0.5)
    kept = keeper(workspace, "clinging")
    kept.keep({"m1": ServedModel(str(tmp_path), "")})
    assert list(kept.urls()) == ["m1"]
    kept.stop()
    assert kept.urls() == {}
    assert "The engine of model m1 was not stopped: TimeoutError" in caplog.text


def test_a_model_is_served_by_the_engine_that_it_was_checked_with_and_no_other(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workspace.store.registry.put_model(a_card(tmp_path))
    kept = keeper(workspace, "clinging")
    kept.keep({"m1": ServedModel(str(tmp_path), "")})
    assert kept.urls() == {}
    assert "was checked with the engine 'echo', and serve.engine is 'clinging'" in caplog.text
    served = keeper(workspace, "echo")
    served.keep({"m1": ServedModel(str(tmp_path), "")})
    assert list(served.urls()) == ["m1"]
    served.stop()


def test_a_proof_needs_an_engine_that_tells_log_probabilities(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="'mute' cannot logprobs"):
        load_engine("mute", "logprobs", "tokenize")
    with pytest.raises(SettingError, match="among engines"):
        load_engine("nothing")
    with pytest.raises(ParityError, match="checked with the engine 'echo', and serve"):
        prove_stage.prove_model(workspace, TASK, a_dataset(tmp_path), a_card(tmp_path), lambda _progress: None)


def test_another_engine_is_another_attempt(workspace: Workspace, tmp_path: Path) -> None:
    dataset, settings = a_dataset(tmp_path), prove_stage.proof_settings(workspace)
    cards = (a_card(tmp_path), a_card(tmp_path, parity={"is_ok": True}))
    assert len({prove_stage.proof_id(card, dataset, settings, is_compared=False) for card in cards}) == 2


def test_a_model_is_checked_with_the_engine_of_the_setting_and_again_with_another(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[tuple[str, str]] = []

    def check(_folder: Path, _examples: object, engine: type, url: str) -> Parity:
        checked.append((engine.__name__, engine.greedy(url, (), max_tokens=1).__class__.__name__))
        return Parity(is_ok=True, prompts=1, same_prompts=1)

    (tmp_path / "model.gguf").write_bytes(b"weights")
    workspace.store.registry.put_model(a_card(tmp_path, parity={}))
    monkeypatch.setattr(train_stage, "check_parity", check)
    monkeypatch.setattr(train_stage, "load", lambda _path: type("Frozen", (), {"dev": ()}))
    monkeypatch.setattr(train_stage, "model_file", lambda _task, _card: tmp_path / "model.gguf")
    for name in ("echo", "echo", "clinging"):
        if name == "clinging":
            monkeypatch.setattr(engines_of_others.Clinging, "stop", engines_of_others.Echo.stop)
        train_stage.check_model(with_engine(workspace, name), TASK, a_dataset(tmp_path), "m1", lambda _progress: None)
        assert workspace.model(TASK, "m1").engine == name
    assert checked == [("Echo", "Greedy"), ("Clinging", "Greedy")]


def test_a_model_is_served_for_as_long_as_a_block_runs(tmp_path: Path) -> None:
    with serving(load_engine("echo"), tmp_path / "model.gguf", log=tmp_path / "log") as url:
        assert answer_all([url], [PROMPT], max_tokens=4)[0].text == "refund"
    with pytest.raises(EngineError):
        answer_all([url], [PROMPT], max_tokens=4, body=_refusing)


def _refusing(_prompt: Prompt, *, max_tokens: int) -> dict[str, Any]:
    raise EngineError(f"nothing is asked with {max_tokens}", hint="")


def test_an_engine_that_cannot_be_loaded_leaves_live_traffic_to_the_provider(caplog: pytest.LogCaptureFixture) -> None:
    assert live_body("gone") is None
    assert caplog.text.count("No owned model is asked, so the provider answers: 'gone' of engines") == 1
    assert live_body("llamacpp") is load_engine("llamacpp").body


def test_an_engine_that_raises_in_a_check_or_a_proof_is_one_line(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.gguf").write_bytes(b"weights")
    workspace.store.registry.put_model(a_card(tmp_path, parity={}))
    monkeypatch.setattr(train_stage, "load", lambda _path: type("Frozen", (), {"dev": ()}))
    for stage in (train_stage, generator):
        monkeypatch.setattr(stage, "model_file", lambda _task, _card: tmp_path / "model.gguf")
    broken = with_engine(workspace, "broken")
    with pytest.raises(DataError, match=r"'broken' of engines failed: RuntimeError: no card for model\.gguf"):
        train_stage.check_model(broken, TASK, a_dataset(tmp_path), "m1", lambda _progress: None)
    with (
        pytest.raises(DataError, match="'broken' of engines failed: RuntimeError"),
        asking_student(broken, TASK, workspace.model(TASK, "m1")),
    ):
        pass
