"""Canaries, shadows and what was taken back, as people put them and are shown them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from made import a_workspace, triage_calls, weights

from freehold.cli.commands import cli
from freehold.freeze.run.freeze import freeze
from freehold.model import ModelCard, Verdict
from freehold.pipeline.workspace import Workspace
from freehold.route import rolled_back
from freehold.sort.run.sort import sort_new_calls
from freehold.watch.run.monitor import Monitor


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A task with a checked model and no verdict, in the folder where the command line looks."""
    monkeypatch.chdir(tmp_path)
    workspace = a_workspace(tmp_path / ".freehold")
    workspace.store.calls.add(triage_calls(120))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    dataset = freeze(workspace, task, lambda _progress: None)
    for name, is_ok in (("unchecked", False), ("m1", True)):
        card = ModelCard(
            id=name,
            task_id=task.id,
            base="b",
            base_sha256="c",
            dataset_hash=dataset,
            recipe={},
            seed=0,
            metrics={"max_output_tokens": 40},
            **weights(tmp_path / "models" / name),
            parity={"is_ok": is_ok},
            created_at=float(is_ok),
        )
        workspace.store.registry.put_model(card)
    yield workspace
    workspace.store.close()


def _prove(workspace: Workspace, verdict_id: str = "v1", decision: Any = "move", created_at: float = 7.0) -> None:
    (task,) = workspace.store.registry.tasks()
    dataset = workspace.dataset(task)
    workspace.store.registry.put_verdict(
        Verdict(
            id=verdict_id,
            task_id=task.id,
            model_id="m1",
            dataset_hash=dataset.id,
            decision=decision,
            threshold=0.8 if decision == "move" else None,
            coverage=0.6,
            margin=0.02,
            risk=0.05,
            contract="A",
            withheld=("label:refund",),
            expected={"models": ["m-1"], "created_at": created_at},
            created_at=float(len(verdict_id)),
        )
    )


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), prog_name="freehold")


def _name(workspace: Workspace) -> str:
    return workspace.store.registry.tasks()[0].name


def test_a_shadow_needs_a_checked_model_and_no_verdict(workspace: Workspace) -> None:
    name = _name(workspace)
    planned = _run("move", name, "--shadow", "--dry-run", "--json")
    assert json.loads(planned.stdout) == {
        "task": name,
        "route": "shadow",
        "version": 1,
        "threshold": None,
        "model": "m1",
        "audit_rate": 0.0,
        "risk": None,
        "harm": None,
        "shadow_rate": 1.0,
        "is_dry_run": True,
    }
    assert "effect   none for clients; 100% of calls are also asked of the owned model" in planned.stderr
    assert _run("move", name, "--shadow", "--shadow-rate", "0.25").exit_code == 0
    route = workspace.store.registry.route(workspace.task(name).id)
    assert (route.kind, route.model_id, route.shadow_rate, route.max_output_tokens) == ("shadow", "m1", 0.25, 40)
    assert json.loads(_run("status", name, "--json").stdout)["route"] == "shadow"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--shadow", "--model", "unchecked"), "parity was never checked"),
        (("--shadow", "--model", "nobody"), "no model 'nobody'"),
        (("--shadow", "--shadow-rate", "0"), "compares nothing"),
        (("--shadow", "--ramp"), "two routes"),
        (("--shadow", "--harm", "0.1"), "--harm says nothing"),
        (("--model", "m1"), "--model goes with --shadow"),
        (("--ramp", "--harm", "0"), "route.harm"),
        (("--ramp", "--harm", "nan"), "route.harm"),
        (("--ramp", "--harm", "2"), "route.harm"),
        (("--ramp", "--shadow-rate", "-1"), "route.shadow_rate"),
    ],
)
def test_a_route_that_makes_no_sense_is_refused_in_one_line(
    workspace: Workspace, words: tuple[str, ...], says: str
) -> None:
    _prove(workspace)
    done = _run("move", _name(workspace), *words)
    assert done.exit_code in (1, 2)
    assert says in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert workspace.store.registry.route(workspace.task(_name(workspace)).id).version == 0


def test_a_canary_needs_a_verdict_and_carries_what_it_promised(workspace: Workspace) -> None:
    name = _name(workspace)
    assert "Nothing has been proven" in _run("move", name, "--ramp").stderr
    _prove(workspace, decision="hold")
    assert "not 'move'" in _run("move", name, "--ramp").stderr
    _prove(workspace, "v-later")
    done = _run("move", name, "--ramp", "--harm", "0.03")
    assert "audits   5.0% of local answers are also asked of the provider; while it ramps, half of them" in done.stderr
    assert "at most 3.00% more failures per call" in done.stderr
    route = workspace.store.registry.route(workspace.task(name).id)
    assert (route.kind, route.harm, route.shadow_rate, route.audit_rate) == ("canary", 0.03, 1.0, 0.05)
    assert (route.risk, route.contract, route.withheld) == (0.05, "A", ("label:refund",))
    assert route.expected["models"] == ["m-1"]
    assert "canary 0%" in _run("status").stdout
    Monitor(workspace).look()
    assert "canary 3%" in _run("status").stdout
    assert workspace.store.watches.lives()[route.task_id].audit_rate >= 0.5
    detail = _run("status", name).stdout
    assert "contract" in detail
    assert "ramp: 3% at 0" in detail


def test_what_evidence_took_back_moves_no_more_unless_a_person_wants_it(workspace: Workspace) -> None:
    name = _name(workspace)
    _prove(workspace)
    assert _run("move", name).exit_code == 0
    route = workspace.store.registry.route(workspace.task(name).id)
    workspace.store.registry.put_route(
        rolled_back(route, created_at=route.created_at + 60, reason="7 of 9 audits disagreed")
    )
    shown = " ".join(_run("status").stdout.split())
    assert "rolled back" in shown
    assert "7 of 9 audits disagreed" in shown
    assert "taken back by live evidence" in _run("tasks").stdout
    refused = _run("move", name)
    assert refused.exit_code == 1
    assert "7 of 9 audits disagreed" in refused.stderr
    assert "--again" in refused.stderr
    assert _run("move", name, "--again").exit_code == 0
    assert workspace.store.registry.route(route.task_id).version == 3
    assert _run("back", name).exit_code == 0
    assert "--again" in _run("move", name).stderr
    _prove(workspace, "v-of-a-better-model")
    assert _run("move", name).exit_code == 0


def test_a_plan_says_what_makes_a_verdict_stale(workspace: Workspace) -> None:
    name = _name(workspace)
    _prove(workspace)
    planned = _run("move", name, "--dry-run")
    assert "stale    evidence is old: its newest call came" in planned.stderr
    assert "; audits are raised" in planned.stderr
    assert _run("move", name).exit_code == 0
    _prove(workspace, "v-proven-now", created_at=time.time())
    assert "stale" not in _run("move", name, "--dry-run").stderr
