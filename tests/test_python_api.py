"""The public API: the chapter's own code runs, and what is in a workspace comes out as plain values."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made import a_workspace, triage_calls, weights

import freehold
from freehold import FreeholdError, ModelCard, Progress, Verdict, Workspace
from freehold.model.verdict import Decision
from freehold.pipeline import runs
from freehold.route.run.move import put_route

CHAPTER = Path(__file__).parent.parent / "docs" / "python.md"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with calls of one task, as `.freehold` of the current folder."""
    monkeypatch.chdir(tmp_path)
    made = a_workspace(tmp_path / ".freehold")
    made.store.calls.add(triage_calls(120))
    made.store.close()
    return tmp_path / ".freehold"


@pytest.fixture
def trained(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training and proof that are done at once; the verdict is need."""

    def train(workspace: Any, name: str, report: Any) -> ModelCard:
        report(Progress(stage="train", done=1, total=1))
        task = workspace.task(name)
        card = ModelCard(
            id="m1",
            task_id=task.id,
            base="b",
            base_sha256="c",
            dataset_hash=workspace.dataset(task).id,
            recipe={},
            seed=0,
            metrics={},
            **weights(workspace.folder("models") / "m1"),
        )
        workspace.store.registry.put_model(card)
        return card

    def prove(workspace: Any, name: str, _model_id: str | None, _report: Any) -> Verdict:
        decision: Decision = "need"
        task = workspace.task(name)
        verdict = Verdict(
            id="v1",
            task_id=task.id,
            model_id="m1",
            dataset_hash=workspace.dataset(task).id,
            decision=decision,
            need=300,
            margin=0.02,
            risk=0.05,
        )
        workspace.store.registry.put_verdict(verdict)
        return verdict

    monkeypatch.setattr(runs, "train_task", train)
    monkeypatch.setattr(runs, "prove_task", prove)
    monkeypatch.setattr(runs, "check_task_training", lambda *_: None)


def test_the_code_of_the_chapter_runs(trained: None, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", CHAPTER.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(CHAPTER), "exec"), names)
    printed = capsys.readouterr().out
    assert len(blocks) == 7
    assert "freeze" in printed, "progress is told"
    assert "There is no task 'no such task'" in printed


def test_calls_are_a_table_of_plain_values(state: Path) -> None:
    with Workspace(state) as workspace:
        rows = list(workspace.calls(limit=5))
        oldest = next(workspace.calls(newest_first=False))
        assert len(list(workspace.calls())) >= 120
    assert len({tuple(row) for row in rows}) == 1, "each row has the same columns"
    assert rows[0]["created_at"] >= rows[-1]["created_at"] >= oldest["created_at"]
    assert isinstance(rows[0]["request_body"], str)
    assert rows[0]["answer"].startswith("{")


def test_a_setting_of_a_workspace_is_its_own(state: Path) -> None:
    with Workspace(state) as plain, Workspace(state, settings={"freeze.proof_share": 0.4}) as careful:
        (name,) = [task["task"] for task in plain.tasks() if task["kind"] == "json"]
        few, many = plain.freeze(name), careful.freeze(name)
    assert many["counts"]["proof"] > few["counts"]["proof"]
    with Workspace(state) as again:
        assert next(row["hash"] for row in again.datasets(name)) == many["hash"]


def test_a_correction_and_a_rating_are_kept(state: Path) -> None:
    with Workspace(state) as workspace:
        call = next(workspace.calls())
        workspace.correct(call["id"], '{"intent": "refund", "urgency": 1}')
        workspace.rate(call["id"], is_good=False)
        kinds = [one.kind for one in workspace._opened.store.calls.feedback_of(call["id"])]
    assert kinds == ["correction", "boolean"]


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda w: w.freeze("nothing"), "There is no task 'nothing'"),
        (lambda w: w.move("nothing"), "There is no task 'nothing'"),
        (lambda w: list(w.calls("nothing")), "There is no task 'nothing'"),
        (lambda w: w.plan_move("nothing", "sideways"), "is no kind of route"),
    ],
)
def test_an_error_names_the_next_step(state: Path, work: Any, words: str) -> None:
    with Workspace(state) as workspace:
        workspace.tasks()
        with pytest.raises(FreeholdError, match=words) as caught:
            work(workspace)
    assert caught.value.hint


def test_a_state_folder_becomes_private_and_the_head_of_its_receipts_is_kept(state: Path) -> None:
    state.chmod(0o755)
    with Workspace(state) as workspace:
        (name,) = [task["task"] for task in workspace.tasks() if task["kind"] == "json"]
        workspace.freeze(name)
        opened = workspace._opened
        put_route(opened, replace(opened.store.registry.route(opened.task(name).id), version=1, kind="shadow"))
    assert state.stat().st_mode & 0o077 == 0
    assert (state / "receipts.heads").read_text(encoding="utf-8").strip()


def test_an_unknown_setting_is_an_error_at_once(state: Path) -> None:
    with pytest.raises(FreeholdError, match="freeze\\.proof_shar"):
        Workspace(state, settings={"freeze.proof_shar": 0.4})


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, freehold; print(sorted(m for m in sys.modules if m.startswith('freehold')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['freehold']"
    for name in freehold.__all__:
        assert getattr(freehold, name) is not None
        assert name in dir(freehold)
    with pytest.raises(AttributeError, match="no attribute 'Estate'"):
        _ = freehold.Estate
