"""Kept answers are sealed: what was edited, moved or taken out is asked for again, and the rest is not."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from freehold.model import Example, Message, OwnedAnswer
from freehold.prove.run.kept_answers import KEY_FILE, KeptAnswers, seal_at

Lines = list[bytes]


def _example(number: int) -> Example:
    return Example(
        id=f"e{number}",
        messages=(Message("user", f"case {number}"),),
        target="t",
        incumbent="t",
        source="call",
        group=f"g{number}",
        created_at=0.0,
    )


EXAMPLES = [_example(number) for number in range(6)]


def _filled(path: Path, model: str = "a" * 64) -> KeptAnswers:
    kept = KeptAnswers(path, model)
    for number, example in enumerate(EXAMPLES):
        kept.put(example, OwnedAnswer(text=f"answer {number}", logprobs=(-0.1, -1e-9), latency_ms=1 / 3))
    return kept


def _known(path: Path, model: str = "a" * 64) -> list[str | None]:
    kept = KeptAnswers(path, model)
    return [None if (answer := kept.get(example)) is None else answer.text for example in EXAMPLES]


def test_answers_come_back_as_they_were_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    first = _filled(path)
    again = KeptAnswers(path, "a" * 64)
    assert [again.answer(example) for example in EXAMPLES] == [first.answer(example) for example in EXAMPLES]
    assert (again.sealed, again.unsealed) == (first.sealed, 0)
    assert first.sealed.count == len(EXAMPLES)
    assert {stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("m.jsonl", KEY_FILE)} == {0o600}


def _edited(lines: Lines) -> Lines:
    """The fourth answer, with other words."""
    row = json.loads(lines[4])
    row["answer"]["text"] = "answer that was wanted"
    return [*lines[:4], json.dumps(row).encode(), *lines[5:]]


def _resealed(lines: Lines) -> Lines:
    """The fourth answer, with the seal of the fifth."""
    row = json.loads(_edited(lines)[4]) | {"seal": json.loads(lines[5])["seal"]}
    return [*lines[:4], json.dumps(row).encode(), *lines[5:]]


def _swapped(lines: Lines) -> Lines:
    """The answers four and five under each other's input."""
    one, other = json.loads(lines[4]), json.loads(lines[5])
    one["key"], other["key"] = other["key"], one["key"]
    return [*lines[:4], json.dumps(one).encode(), json.dumps(other).encode(), *lines[6:]]


def _taken_out(lines: Lines) -> Lines:
    """Without the fourth."""
    return [*lines[:4], *lines[5:]]


@pytest.mark.parametrize("change", [_edited, _resealed, _swapped, _taken_out])
def test_a_changed_answer_and_those_after_it_are_not_known(tmp_path: Path, change: Callable[[Lines], Lines]) -> None:
    path = tmp_path / "m.jsonl"
    _filled(path)
    lines = path.read_bytes().strip().split(b"\n")
    path.write_bytes(b"\n".join(change(lines)))
    assert _known(path) == ["answer 0", "answer 1", "answer 2", None, None, None]
    kept = KeptAnswers(path, "a" * 64)
    assert kept.unsealed in (2, 3)
    kept.put(EXAMPLES[3], OwnedAnswer(text="asked again"))
    assert _known(path)[:4] == ["answer 0", "answer 1", "answer 2", "asked again"]


def test_a_line_that_a_kill_cut_short_costs_that_answer_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    _filled(path)
    path.write_bytes(path.read_bytes()[:-20])
    kept = KeptAnswers(path, "a" * 64)
    assert kept.get(EXAMPLES[5]) is None
    kept.put(EXAMPLES[5], OwnedAnswer(text="answer 5"))
    assert _known(path) == [f"answer {number}" for number in range(6)]


def test_answers_of_another_file_are_not_known(tmp_path: Path) -> None:
    """Weights under the same name that are others have answered nothing yet."""
    path = tmp_path / "m.jsonl"
    _filled(path)
    other = KeptAnswers(path, "b" * 64)
    assert other.get(EXAMPLES[0]) is None
    assert other.unsealed == len(EXAMPLES)
    other.put(EXAMPLES[0], OwnedAnswer(text="of b"))
    assert _known(path, "b" * 64) == ["of b", *[None] * 5]
    assert _known(path)[0] == "answer 0"


def test_answers_that_were_never_sealed_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    _filled(path)
    bare = [
        {name: row[name] for name in ("key", "answer")}
        for row in map(json.loads, path.read_bytes().strip().split(b"\n"))
        if "key" in row
    ]
    path.write_text("\n".join(map(json.dumps, bare)))
    assert _known(path) == [None] * 6
    assert KeptAnswers(path, "a" * 64).unsealed == 6


@pytest.mark.parametrize("junk", [b"\xff\xfe", b"[1]", b'{"key": 5}', b'{"model": null}', b"{" * 100_000])
def test_junk_in_the_file_is_passed_over(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "m.jsonl"
    _filled(path)
    with path.open("ab") as file:
        file.write(b"\n" + junk)
    assert _known(path) == [f"answer {number}" for number in range(6)]


def test_a_key_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    _filled(path)
    (tmp_path / KEY_FILE).write_text("no key")
    assert _known(path) == [None] * 6


def test_two_writers_seal_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    writers = [KeptAnswers(path, "a" * 64) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        for number, example in enumerate(EXAMPLES):
            pool.submit(writers[number % 3].put, example, OwnedAnswer(text=f"answer {number}"))
    assert _known(path) == [f"answer {number}" for number in range(6)]
    assert KeptAnswers(path, "a" * 64).unsealed == 0


def test_a_seal_stays_while_the_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    sealed = _filled(path).sealed
    KeptAnswers(path, "a" * 64).put(_example(7), OwnedAnswer(text="more"))
    assert seal_at(path, "a" * 64, sealed.count) == sealed.seal
    assert seal_at(path, "a" * 64, sealed.count + 2) is None
    assert seal_at(path, "a" * 64, 0) is None
    assert seal_at(path, "b" * 64, 1) is None
