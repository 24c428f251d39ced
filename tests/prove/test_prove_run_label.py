"""People compare pairs in a drawn order, blind; what they said counts for these very answers alone."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared import another, compared_workspace, put_answers, quiet, text_calls, without_engine

from freehold.errors import DataError, FreeholdError, UsageError
from freehold.freeze import load
from freehold.model import Example
from freehold.model.task import Task
from freehold.pipeline.runs import prove_task
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.label import Comparison, Pair, compare, keep
from freehold.prove.run.label_files import export_rows, import_labels
from freehold.prove.run.preferences import preferences_mark, preferences_of
from freehold.route.run.move import move_plan
from freehold.watch.run.bounds import plan_of


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A workspace with one text task, its pairs, and no engine."""
    without_engine(monkeypatch)
    workspace, task = compared_workspace(tmp_path / "state", prove__margin=0.1)
    yield workspace, task, compare(workspace, task.name, None, quiet)
    workspace.store.close()


def say(workspace: Workspace, comparison: Comparison, pair: Pair, choice: str, *, by: str) -> None:
    keep(workspace, comparison, {pair.example_id: pair.preferred(choice)}, by=by)


def say_all(workspace: Workspace, comparison: Comparison, says: Callable[[Pair], str], most: int | None = None) -> None:
    for pair in comparison.open_pairs[:most]:
        say(workspace, comparison, pair, says(pair), by="anna")


def test_pairs_are_drawn_by_the_seed_and_blind(labelled: Any, tmp_path: Path) -> None:
    workspace, task, comparison = labelled
    again = compare(workspace, task.name, None, quiet)
    assert again == comparison
    assert [pair.place for pair in comparison.pairs] == list(range(1, 81))
    assert comparison.planned == 80
    owned_first = sum(pair.is_owned_first for pair in comparison.pairs)
    assert 25 < owned_first < 55  # either side, drawn for each pair
    for pair in comparison.pairs:
        assert {pair.first, pair.second} == {pair.owned, pair.rented}
        assert pair.preferred("1") == ("owned" if pair.first == pair.owned else "rented")
        assert pair.preferred("2") == ("owned" if pair.second == pair.owned else "rented")
        assert pair.preferred("same") == "same"
    other = Workspace(workspace.settings.override({"prove.seed": 5}), workspace.store)
    assert [p.example_id for p in compare(other, task.name, None, quiet).pairs] != [
        p.example_id for p in comparison.pairs
    ]


def test_a_pair_shows_what_was_asked_and_what_all_calls_share(labelled: Any) -> None:
    pair = labelled[2].pairs[0]
    assert pair.instructions == "Write a reply of one sentence."
    assert pair.request.startswith("Case ")
    with pytest.raises(ValueError, match="prefers nothing"):
        pair.preferred("3")


def test_text_moves_once_people_have_said_so_and_not_before(labelled: Any) -> None:
    workspace, task, comparison = labelled
    first = prove_task(workspace, task.name, None, quiet)
    assert (first.words, first.attempt) == ("need 80 more labels", 1)
    say_all(workspace, comparison, lambda pair: "same", 10)
    second = prove_task(workspace, task.name, None, quiet)
    assert (second.words, second.attempt) == ("need 70 more labels", 1)  # more labels are no further attempt
    assert second.id != first.id
    say_all(workspace, compare(workspace, task.name, None, quiet), lambda pair: "same")
    last = prove_task(workspace, task.name, None, quiet)
    assert (last.decision, last.attempt, last.coverage) == ("move", 1, 1.0)
    assert prove_task(workspace, task.name, None, quiet) == last  # nothing new was said


@pytest.mark.parametrize("seed", range(3))
def test_a_model_that_people_like_less_is_held_at_every_peek(labelled: Any, seed: int) -> None:
    workspace, task, _ = labelled
    rng = random.Random(seed)
    words = []
    while pairs := (comparison := compare(workspace, task.name, None, quiet)).open_pairs:
        for pair in pairs[:20]:
            say(workspace, comparison, pair, "rented" if rng.random() < 0.35 else "same", by="anna")
        words.append(prove_task(workspace, task.name, None, quiet).decision)
    assert "move" not in words
    assert words[-1] == "hold"


def test_labels_of_other_answers_do_not_count(labelled: Any) -> None:
    workspace, task, comparison = labelled
    say_all(workspace, comparison, lambda pair: "owned")
    card = workspace.model(task)
    assert preferences_mark(workspace, task, card) != ""
    put_answers(workspace, task, lambda example: f"Worse: {example.incumbent}")
    now = compare(workspace, task.name, None, quiet)
    assert (len(now.open_pairs), now.labels) == (80, ())
    assert prove_task(workspace, task.name, None, quiet).words == "need 80 more labels"


