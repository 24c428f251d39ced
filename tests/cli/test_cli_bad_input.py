"""Bad input, everywhere: one clear line with what to do next, a non-zero exit code, and nothing lost."""

from __future__ import annotations

import errno
import importlib.util
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from click.testing import Result
from made import Run, a_call, a_workspace, answer_body, chat_body, triage_calls, weights

from freehold.model import ModelCard, Verdict
from freehold.pipeline.workspace import Workspace
from freehold.store import CallFilter

TASK = "triage-support-desk"
EXTRAS = ("torch", "transformers", "peft", "safetensors", "accelerate", "xllamacpp", "gguf", "openai")


def _refused(result: Result, words: str, code: int = 1) -> None:
    """One line on stderr that says these words; nothing on stdout."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("freehold: ")]
    assert len(lines) == 1, result.stderr
    assert words in lines[0]
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert result.exit_code == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("freeze", "triage-suport-desk"), "Did you mean 'triage-support-desk'?"),
        (("train", "nothing"), "Known tasks: triage-support-desk."),
        (("prove", TASK), "Run: freehold train triage-support-desk"),
        (("train", TASK), "Run: freehold freeze triage-support-desk"),
        (("move", TASK), "Run: freehold prove triage-support-desk"),
        (("verify", TASK), "Run: freehold freeze triage-support-desk"),
        (("calls", "nope1234"), "There is no single call 'nope1234'"),
        (("calls", "--task", "nope"), "There is no task 'nope'"),
        (("calls", "--since", "yesterday"), "Write 30s, 15m, 2h or 7d."),
        (("correct", "nope1234", "x"), "There is no single call"),
        (("freeze", TASK, "--proof-share", "0.9"), "leave too little to train on"),
        (("freeze", TASK, "--proof-share", "nan"), "is not a number from 0 to 1"),
        (("pull", "gpt-5"), "Known: smollm2-135m"),
        (("--config", "none.toml", "tasks"), "There is no settings file"),
        (("up", "--host", "0.0.0.0"), "Or listen on 127.0.0.1"),
        (("up", "--port", "99999"), "from 0 to 65535"),
        (("demo", "--data", "nowhere"), "There is no data folder"),
    ],
)
def test_what_was_asked_wrongly(recorded: Run, arguments: tuple[str, ...], words: str) -> None:
    recorded("tasks")
    result = recorded(*arguments)
    is_not_usage = words.startswith("Run: freehold prove")
    _refused(result, words, code=1 if is_not_usage else 2)


def test_an_unknown_setting_names_the_nearest(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "freehold.toml").write_text("[gateway]\nprot = 1\n")
    _refused(run("tasks"), "Did you mean 'gateway.port'?", 2)
    (tmp_path / "freehold.toml").write_text("[gateway\n")
    _refused(run("tasks"), "Mend the file.", 2)
    (tmp_path / "freehold.toml").unlink()
    monkeypatch.setenv("FREEHOLD_GATEWAY_PROT", "1")
    _refused(run("settings"), "Did you mean 'FREEHOLD_GATEWAY_PORT'?", 2)


def test_an_unknown_verb_or_option_is_a_usage_error(run: Run) -> None:
    assert run("dance").exit_code == 2
    assert run("tasks", "--dance").exit_code == 2
    assert run("calls", "--limit", "many").exit_code == 2


def _record(folder: Path, answers: list[str]) -> None:
    workspace = a_workspace(folder / ".freehold")
    calls = triage_calls(len(answers))
    bodies = [answer_body(answer) for answer in answers]
    fields = ("created_at", "request_body", "session_key")
    workspace.store.calls.add(
        [
            a_call(**{name: getattr(call, name) for name in fields}, response_body=body)
            for call, body in zip(calls, bodies, strict=True)
        ]
    )
    workspace.store.close()


def test_too_few_calls(run: Run, tmp_path: Path) -> None:
    _record(tmp_path, ["a", "b", "c"])
    run("tasks")
    _refused(run("freeze", TASK), "has 3 usable examples and needs")


def test_no_calls_at_all(run: Run) -> None:
    _refused(run("freeze", TASK), "run freehold up and send calls through it", 2)
    for verb in ("tasks", "calls", "status"):
        result = run(verb)
        assert result.exit_code == 0
        assert "freehold up" in result.stderr


def test_one_label_only(run: Run, tmp_path: Path) -> None:
    _record(tmp_path, ["refund"] * 100)
    run("tasks")
    _refused(run("freeze", TASK), "always gets the same answer, 'refund'")


def test_answers_that_are_not_the_json_that_was_asked_for(run: Run, tmp_path: Path) -> None:
    good = [json.dumps({"intent": "abcd"[n % 4], "n": n}) for n in range(150)]
    _record(tmp_path, ['{"intent": "a', *good, "Sorry, I cannot."])
    run("tasks")
    result = run("freeze", TASK, "--json")
    assert result.exit_code == 0
    frozen = json.loads(result.stdout)
    assert sum(frozen["counts"].values()) + sum(frozen["dropped"].values()) == 152
    assert sum(frozen["dropped"].values()) >= 2


def test_calls_that_all_failed(run: Run, tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / ".freehold")
    bodies = [chat_body(f"message {n}") for n in range(60)]
    workspace.store.calls.add([a_call(request_body=body, status=500, response_body=b"oops") for body in bodies])
    workspace.store.close()
    listed = run("tasks")
    assert "60 calls belong to no task" in listed.stderr
    assert listed.stderr.splitlines()[-1] == "Next: freehold calls --failed"


@pytest.mark.parametrize("name", ["freehold.db", "loop.db"])
def test_garbage_in_the_state_folder(recorded: Run, tmp_path: Path, name: str) -> None:
    recorded("tasks")
    for path in (tmp_path / ".freehold").glob(f"{name}*"):
        path.unlink()
    (tmp_path / ".freehold" / name).write_bytes(b"garbage " * 2000)
    _refused(recorded("freeze", TASK), "Restore a backup, or move the file away")


def test_a_state_folder_of_a_newer_version(recorded: Run, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / ".freehold" / "freehold.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    _refused(recorded("tasks"), "pip install -U freehold")


def test_a_state_folder_that_is_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".freehold").write_text("x")
    _refused(run("tasks"), "is a file. Choose another --state.")
    _refused(run("--state", ".freehold/inner", "tasks"), "cannot be made")


def test_a_truncated_dataset_is_neither_trained_on_nor_passed_over(recorded: Run, tmp_path: Path) -> None:
    recorded("freeze", TASK)
    (train,) = (tmp_path / ".freehold" / "datasets").glob("*/train.jsonl")
    train.chmod(0o644)
    train.write_bytes(train.read_bytes()[:-30])
    _refused(recorded("train", TASK, "--base", "tiny.gguf"), "is damaged")
    _refused(recorded("freeze", TASK), "delete the folder and freeze again")
    result = recorded("verify", TASK)
    assert result.exit_code == 1
    assert "train.jsonl" in result.stdout


def test_a_base_that_is_no_model(recorded: Run, tmp_path: Path) -> None:
    recorded("freeze", TASK)
    (tmp_path / "broken.gguf").write_bytes(b"no weights here")
    _refused(recorded("train", TASK, "--base", "broken.gguf"), "is not a GGUF file")
    _refused(recorded("train", TASK, "--base", "absent.gguf"), "There is no base 'absent.gguf'", 2)


@pytest.mark.parametrize(("module", "extra"), [("torch", "train"), ("transformers", "train")])
def test_a_missing_extra_says_the_install_line(
    recorded: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == module else find(name, package)

    recorded("freeze", TASK)
    (tmp_path / "base.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(sys.modules["freehold.train.fit"], "find_spec", without)
    _refused(recorded("train", TASK, "--base", "base.gguf"), f"pip install 'freehold[{extra}]'")


def test_without_any_extra_all_but_the_extras_works(recorded: Run) -> None:
    code = f"""
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nothing())
import freehold.app
from freehold.cli.commands import cli
for words in (['tasks'], ['calls'], ['freeze', {TASK!r}], ['verify', {TASK!r}], ['status'], ['settings']):
    cli(words, standalone_mode=False)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "whole:" in done.stdout  # a long folder stands on a line of its own


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "Check the permissions"),
        (errno.EEXIST, "move it away"),
    ],
)
def test_a_disk_that_refuses(recorded: Run, monkeypatch: pytest.MonkeyPatch, number: int, words: str) -> None:
    def refuse(_self: Workspace, name: str) -> Path:
        raise OSError(number, "the disk's own words", f"/state/{name}")

    monkeypatch.setattr(Workspace, "folder", refuse)
    result = recorded("freeze", TASK)
    _refused(result, words)
    assert "/state/" in result.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB; left out where one may not be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_full(run: Run, small_disk: Path) -> None:
    state = small_disk / "state"
    workspace = a_workspace(state)
    workspace.store.calls.add(triage_calls(300))
    workspace.store.close()
    run("--state", str(state), "tasks")
    checked = 0
    for left in (8, 230, 370):
        filler = small_disk / "filler"
        filler.unlink(missing_ok=True)
        _fill(filler, small_disk, left_kib=left)
        result = run("--state", str(state), "freeze", TASK)
        if result.exit_code:
            assert "Free some space" in result.stderr
            assert "Traceback" not in result.stderr
            checked += 1
    assert checked >= 2
    filler.unlink()
    assert run("--state", str(state), "freeze", TASK).exit_code == 0
    workspace = a_workspace(state)
    assert workspace.store.calls.count(CallFilter()) == 300
    workspace.store.close()


