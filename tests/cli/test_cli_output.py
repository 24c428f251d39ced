"""What the command line prints: golden text, 80 columns, JSON that is pure, and the next command at the end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result
from made import BEGAN_AT, Run, a_call, a_workspace, answer_body, weights
from msgspec import structs

from freehold.model import ModelCard, Verdict
from freehold.model.route import Route
from freehold.pipeline.workspace import Workspace
from freehold.store import CallFilter

GOLDEN = Path(__file__).parent / "golden"


def _golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    assert path.exists(), f"write {path} with:\n{text}"
    assert text == path.read_text(encoding="utf-8")


def _plain(result: Result, folder: Path) -> str:
    text = f"{result.stdout}--- stderr, exit {result.exit_code}\n{result.stderr}"
    text = text.replace(str(folder), "FOLDER")
    return re.sub(r"\b[0-9a-f]{16}\b", "HASH", text)


def _task_name(run: Run) -> str:
    return str(json.loads(run("tasks", "--json").stdout)[0]["task"])


def _prove(folder: Path, decision: str) -> str:
    """Put a model, a verdict with its report and a route into the record."""
    workspace = a_workspace(folder / ".freehold")
    (task,) = (task for task in workspace.store.registry.tasks() if task.kind == "json")
    (dataset,) = workspace.store.registry.datasets(task.id)
    report = workspace.folder("proofs") / "v1"
    report.mkdir()
    for name, text in (
        ("report.txt", "The proof.\n"),
        ("report.json", '{\n "verdict": "move"\n}\n'),
        ("report.html", ""),
    ):
        (report / name).write_text(text)
    workspace.store.registry.put_model(
        ModelCard(
            id="m1",
            task_id=task.id,
            base="b",
            base_sha256="c",
            dataset_hash=dataset.id,
            recipe={},
            seed=0,
            metrics={},
            **weights(workspace.folder("models") / "m1"),
        )
    )
    workspace.store.registry.put_verdict(
        Verdict(
            id="v1",
            task_id=task.id,
            model_id="m1",
            dataset_hash=dataset.id,
            decision=decision,
            threshold=0.8,
            coverage=0.625,
            margin=0.02,
            risk=0.05,
            report_path=str(report / "report.html"),
        )
    )
    workspace.store.close()
    return task.name


def test_help(run: Run) -> None:
    _golden("help", run("--help").stdout)


def test_calls(recorded: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freehold.cli.calls.time", SimpleNamespace(time=lambda: BEGAN_AT + 9000))
    result = recorded("calls", "-n", "8")
    _golden("calls", _plain(result, tmp_path))
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_one_call(recorded: Run) -> None:
    listed = recorded("calls", "--task", _task_name(recorded), "-n", "1").stdout.splitlines()[1].split()[0]
    shown = recorded("calls", listed)
    assert shown.exit_code == 0
    assert '"role": "user"' in shown.stdout
    plain = json.loads(recorded("calls", listed, "--json").stdout)
    assert plain["id"].endswith(listed)
    assert json.loads(plain["response_body"])["choices"]
    assert plain["feedback"] == []


def test_filters_of_calls(recorded: Run) -> None:
    def found(*options: str) -> int:
        return len(recorded("calls", "--json", "-n", "0", *options).stdout.splitlines())

    assert found() == 122
    assert found("--failed") == 1
    assert found("--whole") == 121
    assert found("--status", "502") == 1
    assert found("--session", "session-3") == 2
    assert found("--model", "m-1") == 122
    assert found("--arm", "owned") == 0
    assert found("--since", "1s") == 0


def test_tasks(recorded: Run, tmp_path: Path) -> None:
    result = recorded("tasks")
    _golden("tasks", _plain(result, tmp_path))
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_freeze_move_status_and_back(recorded: Run, tmp_path: Path) -> None:
    name = _task_name(recorded)
    frozen = recorded("freeze", name)
    _golden("freeze", _plain(frozen, tmp_path))
    assert recorded("verify", name).exit_code == 0
    _prove(tmp_path, "move")
    planned = recorded("move", name, "--dry-run", "--json")
    assert json.loads(planned.stdout)["is_dry_run"]
    assert json.loads(recorded("status", "--json").stdout)[-1]["version"] == 0
    _golden("move", _plain(recorded("move", name), tmp_path))
    _golden("status", _plain(recorded("status"), tmp_path))
    assert max(len(line) for line in recorded("status").stdout.splitlines()) <= 80
    back = json.loads(recorded("back", name, "--json").stdout)
    assert back == {"task": name, "route": "rented", "version": 2, "threshold": None}


def test_a_refused_move_changes_nothing(recorded: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = _task_name(recorded)
    recorded("freeze", name)
    _prove(tmp_path, "move")
    monkeypatch.setattr(
        "freehold.cli.routes.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True), exit=_exit)
    )
    refused = recorded("move", name, stdin="n\n")
    assert refused.exit_code == 1
    assert "Nothing was changed." in refused.stderr
    assert recorded("move", name, stdin="y\n").exit_code == 0
    assert recorded("move", name, "--yes").exit_code == 0


def test_a_status_wide_in_figures_fits_80_columns(recorded: Run, tmp_path: Path) -> None:
    name = _task_name(recorded)
    workspace = a_workspace(tmp_path / ".freehold")
    task = workspace.task(name)
    workspace.store.registry.put_route(Route(task_id=task.id, version=1, kind="cascade", model_id="m", created_at=1.0))
    calls = workspace.store.calls.find(CallFilter(task_id=task.id))
    owned = [structs.replace(call, id=f"o{call.id[1:]}", arm="owned", latency_ms=123.0) for call in calls]
    audits = [
        structs.replace(call, id=f"a{call.id[1:]}", arm="audit", parent_id=f"o{call.id[1:]}", latency_ms=12345.0)
        for call in calls
    ]
    workspace.store.calls.add([*owned, *audits])
    workspace.store.close()
    lines = recorded("status").stdout.splitlines()
    assert lines[1].startswith(f"{name}  cascade"), "the name is whole"
    assert "  audits agree with the provider: 100% [97%, 100%], n=120" in lines
    assert max(len(line) for line in lines) <= 80


@pytest.mark.parametrize("decision", ["move", "hold"])
def test_a_verdict_is_an_exit_code(
    recorded: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    name = _task_name(recorded)
    recorded("freeze", name)
    _prove(tmp_path, decision)

    def proven(workspace: Workspace, *_rest: object, **_options: object) -> object:
        return workspace.store.registry.verdict("v1")

    monkeypatch.setattr("freehold.pipeline.runs.prove_task", proven)
    monkeypatch.setattr("freehold.pipeline.runs.run_task", proven)
    result = recorded("prove", name)
    assert result.exit_code == (0 if decision == "move" else 3)
    assert result.stdout == "The proof.\n"
    assert result.stderr.splitlines()[-1].startswith("Next: ")
    assert json.loads(recorded("prove", name, "--json").stdout) == {"verdict": "move"}
    moved = recorded("run", name, "--move")
    assert moved.exit_code == result.exit_code
    assert ("freehold status" in moved.stderr) == (decision == "move")


def test_the_earlier_name_of_run_goes_on_and_says_the_new_one(recorded: Run) -> None:
    done = recorded("exit", "--help")
    assert "freehold run" in done.stdout
    assert "freehold run" in recorded("exit", "no such task").stderr
    assert "exit " not in recorded("--help").stdout


def test_a_correction_is_kept(recorded: Run) -> None:
    listed = recorded("calls", "--failed", "-n", "1").stdout.splitlines()[1].split()[0]
    assert recorded("correct", listed, stdin="refund\n").exit_code == 0
    (feedback,) = json.loads(recorded("calls", listed, "--json").stdout)["feedback"]
    assert (feedback["kind"], feedback["value"]) == ("correction", "refund")
    assert "is empty" in recorded("correct", listed, stdin="\n").stderr


def test_a_correction_that_is_no_json_where_answers_are_is_kept_and_said(recorded: Run) -> None:
    listed = recorded("calls", "--task", _task_name(recorded), "-n", "1").stdout.splitlines()[1].split()[0]
    assert "no JSON" in recorded("correct", listed, "refund").stderr
    assert "no JSON" not in recorded("correct", listed, '{"intent": "refund", "urgency": 1}').stderr
    kept = json.loads(recorded("calls", listed, "--json").stdout)["feedback"]
    assert [feedback["value"] for feedback in kept] == ["refund", '{"intent": "refund", "urgency": 1}']


def test_a_rating_is_kept_and_the_freeze_counts_it(recorded: Run) -> None:
    name = _task_name(recorded)
    listed = recorded("calls", "--task", name, "-n", "1").stdout.splitlines()[1].split()[0]
    assert recorded("rate", listed, "bad").exit_code == 0
    (feedback,) = json.loads(recorded("calls", listed, "--json").stdout)["feedback"]
    assert (feedback["kind"], feedback["value"]) == ("boolean", "false")
    assert recorded("rate", listed, "worse").exit_code == 2
    assert "no single call" in recorded("rate", "nothing", "good").stderr
    folder = Path(json.loads(recorded("freeze", name, "--json").stdout)["path"])
    rows = [json.loads(line) for split in ("train", "dev", "proof") for line in (folder / f"{split}.jsonl").open()]
    assert [row["source"] for row in rows if row["source"] != "provider"] == ["rejected"]


JSON_VERBS = (("tasks",), ("calls",), ("status",), ("settings",), ("freeze", "TASK"), ("verify", "TASK"))


def test_json_is_all_that_stands_on_stdout(recorded: Run) -> None:
    name = _task_name(recorded)
    recorded("freeze", name)
    for verb in JSON_VERBS:
        result = recorded(*(name if word == "TASK" else word for word in verb), "--json")
        assert result.exit_code == 0, result.stderr
        assert [json.loads(line) for line in result.stdout.splitlines()]
    assert len(JSON_VERBS) == 6


def test_hostile_text_is_shown_and_not_obeyed(run: Run, tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / ".freehold")
    workspace.store.calls.add([a_call(response_body=answer_body("\x1b[2Jgone\u202e"), user_key="\x1b]0;title\x07")])
    workspace.store.close()
    listed = run("calls").stdout
    shown = run("calls", listed.splitlines()[1].split()[0]).stdout
    for text in (listed, shown):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "\\x1b[2Jgone" in listed


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (BrokenPipeError, 0)])
def test_an_interrupted_command_ends_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], code: int
) -> None:
    def stop(_settings: object) -> None:
        raise error

    monkeypatch.setattr("freehold.app.run_up", stop)
    monkeypatch.setattr("freehold.cli.boundary.os._exit", _exit)
    result = run("up")
    assert result.exit_code == code
    assert ("goes on from there" in result.stderr) == (code == 130)


def _exit(code: int) -> None:
    raise SystemExit(code)


def test_a_call_that_only_the_provider_can_answer_names_the_field(run: Run, tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / ".freehold")
    request = json.loads(a_call().request_body)
    bodies = [json.dumps({**request, **more}).encode() for more in ({"stop": ["\n"], "n": 2}, {"stop": None})]
    workspace.store.calls.add([a_call(id=f"call-{n}", request_body=body) for n, body in enumerate(bodies)])
    workspace.store.close()
    assert re.search(r"^provider_fields +stop, n$", run("calls", "call-0").stdout, re.M)
    assert json.loads(run("calls", "call-0", "--json").stdout)["provider_fields"] == "stop, n"
    assert "provider_fields" not in run("calls", "call-1").stdout
    assert json.loads(run("calls", "call-1", "--json").stdout)["provider_fields"] == ""
