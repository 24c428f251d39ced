"""Canaries, shadows and what was taken back, as people put them and are shown them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from made import an_estate, triage_calls, weights

from freehold.cli.commands import cli
from freehold.core import ModelCard, Verdict
from freehold.loop.estate import Estate
from freehold.loop.freezing import freeze
from freehold.loop.sorting import sort_new_calls
from freehold.loop.watching import Watching
from freehold.route import rolled_back


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Estate]:
    """A task with a checked model and no verdict, in the folder where the command line looks."""
    monkeypatch.chdir(tmp_path)
    estate = an_estate(tmp_path / ".freehold")
    estate.store.calls.add(triage_calls(120))
    sort_new_calls(estate)
    (task,) = estate.store.book.tasks()
    dataset = freeze(estate, task, lambda _progress: None)
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
        estate.store.book.put_model(card)
    yield estate
    estate.store.close()


def _prove(estate: Estate, verdict_id: str = "v1", decision: Any = "move", created_at: float = 7.0) -> None:
    (task,) = estate.store.book.tasks()
    dataset = estate.dataset(task)
    estate.store.book.put_verdict(
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


def _name(estate: Estate) -> str:
    return estate.store.book.tasks()[0].name


def test_a_shadow_needs_a_checked_model_and_no_verdict(estate: Estate) -> None:
    name = _name(estate)
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
    route = estate.store.book.route(estate.task(name).id)
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
def test_a_route_that_makes_no_sense_is_refused_in_one_line(estate: Estate, words: tuple[str, ...], says: str) -> None:
    _prove(estate)
    done = _run("move", _name(estate), *words)
    assert done.exit_code in (1, 2)
    assert says in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert estate.store.book.route(estate.task(_name(estate)).id).version == 0


def test_a_canary_needs_a_verdict_and_carries_what_it_promised(estate: Estate) -> None:
    name = _name(estate)
    assert "Nothing has been proven" in _run("move", name, "--ramp").stderr
    _prove(estate, decision="hold")
    assert "not 'move'" in _run("move", name, "--ramp").stderr
    _prove(estate, "v-later")
    done = _run("move", name, "--ramp", "--harm", "0.03")
    assert "audits   5.0% of local answers are also asked of the provider; while it ramps, half of them" in done.stderr
    assert "at most 3.00% more failures per call" in done.stderr
    route = estate.store.book.route(estate.task(name).id)
    assert (route.kind, route.harm, route.shadow_rate, route.audit_rate) == ("canary", 0.03, 1.0, 0.05)
    assert (route.risk, route.contract, route.withheld) == (0.05, "A", ("label:refund",))
    assert route.expected["models"] == ["m-1"]
    assert "canary 0%" in _run("status").stdout
    Watching(estate).look()
    assert "canary 3%" in _run("status").stdout
    assert estate.store.watches.lives()[route.task_id].audit_rate >= 0.5
    detail = _run("status", name).stdout
    assert "contract" in detail
    assert "ramp: 3% at 0" in detail


def test_what_evidence_took_back_moves_no_more_unless_a_person_wants_it(estate: Estate) -> None:
    name = _name(estate)
    _prove(estate)
    assert _run("move", name).exit_code == 0
    route = estate.store.book.route(estate.task(name).id)
    estate.store.book.put_route(rolled_back(route, created_at=route.created_at + 60, reason="7 of 9 audits disagreed"))
    shown = " ".join(_run("status").stdout.split())
    assert "rolled back" in shown
    assert "7 of 9 audits disagreed" in shown
    assert "taken back by live evidence" in _run("tasks").stdout
    refused = _run("move", name)
    assert refused.exit_code == 1
    assert "7 of 9 audits disagreed" in refused.stderr
    assert "--again" in refused.stderr
    assert _run("move", name, "--again").exit_code == 0
    assert estate.store.book.route(route.task_id).version == 3
    assert _run("back", name).exit_code == 0
    assert "--again" in _run("move", name).stderr
    _prove(estate, "v-of-a-better-model")
    assert _run("move", name).exit_code == 0


def test_a_plan_says_what_makes_a_verdict_stale(estate: Estate) -> None:
    name = _name(estate)
    _prove(estate)
    planned = _run("move", name, "--dry-run")
    assert "stale    evidence is old: its newest call came" in planned.stderr
    assert "; audits are raised" in planned.stderr
    assert _run("move", name).exit_code == 0
    _prove(estate, "v-proven-now", created_at=time.time())
    assert "stale" not in _run("move", name, "--dry-run").stderr
