"""Input that proves nothing: each gives a hold, a number of calls that are needed, or one line that says what to do.

Never a move, and never a NaN in the report's JSON or the word on a page.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from scripted_proof import FACTS, Answering, make_dataset, model

from freehold.errors import DataError, FreeholdError
from freehold.model.engine import OwnedAnswer
from freehold.model.example import Example
from freehold.prove import Attempt, ProofBudget, ProofSettings, prove

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A proof with something wrong with it, and what may come of it; where no decision may, an error with `word`."""

    answer: Answering
    change: Callable[[int, Row], Row] = lambda _, row: row
    kind: str = "json"
    proof: int = 120
    dev: int = 60
    train: int = 60
    users: int = 0
    decisions: tuple[str, ...] = ("hold",)
    word: str = ""


def all_answers(text: str, **changes: Any) -> Answering:
    def answer(examples: Sequence[Example]) -> list[OwnedAnswer]:
        return [OwnedAnswer(text=text, **{"logprobs": (-0.1, -0.2), **changes}) for _ in examples]

    return answer


def same_target(_: int, row: Row) -> Row:
    return row | {"target": '{"intent": "refund"}', "incumbent": '{"intent": "refund"}'}


def at(*times: object) -> Callable[[int, Row], Row]:
    return lambda i, row: row | {"created_at": times[i % len(times)]}


