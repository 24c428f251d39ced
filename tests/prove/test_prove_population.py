"""The proof is about all calls of the held-out time, also those to which no answer is known that could be wanted."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from mixed import careful, mixed
from scripted_proof import FACTS, example, make_dataset, model

from freehold.errors import DataError
from freehold.model.dataset_folder import read_dataset
from freehold.model.engine import NOT_ASKED, OwnedAnswer
from freehold.model.example import Example
from freehold.model.verdict import Verdict
from freehold.prove import Opinions, ProofBudget, ProofSettings, prove, rehearse, settled
from freehold.prove.labels.judge import draw_pairs
from freehold.prove.measure import Guess, hold_out, score_guesses
from freehold.prove.metrics import read_metrics
from freehold.prove.stats.cascade import contract_a


def proven(path: Path, answering: object = None, **more: object) -> Verdict:
    entry = more.pop("entry", None)
    opinions = more.pop("opinions", None)
    return prove(
        path,
        answer=answering or careful(0.97),  # type: ignore[arg-type]
        settings=ProofSettings(**more),  # type: ignore[arg-type]
        facts=FACTS,
        out_dir=path.parent / "out",
        entry=entry,  # type: ignore[arg-type]
        opinions=opinions,  # type: ignore[arg-type]
    )


def test_every_held_out_call_is_in_n_and_none_is_asked_that_the_gateway_would_not_ask(tmp_path: Path) -> None:
    path = mixed(tmp_path / "d", proof=600)
    asked: list[str] = []
    answering = careful(0.97)

    def answer(examples: Sequence[Example]) -> list[OwnedAnswer]:
        asked.extend(e.id for e in examples)
        return list(answering(examples))

    verdict = proven(path, answer)
    frozen = read_dataset(path)
    counts = Counter(e.aside for e in frozen.proof)
    e = verdict.evidence
    assert (e["calls"], e["paired"]["n"], e["asked_calls"]) == (600, 600, 600 - counts["not_plain"])
    assert e["scored_calls"] == counts[""] == e["sides"][0]["n"] == e["sides"][1]["n"]
    assert set(asked) == {row.id for row in (*frozen.dev, *frozen.proof) if row.is_askable}
    assert {row["name"]: row["calls"] for row in e["aside"]} == {
        "tool_calls": counts["tool_calls"],
        "refusal": counts["refusal"],
    }
    assert [(row["name"], row["calls"]) for row in e["left_alone"]] == [("not_plain", counts["not_plain"])]
    assert verdict.decision == "move"
    assert verdict.coverage is not None
    assert 0.15 < verdict.coverage < counts[""] / 600 + 0.05
    assert e["savings"]["local_share"] == verdict.coverage
    assert e["cascade"]["chosen"]["local"] == round(verdict.coverage * 600)


def test_an_owned_answer_where_a_tool_was_called_is_a_wrong_one(tmp_path: Path) -> None:
    path = mixed(tmp_path / "d", proof=600, images=0.0)
    sure = proven(path, careful(1.0, betrayed=1.0))
    assert sure.decision == "hold"
    assert (sure.evidence["sides"][1]["share"], sure.evidence["is_agreement"]) == (1.0, True)
    assert sure.evidence["paired"]["owned_only_wrong"] == 600 - sure.evidence["scored_calls"]
    few = proven(mixed(tmp_path / "e", proof=600, tools=0.02, refusals=0.0, images=0.0), careful(1.0, betrayed=1.0))
    local = sum(row["local"] for row in few.evidence["aside"])
    assert few.decision == "move"
    assert few.evidence["cascade"]["chosen"]["wrong"] == local > 0
    shown = {row["wanted"] for row in few.evidence["differences"] if row["is_local"]}
    assert (few.evidence["differences_in_all"], len(shown)) == (local, 1)
    assert shown.pop().startswith("(none: the call was to be left to the provider")


def test_the_usable_calls_alone_would_have_promised_what_does_not_hold(tmp_path: Path) -> None:
    """The negative control: the same model, proven on the calls that have an answer, moves all of them."""
    path = mixed(tmp_path / "d", proof=600, images=0.0)
    answering = careful(0.99, betrayed=0.5)
    whole = proven(path, answering)
    file = path / "proof.jsonl"
    usable = [line for line in file.read_text("utf-8").splitlines() if "aside" not in json.loads(line)]
    file.write_text("\n".join(usable) + "\n", "utf-8")
    dev = path / "dev.jsonl"
    dev.write_text("\n".join(x for x in dev.read_text("utf-8").splitlines() if "aside" not in json.loads(x)), "utf-8")
    selected = proven(path, answering)
    assert (whole.decision, selected.decision) == ("hold", "move")
    assert selected.threshold is not None
    assert selected.coverage is not None
    assert selected.coverage > 0.9


def test_what_the_gateway_leaves_alone_is_no_difference_and_nothing_lost() -> None:
    rows = [example(i) for i in range(3)]
    held = hold_out("json", [rows[0], replace(rows[1], aside="tool_calls"), replace(rows[2], aside="x", messages=())])
    scored = score_guesses("m", held, [Guess(text="{}", confidence=0.9)] * 3)
    assert [guess.confidence for guess in scored.guesses] == [0.9, 0.9, 0.0]
    assert [judged.values for judged in scored.judged] == [(0.0,), (0.0,), (1.0,)]
    assert [judged.values for judged in held.judged] == [(1.0,)] * 3
    unusable = score_guesses("m", held, [Guess(text="no json", confidence=0.9)] * 3)
    assert [judged.values for judged in unusable.judged] == [(0.0,), (1.0,), (1.0,)]
    assert (held.known, held.asked) == ([True, False, False], [True, True, False])
    assert not held.has_corrections
    assert not held.can_provider_err


def test_metrics_of_ones_own_are_never_asked_about_an_answer_that_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def f(wanted, got):\n    assert wanted != '{}'\n    return wanted == got\n")
    metrics = read_metrics(f"exact, length, {tmp_path}/mine.py:f, fields:intent")
    rows = [example(i) for i in range(40)]
    held = hold_out("json", [*rows, *(replace(e, aside="refusal", target="{}") for e in rows)], metrics)
    scored = score_guesses("m", held, [Guess(text=e.target, confidence=1.0) for e in rows] * 2)
    assert {judged.values for judged in scored.judged} == {(1.0,) * 4, (0.0,) * 4}


def test_an_aside_call_lies_in_the_slices_of_its_answer_and_a_call_that_is_not_asked_in_none(tmp_path: Path) -> None:
    verdict = proven(mixed(tmp_path / "d", proof=600), careful(0.97))
    asked, calls = verdict.evidence["asked_calls"], verdict.evidence["calls"]
    for kind, wanted in (("label", asked), ("wanted", verdict.evidence["scored_calls"])):
        sizes = [row["n"] for row in verdict.evidence["slices"] if row["kind"] == kind]
        assert sum(sizes) == wanted < calls


def test_baselines_are_wrong_where_they_answer_a_call_that_was_to_be_left_alone(tmp_path: Path) -> None:
    verdict = proven(mixed(tmp_path / "d", proof=600, intents=("refund", "refund", "refund", "other")))
    usual = next(side for side in verdict.evidence["sides"] if side["name"] == "most frequent answer")
    assert usual["n"] == verdict.evidence["scored_calls"]
    assert usual["decision"] == "hold"


def test_kinds_of_requests_that_hardly_any_call_was_of_are_left_to_the_provider(tmp_path: Path) -> None:
    kinds = ["plain"] * 99 + ["history"]
    path = mixed(tmp_path / "d", proof=300, tools=0.0, refusals=0.0, images=0.0, kinds=kinds)
    verdict = proven(path)
    frozen = read_dataset(path)
    rare = [e.id for e in frozen.proof if e.traits]
    assert 0 < len(rare) < 5
    assert verdict.evidence["kinds"] == {"history": len(rare), "plain": 300 - len(rare)}
    assert [(r["name"], r["calls"]) for r in verdict.evidence["left_alone"]] == [("unproven_kind", len(rare))]
    assert verdict.evidence["asked_calls"] == 300 - len(rare)
    assert verdict.coverage is not None
    assert verdict.coverage <= 1 - len(rare) / 300
    even = mixed(tmp_path / "e", proof=300, tools=0.0, refusals=0.0, images=0.0, kinds=["plain", "history"])
    assert proven(even).evidence["left_alone"] == []


def test_of_a_dataset_that_does_not_say_so_all_kinds_are_proven(tmp_path: Path) -> None:
    verdict = proven(make_dataset(tmp_path / "d"), model(0.95))
    e = verdict.evidence
    assert (e["kinds"], e["aside"], e["left_alone"], e["unspoken"], e["unspoken_share"]) == ({}, [], [], [], 0.0)
    assert e["asked_calls"] == e["scored_calls"] == e["calls"] == 400
    report = (tmp_path / "out" / "report.txt").read_text("utf-8")
    assert "held-out calls were" not in report
    assert "All answered calls" not in json.dumps(e)


def test_the_report_says_what_the_calls_were_and_of_which_it_cannot_speak(tmp_path: Path) -> None:
    lost = {"failed": 12, "group_crosses_split": 8}
    path = mixed(tmp_path / "d", proof=600, unspoken=lost, repeats=77)
    first = read_dataset(path).proof[0].id
    verdict = proven(path, entry=ProofBudget(left_out={first: "trained on"}))
    e = verdict.evidence
    assert e["calls"] == 599
    assert {row["name"]: row["calls"] for row in e["unspoken"]} == {**lost, "trained on": 1}
    assert e["unspoken_share"] == pytest.approx(21 / 620)
    text = " ".join((tmp_path / "out" / "report.txt").read_text("utf-8").split())
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    counts = {row["name"]: row["calls"] for row in e["aside"]}
    for said in (
        "Anything about 3.4% of the calls of the same time: 1.9% failed, 1.3% are of users, sessions or conversations"
        " that were learnt from, 0.2% were learnt from.",
        f"{counts['tool_calls']} answered with tool calls",
        "77 of 599 held-out calls ask, word for word or nearly, what the model learnt from",
        "What the 599 held-out calls were",
        "asked, but refused by the provider",
        "not asked: no plain text (images, tool results)",
    ):
        assert said in text, said
    assert "All answered calls of their time are held out" in page
    assert "What the 599 held-out calls were" in page


def test_no_known_answer_left_is_said(tmp_path: Path) -> None:
    path = mixed(tmp_path / "d", proof=40, tools=1.0)
    with pytest.raises(DataError, match="no held-out call with a known answer left"):
        proven(path)


def test_people_are_not_asked_where_it_is_known_which_side_is_better(tmp_path: Path) -> None:
    path = mixed(tmp_path / "d", proof=400, kind="label")
    frozen = read_dataset(path)
    answering = careful(0.9, betrayed=1.0)
    answers = {e.id: answering([e])[0].text for e in frozen.proof if e.is_askable}
    known = {e.id: settled("label", e, answers.get(e.id, "")) for e in frozen.proof}
    assert {known[e.id] for e in frozen.proof if e.aside in ("tool_calls", "refusal")} == {-1.0}
    assert {known[e.id] for e in frozen.proof if e.aside == "not_plain"} == {0.0}
    drawn = [frozen.proof[place] for place in draw_pairs(frozen.proof, 0)]
    to_ask = [e.id for e in drawn if known[e.id] is None]
    assert all(not frozen_e.is_aside for frozen_e in drawn if frozen_e.id in to_ask)
    labels = dict.fromkeys(to_ask, 1.0)
    verdict = proven(path, answering, opinions=Opinions(labels=labels))
    judged = verdict.evidence["judged"]
    assert (judged["to_label"], judged["by_people"]) == (0, len(to_ask))
    assert judged["provider_better"] == sum(known[e.id] == -1.0 for e in drawn)


def test_a_plan_from_dev_is_made_of_all_its_calls(tmp_path: Path) -> None:
    path = mixed(tmp_path / "d", dev=300, images=0.3, tools=0.3, refusals=0.0)
    answering = careful(0.95)

    def kept(asked: Example) -> OwnedAnswer:
        return answering([asked])[0] if asked.is_askable else NOT_ASKED

    found = rehearse(path, kept, ProofSettings())
    assert found is not None
    assert found.seen.calls == 300
    assert found.points[-1][0] < 230
    assert rehearse(path, lambda e: None if e.is_askable else NOT_ASKED, ProofSettings()) is None


RISK, DELTA, RUNS, CALLS, LATER = 0.05, 0.10, 250, 800, 20_000
Traffic = list[tuple[Example, Guess]]


def traffic(rng: random.Random, count: int) -> Traffic:
    """Calls of which 40% get tool calls and 25% refusals; the owned model is now and then sure of itself there, too."""
    plain = example(0, kind="label")
    calls: Traffic = []
    for i in range(count):
        draw, row = rng.random(), replace(plain, id=f"c{i}", group=f"c{i}", target="refund", incumbent="refund")
        if draw < 0.65:
            aside = "tool_calls" if draw < 0.40 else "refusal"
            sure = rng.uniform(0.4, 1.0) if rng.random() < 0.2 else rng.uniform(0.01, 0.5)
            calls.append((replace(row, aside=aside, target=""), Guess(text="refund", confidence=sure)))
        elif rng.random() < 0.06:
            calls.append((row, Guess(text="cancel", confidence=rng.uniform(0.01, 0.7))))
        else:
            calls.append((row, Guess(text="refund", confidence=rng.uniform(0.3, 1.0))))
    return calls


def threshold_of(calls: Traffic) -> float | None:
    held = hold_out("label", [call for call, _ in calls])
    scored = score_guesses("owned", held, [guess for _, guess in calls])
    is_right = [judged.score.is_exact for judged in scored.judged]
    confidences = [guess.confidence for guess in scored.guesses]
    return contract_a(confidences, is_right, held.groups, risk=RISK, delta=DELTA, seed=0).threshold


def test_the_realised_risk_of_all_later_traffic_is_within_the_contract() -> None:
    later = traffic(random.Random("later"), LATER)

    def realised(threshold: float | None) -> tuple[float, float]:
        if threshold is None:
            return 0.0, 0.0
        local = [(row, guess) for row, guess in later if guess.confidence >= threshold]
        wrong = sum(row.is_aside or guess.text != row.target for row, guess in local)
        return wrong / LATER, len(local) / LATER

    broken: Counter[str] = Counter()
    covered = 0.0
    for run in range(RUNS):
        split = traffic(random.Random(run), CALLS)
        risk, coverage = realised(threshold_of(split))
        broken["whole"] += risk > RISK
        covered += coverage / RUNS
        broken["usable"] += realised(threshold_of([call for call in split if not call[0].is_aside]))[0] > RISK
    gate = DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / RUNS)
    assert broken["whole"] / RUNS <= gate
    assert 0.12 < covered < 0.30
    assert broken["usable"] / RUNS > 0.95, "the control shows that this world would break it"


def test_an_answer_off_the_schema_of_its_own_request_counts_as_left_alone_like_one_that_is_no_json() -> None:
    """As the gateway does: the enum is that of each request."""
    form = json.dumps(
        {"type": "json_schema", "json_schema": {"schema": {"properties": {"intent": {"enum": ["refund"]}}}}}
    )
    rows = [replace(example(i), response_format=form if i % 2 else "") for i in range(40)]
    guesses = [Guess(text='{"intent": "cancel"}', confidence=0.9) for _ in rows]
    scored = score_guesses("owned", hold_out("json", rows), guesses)
    assert [guess.confidence for guess in scored.guesses] == [0.0 if row.response_format else 0.9 for row in rows]
    assert msgspec.convert(rows[1].to_row(), Example) == rows[1]
    assert "response_format" not in rows[0].to_row()
