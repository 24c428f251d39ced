"""Backup and restore: whole while calls are written, refused when a byte differs, and nothing leads out of a folder."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import tarfile
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import Run, a_workspace, triage_calls

from freehold.errors import DataError, UsageError
from freehold.model import ModelCard
from freehold.model.ids import sha256_hex
from freehold.ops.archives import _LEFT_FREE_BYTES, MANIFEST
from freehold.ops.backup import Summary, back_up, restore
from freehold.pipeline.progress import Progress
from freehold.pipeline.workspace import Workspace
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter

WAIT_S = 60.0


def _quiet(progress: Progress) -> None:
    """Say nothing."""


def _fill(folder: Path) -> Workspace:
    """A workspace with calls, a task, a model, a proof, something in the journal and what belongs in no backup."""
    workspace = a_workspace(folder)
    workspace.store.calls.add(triage_calls(60))
    sort_new_calls(workspace)
    (task, *_) = workspace.store.registry.tasks()
    for name, data in (("models/m1/model.gguf", b"GGUF" * 5000), ("proofs/v1/report.txt", b"proof"), ("logs/a", b"x")):
        path = workspace.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (workspace.state / "journal" / "w1").mkdir(parents=True)
    (workspace.state / "journal" / "w1" / "00000001.log").write_bytes(b"waiting")
    workspace.store.registry.put_model(
        ModelCard(
            id="m1",
            task_id=task.id,
            base="b",
            base_sha256="c",
            dataset_hash="d",
            recipe={},
            seed=0,
            metrics={},
            path=str(workspace.state / "models" / "m1"),
        )
    )
    return workspace


def _back_up(workspace: Workspace, target: Path, *, with_models: bool = True) -> Summary:
    return back_up(workspace.settings, target, _quiet, with_models=with_models)


@pytest.mark.parametrize("name", ["backup.tar.gz", "backup"])
def test_what_is_restored_is_what_was_backed_up(tmp_path: Path, name: str) -> None:
    workspace = _fill(tmp_path / "old")
    calls = workspace.store.calls.find(CallFilter())
    made = _back_up(workspace, tmp_path / name)
    workspace.store.close()
    again = restore(tmp_path / name, tmp_path / "new", _quiet)
    assert (made.files, made.size_bytes) == (again.files, again.size_bytes)
    restored = a_workspace(tmp_path / "new")
    assert restored.store.calls.find(CallFilter()) == calls
    (task, *_) = restored.store.registry.tasks()
    (card,) = restored.store.registry.models(task.id)
    assert card.path == str(tmp_path / "new" / "models" / "m1"), "paths lead into the new folder"
    assert (Path(card.path) / "model.gguf").read_bytes() == b"GGUF" * 5000
    restored.store.close()
    assert (tmp_path / "new" / "journal" / "w1" / "00000001.log").read_bytes() == b"waiting"
    assert (tmp_path / "new" / "proofs" / "v1" / "report.txt").exists()
    assert not (tmp_path / "new" / "logs").exists()
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "new", "old"]), "no draft is left"


def test_models_can_be_left_out(tmp_path: Path) -> None:
    workspace = _fill(tmp_path / "old")
    _back_up(workspace, tmp_path / "b.tar.gz", with_models=False)
    workspace.store.close()
    restore(tmp_path / "b.tar.gz", tmp_path / "new", _quiet)
    assert not (tmp_path / "new" / "models").exists()


def test_a_backup_that_is_made_while_calls_come_has_all_that_came_before_it(tmp_path: Path) -> None:
    workspace, goes_on, many = _fill(tmp_path / "old"), threading.Event(), threading.Event()
    written: list[str] = []

    def write() -> None:
        while not goes_on.is_set() and len(written) < 5000:
            batch = triage_calls(5)
            workspace.store.calls.add(batch)
            written.extend(call.id for call in batch)
            if len(written) > 100:
                many.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(4):
            assert many.wait(WAIT_S)
            before = list(written)
            _back_up(workspace, tmp_path / f"b{number}")
            restore(tmp_path / f"b{number}", tmp_path / f"new{number}", _quiet)
            restored = a_workspace(tmp_path / f"new{number}")
            ids = {call.id for call in restored.store.calls.find(CallFilter())}
            restored.store.close()
            assert ids >= set(before)
    finally:
        goes_on.set()
        writer.join(WAIT_S)
        workspace.store.close()


def test_a_journal_that_is_delivered_and_grows_meanwhile_does_not_spoil_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = _fill(tmp_path / "old")
    first, second = (workspace.state / "journal" / "w1" / f"0000000{number}.log" for number in (1, 2))
    second.write_bytes(b"delivered meanwhile")
    plainly = Path.open

    def open_as_it_changes(path: Path, mode: str = "r", **how: Any) -> object:
        if path == second:
            second.unlink(missing_ok=True)
        stream = plainly(path, mode, **how)
        if path == first:
            monkeypatch.setattr("os.fstat", _grows(first))
        return stream

    monkeypatch.setattr(Path, "open", open_as_it_changes)
    _back_up(workspace, tmp_path / "b")
    monkeypatch.undo()
    workspace.store.close()
    assert first.read_bytes() == b"waiting and more"
    restore(tmp_path / "b", tmp_path / "new", _quiet)
    journal = tmp_path / "new" / "journal" / "w1"
    assert [path.name for path in journal.iterdir()] == [first.name]
    assert (journal / first.name).read_bytes() == b"waiting"


def _grows(path: Path) -> Callable[[int], os.stat_result]:
    """An fstat after which a file is longer than it said."""
    plainly = os.fstat

    def stat(descriptor: int) -> os.stat_result:
        found = plainly(descriptor)
        if path.read_bytes() == b"waiting":
            path.write_bytes(b"waiting and more")
        return found

    return stat


def test_nothing_is_written_over(tmp_path: Path) -> None:
    workspace = _fill(tmp_path / "old")
    (tmp_path / "b.tar.gz").write_text("mine")
    with pytest.raises(UsageError, match="something at"):
        _back_up(workspace, tmp_path / "b.tar.gz")
    with pytest.raises(UsageError, match="in the state folder itself"):
        _back_up(workspace, workspace.state / "b.tar.gz")
    _back_up(workspace, tmp_path / "b")
    with pytest.raises(UsageError, match="something in"):
        restore(tmp_path / "b", workspace.state, _quiet)
    workspace.store.close()
    assert (tmp_path / "b.tar.gz").read_text() == "mine"


def _flip(folder: Path) -> None:
    path = folder / "models" / "m1" / "model.gguf"
    path.write_bytes(b"GGUg" + path.read_bytes()[4:])


def _drop(folder: Path) -> None:
    (folder / "proofs" / "v1" / "report.txt").unlink()


def _add(folder: Path) -> None:
    (folder / "journal" / "extra.log").write_bytes(b"")


def _link(folder: Path) -> None:
    (folder / "datasets").mkdir()
    (folder / "datasets" / "x").symlink_to("/etc/passwd")


def _no_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def _newer(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"format": 99}))


@pytest.mark.parametrize("spoil", [_flip, _drop, _add, _link, _no_manifest, _newer])
def test_a_backup_that_is_not_what_it_was_is_refused(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    workspace = _fill(tmp_path / "old")
    _back_up(workspace, tmp_path / "b")
    workspace.store.close()
    spoil(tmp_path / "b")
    with pytest.raises(DataError):
        restore(tmp_path / "b", tmp_path / "new", _quiet)
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_cut_off_or_damaged_is_refused(tmp_path: Path) -> None:
    workspace = _fill(tmp_path / "old")
    _back_up(workspace, tmp_path / "b.tar.gz")
    workspace.store.close()
    whole = (tmp_path / "b.tar.gz").read_bytes()
    rng = random.Random(11)
    spoilt = [whole[: int(share * len(whole))] for share in (0.0, 0.1, 0.5, 0.9, 0.999)]
    while len(spoilt) < 25:
        place = rng.randrange(20, len(whole))
        flipped = whole[:place] + bytes([whole[place] ^ (1 << rng.randrange(8))]) + whole[place + 1 :]
        spoilt += [flipped] if _unpacked(flipped) != _unpacked(whole) else []  # a few bits mean nothing to gzip
    for data in spoilt:
        (tmp_path / "spoilt.tar.gz").write_bytes(data)
        with pytest.raises(DataError, match="cannot be used"):
            restore(tmp_path / "spoilt.tar.gz", tmp_path / "new", _quiet)
    assert not (tmp_path / "new").exists()


def _unpacked(data: bytes) -> bytes | None:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../evil", tarfile.REGTYPE),
        ("/tmp/evil", tarfile.REGTYPE),
        ("a/../../evil", tarfile.REGTYPE),
        ("models/x", tarfile.SYMTYPE),
        ("models/x", tarfile.LNKTYPE),
        ("models/x", tarfile.FIFOTYPE),
    ],
)
def test_no_path_of_an_archive_leads_out(tmp_path: Path, name: str, kind: bytes) -> None:
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, "/etc/passwd", 4 if kind == tarfile.REGTYPE else 0
        tar.addfile(info, io.BytesIO(b"evil"))
    with pytest.raises(DataError, match=r"leads out|not a plain file"):
        restore(tmp_path / "evil.tar.gz", tmp_path / "new" / "state", _quiet)
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("name", ["run/session.key", "bases/b/model.gguf", "receipts.heads", "freehold.toml"])
def test_what_no_backup_holds_is_not_put_into_a_state_folder(tmp_path: Path, name: str) -> None:
    data = b"mine"
    sums = {name: {"sha256": sha256_hex(data), "size_bytes": len(data)}}
    manifest = json.dumps({"format": 1, "state": "/old", "database": "sqlite", "files": sums}).encode()
    _tar(tmp_path / "evil.tar.gz", {name: data, MANIFEST: manifest})
    with pytest.raises(DataError, match="does not belong"):
        restore(tmp_path / "evil.tar.gz", tmp_path / "new", _quiet)
    assert not (tmp_path / "new").exists()


def test_no_more_is_unpacked_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tar(tmp_path / "large.tar.gz", {"models/m/model.gguf": bytes(2**22)})
    room = shutil.disk_usage(tmp_path)._replace(free=_LEFT_FREE_BYTES + 2**21)
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: room)
    with pytest.raises(DataError, match="room"):
        restore(tmp_path / "large.tar.gz", tmp_path / "new", _quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["large.tar.gz"]


def test_a_header_of_an_archive_is_not_read_into_memory_whatever_its_size(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "long.tar.gz", "wb") as packed:
        info = tarfile.TarInfo("././@PaxHeader")
        info.type, info.size = tarfile.XHDTYPE, 2**20
        packed.write(info.tobuf() + bytes(2**20))
    with pytest.raises(DataError, match="header is too large"):
        restore(tmp_path / "long.tar.gz", tmp_path / "new", _quiet)


def test_a_manifest_that_does_not_say_where_it_was_is_refused(tmp_path: Path) -> None:
    workspace = _fill(tmp_path / "old")
    _back_up(workspace, tmp_path / "b")
    workspace.store.close()
    manifest = json.loads((tmp_path / "b" / MANIFEST).read_text())
    del manifest["state"]
    (tmp_path / "b" / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="does not say"):
        restore(tmp_path / "b", tmp_path / "new", _quiet)


def _tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = _fill(tmp_path / "old")

    def refuse(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("freehold.ops.backup.copy_sqlite", refuse)
    for name in ("b.tar.gz", "b"):
        with pytest.raises(OSError, match="No space"):
            _back_up(workspace, tmp_path / name)
    workspace.store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_the_verbs_say_what_they_did(run: Run, tmp_path: Path) -> None:
    _fill(tmp_path / ".freehold").store.close()
    made = run("backup", "b.tar.gz", "--json")
    assert made.exit_code == 0
    assert json.loads(made.stdout)["has_database"] is True
    assert "Next: freehold restore b.tar.gz --state NEW" in made.stderr
    back = run("restore", "b.tar.gz", "--state", "new")
    assert back.exit_code == 0
    assert back.stdout.startswith("new") or "files" in back.stdout
    assert "Next: freehold --state new up" in back.stderr
    assert "60 of 60 calls" in run("--state", "new", "calls", "-n", "0").stderr
    assert run("restore", "b.tar.gz", "--state", "new").exit_code == 2
    assert run("restore", "none", "--state", "other").exit_code == 2
