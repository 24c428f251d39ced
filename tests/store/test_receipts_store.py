"""Receipts in the database: with what they are for or not at all, without gaps whoever writes, and never changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cli.proven import EVIDENCE, SECRET, prove, quiet, recorded_workspace, walked_workspace
from sqlalchemy import create_engine, text

import freehold
from freehold.errors import BusyError
from freehold.model import Verdict
from freehold.model.receipt import START, Receipt, read_lines, seal, verify
from freehold.model.route import Route, rented_route
from freehold.model.statement import Setting, state_verdict
from freehold.ops.backup import back_up, restore
from freehold.ops.receipts import verify_database
from freehold.ops.retention import prune, rule
from freehold.pipeline.steps import Steps
from freehold.pipeline.workspace import open_workspace
from freehold.store import Store
from freehold.store.receipts import code_version


def receipts(store: Store) -> list[Receipt]:
    """All receipts, each of which can be read."""
    found = list(store.receipts.stream())
    assert all(isinstance(receipt, Receipt) for receipt in found)
    return [receipt for receipt in found if isinstance(receipt, Receipt)]


def a_verdict(**changes: object) -> Verdict:
    values: dict[str, object] = {
        "id": "v1",
        "task_id": "t",
        "model_id": "m",
        "dataset_hash": "d",
        "decision": "hold",
        "margin": 0.02,
        "risk": 0.05,
        "evidence": EVIDENCE,
        "created_at": 1.0,
    }
    return Verdict(**{**values, **changes})  # type: ignore[arg-type]


def _execute(url: str, *statements: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()


def test_a_receipt_says_what_a_decision_rests_on(tmp_path: Path) -> None:
    workspace, task = walked_workspace(tmp_path)
    proof, moved, returned = receipts(workspace.store)
    assert list(verify([proof, moved, returned])) == []
    said = proof.content
    assert (said["task"], said["decided_by"], said["verdict"]["decision"]) == (task.name, "proof", "move")
    assert said["model"]["files"].keys() == {"model.gguf"}
    assert said["dataset"]["counts"] == workspace.dataset(task).manifest.counts
    assert said["dataset"]["files"] == workspace.dataset(task).manifest.files
    assert said["settings"] == EVIDENCE["settings"]
    assert said["figures"]["sides"][1] == {"name": "owned model", "n": 24, "share": 0.95}
    assert said["code"] == code_version()
    assert set(said["report"]) == {"report.html", "report.json", "report.txt"}
    assert moved.content["verdict_receipt"] == f"1:{proof.hash}"
    assert moved.content["before"]["kind"] == "rented"
    assert (moved.content["route"]["kind"], moved.content["decided_by"]) == ("cascade", "person")
    assert returned.content["before"] == {"version": 1, "kind": "cascade", "model_id": "model-1"}
    whole = "".join(receipt.line for receipt in (proof, moved, returned))
    assert SECRET not in whole, "a receipt can never be deleted, so it holds no text of a call"
    assert str(tmp_path) not in whole, "paths change when a backup is restored"
    workspace.store.close()


def test_the_same_proof_again_has_no_second_receipt_and_another_outcome_has(store: Store) -> None:
    verdict = a_verdict()
    store.registry.put_verdict(verdict)
    store.registry.put_verdict(verdict)
    facts = {**EVIDENCE, "facts": {"created_at": 2.0}}
    store.registry.put_verdict(replace(verdict, created_at=2.0, evidence=facts, expected={"created_at": 2.0}))
    assert len(receipts(store)) == 1
    store.registry.put_verdict(replace(verdict, decision="need", need=7))
    store.registry.put_verdict(replace(verdict, decision="need", need=7))
    assert len(receipts(store)) == 2
    store.registry.put_verdict(replace(verdict, evidence={**EVIDENCE, "calls": 25}))
    store.registry.put_verdict(verdict)
    assert [r.kind for r in receipts(store)] == ["verdict"] * 4, "what was decided in between is not forgotten"
    store.registry.put_verdict(a_verdict(id='v"%_'))
    store.registry.put_verdict(a_verdict(id='v"%_'))
    assert len(receipts(store)) == 5
    assert store.receipts.of_verdict("v") is None
    assert list(verify(receipts(store))) == []


def test_odd_values_are_kept_as_json_that_every_database_takes(store: Store) -> None:
    odd = {"nan": float("nan"), "text": "\ud800\0 end", "long": "x" * 5000, "many": list(range(1000)), "key\ud800": 1}
    setting = Setting(task=None, model=None, code={}, account="a")
    said = state_verdict(a_verdict(coverage=float("inf"), used=odd, evidence={}), setting, None, {})
    receipt = seal(START, kind="verdict", task_id="t", document=said, created_at=1.0)
    used = receipt.content["verdict"]["used"]
    assert (said["verdict"]["coverage"], used["nan"], used["long"]["characters"]) == (None, None, 5000)
    assert used["many"]["items"] == 1000
    assert list(verify(read_lines([receipt.line.encode() + b"\n"]))) == []
    reason = "because " * 500
    store.registry.put_route(Route(task_id="t", version=1, kind="owned", verdict_id="none", reason=reason))
    store.registry.put_route(
        Route(task_id="t", version=2, kind="owned", head={"w": [0.1, -2.5e-300]}, reason="\ud800\0")
    )
    long, moved = receipts(store)
    assert long.content["route"]["reason"]["characters"] == len(reason)
    assert (moved.content["route"]["reason"], moved.content["route"]["head"]) == ("\ufffd\0", {"w": [0.1, -2.5e-300]})
    assert list(verify([long, moved])) == []


@pytest.mark.parametrize("verb", ["UPDATE receipts SET task_id = 'x'", "DELETE FROM receipts"])
def test_the_database_refuses_to_change_or_delete_receipts(store: Store, url: str, verb: str) -> None:
    store.registry.put_route(rented_route("t", version=1))
    with pytest.raises(Exception, match="never changed or deleted"):
        _execute(url, verb)
    assert len(receipts(store)) == 1


@pytest.mark.postgres
def test_postgresql_refuses_to_empty_the_table(postgres: object, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("postgres")
    server.psql("CREATE DATABASE emptied;")
    url = str(server.get_uri("emptied"))
    Store(url).close()
    with pytest.raises(Exception, match="never changed or deleted"):
        _execute(url, "TRUNCATE receipts")


_WRITER = """
import sys
from freehold.model.route import rented_route
from freehold.store import Store
store = Store(sys.argv[1])
for version in range(1, 9):
    store.registry.put_route(rented_route(sys.argv[2], version=version))