PERFECT, GOOD, HOPELESS = model(1.0), model(0.9), model(0.0)
CASES = {
    "one wanted answer": Case(answer=PERFECT, change=same_target),
    "one class, and the model says it": Case(answer=all_answers('{"intent": "refund"}'), change=same_target),
    "no variation in the answers": Case(answer=all_answers('{"intent": "refund", "order": "A-1"}')),
    "every answer empty": Case(answer=all_answers("")),
    "every answer cut": Case(answer=all_answers('{"intent": "refund"}', is_whole=False)),
    "no logprobs at all": Case(answer=all_answers('{"intent": "refund"}', logprobs=())),
    "logprobs that are no numbers": Case(answer=all_answers('{"intent": "x"}', logprobs=(math.nan, math.inf, -1.0))),
    "every answer wrong": Case(answer=HOPELESS),
    "three calls": Case(answer=PERFECT, proof=3, decisions=("need",)),
    "one call": Case(answer=PERFECT, proof=1, decisions=("need",)),
    "29 calls": Case(answer=PERFECT, proof=29, decisions=("need",)),
    "no dev calls": Case(answer=HOPELESS, dev=0),
    "no training calls": Case(answer=HOPELESS, train=0),
    "one user": Case(answer=HOPELESS, users=1),
    "one user, all right": Case(answer=PERFECT, users=1, decisions=("need", "hold")),
    "two users, all right": Case(answer=PERFECT, users=2, decisions=("need", "hold")),
    "the provider always wrong, the model too": Case(
        answer=HOPELESS, change=lambda _, row: row | {"incumbent": "unsure"}, decisions=("hold", "need")
    ),
    "wanted answers that are empty": Case(
        answer=all_answers(""), kind="text", change=lambda _, row: row | {"target": "", "incumbent": ""}
    ),
    "a lone surrogate": Case(answer=all_answers("\ud800"), kind="text"),
    "a huge answer": Case(answer=all_answers("x " * 50_000), kind="text", proof=40),
    "deep JSON": Case(answer=all_answers("[" * 50_000 + "]" * 50_000), proof=40),
    "NaN as an answer": Case(answer=all_answers("NaN")),
    "times before 1970": Case(answer=HOPELESS, change=at(-1e9)),
    "all times equal": Case(answer=HOPELESS, change=at(1e9)),
    "times in the future": Case(answer=HOPELESS, change=at(1e12)),
    "times that jump": Case(answer=HOPELESS, change=at(1e9, -5.0, 9e11, 0.0)),
    "a time that is none": Case(answer=PERFECT, change=at(math.nan), decisions=(), word="line 1"),
    "a time without end": Case(answer=PERFECT, change=at(math.inf), decisions=(), word="line 1"),
    "a time in words": Case(answer=PERFECT, change=at("noon"), decisions=(), word="line 1"),
    "a target that is no text": Case(
        answer=PERFECT, change=lambda _, row: row | {"target": 7}, decisions=(), word="line 1"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_proves_nothing_moves_nothing(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    folder = make_dataset(
        tmp_path / "dataset", kind=case.kind, proof=case.proof, dev=case.dev, train=case.train, users=case.users
    )
    for split in ("train", "dev", "proof"):
        _change(folder / f"{split}.jsonl", case.change)
    if not case.decisions:
        with pytest.raises(DataError, match=case.word) as caught:
            _prove(folder, case.answer)
        assert "\n" not in str(caught.value)
        assert caught.value.hint
        return
    verdict = _prove(folder, case.answer)
    assert verdict.decision in case.decisions
    assert (verdict.need is not None) == (verdict.decision == "need")
    _assert_reports_are_whole(tmp_path / "out")


def test_as_many_cases_as_there_should_be() -> None:
    assert len(CASES) >= 30


def test_a_claim_that_fails_leaves_no_figures_behind(tmp_path: Path) -> None:
    class TakenError(FreeholdError):
        pass

    def claim(_: Sequence[Example]) -> Attempt:
        raise TakenError("Another proof was first.", hint="Prove again.")

    folder = make_dataset(tmp_path / "dataset", proof=60, dev=30, train=30)
    with pytest.raises(TakenError):
        _prove(folder, PERFECT, entry=ProofBudget(claim=claim))
    assert not (tmp_path / "out").exists()


def test_a_proof_that_dies_while_it_asks_claims_no_attempt(tmp_path: Path) -> None:
    claimed: list[int] = []

    def claim(entered: Sequence[Example]) -> Attempt:
        claimed.append(len(entered))
        return Attempt()

    def dies(examples: Sequence[Example]) -> list[OwnedAnswer]:
        if any(int(example.id[1:]) >= 60 for example in examples):
            raise KeyboardInterrupt
        return list(PERFECT(examples))

    folder = make_dataset(tmp_path / "dataset", proof=60, dev=30, train=30)
    with pytest.raises(KeyboardInterrupt):
        _prove(folder, dies, entry=ProofBudget(claim=claim))
    assert claimed == []
    _prove(folder, PERFECT, entry=ProofBudget(claim=claim))
    assert claimed == [60]


def test_no_call_left_is_one_line_that_counts_the_reasons(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "dataset", proof=60, dev=30, train=30)
    left_out = {f"c{i}": "trained on" if i < 70 else "looked at by an earlier proof" for i in range(60, 120)}
    with pytest.raises(DataError, match="50 looked at by an earlier proof, 10 trained on") as caught:
        _prove(folder, PERFECT, entry=ProofBudget(left_out=left_out))
    assert "freehold freeze triage" in caught.value.hint


def test_a_later_attempt_needs_more_and_says_which_it_is(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "dataset", proof=60)

    def verdict(number: int) -> Any:
        entry = ProofBudget(claim=lambda _: Attempt(number=number, looked_at_before=12))
        return _prove(folder, PERFECT, entry=entry)

    first, fifth = verdict(1), verdict(5)
    assert (first.decision, fifth.decision) == ("move", "need")
    assert (fifth.attempt, fifth.level) == (5, pytest.approx(2 / 99))
    assert 60 + fifth.need >= math.log(0.1 * 2 / 143) / math.log(0.95)  # the sixth must pass with that many
    assert fifth.used["looked_at_before"] == 12
    assert fifth.used["digest"] == first.used["digest"]
    assert "12 of 60 held-out calls were looked at" in (tmp_path / "out" / "report.txt").read_text("utf-8")


def _change(path: Path, change: Callable[[int, Row], Row]) -> None:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    path.write_text("".join(json.dumps(change(i, row)) + "\n" for i, row in enumerate(rows)), "utf-8")


def _prove(folder: Path, answer: Answering, *, entry: ProofBudget | None = None) -> Any:
    facts = replace(FACTS, provider_cost_per_call_usd=None, calls_per_day=None)
    out = folder.parent / "out"
    return prove(folder, answer=answer, settings=ProofSettings(), facts=facts, out_dir=out, entry=entry)


def _assert_reports_are_whole(out: Path) -> None:
    def refuse(name: str) -> None:
        pytest.fail(f"{name} in the report's JSON")

    json.loads((out / "report.json").read_text("utf-8"), parse_constant=refuse)
    for name in ("report.txt", "report.html"):
        page = re.sub(r"<style>.*?</style>", "", (out / name).read_text("utf-8", "backslashreplace"), flags=re.DOTALL)
        assert not re.search(r"(?<![\w>“\"])(nan|inf|infinity)(?![\w])", page), name