def test_what_was_said_first_counts_and_one_replaces_what_they_said(labelled: Any) -> None:
    """A second person, asked where the first was bad news, would better any figure."""
    workspace, task, comparison = labelled
    pair = comparison.pairs[0]
    for by, choice in (("anna", "rented"), ("ben", "owned"), ("anna", "same")):
        say(workspace, comparison, pair, choice, by=by)
    now = compare(workspace, task.name, None, quiet)
    assert now.values == {pair.example_id: 0.0}
    assert [label.source for label in now.labels] == ["human:anna", "human:ben"]


def test_what_a_proof_has_looked_at_nobody_changes(labelled: Any) -> None:
    workspace, task, comparison = labelled
    say_all(workspace, comparison, lambda _: "rented", most=40)
    prove_task(workspace, task.name, None, quiet)
    first = comparison.pairs[0]
    with pytest.raises(DataError, match="1 decisions would change after a proof has looked at them"):
        say(workspace, comparison, first, "owned", by="anna")
    say(workspace, comparison, first, "rented", by="anna")  # the same again is no change
    say(workspace, comparison, first, "owned", by="ben")  # a second opinion is kept, and does not count
    assert compare(workspace, task.name, None, quiet).values[first.example_id] == -1.0
    say(workspace, comparison, comparison.pairs[50], "owned", by="anna")
    say(workspace, comparison, comparison.pairs[50], "same", by="anna")  # nothing has looked at this one


def test_what_waits_behind_a_skipped_pair_is_counted(labelled: Any) -> None:
    workspace, task, comparison = labelled
    assert comparison.waiting == 0
    for place in (0, 1, 3, 7):
        say(workspace, comparison, comparison.pairs[place], "same", by="anna")
    assert compare(workspace, task.name, None, quiet).waiting == 2


@pytest.mark.parametrize("by", ["", "  ", "a" * 65, "a\nb", "\x1b[2J"])
def test_a_name_that_is_none_is_refused(labelled: Any, by: str) -> None:
    workspace, _, comparison = labelled
    with pytest.raises(UsageError, match="is no name"):
        say(workspace, comparison, comparison.pairs[0], "same", by=by)
    assert workspace.store.labels.of_model(comparison.task.id, comparison.model_id) == []


def test_a_task_of_labels_or_json_needs_nobody_until_somebody_spoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from made import triage_calls

    without_engine(monkeypatch)
    calls = triage_calls(160, provider="rented")
    workspace, task = compared_workspace(tmp_path, calls=calls, owned=lambda example: example.incumbent)
    card, dataset = workspace.model(task), workspace.dataset(task)
    assert preferences_of(workspace, task, card, dataset, quiet) is None
    assert prove_task(workspace, task.name, None, quiet).need_of == "calls"
    workspace.store.close()


# Files


def rows_of(comparison: Comparison) -> list[dict[str, Any]]:
    return export_rows(comparison, comparison.open_pairs)


