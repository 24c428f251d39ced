"""Metrics: what each gives, which of them must pass, and a user's function that misbehaves."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_proof import FACTS, make_dataset, model

from freehold.errors import DataError, SettingError
from freehold.model.engine import OwnedAnswer
from freehold.model.example import Example
from freehold.model.verdict import Verdict
from freehold.prove import ProofSettings, metric_sources, prove
from freehold.prove.metrics import judge, read_metrics


def wanting(target: str) -> Example:
    return Example(
        id="c1", messages=(), target=target, incumbent=target, source="provider", group="call:c1", created_at=0.0
    )


def value(metric: str, kind: str, wanted: str, got: str) -> float:
    return judge(kind, read_metrics(metric), wanting(wanted), got).values[0]


@pytest.mark.parametrize(
    ("metric", "kind", "wanted", "got", "expected"),
    [
        ("exact", "label", "Refund", "refund.", 1.0),
        ("exact", "label", "Refund", "other", 0.0),
        ("graded", "json", '{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 0.5),
        ("graded>=0.4", "json", '{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 0.5),
        ("valid", "json", '{"a": 1}', "{", 0.0),
        ("valid", "json", '{"a": 1}', '{"z": 1}', 1.0),
        ("fields:a", "json", '{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 1.0),
        ("fields:b", "json", '{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 0.0),
        ("fields:b", "json", '{"a": 1, "b": {"c": 2}}', '{"a": 1, "b": {"c": 3}}', 0.0),
        ("fields:b", "json", '{"a": 1, "b": [1, 2]}', '{"a": 9, "b": [1, 2]}', 1.0),
        ("fields:b", "json", '{"a": 1, "bc": 2}', '{"a": 1, "bc": 3}', 1.0),
        ("fields:a", "json", '{"a": 1}', "no JSON at all", 0.0),
        ("fields:a", "json", "no JSON wanted", "something else", 0.0),
        ("length", "text", "x" * 100, "x" * 200, 1.0),
        ("length", "text", "x" * 100, "x" * 201, 0.0),
        ("length", "text", "x" * 100, "x" * 49, 0.0),
        ("length", "text", "yes", "no, not yet", 1.0),
    ],
)
def test_built_in_metrics(metric: str, kind: str, wanted: str, got: str, expected: float) -> None:
    assert value(metric, kind, wanted, got) == pytest.approx(expected)


@pytest.mark.parametrize(("metrics", "is_right"), [("graded>=0.5", True), ("graded", False), ("valid,exact", False)])
def test_a_call_is_right_when_every_metric_reaches_its_mark(metrics: str, is_right: bool) -> None:
    judged = judge("json", read_metrics(metrics), wanting('{"a": 1, "b": 2}'), '{"a": 1, "b": 3}')
    assert judged.score.is_exact is is_right
    assert not judged.is_equal


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no metric"),
        (" , ", "no metric"),
        ("exact,exact", "twice"),
        ("exactly", "no metric 'exactly'"),
        ("fields:", "no metric"),
        ("graded>=1.5", "mark"),
        ("graded>=0", "mark"),
        ("graded>=nan", "mark"),
        ("graded>=", "mark"),
        ("nowhere.py:f", "cannot be loaded"),
        ("no_such_module_here:f", "cannot be loaded"),
        ("json:no_such_function", "no_such_function"),
    ],
)
def test_a_metric_that_is_none_is_one_clear_line(text: str, word: str) -> None:
    with pytest.raises(SettingError, match=word) as caught:
        read_metrics(text)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def write(folder: Path, body: str) -> str:
    path = folder / "mine.py"
    path.write_text(f"def f(wanted, got):\n    {body}\n", "utf-8")
    return f"{path}:f"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("return 1 / 0", "ZeroDivisionError"),
        ("return float('nan')", "nan, which is not from 0 to 1"),
        ("return 1.5", "not from 0 to 1"),
        ("return -0.1", "not from 0 to 1"),
        ("return 'yes'", "no number"),
        ("return [1]", "no number"),
        ("return 10 ** 400", "no number"),
        ("raise ValueError('x' * 9999)", "ValueError"),
        ("raise ValueError('one line\\nand another')", "one line and another"),
        ("raise SystemExit(0)", "SystemExit"),
        ("return type('Odd', (), {'__float__': lambda self: 1 / 0})()", "no number"),
    ],
)
def test_a_function_that_misbehaves_ends_the_proof_and_names_the_call(tmp_path: Path, body: str, word: str) -> None:
    metric = write(tmp_path, body)
    with pytest.raises(DataError, match=word) as caught:
        prove_with(tmp_path, metric)
    assert metric in caught.value.message
    assert "call 'c" in caught.value.message
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "body", ["def g(", "import no_such_module_here", "raise RuntimeError('x')", "raise SystemExit(0)"]
)
def test_a_file_that_cannot_run_is_one_clear_line(tmp_path: Path, body: str) -> None:
    (tmp_path / "mine.py").write_text(body, "utf-8")
    with pytest.raises(SettingError, match="cannot be loaded"):
        read_metrics(f"{tmp_path / 'mine.py'}:f")


def test_none_is_a_missing_score_and_counts_against_the_model(tmp_path: Path) -> None:
    metric = write(tmp_path, "return None if 'number 1' in wanted or got != wanted else 1.0")
    judged = judge("text", read_metrics(metric), wanting("a"), "b")
    assert math.isnan(judged.values[0])
    assert not judged.score.is_exact
    verdict = prove_with(tmp_path, write(tmp_path, "return None"), accuracy=1.0)
    (row,) = verdict.evidence["metrics"]
    assert (row["missing"], row["owned"], row["difference"]) == (120, None, -1.0)
    assert verdict.decision == "hold"


def test_a_function_of_the_users_can_carry_a_move_and_its_file_is_named(tmp_path: Path) -> None:
    metric = write(tmp_path, "return 1.0 if got.startswith('{') else 0.0")
    verdict = prove_with(tmp_path, f"exact, {metric}", accuracy=1.0)
    assert verdict.decision == "move"
    assert [row["name"] for row in verdict.evidence["metrics"]] == ["exact", metric]
    before = metric_sources(metric)
    assert before != metric_sources(write(tmp_path, "return 1.0"))
    assert metric_sources("exact, valid") == ()


def test_the_hardest_metric_decides(tmp_path: Path) -> None:
    """All answers agree in the order's field and only half in the intent: asked for both, it is not shown."""
    folder = make_dataset(tmp_path / "dataset", proof=300)
    half = model(0.5, is_telling=False)

    def answer(examples: Sequence[Example]) -> list[OwnedAnswer]:
        pairs = zip(examples, half(examples), strict=True)
        return [
            replace(a, text=json.dumps(json.loads(a.text) | {"order": json.loads(e.target)["order"]})) for e, a in pairs
        ]

    def decision(metrics: str) -> str:
        settings = ProofSettings(metrics=metrics)
        out = tmp_path / metrics.replace(":", "_")
        return prove(folder, answer=answer, settings=settings, facts=FACTS, out_dir=out).decision

    assert decision("fields:order") == "move"
    assert decision("fields:order,fields:intent") != "move"
    with pytest.raises(SettingError, match=r"no wanted answer has.*Fields: intent, order"):
        decision("fields:amount")


def prove_with(folder: Path, metrics: str, *, accuracy: float = 0.9) -> Verdict:
    dataset = folder / "dataset"
    if not dataset.exists():
        make_dataset(dataset, proof=120, dev=40, train=60)
    settings = ProofSettings(metrics=metrics)
    return prove(dataset, answer=model(accuracy), settings=settings, facts=FACTS, out_dir=folder / "out")
