"""What the demo plays: fixed traffic, bounded by work, told from other traffic, and a smaller one for the hurried."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from made import a_workspace

from freehold.cli.commands import cli
from freehold.demo.answers import FileAnswers
from freehold.demo.engine import wait_for_engine
from freehold.demo.pipeline import check_same
from freehold.demo.script import FAST, Script, lookup_script, rows_script, whole_script
from freehold.errors import DataError
from freehold.pipeline.progress import Progress
from freehold.serve.run.engines import engine_file
from freehold.settings.catalogue import declared

ROWS = "".join(json.dumps({"id": str(n), "input": f"message {n}", "gold": "ab"[n % 2]}) + "\n" for n in range(30))


def _rows(where: Path) -> Script:
    data = where / "data"
    data.mkdir()
    for name in ("train", "test"):
        (data / f"{name}.jsonl").write_text(ROWS, encoding="utf-8")
    return rows_script(data, where)


def _fast(where: Path) -> Script:
    return lookup_script(where, FAST)


@pytest.mark.parametrize("script", [lookup_script, _fast, lambda _where: whole_script(), _rows])
def test_a_script_is_bounded_by_work_and_says_what_will_happen(
    script: Callable[[Path], Script], tmp_path: Path
) -> None:
    played = script(tmp_path)
    train = played.tables["train"]
    assert train["minutes"] == 0  # no limit of time
    assert train["epochs"] in (1.0, 3.0)
    assert all(declared(f"{section}.{name}") for section, table in played.tables.items() for name in table)
    assert f"{len(played.before):,} calls" in played.about
    assert f"{len(played.after):,} more calls" in played.about
    assert "minutes on 2 quiet cores" in played.about
    assert len({request.row for request in (*played.before, *played.after)}) >= len(played.before)


def test_a_script_is_the_same_each_time_and_another_one_is_told_apart(tmp_path: Path) -> None:
    script = lookup_script(tmp_path)
    assert script.digest == lookup_script(tmp_path).digest
    assert script.digest != replace(script, after=script.after[:-1]).digest
    assert script.digest != replace(script, tables={}).digest
    check_same(script, tmp_path)
    check_same(script, tmp_path)
    with pytest.raises(DataError, match="other traffic or settings"):
        check_same(replace(script, tables={}), tmp_path)


def test_a_folder_of_an_earlier_version_is_not_played_on(tmp_path: Path) -> None:
    (tmp_path / "freehold.toml").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="other traffic or settings"):
        check_same(lookup_script(tmp_path), tmp_path)


def test_the_lookups_provider_is_mostly_right_and_sometimes_wrong(tmp_path: Path) -> None:
    script = lookup_script(tmp_path)
    asked = [*script.before, *script.after]
    provider = FileAnswers.read(tmp_path / "answers.jsonl")
    answers = [str(provider.answer(request.arguments["messages"][-1]["content"])) for request in asked]
    read = [json.loads(answer.replace("```json", "").replace("```", "")) for answer in answers]
    golds = [json.loads(request.gold) for request in asked]
    assert all(set(gold) == {"order", "language"} for gold in golds)
    wrong = sum(answer != gold for answer, gold in zip(read, golds, strict=True)) / len(asked)
    reworded = sum(answer != request.gold for answer, request in zip(answers, asked, strict=True)) / len(asked)
    assert 0.01 < wrong < 0.05
    assert 0.08 < reworded < 0.18
    assert sum(gold["order"] is not None for gold in golds) > len(golds) / 5


@pytest.mark.parametrize("part", ["--fast", "--whole"])
def test_a_part_of_the_shops_task_and_own_rows_are_two_things(part: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["demo", part, "--data", str(tmp_path)])
    assert result.exit_code == 2


def test_the_route_is_put_to_use_once_the_gateway_serves_the_model(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path)
    seen: list[Progress] = []
    path = engine_file(workspace.settings)
    path.parent.mkdir(parents=True)
    path.write_text('{"another": "http://127.0.0.1:1"}', encoding="utf-8")

    def report(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            path.write_text('{"another": "http://127.0.0.1:1", "m1": "http://127.0.0.1:2"}', encoding="utf-8")

    assert wait_for_engine(workspace, "m1", report)
    assert seen[-1].is_last
    assert len(seen) == 3
    assert not wait_for_engine(workspace, "m2", report, longest_s=0.0)
    workspace.store.close()