def test_a_disk_that_is_read_only(run: Run, small_disk: Path) -> None:
    state = small_disk / "state"
    workspace = a_workspace(state)
    workspace.store.calls.add(triage_calls(5))
    workspace.store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    _refused(run("--state", str(state), "tasks"), "cannot be opened for writing")
    _refused(run("--state", str(small_disk / "other"), "tasks"), "Choose another --state.")


def _fill(path: Path, disk: Path, *, left_kib: int) -> None:
    import os

    stat = os.statvfs(disk)
    path.write_bytes(b"\0" * max(0, stat.f_bavail * stat.f_frsize - left_kib * 1024))


def _with_table(folder: Path, table: str) -> None:
    (folder / "freehold.toml").write_text(f"[tasks.{table}]\nmargin = 0.05\n", encoding="utf-8")


def test_a_table_of_settings_for_no_task_names_the_nearest(recorded: Run, tmp_path: Path) -> None:
    _with_table(tmp_path, "triage-suport-desk")
    words = (
        "[tasks.triage-suport-desk] in freehold.toml is for no task, so that its settings do nothing."
        f" Did you mean [tasks.{TASK}]?"
    )
    for verb in ("freeze", "train", "prove", "move", "run", "label", "probe"):
        _refused(recorded(verb, TASK), words, 2)
    assert words not in recorded("back", TASK).stderr
    for verb in (("settings",), ("settings", "--json")):
        shown = recorded(*verb)
        assert shown.exit_code == 2
        assert words in shown.stderr
        assert "prove.margin" in shown.stdout
    examined = recorded("doctor")
    assert examined.exit_code == 1
    assert "is for no task" in examined.stdout
    assert recorded("tasks").exit_code == recorded("calls").exit_code == 0


