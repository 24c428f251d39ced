"""Probes: a provider that is as it was is left alone however noisy it is; one that changed is found, and said."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared import Answer, compared_workspace, quiet, rented, said, text_calls

from freehold.errors import BusyError, DataError, UpstreamError
from freehold.model import Route
from freehold.model.task import Task
from freehold.net.provider_client import Asking, Reply
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.budgeted_batch import Budget, Replies
from freehold.prove.run.self_consistency import ask_again, plan_noise
from freehold.watch.run.monitor import Monitor
from freehold.watch.run.monitor_status import monitor_status_of
from freehold.watch.run.probe import KINDS, Probe, ProbeFound, changes, plan_probe, probe, weigh

ASKING = Asking({}, lambda _seconds: None)


def noisy(words: Callable[[random.Random], str]) -> Callable[[dict[str, Any], int], Answer]:
    """A provider whose answers vary with each request."""
    return lambda _body, number: said(words(random.Random(f"r {number}")))


def usual(rng: random.Random) -> str:
    return "We are sorry and will see to it " + " ".join(rng.choices("today soon gladly at once again".split(), k=4))  # noqa: SIM905


def curt(rng: random.Random) -> str:
    return rng.choice(["No.", "Nope.", "Ask again."])


def asked(workspace: Workspace, task: Task, count: int, budget: float | None = None) -> ProbeFound:
    return probe(workspace, plan_probe(workspace, task.name, count), Budget(budget), ASKING, quiet)


def baseline(workspace: Workspace, task: Task, count: int = 100) -> None:
    ask_again(workspace, plan_noise(workspace, task.name, count), Budget(None), ASKING, quiet)


def test_an_unchanged_provider_is_not_called_changed_however_noisy_it_is(tmp_path: Path) -> None:
    with rented(noisy(usual)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings())
        baseline(workspace, task)
        found = [asked(workspace, task, 20) for _ in range(3)]
        assert [one.observed for one in found] == [20, 40, 60]
        assert all(one.changed_at is None for one in found)
        assert found[-1].evidence < 1000
        assert "no change found in 60 probes" in found[-1].words
        assert len(provider.seen) == 100 + 60 or len(provider.seen) == len(set(provider.seen)) * 2


def test_a_changed_provider_is_found_within_thirty_probes_and_the_proof_goes_stale(tmp_path: Path) -> None:
    with rented(noisy(usual)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings(), calls=text_calls(160))
        baseline(workspace, task)
        put_route(workspace, task)
        Monitor(workspace).look()
        provider.answer = noisy(curt)
        found = asked(workspace, task, 40)
    assert found.changed_at is not None
    assert found.changed_at <= 30
    watching = Monitor(workspace)
    watching.look()
    route = workspace.store.registry.route(task.id)
    live = workspace.store.watches.lives()[task.id]
    assert live.stale == (found.words,)
    assert live.audit_rate == pytest.approx(3 * route.audit_rate)
    standing = monitor_status_of(workspace, route)
    assert standing is not None
    assert standing.stale == (found.words,)
    later = replace(route, version=2, expected={"created_at": 1e12})
    workspace.store.registry.put_route(later)
    Monitor(workspace).look()
    assert workspace.store.watches.lives()[task.id].stale == ()


def test_a_call_is_a_probe_once(tmp_path: Path) -> None:
    with rented(noisy(usual)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings())
        with pytest.raises(DataError, match="answered by the provider once only"):
            plan_probe(workspace, task.name, 5)
        baseline(workspace, task, 30)
        asked(workspace, task, 30)
        before = len(provider.seen)
        with pytest.raises(DataError, match="has been a probe") as caught:
            plan_probe(workspace, task.name, 5)
        assert f"--noise {200}" in caught.value.hint
        assert len(provider.seen) == before
        baseline(workspace, task, 40)
        assert len(plan_probe(workspace, task.name, 100).requests) == 10


def test_what_was_not_asked_in_time_is_asked_next_and_counts_in_its_place(tmp_path: Path) -> None:
    with rented(noisy(usual)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings())
        baseline(workspace, task, 40)
        first = asked(workspace, task, 20, budget=0.0105)
        assert first.asked.left > 0
        plan = plan_probe(workspace, task.name, 20)
        assert len(plan.requests) == 20
        assert plan.fresh == 20 - first.asked.left
        assert asked(workspace, task, 20).observed == 20 + plan.fresh


def test_a_provider_that_is_down_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    with rented(noisy(usual)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings())
        baseline(workspace, task, 40)
        provider.answer = lambda _body, _number: (401, {}, b"{}")
        with pytest.raises(UpstreamError):
            asked(workspace, task, 20)
        provider.answer = noisy(usual)
        assert asked(workspace, task, 20).observed == 20


def test_a_damaged_list_is_one_line(tmp_path: Path) -> None:
    with rented(noisy(usual)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings())
        baseline(workspace, task, 30)
        asked(workspace, task, 10)
        (path,) = workspace.folder("proofs").glob("*.probes.json")
        path.write_bytes(b"[{")
        with pytest.raises(DataError, match="cannot be read"):
            plan_probe(workspace, task.name, 5)


def test_others_that_keep_writing_the_watch_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with rented(noisy(usual)) as provider:
        workspace, task = compared_workspace(tmp_path, provider=provider.settings())
        baseline(workspace, task, 30)
        monkeypatch.setattr(workspace.store.watches, "put", lambda _row: False)
        with pytest.raises(BusyError, match="keep writing"):
            asked(workspace, task, 10)


def test_second_and_third_answer_may_be_swapped() -> None:
    one = Probe(id="c", kind="json", first='{"a": 1, "b": 2}', second='{"a": 1, "b": 3}')
    third = "no JSON at all, and longer than that"
    there = changes(one, third)
    back = changes(replace(one, second=third), one.second)
    assert there == {kind: pytest.approx(-value) for kind, value in back.items()}
    assert set(there) == set(KINDS)
    assert there["parse"] == -1.0
    assert changes(one, one.second) == dict.fromkeys(KINDS, 0.0)


def test_probes_count_in_the_order_in_which_they_were_planned(tmp_path: Path) -> None:
    probes = [Probe(id=f"c{i}", kind="text", first="a b c", second="a b c d") for i in range(9)]
    replies = Replies(tmp_path / "r")
    for number in (8, 0, 1, 2, 5):
        replies.put(Reply(key=f"c{number}", text="x"))
    replies.put(Reply(key="c3", problem="400: no"))
    drift, changed_at = weigh(probes, replies, 36_500.0)
    assert (drift.observed, changed_at) == (4, None)


def put_route(workspace: Workspace, task: Task) -> None:
    route = Route(
        task_id=task.id,
        version=1,
        kind="cascade",
        model_id="model-1",
        threshold=0.5,
        audit_rate=0.05,
        output_kind="text",
        template=task.template.to_json(),
        risk=0.05,
        expected={"created_at": time.time() - 100.0},
        created_at=1.0,
    )
    workspace.store.registry.put_route(route)
