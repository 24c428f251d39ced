"""What enters a proof: never what its model learnt from, and as one attempt, whoever else proves at the same moment."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from made import a_workspace, triage_calls

from freehold.errors import BusyError
from freehold.freeze import load
from freehold.freeze.run.freeze import freeze
from freehold.model import Example, ModelCard
from freehold.model.exchange import Message
from freehold.prove.run.contamination import contamination
from freehold.prove.run.eligibility import entry_of
from freehold.sort.run.sort import sort_new_calls
from freehold.store import Store


def call(number: int, text: str = "", user: str = "") -> Example:
    return Example(
        id=f"c{number}",
        messages=(
            Message("user", text or f"{number} parcels of kind {number * 7919} went to street {number * 104729}"),
        ),
        target="a",
        incumbent="a",
        source="provider",
        group=f"user:{user}" if user else f"call:c{number}",
        created_at=float(number),
    )


def test_nothing_that_was_learnt_enters() -> None:
    learnt = [call(i) for i in range(100)]
    repeated = call(205, text=learnt[5].messages[0].content)
    found = contamination([call(50), *(call(i) for i in range(200, 205)), repeated], learnt, near_duplicate=0.9)
    assert found.left_out == {"c50": "trained on", "c205": "nearly trained on"}


def test_nothing_from_before_the_training_cut_off_enters() -> None:
    learnt = [call(i) for i in range(0, 100, 2)]
    found = contamination([call(97), call(98), call(99), call(101)], learnt, near_duplicate=0.9)
    assert found.left_out == {
        "c97": "older than the training cut-off",
        "c98": "trained on",
    }


def test_users_that_were_learnt_from_stay_out_while_enough_others_are_left() -> None:
    learnt = [call(i, user=f"u{i % 5}") for i in range(100)]
    strangers = [call(i, user=f"v{i}") for i in range(200, 260)]
    known = [call(i, user=f"u{i % 5}") for i in range(300, 340)]
    found = contamination([*strangers, *known], learnt, near_duplicate=0.9)
    assert set(found.left_out) == {example.id for example in known}
    assert found.of_trained_users == 0
    found = contamination([*strangers[:10], *known], learnt, near_duplicate=0.9)
    assert found.left_out == {}
    assert found.of_trained_users == 40


def test_inputs_that_were_learnt_stay_out_while_enough_others_are_left() -> None:
    learnt = [call(i) for i in range(40)]
    again = [call(200 + i, text=learnt[i % 40].messages[0].content) for i in range(80)]
    new = [call(i) for i in range(300, 360)]
    found = contamination([*again, *new], learnt, near_duplicate=0.9)
    assert set(found.left_out) == {example.id for example in again}
    assert found.of_learnt_inputs == 0
    found = contamination([*again, *new[:40]], learnt, near_duplicate=0.9)
    assert (found.left_out, found.of_learnt_inputs) == ({}, 80)


def test_a_call_about_which_no_model_is_asked_is_like_no_other() -> None:
    learnt = [call(i) for i in range(40)]
    image = Example(**{**_fields(call(205)), "messages": (), "aside": "not_plain"})
    assert contamination([image, call(206)], learnt, near_duplicate=0.9).left_out == {}


def test_a_clock_that_jumped_far_ahead_leaves_nothing_to_prove_on() -> None:
    learnt = [*(call(i) for i in range(50)), Example(**{**_fields(call(51)), "created_at": 1e12})]
    found = contamination([call(200), call(201)], learnt, near_duplicate=0.9)
    assert set(found.left_out.values()) == {"older than the training cut-off"}


def test_a_fresh_proof_leaves_out_what_others_looked_at_and_stays_the_same_when_given_again(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    workspace.store.calls.add(triage_calls(120))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    freeze(workspace, task, lambda _progress: None)
    dataset = workspace.dataset(task)
    card = ModelCard(
        id="m",
        task_id=task.id,
        base="b",
        base_sha256="s",
        dataset_hash=dataset.id,
        recipe={},
        seed=0,
        metrics={},
        path="",
    )
    proof = load(Path(dataset.path)).proof
    first = entry_of(workspace, task, dataset, card, proof_id="p1", is_fresh=True)
    assert first.left_out == {}
    assert first.claim(proof[:7]).number == 1
    assert entry_of(workspace, task, dataset, card, proof_id="p1", is_fresh=True).left_out == {}
    second = entry_of(workspace, task, dataset, card, proof_id="p2", is_fresh=True)
    assert set(second.left_out) == {example.id for example in proof[:7]}
    with pytest.raises(BusyError, match="looked at 2 of these calls meanwhile"):
        second.claim(proof[5:])
    assert entry_of(workspace, task, dataset, card, proof_id="p3", is_fresh=False).left_out == {}
    workspace.store.close()


def _fields(example: Example) -> dict[str, object]:
    return {name: getattr(example, name) for name in Example.__dataclass_fields__}


def _claim(url: str, names: list[str]) -> list[tuple[str, int]]:
    store = Store(url)
    try:
        return [(name, store.attempts.claim("t", name, [name], 1.0).number) for name in names]
    finally:
        store.close()


def test_processes_that_prove_at_once_spend_different_levels(url: str) -> None:
    Store(url).close()
    names = [[f"p{j}" for j in range(i, i + 6)] for i in range(4)]  # they share most of them
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = [claimed for rows in pool.map(_claim, [url] * 4, names) for claimed in rows]
    numbers = dict(found)
    assert all(numbers[name] == number for name, number in found)
    assert sorted(numbers.values()) == list(range(1, 10))
