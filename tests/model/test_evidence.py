"""The figures of a proof: read from a document of any version, and written as they were."""

from __future__ import annotations

import json
import lzma
import math
import sqlite3
import tarfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.model.evidence.evidence import Evidence
from freehold.model.live_baseline import LiveBaseline
from freehold.model.verdict import Verdict

STORED = Path(__file__).parents[1] / "stored" / "demo.tar.xz"
ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def old_verdict(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A verdict that an earlier version made and stored."""
    folder = tmp_path_factory.mktemp("old")
    with lzma.open(STORED) as file, tarfile.open(fileobj=file) as archive:
        archive.extractall(folder, filter="data")
    with sqlite3.connect(folder / "state" / "freehold.db") as connection:
        ((document,),) = connection.execute("SELECT document FROM verdicts")
    verdict: dict[str, Any] = json.loads(document)
    return verdict


@pytest.fixture
def old_document(old_verdict: dict[str, Any]) -> dict[str, Any]:
    """Its evidence."""
    evidence: dict[str, Any] = old_verdict["evidence"]
    return evidence


def test_an_old_document_is_read_and_written_as_it_was(old_document: dict[str, Any]) -> None:
    figures = Evidence.from_json(old_document)
    assert figures.calls == old_document["calls"] > 100
    assert figures.cascade.chosen is not None
    assert figures.cascade.chosen.local == old_document["cascade"]["chosen"]["local"] > 0
    assert figures.used_calls.digest == old_document["used"]["digest"]
    assert figures.owned.share == old_document["sides"][1]["share"]
    told = {name: value for name, value in old_document.items() if name != "story"}
    assert json.dumps(figures.to_json(), sort_keys=True) == json.dumps(told, sort_keys=True)


def test_an_old_baseline_is_read_and_written_as_it_was(old_verdict: dict[str, Any]) -> None:
    expected = old_verdict["expected"]
    baseline = LiveBaseline.from_json(expected)
    assert baseline.answers == expected["answers"] > 100
    assert baseline.slices == expected["slices"]
    assert json.dumps(baseline.to_json(), sort_keys=True) == json.dumps(expected, sort_keys=True)
    assert LiveBaseline.from_json({"kinds": {}, "later": 1}) == LiveBaseline()
    assert not {"kinds", "habits", "differing_share"} & LiveBaseline().to_json().keys()


def test_what_is_missing_is_unknown_and_what_is_new_does_no_harm(old_document: dict[str, Any]) -> None:
    bare = Evidence.from_json({})
    assert (bare.calls, bare.cascade.chosen, bare.ramp, bare.owned.share, bare.baselines) == (
        None,
        None,
        None,
        None,
        (),
    )
    assert bare.facts.undertraining is None
    assert not {"judged", "ramp", "rollback", "borne", "unlike", "noise"} & bare.to_json().keys()
    newer = {**old_document, "later": {"n": 1}, "paired": {**old_document["paired"], "later": [1]}}
    assert Evidence.from_json(newer) == Evidence.from_json(old_document)


@pytest.mark.parametrize("odd", [math.nan, math.inf, True, "7", None, [1], {"n": 1}, 10**400])
def test_a_figure_of_another_type_is_unknown(odd: object) -> None:
    found = Evidence.from_json({"calls": odd, "ranking": odd, "sides": [odd, {"share": odd, "n": 5}], "users": 7})
    assert (found.calls, found.ranking) == (None, None)
    assert (found.owned.share, found.owned.n, found.users) == (None, 5, 7)
    json.dumps(found.to_json(), allow_nan=False)


@given(st.dictionaries(st.sampled_from(Evidence.__struct_fields__), ODD))
def test_no_document_is_an_error(document: dict[str, object]) -> None:
    found = Evidence.from_json(document)
    assert Evidence.from_json(found.to_json()) == Evidence.from_json(Evidence.from_json(found.to_json()).to_json())
    assert found.used_calls.looked_at_before >= 0 or "used" in document


@given(ODD)
def test_no_value_is_an_error(value: object) -> None:
    assert isinstance(Evidence.from_json(value), Evidence)


def test_a_number_keeps_its_type() -> None:
    written = json.dumps(Evidence.from_json({"level": 1, "slice_limit": 1.0}).to_json())
    assert '"level": 1,' in written
    assert '"slice_limit": 1.0,' in written


def test_a_verdict_reads_its_figures_and_stores_its_document_alone() -> None:
    verdict = Verdict(
        id="v", task_id="t", model_id="m", dataset_hash="d", decision="hold", margin=0.02, risk=0.05,
        evidence={"calls": 3, "later": 1},
    )  # fmt: skip
    assert verdict.figures is verdict.figures
    assert verdict.figures.calls == 3
    assert replace(verdict, evidence={"calls": 4}).figures.calls == 4
    for stored in (asdict(verdict), msgspec.to_builtins(verdict)):
        assert stored["evidence"] == {"calls": 3, "later": 1}
        assert "figures" not in stored
        assert msgspec.convert(stored, Verdict) == verdict
