"""A move stands on the verdict as it was proven, on its receipt, and on the file that was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from compared import compared_estate, quiet, without_engine
from made import weights
from sqlalchemy import text

from freehold.core.task import Task
from freehold.errors import DataError, StateError
from freehold.loop.estate import Estate
from freehold.loop.exhibits import exhibits
from freehold.loop.grounds import check_grounds
from freehold.loop.kept_answers import answers_path
from freehold.loop.moving import move_plan
from freehold.loop.proving import prove_model


def _proven(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Estate, Task]:
    without_engine(monkeypatch)
    estate, task = compared_estate(folder, owned=lambda example: example.target)
    prove_model(estate, task, estate.dataset(task), estate.model(task), quiet)
    return estate, task


def _check(estate: Estate, task: Task) -> None:
    (verdict,) = estate.store.book.verdicts(task.id)
    check_grounds(estate, task, verdict, estate.model(task))


def test_a_verdict_names_the_file_and_the_answers_that_it_rests_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate, task = _proven(tmp_path, monkeypatch)
    (verdict,) = estate.store.book.verdicts(task.id)
    card = estate.model(task)
    assert verdict.model_sha256 == card.served_sha256
    assert verdict.answers["count"] > 0
    _check(estate, task)
    receipt = estate.store.receipts.of_verdict(verdict.id)
    assert receipt is not None
    named = {one.what: one.state for one in exhibits(estate, [receipt])}
    assert named[f"{verdict.answers['count']} answers of model model-1"] == "unchanged"
    path = answers_path(estate, card.id)
    path.write_bytes(path.read_bytes().replace(b"sorry", b"happy", 1))
    named = {one.what: one.state for one in exhibits(estate, [receipt])}
    assert named[f"{verdict.answers['count']} answers of model model-1"] == "changed"
    estate.store.close()


def _another_word(estate: Estate, task: Task) -> None:
    (verdict,) = estate.store.book.verdicts(task.id)
    document = msgspec.to_builtins(verdict) | {"decision": "hold" if verdict.decision == "move" else "move"}
    with estate.store._database.writing() as connection:
        connection.execute(
            text("UPDATE verdicts SET document = :document WHERE id = :id"),
            {"document": msgspec.json.encode(document).decode(), "id": verdict.id},
        )


def _another_file(estate: Estate, task: Task) -> None:
    Path(estate.model(task).path, "model.gguf").write_bytes(b"GGUF of somebody else")


def _another_file_and_card(estate: Estate, task: Task) -> None:
    card = estate.model(task)
    estate.store.book.put_model(replace(card, **weights(Path(card.path), b"GGUF of somebody else")))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (_another_word, DataError, "is not what receipt 1 says"),
        (_another_file, StateError, "is not that of model"),
        (_another_file_and_card, DataError, "not the one that receipt 1 says was proven"),
    ],
)
def test_what_was_changed_moves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Estate, Task], None],
    error: type[Exception],
    words: str,
) -> None:
    estate, task = _proven(tmp_path, monkeypatch)
    change(estate, task)
    with pytest.raises(error, match=words):
        _check(estate, task)
    estate.store.close()


def test_an_unproven_verdict_that_says_move_is_refused_by_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_engine(monkeypatch)
    estate, task = compared_estate(tmp_path, owned=lambda example: "something else")
    verdict = prove_model(estate, task, estate.dataset(task), estate.model(task), quiet)
    assert verdict.decision != "move"
    _another_word(estate, task)
    with pytest.raises(DataError, match="is not what receipt 1 says"):
        move_plan(estate, task.name)
    estate.store.close()
