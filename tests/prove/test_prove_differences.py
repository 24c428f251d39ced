"""Differences: worst first, what differs is marked, and nothing of an answer is lost or invented."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_proof import FACTS, make_dataset, model

from freehold.model.evidence.answers import DifferenceFigures
from freehold.prove import ProofSettings, prove
from freehold.prove.report.differences import Piece, by_word, side_by_side

WORDS = st.lists(st.sampled_from(["a", "b", "ä", ",", "\n", " ", "\u202e", "x" * 9]), max_size=40).map("".join)


def joined(pieces: tuple[Piece, ...], *, same: bool | None = None) -> str:
    return "".join(p.text for p in pieces if same is None or p.is_same is same)


@given(first=WORDS, second=WORDS)
def test_the_pieces_are_the_answer_and_agree_on_what_is_alike(first: str, second: str) -> None:
    left, right = by_word(first, second)
    assert joined(left) == first
    assert joined(right) == second
    assert joined(left, same=True) == joined(right, same=True)
    assert (joined(left, same=False) + joined(right, same=False) == "") == (first == second)


def test_only_the_words_that_differ_are_marked() -> None:
    left, right = by_word("refund the red shoes, please", "refund the blue shoes, please")
    assert joined(left, same=False) == "red"
    assert joined(right, same=False) == "blue"


def test_long_answers_are_compared_in_time_and_cut_with_counts() -> None:
    long = "a b " * 50_000
    left, right = shown_by_word(f"{long}x{long}", f"{long}y z{long}")
    assert [p.text for p in left if not p.is_same] == ["xa"]
    assert [p.text for p in right if not p.is_same] == ["y za"]
    assert all("characters alike" in p.text for p in (*left, *right) if p.is_same)
    left, right = shown_by_word("p " * 3000, "q " * 5000)
    assert "more characters" in left[0].text
    assert not left[0].is_same
    assert len(right[0].text) < 700


def shown_by_word(wanted: str, owned: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    shown = side_by_side(DifferenceFigures(wanted=wanted, owned=owned))
    return shown.wanted, shown.owned


def test_what_is_left_out_is_counted_once_and_wholly(tmp_path: Path) -> None:
    """The evidence keeps part of a long answer and the page a part of that: the count is of the whole answer."""
    folder = make_dataset(tmp_path / "dataset", kind="text", proof=40, dev=0, train=0)

    def shout(examples: Any) -> list[Any]:
        return [replace(a, text="z" * 100_000) for a in model(1.0)(examples)]

    verdict = prove(folder, answer=shout, settings=ProofSettings(), facts=FACTS, out_dir=tmp_path / "out")
    row = verdict.evidence["differences"][0]
    assert row["cut"] == {"owned": [0, 98_000]}
    (piece,) = side_by_side(verdict.figures.differences[0]).owned
    assert piece.text == "z" * 600 + " … (99,400 more characters)"


def test_json_differs_field_by_field() -> None:
    wanted = json.dumps({"intent": "refund", "order": None, "items": [1, True], "note": "same"})
    owned = json.dumps({"intent": "cancel", "order": "A-1", "items": [1], "note": "same"})
    row = DifferenceFigures(id="c1", wanted=wanted, owned=owned, provider=wanted, input="x" * 300)
    shown = side_by_side(row)
    assert [(f.path, f.wanted, f.owned) for f in shown.fields] == [
        ("intent", "“refund”", "“cancel”"),
        ("order", "null", "“A-1”"),
        ("items[1]", "true", "(left out)"),
    ]
    assert shown.fields_alike == 2
    assert shown.provider == ""
    assert shown.wanted == shown.owned == ()
    assert (len(shown.input), len(shown.more_input)) == (280, 20)


@pytest.mark.parametrize("owned", ["", "not JSON", '{"cut": "off', "7", "null", "[" * 10_000])
def test_what_is_no_json_is_compared_as_text(owned: str) -> None:
    shown = side_by_side(DifferenceFigures(wanted='{"a": 1}', owned=owned))
    assert shown.fields == ()
    assert joined(shown.wanted) == '{"a": 1}'


def test_the_worst_come_first(tmp_path: Path) -> None:
    def partly(examples: Any) -> list[Any]:
        given = model(0.85, is_telling=False)(examples)
        pairs = list(enumerate(zip(examples, given, strict=True)))
        return [replace(a, text=a.text.replace("wrong", f"{e.target} too")) if i % 2 else a for i, (e, a) in pairs]

    verdict = prove(
        make_dataset(tmp_path / "dataset", kind="text", proof=200, dev=60, train=40),
        answer=partly,
        settings=ProofSettings(risk=0.12),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    rows = verdict.evidence["differences"]
    used = [row for row in rows if row["is_local"]]
    passed_on = [row for row in rows if not row["is_local"]]
    assert rows == used + passed_on
    assert verdict.decision == "move"
    assert len(used) >= 5
    assert len({row["graded"] for row in passed_on}) == 2
    assert used == sorted(used, key=lambda row: -row["confidence"])
    assert passed_on == sorted(passed_on, key=lambda row: (row["graded"], -row["confidence"]))


def test_long_texts_are_cut_around_the_place_where_they_differ(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "dataset", kind="text", proof=40, dev=0, train=0)
    path = folder / "proof.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for row in rows:
        row["target"] = row["incumbent"] = "same " * 3_000 + "right" + " tail" * 900
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    def late(examples: Any) -> list[Any]:
        given = model(1.0)(examples)
        return [replace(a, text=a.text.replace("right", "WRONG")) for a in given]

    verdict = prove(folder, answer=late, settings=ProofSettings(), facts=FACTS, out_dir=tmp_path / "out")
    row = verdict.evidence["differences"][0]
    assert "right" in row["wanted"]
    assert "WRONG" in row["owned"]
    before, after = row["cut"]["wanted"]
    assert before > 0
    assert after > 0
    assert before + len(row["wanted"]) + after == len("same " * 3_000 + "right" + " tail" * 900)
    shown = side_by_side(verdict.figures.differences[0])
    assert shown.wanted[0].text == f"({before:,} characters before) … "
    assert shown.wanted[-1].text.endswith(f" … ({after:,} more characters)")
    assert max(map(len, (row["wanted"], row["owned"], row["provider"]))) < 2100
