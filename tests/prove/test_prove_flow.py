"""The whole proof on a small dataset: verdict, reports, bad input, and a golden text report."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from scripted_proof import FACTS, make_dataset, model

from freehold.errors import DataError, StateError
from freehold.model.dataset_folder import read_dataset
from freehold.model.engine import OwnedAnswer
from freehold.model.example import Example
from freehold.prove import ProofSettings, prove
from freehold.text.confidence import Calibrator

GOLDEN = Path(__file__).parent / "golden" / "report.txt"
HOSTILE = "</pre><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>"


LOADING = ("src", "href", "srcset", "xlink:href", "action", "data", "poster")


class Elements(HTMLParser):
    """Collects the elements of a page and what they would load."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.loads: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.loads += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "xlink:href", "action")
        ]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_a_good_model_moves_and_every_answer_is_asked_once(tmp_path: Path) -> None:
    asked: list[str] = []
    steps: list[tuple[str, int, int]] = []
    good = model(0.95)

    def answer(examples: Sequence[Example]) -> list[OwnedAnswer]:
        asked.extend(example.id for example in examples)
        return good(examples)

    verdict = prove(
        make_dataset(tmp_path / "dataset"),
        answer=answer,
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
        on_progress=lambda *step: steps.append(step),
    )
    assert (verdict.decision, verdict.task_id, verdict.model_id) == ("move", "task-1", "model-1")
    assert len(asked) == len(set(asked)) == 550
    assert steps[0] == ("dev", 0, 150)
    assert ("proof", 400, 400) in steps
    assert steps[-1] == ("baselines", 1, 1)
    assert verdict.coverage is not None
    assert verdict.coverage > 0.9
    assert Calibrator.from_json(verdict.head).score(OwnedAnswer(text="x", logprobs=(-0.01,) * 12)) > 0.5
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.json", "report.txt"]


