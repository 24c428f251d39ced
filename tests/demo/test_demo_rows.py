"""Rows of a folder as traffic: read with their mistakes named, shuffled by seed, answered by a stand-in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from freehold.demo.rows import as_text, default_prompt, read_folder, read_rows, requests, write_answers
from freehold.errors import FreeholdError

ROW = '{"id": "1", "input": "hello", "gold": "greet"}\n'


def _folder(place: Path, **files: str) -> Path:
    for name, text in files.items():
        (place / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return place


def test_a_folder_has_training_rows_and_held_out_ones(tmp_path: Path) -> None:
    train, held_out, name = read_folder(_folder(tmp_path, train=ROW * 3, valid=ROW, dev=ROW))
    assert (len(train), len(held_out), name) == (3, 1, "valid.jsonl")
    assert train[0].input == "hello"
    assert not train[0].is_json


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no rows"),
        (ROW + "{broken\n", "line 2 is not a row"),
        ("[1]\n", "line 1 is not a row"),
        ('{"input": "a"}\n', "line 1 is not a row"),
        ('{"input": 1, "gold": "a"}\n', "input, gold or teacher is unusable"),
        ('{"input": "a", "gold": null}\n', "input, gold or teacher is unusable"),
        ('{"input": "a", "gold": "b", "teacher": "c"}\n', "input, gold or teacher is unusable"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FreeholdError, match=words):
        read_rows(_folder(tmp_path, train=text) / "train.jsonl")


@pytest.mark.parametrize("files", [{}, {"test": ROW}, {"train": ROW}])
def test_a_folder_without_its_files_says_what_is_missing(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(FreeholdError, match=r"train.jsonl|held-out"):
        read_folder(_folder(tmp_path, **files))
    with pytest.raises(FreeholdError, match="no data folder"):
        read_folder(tmp_path / "nowhere")


def test_gold_may_be_json(tmp_path: Path) -> None:
    rows = read_rows(_folder(tmp_path, train='{"input": "a", "gold": {"intent": "ü"}}\n') / "train.jsonl")
    assert rows[0].is_json
    assert json.loads(rows[0].gold) == {"intent": "ü"}
    (request,) = requests(rows, prompt="P")
    assert request.arguments["response_format"] == {"type": "json_object"}
    assert rows[0].id == "train-1"


def test_the_order_is_the_seeds(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"id": str(n), "input": f"i{n}", "gold": "g"}) + "\n" for n in range(50))
    rows = read_rows(_folder(tmp_path, train=lines) / "train.jsonl")
    as_they_are = [request.row for request in requests(rows, prompt="P", seed=None)]
    shuffled = [request.row for request in requests(rows, prompt="P", seed=7)]
    assert as_they_are == [str(n) for n in range(50)]
    assert shuffled != as_they_are
    assert sorted(shuffled) == sorted(as_they_are)
    assert shuffled == [request.row for request in requests(rows, prompt="P", seed=7)]


def test_the_stand_in_answers_with_the_teacher_where_one_is_named(tmp_path: Path) -> None:
    line = '{"id": "1", "input": "a", "gold": "right", "teacher": {"big": "wrong"}}\n'
    rows = read_rows(_folder(tmp_path, train=line) / "train.jsonl")
    for teacher, expected in ((None, "right"), ("big", "wrong"), ("other", "right")):
        write_answers(tmp_path / "answers.jsonl", requests(rows, prompt="P", teacher=teacher))
        assert json.loads((tmp_path / "answers.jsonl").read_text()) == {"input": "a", "gold": expected}


def test_instructions_for_a_folder_without_any(tmp_path: Path) -> None:
    labels = "".join(json.dumps({"input": f"i{n}", "gold": "ab"[n % 2]}) + "\n" for n in range(40))
    assert "labels" in default_prompt(read_rows(_folder(tmp_path, train=labels) / "train.jsonl"))
    texts = "".join(json.dumps({"input": f"i{n}", "gold": f"a long text number {n}"}) + "\n" for n in range(40))
    assert "Rewrite" in default_prompt(read_rows(_folder(tmp_path, train=texts) / "train.jsonl"))
    assert as_text({"a": 1}) == '{"a": 1}'