def test_a_table_of_settings_for_a_task_that_is_there_is_no_error(recorded: Run, tmp_path: Path) -> None:
    _with_table(tmp_path, TASK)
    assert recorded("freeze", TASK).exit_code == 0  # its calls are not sorted yet: nothing was run before
    shown = recorded("settings")
    assert shown.exit_code == 0
    assert f"task {TASK}: margin = 0.05" in shown.stdout


def test_a_table_before_there_are_tasks_is_no_error(run: Run, tmp_path: Path) -> None:
    _with_table(tmp_path, "to-come")
    assert run("settings").exit_code == 0
    assert run("tasks").exit_code == 0
    assert run("settings").exit_code == 0


@pytest.mark.parametrize(
    "options", [("--task", TASK), ("--failed",), ("--whole",), ("-n", "3"), ("--arm", "owned"), ("--since", "1d")]
)
def test_one_call_is_not_chosen_among_calls(recorded: Run, options: tuple[str, ...]) -> None:
    listed = recorded("calls", "-n", "1").stdout.splitlines()[1].split()[0]
    flag = "--limit" if options[0] == "-n" else "--failed" if options[0] == "--whole" else options[0]
    _refused(recorded("calls", listed, *options), f"{flag} chooses among calls, and '{listed}' is one call.", 2)
    assert recorded("calls", listed, "--json").exit_code == 0


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.db", "x.TAR.XZ", "backup.gz", "calls.jsonl"])
def test_a_backup_does_not_take_a_name_that_says_something_else(recorded: Run, tmp_path: Path, name: str) -> None:
    _refused(recorded("backup", str(tmp_path / name)), f"'{name}' says that it is something else. Give a name like", 2)
    assert not (tmp_path / name).exists()


