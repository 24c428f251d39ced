"""Engines of running gateways: a model that cannot be served is said once, and served when it can be."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made import a_workspace, chat_body, weights
from watch.moved import Moved

from freehold.app.lazy_workspace import LazyWorkspace
from freehold.app.wiring import GatewayContext, gateway_settings
from freehold.dialects import read_request
from freehold.errors import EngineError
from freehold.gateway.oversight import Oversight
from freehold.model import ModelCard
from freehold.record import Journal, Recorder
from freehold.route.run.directory import ServedModel
from freehold.serve.run import engines
from freehold.serve.run.engines import EngineList, Engines, engine_file
from freehold.settings import load_settings


class Fake:
    """An engine that serves any file that is there."""

    def __init__(self, gguf: Path, **_options: Any) -> None:
        if not gguf.exists():
            raise EngineError(f"There is no model file {str(gguf)!r}.", hint="Train the task again.")
        self.url: str | None = "http://127.0.0.1:1"

    def start(self) -> None:
        """Serve."""

    def stop(self) -> None:
        """Serve no more."""
        self.url = None


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_a_model_file_that_comes_back_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    monkeypatch.setattr(engines, "load_engine", lambda _name: Fake)
    monkeypatch.setattr(engines, "time", clock)
    workspace = a_workspace(tmp_path / ".freehold")
    keeper, listed = Engines(workspace.settings, lambda: workspace.store), EngineList(engine_file(workspace.settings))
    wanted = {"m1": ServedModel(str(tmp_path), "")}
    for _ in range(3):
        keeper.keep(wanted)
        keeper.list_them()
        listed.refresh()
        assert (keeper.urls(), listed.url("m1")) == ({}, None)
        clock.now += engines.TRY_AGAIN_S
    assert caplog.text.count("is not served, so the provider answers") == 1
    (tmp_path / engines.MODEL_FILE).write_bytes(b"model")
    keeper.keep(wanted)
    keeper.list_them()
    listed.refresh()
    assert listed.url("m1") == "http://127.0.0.1:1"
    keeper.stop()
    assert keeper.urls() == {}
    assert json.loads(engine_file(workspace.settings).read_text(encoding="utf-8")) == {"m1": "http://127.0.0.1:1"}
    workspace.store.close()


def test_a_card_that_names_another_file_than_its_route_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever swaps the file and the hash on its card has still not proven it."""
    monkeypatch.setattr(engines, "load_engine", lambda _name: Fake)
    workspace = a_workspace(tmp_path / ".freehold")
    of = {"base": "b", "base_sha256": "0", "dataset_hash": "d", "recipe": {}, "seed": 0, "metrics": {}}
    workspace.store.registry.put_model(ModelCard(id="m1", task_id="t", **weights(tmp_path, b"another"), **of))
    keeper = Engines(workspace.settings, lambda: workspace.store)
    keeper.keep({"m1": ServedModel(str(tmp_path), hashlib.sha256(b"model").hexdigest())})
    assert keeper.urls() == {}
    assert "another file than its route was proven with" in caplog.text
    workspace.store.close()


def test_a_request_brings_what_bounds_its_call(moved: Moved) -> None:
    settings = moved.workspace.settings
    task = moved.workspace.task(moved.task_id)
    own = replace(settings, tasks={task.name: {"slack_ms": 900.0}})
    for number in range(5):
        moved.rented(latency_ms=1000.0 + number, gateway_ms=400.0)
    moved.rented(latency_ms=1.0, status=503)
    around = GatewayContext(own, LazyWorkspace(own))
    asked = read_request("openai-chat", chat_body("refund of order 7 please"))
    around.directory.refresh()
    moved.put(expected={"owned_p95_ms": 120.0})
    around.directory.refresh()
    placed = around.find(asked, None)
    assert placed is not None
    assert (placed.slack_s, placed.slow_s) == (0.9, 0.36)
    assert placed.provider_ms[-5:] == (600.0, 601.0, 602.0, 603.0, 604.0)
    around.late.close()


def test_a_model_without_an_engine_is_told_of(moved: Moved, tmp_path: Path) -> None:
    settings = moved.workspace.settings
    around = GatewayContext(settings, LazyWorkspace(settings))
    around.refresh()
    assert around.unserved() == []
    moved.put(model_path="/models/m1")
    around.refresh()
    assert around.unserved() == ["m1"]
    recorder = Recorder(Journal(tmp_path))
    oversight = Oversight(unserved=around.unserved, engine_problem=lambda: "m2 is hung for 3 s")
    readiness = oversight._readiness(recorder, providers=1)
    assert readiness.engine_problem == "m1 is not served; the provider answers its calls; m2 is hung for 3 s"
    assert readiness.is_ready
    path = engine_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"m1": "http://127.0.0.1:1"}), encoding="utf-8")
    around.refresh()
    assert around.unserved() == []
    moved.put(kind="rented")
    path.unlink()
    around.refresh()
    assert around.unserved() == []
    recorder.close()
    around.late.close()


def test_workers_share_the_slots_of_an_engine() -> None:
    settings = load_settings(environment={})
    for workers, slots in ((1, 8), (2, 4), (3, 2), (16, 1)):
        assert gateway_settings(settings.override({"gateway.workers": workers})).engine_slots == slots