store.close()
"""


def test_processes_that_write_at_once_make_one_chain_without_gaps(url: str) -> None:
    Store(url).close()
    started = [
        subprocess.Popen([sys.executable, "-c", _WRITER, url, f"t{n}"], stderr=subprocess.PIPE) for n in range(3)
    ]
    ended = [process.communicate()[1].decode() for process in started]
    assert [process.returncode for process in started] == [0] * 3, ended
    store = Store(url)
    found = receipts(store)
    assert [receipt.number for receipt in found] == list(range(1, 25))
    assert list(verify(found, store.receipts.head())) == []
    for task in ("t0", "t1", "t2"):
        versions = [receipt.content["route"]["version"] for receipt in found if receipt.task_id == task]
        assert versions == list(range(1, 9))
    store.close()


_KILLED = """
import os, signal, sys
import freehold.store.task_registry as task_registry
from freehold.model.route import rented_route
from freehold.store import Store
store = Store(sys.argv[1])
append = task_registry.append_route
def killed(*arguments):
    append(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
task_registry.append_route = killed
store.registry.put_route(rented_route("t", version=2))
"""


def test_a_kill_between_a_receipt_and_its_route_leaves_neither(store: Store, url: str) -> None:
    store.registry.put_route(rented_route("t", version=1))
    done = subprocess.run([sys.executable, "-c", _KILLED, url], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    assert store.registry.route("t").version == 1
    assert len(receipts(store)) == 1
    store.registry.put_route(rented_route("t", version=2))
    assert [receipt.number for receipt in receipts(store)] == [1, 2]


def test_a_route_that_is_refused_leaves_no_receipt(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.registry.put_route(rented_route("t", version=1))
    with pytest.raises(BusyError, match="version 1 is taken"):
        store.registry.put_route(rented_route("t", version=1))
    assert len(receipts(store)) == 1

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("freehold.store.task_registry.append_route", fail)
    monkeypatch.setattr("freehold.store.task_registry.append_verdict", fail)
    with pytest.raises(ZeroDivisionError):
        store.registry.put_route(rented_route("t", version=2))
    with pytest.raises(ZeroDivisionError):
        store.registry.put_verdict(a_verdict())
    assert (store.registry.route("t").version, store.registry.verdicts("t")) == (1, [])


def test_pruning_and_backups_keep_the_chain(tmp_path: Path) -> None:
    workspace, _ = walked_workspace(tmp_path / "old")
    before = receipts(workspace.store)
    prune(workspace, rule(workspace, 1e12, older_than_s=1.0), quiet)
    assert receipts(workspace.store) == before
    back_up(workspace.settings, tmp_path / "backup.tar.gz", quiet)
    workspace.store.close()
    restore(tmp_path / "backup.tar.gz", tmp_path / "new", quiet)
    restored = open_workspace(
        replace(workspace.settings, values={**workspace.settings.values, "state": str(tmp_path / "new")})
    )
    assert receipts(restored.store) == before
    verified = verify_database(restored, None, quiet)
    assert (verified.problems, verified.notes) == ((), ()), "paths that moved are no difference"
    restored.store.close()


def test_code_is_digested_as_the_shell_would(tmp_path: Path) -> None:
    assert code_version()["version"] == freehold.__version__
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not here")
    command = "find . -name '*.py' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    folder = Path(freehold.__file__).parent
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == code_version()["sha256"]


def test_a_verdict_of_before_receipts_is_no_problem(tmp_path: Path) -> None:
    workspace, task = recorded_workspace(tmp_path)
    prove(workspace, task)
    url = f"sqlite:///{tmp_path / 'freehold.db'}"
    _execute(url, "DROP TRIGGER receipts_are_not_deleted", "DELETE FROM receipts")
    verified = verify_database(workspace, None, quiet)
    assert verified.problems == ()
    assert "1 verdicts and routes are older" in verified.notes[0]
    workspace.store.close()


def test_a_move_at_the_end_of_a_road_is_not_said_to_be_a_persons(tmp_path: Path) -> None:
    workspace, task = recorded_workspace(tmp_path)
    prove(workspace, task)
    assert Steps(workspace, task, quiet).run("move", {"decision": "move"}) == {"route_version": 1}
    moved = receipts(workspace.store)[-1]
    assert (moved.kind, moved.content["decided_by"]) == ("route", "road")
    workspace.store.close()
