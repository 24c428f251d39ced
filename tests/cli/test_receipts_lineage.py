"""`freehold lineage`: from a call to the models that learned from it, and from a model to its calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cli.golden_text import check_golden
from cli.proven import SECRET, quiet, walked_workspace
from made import Run, a_call, a_workspace, triage_calls
from msgspec import structs

from freehold.freeze.run.freeze import freeze
from freehold.ops.lineage import trace
from freehold.sort.run.sort import sort_new_calls


def test_lineage_goes_from_a_call_to_its_models_and_back(walked: Run, tmp_path: Path) -> None:
    kept, weighed, corrected = (
        "019100000000-7abc-0000000000",
        "019000000000-7abc-0000000000",
        "019000000007-7abc-0000000007",
    )
    check_golden("lineage_call", walked("lineage", weighed), tmp_path)
    check_golden("lineage_corrected", walked("lineage", corrected), tmp_path)
    check_golden("lineage_model", walked("lineage", "model-1"), tmp_path)
    for call in (kept, weighed):
        found = json.loads(walked("lineage", call, "--json").stdout)
        assert [model["id"] for model in found["models"]] == ["model-1"]
        assert [use["split"] for use in found["uses"]] == ["train"]
    behind = json.loads(walked("lineage", "model-1", "--all", "--json").stdout)["calls"]
    assert {kept, weighed, corrected} <= set(behind["train"])
    assert sum(len(ids) for ids in behind.values()) == 124
    for name in ("verdict-1", "model-1"):
        listed = walked("lineage", name, "--all").stdout.splitlines()
        assert len(listed) == 124
        assert f"train  {weighed}" in listed
    dataset = json.loads(walked("lineage", "verdict-1", "--json").stdout)["dataset"]
    assert json.loads(walked("lineage", dataset[:16], "--json").stdout)["kind"] == "dataset"
    assert SECRET not in walked("lineage", "model-1", "--json").stdout


def test_a_model_that_was_proven_on_a_newer_dataset_learned_nothing_from_it(run: Run, tmp_path: Path) -> None:
    workspace, _ = walked_workspace(tmp_path / ".freehold")
    later = [structs.replace(call, created_at=call.created_at + 1e6) for call in triage_calls(300)[150:]]
    workspace.store.calls.add(later)
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    newer = freeze(workspace, task, quiet)
    verdict = workspace.store.registry.verdict("verdict-1")
    assert verdict
    workspace.store.registry.put_verdict(replace(verdict, id="verdict-2", dataset_hash=newer))
    split = {use.split: use.example for call in later for use in trace(workspace, call.id).uses}
    workspace.store.close()
    assert "no model learned from it" in run("lineage", split["train"]).stdout
    assert "model model-1 was tuned with it" in run("lineage", split["dev"]).stdout
    assert "model model-1 was judged by it" in run("lineage", split["proof"]).stdout
    assert "no model learned from it" in run("lineage", "019000000060-7abc-0000000060").stdout, "it was held out"
    told = run("lineage", "verdict-2").stdout
    assert "train:" not in told
    assert "trained on dataset" in told
    assert {line.split()[0] for line in run("lineage", "verdict-2", "--all").stdout.splitlines()} == {"dev", "proof"}
    assert f"verdict verdict-2: move, on dataset {newer[:16]}" in run("lineage", "model-1").stdout


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ("audit", "an audit of call parent-1, which model model-1 had answered (route version 1)"),
        ("shadow", "asked of model model-1 beside call parent-1 (route version 1)"),
        ("owned", "answered by model model-1 (route version 1)"),
    ],
)
def test_a_call_that_no_model_learned_from_says_what_it_was_for(run: Run, tmp_path: Path, arm: str, words: str) -> None:
    workspace, task = walked_workspace(tmp_path / ".freehold")
    workspace.store.calls.add(
        [a_call(id="beside-1234", arm=arm, parent_id="parent-1", task_id=task.id, route_version=1)]
    )
    workspace.store.close()
    told = run("lineage", "beside-1234").stdout
    assert words in " ".join(told.split())
    assert "in no dataset: no model learned from it" in told
    assert max(len(line) for line in run("lineage", "model-1").stdout.splitlines()) <= 80


def test_lineage_says_what_it_cannot_tell(walked: Run, tmp_path: Path) -> None:
    for name in ("none", "", "%", "0190", "mod", "x" * 5000):
        refused = walked("lineage", name)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "There is no single call" in refused.stderr
    workspace = a_workspace(tmp_path / ".freehold")
    (dataset,) = workspace.store.registry.datasets(None)
    (card,) = workspace.store.registry.models(None)
    workspace.store.registry.put_model(replace(card, id="model-2"))
    assert "could be several things: model model-2, model model-1" in walked("lineage", "model").stderr
    train = Path(dataset.path) / "train.jsonl"
    train.chmod(0o644)
    content = train.read_text(encoding="utf-8")
    train.write_text(content.replace('"also"', '"Also"'), encoding="utf-8")
    told = walked("lineage", "019000000000-7abc-0000000000")
    assert "in no dataset" in told.stdout
    assert "is not what was frozen" in told.stderr
    train.write_text("{}\nnonsense\n", encoding="utf-8")
    assert walked("lineage", "model-1").exit_code == 0
    Path(dataset.path).chmod(0o755)
    train.unlink()
    assert "is gone" in walked("lineage", "model-1").stderr
    workspace.store.close()


def test_a_dataset_that_names_one_call_an_example_is_told_to(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from freehold.model import Example

    write: Callable[[Example], dict[str, object]] = Example.to_row
    monkeypatch.setattr(Example, "to_row", lambda self: {k: v for k, v in write(self).items() if k != "also"})
    workspace, _ = walked_workspace(tmp_path / ".freehold")
    workspace.store.close()
    assert run("verify", json.loads(run("tasks", "--json").stdout)[0]["task"]).exit_code == 0
    for name in ("019100000000-7abc-0000000000", "019000000000-7abc-0000000000", "model-1"):
        told = run("lineage", name)
        assert told.exit_code == 0
        assert ("left out 5 calls" in told.stderr) == ("in no dataset" in told.stdout or name == "model-1")
