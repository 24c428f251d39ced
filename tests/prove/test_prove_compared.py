"""Whole proofs in which people, and a judge beside them, compared answers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted_proof import FACTS, make_dataset, model

from freehold.model.dataset_folder import read_dataset
from freehold.model.engine import OwnedAnswer
from freehold.model.example import Example
from freehold.model.verdict import Verdict
from freehold.prove import Opinions, ProofSettings, draw_pairs, prove
from freehold.prove.labels.judge import Compared

TEXT = "I am sorry about your order, number {}. It will come next week, and you need not do anything."


def reworded(share: float) -> Callable[[Sequence[Example]], list[OwnedAnswer]]:
    """Answers in other words, but for this share, and none of them sure."""

    def answer(examples: Sequence[Example]) -> list[OwnedAnswer]:
        return [
            OwnedAnswer(
                text=e.incumbent if random.Random(e.id).random() < share else f"Put otherwise: {e.incumbent}",
                logprobs=(-0.5,) * 4,
                input_tokens=9,
                output_tokens=9,
                latency_ms=9.0,
            )
            for e in examples
        ]

    return answer


def text_dataset(folder: Path, proof: int = 240) -> Path:
    """Free text: no two answers are alike."""
    make_dataset(folder, proof=proof, dev=60, train=60, kind="text")
    for path in folder.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        told = [row | {"target": TEXT.format(row["id"]), "incumbent": TEXT.format(row["id"])} for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in told), "utf-8")
    return folder


def proven(
    tmp_path: Path, opinions: Opinions | None, *, folder: Path | None = None, share: float = 0.0, **settings: Any
) -> Verdict:
    out = tmp_path / f"out-{len(list(tmp_path.glob('out-*')))}"
    return prove(
        folder or text_dataset(tmp_path / f"data-{out.name}"),
        answer=reworded(share),
        settings=ProofSettings(**{"margin": 0.1} | settings),
        facts=FACTS,
        out_dir=out,
        opinions=opinions,
    )


def in_order(folder: Path, says: Callable[[int], float], count: int | None = None) -> Mapping[str, float]:
    """What people say of the first `count` drawn pairs."""
    examples = read_dataset(folder).proof
    order = draw_pairs(examples, 0)[:count]
    return {examples[position].id: says(place) for place, position in enumerate(order)}


def pages(verdict: Verdict) -> tuple[str, str]:
    """The report as text on one line, and as a page."""
    folder = Path(verdict.report_path).parent
    plain = " ".join((folder / "report.txt").read_text("utf-8").split())
    return plain, (folder / "report.html").read_text("utf-8")


def test_text_goes_from_labels_needed_to_a_move(tmp_path: Path) -> None:
    folder = text_dataset(tmp_path / "data")
    first = proven(tmp_path, Opinions(), folder=folder)
    assert (first.decision, first.need_of, first.need, first.words) == ("need", "labels", 240, "need 240 more labels")
    text, page = pages(first)
    assert "next: freehold label triage" in text
    assert "have to compare 240 more pairs" in text
    assert "240" in page
    some = proven(tmp_path, Opinions(labels=in_order(folder, lambda _: 0.0, 10)), folder=folder)
    assert (some.decision, some.need) == ("need", 230)
    assert "People have compared 10 pairs of the 240" in pages(some)[0]
    whole = proven(tmp_path, Opinions(labels=in_order(folder, lambda _: 0.0)), folder=folder)
    assert (whole.decision, whole.coverage) == ("move", 1.0)
    text, page = pages(whole)
    assert "It is shown by comparisons that the owned model alone is at most 10.0 points below" in text
    assert "other orders" not in text  # another seed draws pairs that nobody was asked about
    assert "People prefer the provider's answer at most 10 points more often than the owned one." in text
    assert "the mean of what people prefer is at most 10 points on the provider's side" in text
    assert "means “agrees with the provider”" not in text
    assert "No audit takes this route back: let people compare answers again now and then" in text
    assert "People compared 240 pairs, blind" in page
    assert "Preferred by people" in page
    json.dumps(whole.evidence, allow_nan=False)


@pytest.mark.parametrize("bad", [1.0, 0.4, 0.25])
def test_text_that_people_like_less_never_moves(tmp_path: Path, bad: float) -> None:
    folder = text_dataset(tmp_path / "data")
    rng = random.Random(5)
    labels = in_order(folder, lambda _: -float(rng.random() < bad))
    verdict = proven(tmp_path, Opinions(labels=labels), folder=folder)
    assert verdict.decision == "hold"
    assert "People preferred the owned answer in 0 of 240 pairs" in pages(verdict)[0]
    for count in (5, 40, 120):
        peeked = proven(tmp_path, Opinions(labels=dict([*labels.items()][:count])), folder=folder)
        assert peeked.decision != "move"


def test_a_judge_is_shown_and_certifies_with_people_alone(tmp_path: Path) -> None:
    folder = text_dataset(tmp_path / "data", proof=600)
    scores: dict[str, float | None] = {e.id: 1.0 for e in read_dataset(folder).proof}
    settings = {"judge": "big", "labels": 200, "folder": folder}
    alone = proven(tmp_path, Opinions(scores=scores), **settings)
    assert (alone.decision, alone.need, alone.need_of) == ("need", 200, "labels")
    text, page = pages(alone)
    assert "“big”, compared 600 pairs. Its scores enter the test once people have compared 200 pairs." in text
    assert "How far people agree with it is unknown" in text
    assert "A judge alone shows nothing" in text
    rng = random.Random(3)
    labels = in_order(folder, lambda _: rng.choice([0.0, 0.0, 1.0]), 200)
    told = {id_: labels.get(id_, rng.choice([0.0, 0.0, 1.0])) for id_ in scores}
    both = proven(tmp_path, Opinions(scores=told, labels=labels), **settings)
    assert both.decision == "move"
    judged = both.evidence["judged"]
    assert judged["is_aided"] is True
    assert judged["variance_left"] == pytest.approx(0.0, abs=1e-9)  # the judge says what people say
    assert judged["judged"] == 600
    text, page = pages(both)
    assert "Its scores entered the test. It leaves 0% of the variance of people's labels to them at best" in text
    assert re.search(r"\(1 - rho squared\): with it, 200 labels say about as much as [\d,]+ without\.", text)
    assert "the judge alone +" in text
    assert "1 − ρ²" in page
    assert not re.search(r"\bnan\b|\binf\b", page + text, re.IGNORECASE)


def test_a_judge_that_contradicts_people_is_told_to_have_helped_nothing(tmp_path: Path) -> None:
    """Its scores say as much as people's, with the sign turned; lambda is kept from there on purpose."""
    folder = text_dataset(tmp_path / "data", proof=600)
    rng = random.Random(4)
    labels = in_order(folder, lambda _: rng.choice([-1.0, 0.0, 0.0, 1.0]), 200)
    scores: dict[str, float | None] = {e.id: -labels.get(e.id, 0.0) for e in read_dataset(folder).proof}
    verdict = proven(tmp_path, Opinions(scores=scores, labels=labels), folder=folder, judge="big", labels=200)
    assert verdict.evidence["judged"]["powered"]["rho"] == pytest.approx(-1.0)
    assert verdict.evidence["judged"]["variance_left"] == 1.0
    text, _ = pages(verdict)
    assert "It leaves 100% of the variance of people's labels to them at best" in text
    assert "people do not agree with it (rho -1.00), so it helped nothing" in text


