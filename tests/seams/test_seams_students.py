"""Students of other packages: the setting names what is trained, and the card who is checked and asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from made import a_workspace, triage_calls

from freehold.errors import DataError, SettingError
from freehold.freeze import load
from freehold.model.model_card import MODEL_FILE
from freehold.pipeline.progress import Progress
from freehold.pipeline.steps import Steps
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.prove import ask_model
from freehold.sort.run.sort import sort_new_calls

Offer = Callable[[str, str, str], None]


def _quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


@pytest.fixture
def workspace(tmp_path: Path, offer: Offer) -> Iterator[Workspace]:
    offer("students", "majority", "seams.students_of_others:Majority")
    for name in ("Talker", "Untaught", "Silent"):
        offer("students", name.lower(), f"seams.students_of_others:{name}")
    opened = a_workspace(tmp_path / "state")
    opened.store.calls.add(triage_calls(120))
    sort_new_calls(opened)
    yield opened
    opened.store.close()


def steps(workspace: Workspace, student: str) -> Steps:
    (task,) = workspace.store.registry.tasks()
    chosen = replace(workspace, settings=workspace.settings.override({"train.student": student}))
    return Steps(chosen, task, _quiet)


def test_the_student_of_another_package_is_trained_checked_and_asked(workspace: Workspace) -> None:
    theirs, ours = steps(workspace, "majority"), steps(workspace, "generator")
    done = theirs.run("freeze", {})
    done |= theirs.run("train", done)
    assert done["model_id"] == "m-majority"
    card = workspace.model(theirs.task, "m-majority")
    assert (card.student, card.parity) == ("majority", {})
    ours.run("check", done)  # the card names the student, not the setting
    card = workspace.model(theirs.task, "m-majority")
    assert card.parity == {"is_ok": True}
    examples = load(Path(workspace.dataset(theirs.task).path)).proof[:3]
    answers = ask_model(ours.workspace, theirs.task, card, examples, _quiet)
    wanted = (Path(card.path) / MODEL_FILE).read_text("utf-8")
    assert [answer.text for answer in answers] == [wanted] * 3


def test_a_student_that_cannot_answer_the_task_is_one_line(workspace: Workspace) -> None:
    talker = steps(workspace, "talker")
    done = talker.run("freeze", {})
    with pytest.raises(DataError, match=r"The student 'talker' cannot answer task .*, which wants json") as caught:
        talker.run("train", done)
    assert "text" in caught.value.hint
    with pytest.raises(SettingError, match="There is no 'nobody' among students"):
        steps(workspace, "nobody").run("train", done)


def test_a_student_that_raises_is_one_line_wherever_it_does(workspace: Workspace) -> None:
    silent = steps(workspace, "silent")
    done = silent.run("freeze", {})
    with pytest.raises(DataError, match="'untaught' of students failed: ArithmeticError: nothing adds up"):
        steps(workspace, "untaught").run("train", done)
    done |= silent.run("train", done)
    with pytest.raises(DataError, match="'silent' of students failed: ArithmeticError: no sum"):
        silent.run("check", done)
    examples = load(Path(workspace.dataset(silent.task).path)).proof[:1]
    card = workspace.model(silent.task, "m-majority")
    with pytest.raises(DataError, match="'silent' of students failed: ArithmeticError: no words"):
        ask_model(workspace, silent.task, card, examples, _quiet)