def test_the_text_report_is_the_golden_one(tmp_path: Path) -> None:
    prove(
        make_dataset(tmp_path / "dataset"),
        answer=model(0.9),
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    report = (tmp_path / "out" / "report.txt").read_text("utf-8").replace(str(tmp_path), "FOLDER")
    assert report == GOLDEN.read_text("utf-8")


def test_the_json_report_holds_what_the_verdict_holds(tmp_path: Path) -> None:
    verdict = prove(
        make_dataset(tmp_path / "dataset"),
        answer=model(0.9),
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    written = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert written["evidence"] == json.loads(json.dumps(verdict.evidence))
    assert written["words"] == "move"
    assert [side["name"] for side in written["evidence"]["sides"]] == [
        "rented-large-1",
        "owned model",
        "most frequent answer",
        "bag of words per field",
    ]
    assert written["evidence"]["is_agreement"] is True
    per_month = 5000 * 30 * 0.0021 * verdict.coverage * 0.95  # type: ignore[operator]
    assert written["evidence"]["savings"]["per_month_usd"] == pytest.approx(per_month)


def test_the_page_stands_alone_and_escapes_what_calls_say(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "dataset")
    proof = folder / "proof.jsonl"
    rows = [json.loads(line) for line in proof.read_text("utf-8").splitlines()]
    for row in rows:
        row["messages"][0]["content"] += HOSTILE
    proof.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    hostile = replace(FACTS, provider=HOSTILE, base=HOSTILE, recipe={HOSTILE: HOSTILE})
    answer = model(0.9)

    def shout(examples: Sequence[Example]) -> list[OwnedAnswer]:
        given = answer(examples)
        return [replace(a, text=a.text.replace("wrong", HOSTILE)) for a in given]

    prove(folder, answer=shout, settings=ProofSettings(), facts=hostile, out_dir=tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    found = Elements()
    found.feed(page)
    assert "evil.example" in page
    assert not found.names & {"script", "img", "link", "iframe", "object", "embed", "form", "base"}
    assert {"svg", "table", "polyline", "article"} <= found.names
    assert found.loads == []
    assert found.handlers == []
    assert not re.search(r"url\(|@import", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize("kind", ["label", "json", "text"])
@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_hopeless_is_held_and_perfect_is_moved_for_every_kind(tmp_path: Path, kind: str, accuracy: float) -> None:
    verdict = prove(
        make_dataset(tmp_path / "dataset", kind=kind, proof=120, train=80, dev=60),
        answer=model(accuracy),
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    assert verdict.decision == ("move" if accuracy else "hold")
    text = (tmp_path / "out" / "report.txt").read_text("utf-8")
    assert "nan" not in text.casefold().split()
    assert ("freehold move triage" in text) == bool(accuracy)


def test_a_task_that_words_solve_needs_no_language_model(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "dataset", kind="label")
    for name in ("train", "dev", "proof"):
        path = folder / f"{name}.jsonl"
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for row in rows:
            row["messages"][0]["content"] = f"I want my {row['target']} now, {row['id']}"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    verdict = prove(folder, answer=model(1.0), settings=ProofSettings(), facts=FACTS, out_dir=tmp_path / "out")
    assert verdict.evidence["passing_baselines"] == ["bag of words"]
    for name in ("report.txt", "report.html"):
        assert "This task needs no language model" in (tmp_path / "out" / name).read_text("utf-8")


def test_corrections_of_all_calls_make_it_right_or_wrong(tmp_path: Path) -> None:
    verdict = prove(
        make_dataset(tmp_path / "dataset", corrected=1.0),
        answer=model(0.9),
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    assert verdict.evidence["known_calls"] == 400
    text = (tmp_path / "out" / "report.txt").read_text("utf-8")
    assert "Right answers, as people said; 400 held-out calls" in text
    assert re.search(r"^ +right +interval", text, re.MULTILINE)
    for word in ("agrees", "wanted;", "by definition"):
        assert word not in text


@pytest.mark.parametrize("corrected", [0.003, 0.3])
def test_where_some_calls_were_corrected_nothing_is_called_right_that_only_agrees(
    tmp_path: Path, corrected: float
) -> None:
    """One correction makes no truth of the provider's other answers."""
    verdict = prove(
        make_dataset(tmp_path / "dataset", corrected=corrected),
        answer=model(0.9),
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    known = verdict.evidence["known_calls"]
    assert 0 < known < 200
    text = " ".join((tmp_path / "out" / "report.txt").read_text("utf-8").split())
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Answers as wanted: as people said where they said it, else as the provider answered;" in text
    assert (
        f"right in the {400 - known} calls of which nobody said what was wanted. There the owned model agrees" in text
    )
    assert f"In the {known} calls that people corrected it is right in" in text
    assert "the provider in 0.0% [0.0," in text
    assert " right interval" not in text
    assert ">right</th>" not in page


def test_corrections_that_confirm_the_provider_are_no_agreement(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "dataset")
    path = folder / "proof.jsonl"
    rows = [json.loads(line) | {"source": "correction"} for line in path.read_text("utf-8").splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    verdict = prove(folder, answer=model(0.9), settings=ProofSettings(), facts=FACTS, out_dir=tmp_path / "out")
    assert verdict.evidence["known_calls"] == 400
    assert "No call here was corrected" not in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_users_are_the_units_of_a_whole_move(tmp_path: Path) -> None:
    verdict = prove(
        make_dataset(tmp_path / "dataset", corrected=0.3, users=80),
        answer=model(0.9),
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    assert verdict.evidence["is_agreement"] is False
    assert verdict.evidence["users"] == 80
    assert verdict.evidence["outcome"]["scope"] == "whole"


@pytest.mark.parametrize("is_newer", [True, False])
def test_held_out_calls_are_called_newer_only_where_their_clock_says_so(tmp_path: Path, is_newer: bool) -> None:
    folder, out = make_dataset(tmp_path / "dataset"), tmp_path / "out"
    if not is_newer:
        for name in ("train", "dev", "proof"):
            rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()]
            text = "".join(json.dumps(row | {"created_at": 1e9}) + "\n" for row in rows)
            (folder / f"{name}.jsonl").write_text(text, "utf-8")
    verdict = prove(folder, answer=model(0.98), settings=ProofSettings(), facts=FACTS, out_dir=out)
    assert verdict.used["is_newer"] is is_newer
    for name in ("report.txt", "report.html"):
        page = " ".join((out / name).read_text("utf-8").split())
        assert ("By their clock the held-out calls are not newer" in page) != is_newer
    assert ("The held-out calls are newer than the calls trained on" in page) == is_newer


@pytest.mark.parametrize(("users", "is_told"), [(0, False), (100, False), (90, True)])
def test_a_report_says_so_where_some_users_make_more_calls(tmp_path: Path, users: int, is_told: bool) -> None:
    """400 calls of 100 users are four each; of 90 users the busiest made five."""
    folder, out = make_dataset(tmp_path / "dataset", users=users), tmp_path / "out"
    prove(folder, answer=model(0.98), settings=ProofSettings(), facts=FACTS, out_dir=out)
    for name in ("report.txt", "report.html"):
        page = " ".join((out / name).read_text("utf-8").split())
        assert ("the busiest made 5 of the 400 calls" in page) == is_told
    assert ("by their design effect" in page) == is_told  # the statement is on the page alone


def test_answers_that_no_client_could_read_are_not_local(tmp_path: Path) -> None:
    good = model(1.0)

    def fenced(examples: Sequence[Example]) -> list[OwnedAnswer]:
        return [replace(a, text=f"```json\n{a.text}\n```") for a in good(examples)]

    verdict = prove(
        make_dataset(tmp_path / "dataset"),
        answer=fenced,
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    assert verdict.decision == "hold"
    assert "can be used" in verdict.evidence["outcome"]["reason"]


def test_the_same_answers_give_the_same_verdict(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "dataset", users=90)
    first, second = (
        prove(folder, answer=model(0.9), settings=ProofSettings(seed=3), facts=FACTS, out_dir=tmp_path / "out")
        for _ in range(2)
    )
    assert first == second


def test_missing_answers_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"examples were asked and 0 answers came"):
        prove(
            make_dataset(tmp_path / "dataset"),
            answer=lambda _: [],
            settings=ProofSettings(),
            facts=FACTS,
            out_dir=tmp_path / "out",
        )


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("manifest.json", "{", "manifest.json"),
        ("manifest.json", '{"hash": "x"}', "missing required field `task`"),
        ("manifest.json", "[]", "Expected `object`"),
        ("proof.jsonl", '{"id": "c1", "messages": "none"}', "line 1: Expected `array`"),
        ("proof.jsonl", '{"created_at": NaN}', "line 1"),
        ("proof.jsonl", "{}\n", "line 1"),
        ("dev.jsonl", '\n{"id": 1', "line 2"),
        ("train.jsonl", None, "train.jsonl"),
    ],
)
def test_a_damaged_dataset_is_one_clear_error(tmp_path: Path, name: str, content: str | None, word: str) -> None:
    folder = make_dataset(tmp_path / "dataset", proof=3, dev=3, train=3)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content, "utf-8")
    with pytest.raises(DataError, match=word) as caught:
        read_dataset(folder)
    assert caught.value.hint


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", "utf-8")
    with pytest.raises(StateError, match="taken"):
        prove(
            make_dataset(tmp_path / "dataset", proof=40, dev=0, train=0),
            answer=model(1.0),
            settings=ProofSettings(),
            facts=FACTS,
            out_dir=tmp_path / "taken" / "out",
        )