def written(folder: Path, rows: list[Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def test_an_export_does_not_tell_whose_answer_is_whose_and_comes_back(labelled: Any, tmp_path: Path) -> None:
    workspace, task, comparison = labelled
    rows = rows_of(comparison)
    assert len(rows) == 80
    assert not any(key in row for row in rows for key in ("owned", "rented", "is_owned_first"))
    told = [row | {"preferred": 1 if row["answer_1"].startswith("Other") else "2"} for row in rows[:50]]
    path = written(tmp_path, [*told, *rows[50:], ""])
    assert import_labels(workspace, comparison, path, by="ben") == (50, 30)
    now = compare(workspace, task.name, None, quiet)
    assert set(now.values.values()) == {1.0}
    assert len(now.open_pairs) == 30
    assert import_labels(workspace, now, path, by="ben") == (50, 30)  # again is the same
    assert len(compare(workspace, task.name, None, quiet).labels) == 50


@pytest.mark.parametrize("seed", [0, 3, 8])
def test_1_and_2_mean_what_the_exported_row_showed_whatever_the_seed_is_now(
    labelled: Any, tmp_path: Path, seed: int
) -> None:
    """The sides of another seed would make half of the labels say the opposite."""
    workspace, task, comparison = labelled
    other = Workspace(workspace.settings.override({"prove.seed": seed}), workspace.store)
    rows = rows_of(compare(other, task.name, None, quiet))
    told = [row | {"preferred": 2 if row["answer_1"].startswith("Other") else 1} for row in rows]
    import_labels(workspace, comparison, written(tmp_path, told), by="ben")
    assert set(compare(workspace, task.name, None, quiet).values.values()) == {-1.0}


def test_a_pair_that_is_decided_twice_in_a_file(labelled: Any, tmp_path: Path) -> None:
    workspace, _, comparison = labelled
    row = rows_of(comparison)[0]
    one, other = row | {"preferred": "1"}, row | {"preferred": "2"}
    assert import_labels(workspace, comparison, written(tmp_path, [one, one]), by="ben") == (1, 0)
    with pytest.raises(DataError, match=r"line 2: .* is decided twice, differently"):
        import_labels(workspace, comparison, written(tmp_path, [one, other]), by="ben")


def test_rows_by_side_are_read_too(labelled: Any, tmp_path: Path) -> None:
    workspace, task, comparison = labelled
    sides = ["owned", "rented", "same", None]
    rows = [{"example_id": p.example_id, "preferred": s} for p, s in zip(comparison.pairs, sides, strict=False)]
    assert import_labels(workspace, comparison, written(tmp_path, rows), by="ben") == (3, 1)
    assert sorted(compare(workspace, task.name, None, quiet).values.values()) == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("not json", "line 2: this is not JSON"),
        ("[" * 100_000, "line 2: this is not JSON"),
        ("[]", "line 2: there is no example_id"),
        ('{"preferred": "owned"}', "there is no example_id"),
        ('{"example_id": 7, "preferred": "owned"}', "there is no example_id"),
        ('{"example_id": "nobody", "preferred": "owned"}', "'nobody' is none of the 80 drawn pairs"),
        ({"preferred": "3"}, "preferred is '3'"),
        ({"preferred": "x" * 100_000}, "preferred is 'xxx"),
        ({"example_id": "x" * 100_000, "preferred": "owned"}, "is none of the 80 drawn pairs"),
        ({"preferred": True}, "preferred is True"),
        ({"preferred": ["owned"]}, "preferred is"),
        ({"preferred": "owned", "model_id": "model-2"}, "about other answers"),
        ({"preferred": "owned", "answers": "0000"}, "about other answers"),
        ({"preferred": "owned", "answers": ["0000"]}, "about other answers"),
        ({"preferred": 1}, "which answer 1 is cannot be known"),
    ],
)
def test_one_bad_row_keeps_nothing(labelled: Any, tmp_path: Path, row: Any, words: str) -> None:
    workspace, task, comparison = labelled
    good = {"example_id": comparison.pairs[0].example_id, "preferred": "owned"}
    bad = row if isinstance(row, str) else {"example_id": comparison.pairs[1].example_id} | row
    with pytest.raises(DataError, match="line 2") as refused:
        import_labels(workspace, comparison, written(tmp_path, [good, bad]), by="ben")
    assert words in refused.value.message
    assert len(refused.value.message) < 300
    assert refused.value.hint
    assert compare(workspace, task.name, None, quiet).labels == ()


def test_files_that_cannot_be_read(labelled: Any, tmp_path: Path) -> None:
    workspace, _, comparison = labelled
    binary = tmp_path / "b.jsonl"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.jsonl", tmp_path, binary):
        with pytest.raises(DataError, match="cannot be read"):
            import_labels(workspace, comparison, path, by="ben")
    empty = tmp_path / "e.jsonl"
    empty.write_bytes(b"\xef\xbb\xbf\n\n")
    assert import_labels(workspace, comparison, empty, by="ben") == (0, 0)


def test_no_call_that_could_enter_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_engine(monkeypatch)
    workspace, task = compared_workspace(tmp_path, calls=text_calls(120), owned=another, prove__fresh=True)
    attempts(workspace, task)
    with pytest.raises(FreeholdError, match="no held-out call whose answers could be compared"):
        compare(workspace, task.name, None, quiet)
    workspace.store.close()


def attempts(workspace: Workspace, task: Task) -> None:
    """Let another proof look at every call."""
    from freehold.prove import call_mark

    proof: tuple[Example, ...] = load(Path(workspace.dataset(task).path)).proof
    workspace.store.attempts.claim(task.id, "another", [call_mark(example.id) for example in proof], 1.0)


def test_what_was_shown_to_be_no_worse_while_it_differed_is_no_alarm_live(labelled: Any) -> None:
    """Audits see that answers differ. They differed in the proof, too, and people found them no worse."""
    workspace, task, comparison = labelled
    say_all(workspace, comparison, lambda pair: "same")
    verdict = prove_task(workspace, task.name, None, quiet)
    assert verdict.expected["differing_share"] == 1.0
    assert verdict.expected["newest_call_at"] == max(
        e.created_at for e in load(Path(workspace.dataset(task).path)).proof
    )
    route = move_plan(workspace, task.name).route
    assert plan_of(route, workspace.settings).risk is None
    assert route.expected["slices"] == {}
    assert plan_of(route, workspace.settings).slices == ()
    some = replace(route, expected={**route.expected, "differing_share": 0.25})
    assert plan_of(some, workspace.settings).risk == pytest.approx(0.05 + 0.25)
    cascade = replace(route, expected={})
    assert plan_of(cascade, workspace.settings).risk == 0.05
