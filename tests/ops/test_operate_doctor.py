"""The doctor: finds what is wrong, says what to do, changes nothing, and never says a key."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from made import Run, a_workspace, triage_calls, weights

from freehold.model import ModelCard
from freehold.model.key import Key
from freehold.model.model_card import MODEL_FILE
from freehold.model.route import Route
from freehold.ops.doctor import Finding, examine
from freehold.ops.doctor.machine import check_gateway, check_wall_clock
from freehold.ops.doctor.providers import check_skew
from freehold.ops.doctor.versions import check_versions, compare_versions
from freehold.settings import Settings, load_settings
from freehold.sort.run.sort import sort_new_calls

KEY = "sk-canary-0123456789"


class Provider(BaseHTTPRequestHandler):
    """Answers the list of models as the path before `/v1` says: a status, and `late` for a date that is off."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        way = self.path.split("/")[1]
        status = int(way) if way.isdigit() else 200
        body = b'{"data": [{"id": "m-1"}, {"id": "m-2"}]}' if status == 200 else b"echo " + KEY.encode()
        self.send_response_only(401 if status == 200 and KEY not in str(self.headers) else status)
        self.send_header("date", formatdate(time.time() - (3600 if way == "late" else 0), usegmt=True))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def provider() -> Iterator[str]:
    """The address of a provider."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def _settings(folder: Path, base_url: str, more: str = "") -> Settings:
    path = folder / "freehold.toml"
    text = f'[gateway]\nport = 0\n[providers.mine]\nbase_url = "{base_url}"\nkey_env = "MINE"\n'
    path.write_text(f'{text}prices = {{ "*" = [1.0, 1.0] }}\n{more}', encoding="utf-8")
    return load_settings(path, environment={}, state=str(folder / "state"))


def _examine(settings: Settings, environment: Mapping[str, str] | None = None) -> dict[str, Finding]:
    """The worst finding of each name."""
    worst: dict[str, Finding] = {}
    order = ("ok", "warn", "fail")
    for finding in examine(settings, {"MINE": KEY} if environment is None else environment):
        known = worst.get(finding.name)
        if known is None or order.index(finding.level) > order.index(known.level):
            worst[finding.name] = finding
    return worst


def _levels(found: Mapping[str, Finding]) -> dict[str, str]:
    return {name: finding.level for name, finding in found.items() if finding.level != "ok"}


def test_where_all_is_well_nothing_is_said_to_be_wrong_and_nothing_is_made(tmp_path: Path, provider: str) -> None:
    found = _examine(_settings(tmp_path, f"{provider}/v1"))
    assert {"settings", "extras", "state", "disk", "flush", "files", "gateway", "database", "journal"} <= set(found)
    assert {name for name, level in _levels(found).items() if level == "fail"} == set()
    assert found["provider mine"] == Finding("provider mine", "ok", "reachable, lists 2 models")
    assert found["clock"].level == "ok"
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("way", "key", "level", "text"),
    [
        ("401/v1", KEY, "fail", "refuses the key in MINE (401)"),
        ("200/v1", "", "warn", "MINE is not set here"),
        ("404/v1", KEY, "ok", "has no list of models"),
        ("429/v1", KEY, "warn", "rate-limits this key"),
        ("500/v1", KEY, "fail", "answers its list of models with 500"),
    ],
)
def test_what_a_provider_says_is_judged(
    tmp_path: Path, provider: str, way: str, key: str, level: str, text: str
) -> None:
    found = list(examine(_settings(tmp_path, f"{provider}/{way}"), {"MINE": key} if key else {}))
    (finding,) = [f for f in found if f.name == "provider mine" and text in f.text]
    assert finding.level == level
    assert KEY not in repr(found), "neither ours nor what the provider echoes"


def test_a_provider_that_is_not_there_fails(tmp_path: Path) -> None:
    finding = _examine(_settings(tmp_path, "http://127.0.0.1:1/v1"))["provider mine"]
    assert finding.level == "fail"
    assert "127.0.0.1 cannot be reached: Connection refused" in finding.text


def test_a_model_that_a_provider_does_not_list_is_named(tmp_path: Path, provider: str) -> None:
    settings = _settings(tmp_path, f"{provider}/v1", 'models = ["m-1", "m-*", "gone"]\n')
    assert _examine(settings)["provider mine"].text == "reachable, but does not list gone"


def test_a_clock_that_is_off_is_found(tmp_path: Path, provider: str) -> None:
    assert _examine(_settings(tmp_path, f"{provider}/late/v1"))["clock"].level == "fail"
    assert check_skew([3600.0, -8.0])[0].level == "warn"
    assert check_skew([]) == []
    assert check_wall_clock((time.time(), time.monotonic())) == []
    assert check_wall_clock((time.time() - 60, time.monotonic()))[0].level == "warn"


def test_what_listens_on_the_port_is_told(tmp_path: Path, provider: str) -> None:
    settings = _settings(tmp_path, provider)
    port = int(provider.rsplit(":", 1)[1])
    assert "no gateway of this version" in check_gateway(settings.override({"gateway.port": port}))[0].text
    assert check_gateway(settings.override({"gateway.port": 1}))[0].text == "none runs, and 127.0.0.1:1 is free"


def test_a_damaged_database_and_a_backlog_are_found(tmp_path: Path, provider: str) -> None:
    settings = _settings(tmp_path, f"{provider}/v1")
    workspace = a_workspace(tmp_path / "state")
    workspace.store.calls.add(triage_calls(200))
    workspace.store.close()
    assert _examine(settings)["database"].text.endswith("whole")
    path = tmp_path / "state" / "freehold.db"
    raw = bytearray(path.read_bytes())
    for page in range(12, len(raw) // 4096, 3):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(raw)
    (tmp_path / "state" / "journal" / "refused").mkdir(parents=True)
    (tmp_path / "state" / "journal" / "refused" / "a.bin").write_bytes(b"a call")
    found = _examine(settings)
    assert found["database"].level == "fail"
    assert "damaged" in found["database"].text
    assert "estore a backup" in found["database"].hint
    assert found["journal"].text.startswith("1 calls that the database refused")


def test_a_newer_database_is_told(tmp_path: Path, provider: str) -> None:
    workspace = a_workspace(tmp_path / "state")
    with workspace.store.calls._database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    workspace.store.close()
    finding = _examine(_settings(tmp_path, f"{provider}/v1"))["database"]
    assert finding.level == "fail"
    assert "pip install -U freehold" in finding.hint


def test_a_model_that_is_gone_is_told(tmp_path: Path, provider: str) -> None:
    workspace = a_workspace(tmp_path / "state")
    workspace.store.calls.add(triage_calls(40))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    route = Route(task_id=task.id, version=1, kind="owned", model_id="m1", model_path=str(tmp_path / "gone"))
    workspace.store.registry.put_route(route)
    workspace.store.close()
    finding = _examine(_settings(tmp_path, f"{provider}/v1"))["model"]
    assert finding.level == "fail"
    assert f"freehold back {task.name}" in finding.hint


def test_a_served_file_that_is_not_the_one_that_was_proven_is_told(tmp_path: Path, provider: str) -> None:
    workspace = a_workspace(tmp_path / "state")
    workspace.store.calls.add(triage_calls(40))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    folder = tmp_path / "model"
    known = {"id": "m1", "task_id": task.id, "base": "b", "base_sha256": "s", "dataset_hash": "d", "seed": 0}
    workspace.store.registry.put_model(ModelCard(**known, recipe={}, metrics={}, **weights(folder)))
    workspace.store.registry.put_route(
        Route(task_id=task.id, version=1, kind="owned", model_id="m1", model_path=str(folder))
    )
    workspace.store.close()
    settings = _settings(tmp_path, f"{provider}/v1")
    assert "model" not in _examine(settings)
    (folder / MODEL_FILE).write_bytes(b"GGUF other weights")
    assert _examine(settings)["model"].level == "fail"


def test_doors_are_told(tmp_path: Path, provider: str) -> None:
    here = _examine(_settings(tmp_path, f"{provider}/v1"))["doors"]
    assert (here.level, "only this machine" in here.text) == ("ok", True)
    for wanted in ({"gateway.host": "0.0.0.0"}, {"gateway.require_key": True}):
        open_to_all = _settings(tmp_path, f"{provider}/v1").override(wanted)
        told = _examine(open_to_all)["doors"]
        assert (told.level, told.hint) == ("fail", "Run: freehold keys add NAME")
    workspace = a_workspace(tmp_path / "state")
    workspace.store.keys.add(Key(id="abcdefgh", name="app", sha256="0" * 64, created_at=1.0))
    workspace.store.close()
    named = open_to_all.override({"gateway.host": "0.0.0.0", "gateway.allowed_hosts": "gw.internal"})
    told = _examine(named)["doors"]
    assert (told.level, "1 are valid" in told.text) == ("ok", True)
    assert "any address, gw.internal" in told.text
    wrong = _examine(named.override({"gateway.allowed_hosts": "https://a"}))["doors"]
    assert (wrong.level, "allowed_hosts" in wrong.text) == ("fail", True)


def test_a_state_folder_that_cannot_be_used_is_told(tmp_path: Path, provider: str) -> None:
    (tmp_path / "state").write_text("a file")
    found = _examine(_settings(tmp_path, f"{provider}/v1"))
    assert found["state"].level == "fail"


def test_the_verb_ends_with_1_when_something_fails(run: Run, tmp_path: Path, provider: str) -> None:
    _settings(tmp_path, f"{provider}/v1")
    fine = run("doctor")
    assert "provider mine" in fine.stdout
    assert fine.exit_code == 0
    _settings(tmp_path, f"{provider}/500/v1")
    wrong = run("doctor", "--json")
    assert wrong.exit_code == 1
    told = json.loads(wrong.stdout)
    assert told["ok"] is False
    assert {finding["level"] for finding in told["findings"]} <= {"ok", "warn", "fail"}
    (tmp_path / "freehold.toml").write_text("[gateway]\nprot = 1\n")
    unusable = run("doctor")
    assert unusable.exit_code == 1
    assert "fail  settings" in unusable.stdout
    assert "Did you mean" in unusable.stdout


def test_packages_of_other_versions_than_the_tested_ones_are_told() -> None:
    tested = {"alembic": "1.20.1", "torch": "2.13.0", "gguf": "0.19.0"}
    same = compare_versions(tested, {"alembic": "1.20.1", "torch": "2.13.0+cpu", "unknown": "1"})
    assert same == Finding("versions", "ok", "all 2 packages are the versions that were tested")
    text = "1 of 2 packages are not the version that was tested: alembic 1.16.0 (tested: 1.20.1)"
    assert compare_versions(tested, {"alembic": "1.16.0", "torch": "2.13.0"}) == Finding("versions", "ok", text)
    many = compare_versions({str(number): "1" for number in range(9)}, {str(number): "2" for number in range(9)})
    assert many.text.endswith("4 2 (tested: 1) and 4 more")


def test_the_versions_of_this_machine_are_held_against_those_that_are_shipped() -> None:
    (finding,) = check_versions()
    assert finding.level == "ok"
    assert int(finding.text.split(" packages ")[0].split()[-1]) > 20