def test_an_ending_in_capitals_is_an_archive_too(recorded: Run, tmp_path: Path) -> None:
    assert recorded("backup", str(tmp_path / "B.TAR.GZ")).exit_code == 0
    assert (tmp_path / "B.TAR.GZ").is_file()
    assert recorded("backup", str(tmp_path / "2026.11.30")).exit_code == 0
    assert (tmp_path / "2026.11.30").is_dir()


def test_a_return_or_a_move_to_the_route_of_now_changes_nothing(recorded: Run, tmp_path: Path) -> None:
    recorded("freeze", TASK)
    workspace = a_workspace(tmp_path / ".freehold")
    returned = recorded("back", TASK)
    assert returned.exit_code == 0
    assert returned.stdout == f"{TASK}: rented, version 0, as before\n"
    assert f"This is the route of {TASK} already. Nothing was changed." in returned.stderr
    _prove(workspace)
    assert json.loads(recorded("move", TASK, "--json").stdout)["version"] == 1
    again = recorded("move", TASK)
    assert again.exit_code == 0
    assert again.stdout == f"{TASK}: cascade, version 1, as before\n"
    assert json.loads(recorded("move", TASK, "--json", "--dry-run").stdout)["version"] == 1
    assert json.loads(recorded("move", TASK, "--audit-rate", "0.5", "--json").stdout)["version"] == 2
    assert json.loads(recorded("back", TASK, "--json").stdout)["version"] == 3
    assert json.loads(recorded("back", TASK, "--json").stdout)["version"] == 3
    (task,) = (task for task in workspace.store.registry.tasks() if task.name == TASK)
    assert [route.version for route in workspace.store.registry.route_history(task.id)] == [3, 2, 1]
    workspace.store.close()


def _prove(workspace: Workspace) -> None:
    (task,) = (task for task in workspace.store.registry.tasks() if task.name == TASK)
    (dataset,) = workspace.store.registry.datasets(task.id)
    made = {"task_id": task.id, "dataset_hash": dataset.id}
    file = weights(workspace.folder("models") / "m1")
    workspace.store.registry.put_model(
        ModelCard(id="m1", base="b", base_sha256="c", recipe={}, seed=0, metrics={}, **file, **made)
    )
    shown = {"decision": "move", "threshold": 0.8, "coverage": 0.6, "margin": 0.02, "risk": 0.05, "report_path": "/r"}
    workspace.store.registry.put_verdict(Verdict(id="v1", model_id="m1", **made, **shown))