def test_replies_that_are_no_opinions_are_told(tmp_path: Path) -> None:
    folder = text_dataset(tmp_path / "data", proof=600)
    scores: dict[str, float | None] = {e.id: None if i % 4 else 1.0 for i, e in enumerate(read_dataset(folder).proof)}
    text, _ = pages(proven(tmp_path, Opinions(scores=scores), folder=folder, judge="big", labels=200))
    assert "compared 600 pairs, 450 of them without an opinion that can be read." in text


def test_another_metric_that_fails_blocks_the_whole_move(tmp_path: Path) -> None:
    """Comparisons take the place of agreement, and of nothing else."""
    folder = text_dataset(tmp_path / "data")
    (tmp_path / "brief.py").write_text(
        "def brief(wanted, answer):\n    return float(not answer.startswith('Put otherwise'))\n", "utf-8"
    )
    labels = in_order(folder, lambda _: 1.0)
    asked = f"exact, {tmp_path / 'brief.py'}:brief"
    alone = proven(tmp_path, Opinions(labels=labels), folder=folder)
    assert alone.decision == "move"
    both = proven(tmp_path, Opinions(labels=labels), folder=folder, metrics=asked)
    assert both.decision == "hold"
    assert both.evidence["judged"]["is_certified"] is True
    assert "it is not shown under" in pages(both)[0]


def test_corrections_decide_and_comparisons_are_shown_beside_them(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "data", corrected=0.2)
    labels = in_order(folder, lambda _: -1.0)

    def decided(opinions: Opinions | None) -> Verdict:
        return prove(
            folder,
            answer=model(0.95),
            settings=ProofSettings(),
            facts=FACTS,
            out_dir=tmp_path / f"o{opinions is None}",
            opinions=opinions,
        )

    with_them, without = decided(Opinions(labels=labels)), decided(None)
    assert without.decision == "move"
    assert (with_them.decision, with_them.coverage) == (without.decision, without.coverage)
    assert with_them.evidence["judged"]["is_certified"] is False
    assert "judged" not in without.evidence


def test_comparisons_withhold_a_slice_that_people_like_less(tmp_path: Path) -> None:
    """Without corrections a json task is decided by comparisons; where label is refund, people prefer the provider."""
    folder = make_dataset(tmp_path / "data", proof=600)
    proof = read_dataset(folder).proof
    refunds = {e.id for e in proof if json.loads(e.incumbent)["intent"] == "refund"}

    def answer(examples: Sequence[Example]) -> list[OwnedAnswer]:
        said = model(1.0)(examples)
        rows = zip(examples, said, strict=True)
        return [replace(given, text=json.dumps(json.loads(e.target) | {"order": "?"})) for e, given in rows]

    labels = {e.id: -1.0 if e.id in refunds else 1.0 for e in proof}
    verdict = prove(
        folder,
        answer=answer,
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
        opinions=Opinions(labels=labels),
    )
    assert verdict.decision == "move"
    assert verdict.evidence["outcome"]["scope"] == "whole"
    assert [name for name in verdict.withheld if "refund" in name]
    assert not [name for name in verdict.withheld if "cancel" in name or "track" in name]
    assert (verdict.coverage or 1.0) < 0.9


def test_figures_of_a_comparison_are_whole(tmp_path: Path) -> None:
    verdict = proven(tmp_path, Opinions(), share=1.0)
    assert verdict.decision == "move"  # every answer is the provider's: nobody need be asked
    judged = verdict.evidence["judged"]
    assert set(Compared.__slots__) <= judged.keys()
    assert (judged["by_people"], judged["to_label"]) == (0, 0)
