"""`freehold receipts`: golden text, exit codes, and what was tampered with is found."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from cli.golden_text import check_golden
from cli.proven import MODEL_BYTES, recorded_workspace, walked_workspace, write_report
from made import Run, a_workspace

from freehold.model.receipt import Head, seal
from freehold.model.route import Route
from freehold.ops.doctor.workspace import check_receipts
from freehold.route.run.move import move_plan, put_route
from freehold.settings import load_settings

DOCS = Path(__file__).parents[2] / "docs" / "receipts.md"
REFUSALS = ("receipts_are_not_updated", "receipts_are_not_deleted")


def _sql(folder: Path, *statements: str) -> None:
    """Tamper with the database, as somebody would who may write to its file."""
    connection = sqlite3.connect(folder / ".freehold" / "freehold.db")
    for name in REFUSALS:
        connection.execute(f"DROP TRIGGER IF EXISTS {name}")
    for statement in statements:
        assert connection.execute(statement).rowcount > 0, statement
    connection.commit()
    connection.close()


def test_the_list_and_the_explanations(walked: Run, tmp_path: Path) -> None:
    listed = walked("receipts")
    check_golden("list", listed, tmp_path)
    assert max(len(line) for line in listed.stdout.splitlines()) <= 80
    for name in ("1", "2", "3"):
        assert max(len(line) for line in walked("receipts", "show", name).stdout.splitlines()) <= 80
    check_golden("verdict", walked("receipts", "show", "verdict-1"), tmp_path)
    check_golden("route", walked("receipts", "show", "2"), tmp_path)
    check_golden("verified", walked("receipts", "verify"), tmp_path)


def test_receipts_are_found_by_number_hash_and_verdict(walked: Run) -> None:
    every = [json.loads(line) for line in walked("receipts", "--json").stdout.splitlines()]
    assert [receipt["number"] for receipt in every] == [1, 2, 3]
    for name in ("1", every[0]["hash"], every[0]["hash"][:10].upper(), "verdict-1"):
        assert json.loads(walked("receipts", "show", name, "--json").stdout) == every[0] | {"is_sealed": True}
    task = every[0]["document"]["task"]
    assert len(walked("receipts", "--task", task, "-n", "2", "--json").stdout.splitlines()) == 2
    assert walked("receipts", "--task", every[0]["task_id"], "--json").stdout == walked("receipts", "--json").stdout
    for name in ("99", "zz", "", "a" * 64, "%", "1;"):
        refused = walked("receipts", "show", name)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "There is no receipt" in refused.stderr
    assert "There is no task" in walked("receipts", "--task", "none").stderr


def test_an_export_is_verified_without_any_state(walked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "receipts.jsonl"
    assert walked("receipts", "export", str(file)).exit_code == 0
    assert walked("receipts", "export", str(file)).exit_code == 2, "an export is never written over"
    assert walked("receipts", "export", "-").stdout.encode() == file.read_bytes()
    for place in (tmp_path / "none" / "receipts.jsonl", file / "receipts.jsonl", tmp_path / ("x" * 300)):
        refused = walked("receipts", "export", str(place))
        assert (refused.exit_code, "cannot be written" in refused.stderr) == (2, True)
    head = walked("receipts", "head").stdout.strip()
    away = tmp_path / "away"
    away.mkdir()
    monkeypatch.chdir(away)
    verified = walked("receipts", "verify", str(file), "--head", head, "--json")
    assert json.loads(verified.stdout)["ok"]
    assert json.loads(verified.stdout)["head"] == head
    assert not (away / ".freehold").exists()
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"decision":"move"', b'"decision":"hold"', 1))
    changed = walked("receipts", "verify", str(file))
    assert changed.exit_code == 1
    assert "receipt 1 was changed" in changed.stdout
    file.write_bytes(b"".join(content.splitlines(keepends=True)[:2]))
    assert walked("receipts", "verify", str(file)).exit_code == 0
    cut = walked("receipts", "verify", str(file), "--head", head)
    assert (cut.exit_code, "its end was cut off" in cut.stdout) == (1, True)
    file.write_bytes(b"")
    assert walked("receipts", "verify", str(file)).exit_code == 1
    assert "cannot be read" in walked("receipts", "verify", str(away)).stderr
    assert "Leave FILE out" in walked("receipts", "verify", str(file), "--files").stderr
    assert "is not the head" in walked("receipts", "verify", "--head", "x").stderr


def test_the_few_lines_of_the_docs_verify_an_export(walked: Run, tmp_path: Path) -> None:
    file = tmp_path / "receipts.jsonl"
    walked("receipts", "export", str(file))
    python = re.search(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    shell = re.search(r"```sh\n(\(last.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert python
    assert shell
    assert len(python[1].splitlines()) <= 10
    checks = ([sys.executable, "-c", python[1]], ["bash", "-c", shell[1]])
    head = walked("receipts", "head").stdout.strip()
    for check in checks:
        done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert head.split(":")[1] in done.stdout
    whole = file.read_bytes()
    first, second, third = whole.splitlines(keepends=True)
    tampered = {
        "changed": whole.replace(b'"decision":"move"', b'"decision":"hold"', 1),
        "removed": first + third,
        "exchanged": first + third + second,
        "repeated": first + second + second + third,
        "cut": whole[:-100],
        "named twice": first[:-2] + b',"kind":"route"}\n' + second + third,
        "converted": whole.replace(b"\n", b"\r\n"),
    }
    for how, content in tampered.items():
        file.write_bytes(content)
        for check in checks:
            ended = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert ended.returncode == 1, (how, check[0])
        assert walked("receipts", "verify", str(file)).exit_code == 1, how
    assert "that of Windows" in walked("receipts", "verify", str(file)).stdout


def test_a_file_that_is_no_export_is_told_in_few_lines(walked: Run, tmp_path: Path) -> None:
    file = tmp_path / "receipts.jsonl"
    walked("receipts", "export", str(file))
    file.write_bytes(file.read_bytes() + b"nonsense\n" * 5000)
    told = walked("receipts", "verify", str(file))
    assert told.exit_code == 1
    assert len(told.stdout.splitlines()) == 101
    assert told.stdout.endswith("and 4,900 more problems\n")
    assert len(json.loads(walked("receipts", "verify", str(file), "--json").stdout)["problems"]) == 101


TAMPERING: tuple[tuple[str, str], ...] = (
    ("UPDATE receipts SET document = replace(document, '\"move\"', '\"hold\"') WHERE number = 1", "1 was changed"),
    ("UPDATE receipts SET created_at = created_at + 1 WHERE number = 2", "2 was changed"),
    ("UPDATE receipts SET task_id = 'other' WHERE number = 3", "3 was changed"),
    ("UPDATE receipts SET number = 9 WHERE number = 3", "receipts 3 to 8 are missing"),
    ("UPDATE receipts SET previous = 'x' WHERE number = 2", "its previous is no SHA-256"),
    ("UPDATE receipts SET created_at = 'soon' WHERE number = 2", "its time is not a number"),
    ("UPDATE receipts SET document = x'ff' WHERE number = 2", "receipt 2"),
    ("DELETE FROM receipts WHERE number = 1", "receipt 1 is missing"),
    ("DELETE FROM receipts WHERE number = 2", "receipt 2 is missing"),
    ("DELETE FROM receipts WHERE number = 3", "version 2 of the route"),
    ("DELETE FROM verdicts", "verdict verdict-1, which is not in the database"),
    ("DELETE FROM routes WHERE version = 2", "which is not in the database"),
    ("UPDATE verdicts SET document = replace(document, '0.625', '0.99')", "is not what receipt 1 says of it"),
    ("UPDATE routes SET document = replace(document, '0.8', '0.1')", "is not what receipt 2 says of it"),
    ("UPDATE verdicts SET document = replace(document, '\"calls\": 24', '\"calls\": 99')", "what receipt 1 says of it"),
    ("DELETE FROM attempts", "of which receipt 1 tells, is not counted any more"),
    ("UPDATE attempts SET number = 2", "of which receipt 1 tells, is not counted any more"),
    (
        "INSERT INTO routes (task_id, version, created_at, document) SELECT task_id, 3, created_at + 9,"
        " replace(document, '\"version\": 1', '\"version\": 3') FROM routes WHERE version = 1",
        "has no receipt: it was not written by Freehold",
    ),
)


@pytest.mark.parametrize(("statement", "words"), TAMPERING)
def test_what_is_tampered_with_in_the_database_is_found(
    walked: Run, tmp_path: Path, statement: str, words: str
) -> None:
    assert walked("receipts", "verify").exit_code == 0
    _sql(tmp_path, statement)
    found = walked("receipts", "verify")
    assert found.exit_code == 1
    assert words in found.stdout
    assert all(len(line) < 300 for line in found.stdout.splitlines())
    for verb in (("receipts",), ("receipts", "show", "2"), ("receipts", "show", "2", "--files")):
        assert walked(*verb).exception is None or isinstance(walked(*verb).exception, SystemExit)


MISSHAPEN = (
    "[1]",
    "{}",
    '{"verdict": {"withheld": 5, "used": [], "coverage": true}, "figures": {"sides": [1, {"low": 0, "high": []}]}}',
    '{"verdict": {"used": {"of": {"first_at": 1}}, "risk": "x"}, "settings": {"delta": {}}, "report": []}',
    '{"route": {"withheld": 5, "threshold": [], "kind": [], "harm": "a", "reason": {}}, "before": []}',
    '{"watch": {"stale": 5}, "before": [], "figures": {"detectors": [1, {"evidence": "a"}], "ramp": {"low": "b"}}}',
)


@pytest.mark.parametrize("kind", ["verdict", "route", "watch"])
@pytest.mark.parametrize("document", MISSHAPEN)
def test_a_receipt_of_any_shape_is_listed_and_shown_as_changed(
    walked: Run, tmp_path: Path, document: str, kind: str
) -> None:
    _sql(tmp_path, f"UPDATE receipts SET document = '{document}', kind = '{kind}' WHERE number = 2")
    listed = walked("receipts")
    assert (listed.exit_code, len(listed.stdout.splitlines())) == (0, 4)
    assert walked("receipts", "show", "1").exit_code == 0
    shown = walked("receipts", "show", "2")
    if document == "[1]":
        assert (shown.exit_code, "was changed" in shown.stderr) == (1, True)
    else:
        assert (shown.exit_code, "CHANGED" in shown.stdout) == (0, True)
    assert walked("receipts", "verify").exit_code == 1


def test_a_document_that_is_no_json_is_one_line(walked: Run, tmp_path: Path) -> None:
    _sql(tmp_path, "UPDATE routes SET document = '{' WHERE version = 1")
    told = walked("receipts", "verify")
    assert (told.exit_code, told.stdout) == (1, "")
    assert "is no JSON" in told.stderr


def test_a_route_that_serves_another_folder_is_found(run: Run, tmp_path: Path) -> None:
    workspace, task = walked_workspace(tmp_path / ".freehold")
    put_route(workspace, move_plan(workspace, task.name).route)
    workspace.store.close()
    assert run("receipts", "verify").exit_code == 0
    _sql(tmp_path, "UPDATE routes SET document = replace(document, '/models/model-1', '/models/other')")
    told = run("receipts", "verify")
    assert told.exit_code == 1
    assert "version 3 of the route" in told.stdout
    assert "serves model model-1 out of" in told.stdout


def test_a_route_in_force_that_is_older_than_receipts_is_named(walked: Run, tmp_path: Path) -> None:
    _sql(
        tmp_path,
        "INSERT INTO routes (task_id, version, created_at, document) SELECT 'other', 1, 1.0,"
        " json_set(document, '$.task_id', 'other', '$.created_at', 1.0) FROM routes WHERE version = 1",
    )
    told = walked("receipts", "verify")
    assert told.exit_code == 0
    assert "version 1 of the route of task other is in force and is one of them" in told.stderr


def test_a_chain_sealed_anew_in_the_database_is_found_by_a_head(walked: Run, tmp_path: Path) -> None:
    head = walked("receipts", "head").stdout.strip()
    last = [json.loads(line) for line in walked("receipts", "--json").stdout.splitlines()][-1]
    last["document"]["account"] = "somebody else"
    forged = seal(
        Head(2, last["previous"]), kind="route", task_id=last["task_id"], document=last["document"], created_at=1.0
    )
    document = forged.document.replace("'", "''")
    _sql(
        tmp_path,
        f"UPDATE receipts SET document = '{document}', hash = '{forged.hash}', created_at = 1.0 WHERE number = 3",
    )
    found = walked("receipts", "verify")
    assert (found.exit_code, "the head says" in found.stdout) == (1, True), "a head was kept beside it"
    (tmp_path / ".freehold" / "receipts.heads").unlink()
    assert walked("receipts", "verify").exit_code == 0, "nothing in the chain can tell: that is why heads are kept"
    (tmp_path / ".freehold" / "receipts.heads").unlink()
    assert "the head says" in walked("receipts", "verify", "--head", head).stdout


def test_a_chain_whose_end_was_cut_off_is_found_by_default(
    walked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere" / "heads"
    elsewhere.parent.mkdir()
    monkeypatch.setenv("FREEHOLD_RECEIPTS_HEADS", str(elsewhere))
    assert walked("status").exit_code == 0, "any verb keeps the head"
    beside = tmp_path / ".freehold" / "receipts.heads"
    assert beside.read_text() == elsewhere.read_text()
    assert {beside.stat().st_mode & 0o777, elsewhere.stat().st_mode & 0o777} == {0o600}
    assert walked("tasks").exit_code == 0
    assert len(beside.read_text().splitlines()) == 1, "and keeps it once"
    told = walked("receipts", "verify")
    assert (told.exit_code, "kept heads that agree: 1" in told.stdout) == (0, True)
    assert "Without --head" not in told.stderr
    _sql(tmp_path, "DELETE FROM receipts WHERE number = 3", "DELETE FROM routes WHERE version = 2")
    for gone in (None, beside):
        if gone is not None:
            gone.unlink()
        cut = walked("receipts", "verify")
        assert (cut.exit_code, "its end was cut off" in cut.stdout) == (1, True)
    told_of = {"FREEHOLD_RECEIPTS_HEADS": str(elsewhere)}
    (finding,) = check_receipts(load_settings(environment=told_of, state=".freehold"))
    assert (finding.level, "its end was cut off" in finding.text) == ("fail", True)


def test_heads_that_were_tampered_with_or_cannot_be_kept_are_said(
    walked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    walked("receipts", "export", "out.jsonl")
    beside = tmp_path / ".freehold" / "receipts.heads"
    kept = beside.read_text()
    beside.write_text("nonsense\n" + kept + "3:0000")
    told = walked("receipts", "verify")
    assert (told.exit_code, told.stdout.splitlines()[0]) == (1, f"line 1 of {beside} is no head: somebody changed it")
    beside.write_text(kept + "3:0000")
    assert walked("receipts", "verify").exit_code == 0, "a line that was never ended is none"
    monkeypatch.setenv("FREEHOLD_RECEIPTS_HEADS", str(tmp_path / "not there" / "heads"))
    assert walked("receipts", "verify").exit_code == 0
    assert "cannot be kept" in caplog.text


def test_files_are_unchanged_changed_written_again_or_gone(walked: Run, tmp_path: Path) -> None:
    def states() -> dict[str, str]:
        found = json.loads(walked("receipts", "verify", "--files", "--json").stdout)
        assert found["ok"] == all(exhibit["state"] in ("unchanged", "written again") for exhibit in found["files"])
        return {Path(exhibit["path"]).name: exhibit["state"] for exhibit in found["files"]}

    assert set(states().values()) == {"unchanged"}
    assert len(states()) == 5
    state = tmp_path / ".freehold"
    (state / "models" / "model-1" / "model.gguf").write_bytes(MODEL_BYTES + b"x")
    assert states()["model.gguf"] == "changed"
    (state / "models" / "model-1" / "model.gguf").unlink()
    assert states()["model.gguf"] == "gone"
    page = state / "proofs" / "verdict-1" / "report.html"
    page.write_text("<html>It is much better.</html>")
    assert states()["report.html"] == "changed"
    workspace = a_workspace(tmp_path / ".freehold")
    verdict = workspace.store.registry.verdict("verdict-1")
    assert verdict
    write_report(verdict, facts={"created_at": 2.0})
    assert (states()["report.html"], states()["report.json"]) == ("written again", "written again")
    write_report(verdict, calls=25)
    assert states()["report.json"] == "changed"
    (dataset,) = workspace.store.registry.datasets(None)
    file = Path(dataset.path) / "dev.jsonl"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes().replace(b"refund", b"refusal", 1))
    assert states()[Path(dataset.path).name] == "changed"
    workspace.store.close()


def test_the_doctor_says_whether_the_chain_is_whole(walked: Run, tmp_path: Path) -> None:
    def finding() -> tuple[str, str]:
        (found,) = check_receipts(load_settings(environment={}, state=str(tmp_path / ".freehold")))
        return found.level, found.text

    assert finding() == ("ok", "3 receipts, whole")
    _sql(tmp_path, "DELETE FROM receipts WHERE number = 2")
    level, words = finding()
    assert (level, "receipt 2 is missing" in words) == ("fail", True)


def test_without_receipts_it_is_said(run: Run, tmp_path: Path) -> None:
    workspace, task = recorded_workspace(tmp_path / ".freehold")
    assert "There are no receipts yet" in run("receipts").stderr
    assert run("receipts", "head").stdout == f"0:{'0' * 64}\n"
    assert run("receipts", "verify").exit_code == 0
    assert run("receipts", "export", "x").exit_code == 2
    workspace.store.registry.put_route(Route(task_id=task.id, version=1, kind="shadow", created_at=1.0))
    workspace.store.close()
    _sql(tmp_path, "DELETE FROM receipts")
    assert "1 verdicts and routes are older" in run("receipts").stderr
    assert "older than the first receipt" in run("receipts", "verify").stderr


def test_hostile_text_in_a_receipt_is_shown_and_not_obeyed(run: Run, tmp_path: Path) -> None:
    workspace, task = recorded_workspace(tmp_path / ".freehold")
    reason = "\x1b[2Jgone\u202e\n\nforged line"
    workspace.store.registry.put_route(
        Route(task_id=task.id, version=1, kind="shadow", decided_by="\x07", reason=reason)
    )
    workspace.store.close()
    for verb in (("receipts",), ("receipts", "show", "1"), ("receipts", "verify")):
        shown = run(*verb)
        assert shown.exit_code == 0
        assert not {"\x1b", "\x07", "\u202e"} & set(shown.output)
