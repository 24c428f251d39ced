"""`freehold up` as a process: one per folder and port, killed with -9 at random, and no call is lost."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from made import a_workspace, chat_body, triage_calls

from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter

WAIT_S = 60.0
KILLS = 3
REQUESTS = 400
CLIENTS = 8


class Provider(BaseHTTPRequestHandler):
    """Answers a chat request with what was asked; as a stream where that is wanted."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = asked["messages"][-1]["content"][::-1]
        if asked.get("stream"):
            pieces = [{"delta": {"content": text}, "index": 0}, {"delta": {}, "index": 0, "finish_reason": "stop"}]
            events = [{"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [p]} for p in pieces]
            body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"
            kind = "text/event-stream"
        else:
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            body, kind = json.dumps({"id": "1", "model": "m", "choices": [choice]}).encode(), "application/json"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def provider() -> Iterator[str]:
    """The URL of a provider."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


class Gateway:
    """`freehold up` in a folder, started and killed at will."""

    def __init__(self, folder: Path, provider: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = folder
        (folder / "freehold.toml").write_text(
            f'[gateway]\nport = {self.port}\n[providers.mine]\nbase_url = "{provider}"\n', encoding="utf-8"
        )
        self.process: subprocess.Popen[str] | None = None

    def up(self, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "freehold", "up", *options]
        with (self.folder / "up.log").open("a") as log:
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=subprocess.PIPE, text=True)

    def start(self) -> None:
        command = [sys.executable, "-m", "freehold", "up"]
        with (self.folder / "up.log").open("a") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, text=True)
        deadline = time.monotonic() + WAIT_S
        while not self._is_up() and time.monotonic() < deadline:
            assert self.process.poll() is None, self.log
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self, number: int = signal.SIGKILL) -> int:
        os.kill(self.pid, number)
        return self.process.wait(WAIT_S) if self.process else 0

    @property
    def log(self) -> str:
        return (self.folder / "up.log").read_text()

    def _is_up(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def ask(self, row: int) -> tuple[str, str]:
        """Ask until the answer has come whole; returns the call's id and the bytes."""
        body = json.loads(chat_body(f"question {row}"))
        if row % 3 == 0:
            body["stream"] = True
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                headers = {"content-type": "application/json", "freehold-tags": f"row={row}"}
                connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
                response = connection.getresponse()
                text = response.read().decode()
                is_whole = not body.get("stream") or text.endswith("data: [DONE]\n\n")
                if response.status == 200 and is_whole:
                    return str(response.headers["freehold-call-id"]), text
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
            finally:
                connection.close()
        raise AssertionError(f"row {row} was never answered")


@contextmanager
def _running(folder: Path, provider: str) -> Iterator[Gateway]:
    gateway = Gateway(folder, provider)
    gateway.start()
    try:
        yield gateway
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.kill()


def test_one_gateway_per_folder_and_per_port(tmp_path: Path, provider: str) -> None:
    with _running(tmp_path, provider) as gateway:
        again = gateway.up("--port", "0")
        _, said = again.communicate(timeout=WAIT_S)
        assert again.returncode == 1
        assert said.count("\n") == 1
        assert f"is already running: process {gateway.pid}" in said
        (tmp_path / "other").mkdir()
        elsewhere = Gateway(tmp_path / "other", provider).up("--port", str(gateway.port))
        _, said = elsewhere.communicate(timeout=WAIT_S)
        assert elsewhere.returncode == 1
        assert f"freehold: Port {gateway.port} of 127.0.0.1 is in use. Stop what listens there" in said
        assert "Traceback" not in said
        gateway.ask(1)
        assert gateway.kill(signal.SIGTERM) == 0
    workspace = a_workspace(tmp_path / ".freehold")
    assert workspace.store.calls.count(CallFilter(is_failed=False)) == 1
    workspace.store.close()


def test_a_table_of_settings_for_no_task_is_a_warning_and_no_more(tmp_path: Path, provider: str) -> None:
    workspace = a_workspace(tmp_path / ".freehold")
    workspace.store.calls.add(triage_calls(30))
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    workspace.store.close()
    gateway = Gateway(tmp_path, provider)
    with (tmp_path / "freehold.toml").open("a") as file:
        file.write(f"[tasks.{task.name}]\nmargin = 0.05\n[tasks.{task.name}s]\nmargin = 0.05\n")
    gateway.start()
    gateway.ask(1)
    assert gateway.kill(signal.SIGTERM) == 0
    warnings = [line for line in gateway.log.splitlines() if "is for no task" in line]
    assert len(warnings) == 1
    assert f"[tasks.{task.name}s]" in warnings[0]
    assert f"Did you mean [tasks.{task.name}]?" in warnings[0]


def test_what_a_client_has_is_in_the_record_whenever_the_gateway_is_killed(tmp_path: Path, provider: str) -> None:
    rng = random.Random(20261123)
    with _running(tmp_path, provider) as gateway, ThreadPoolExecutor(CLIENTS) as clients:
        answers = [clients.submit(gateway.ask, row) for row in range(REQUESTS)]
        for kill in range(1, KILLS + 1):
            wanted = int((kill - rng.uniform(0.2, 0.6)) * REQUESTS / KILLS)
            while sum(answer.done() for answer in answers) < wanted:
                time.sleep(0.005)
            gateway.kill()
            gateway.start()
        received = [answer.result(WAIT_S) for answer in answers]
        assert gateway.kill(signal.SIGTERM) == 0
    workspace = a_workspace(tmp_path / ".freehold")
    calls = {call.id: call for call in workspace.store.calls.find(CallFilter(is_failed=False))}
    workspace.store.close()
    assert len({call_id for call_id, _ in received}) == REQUESTS
    for row, (call_id, text) in enumerate(received):
        call = calls[call_id]
        assert call.tags["row"] == str(row)
        assert f"question {row}"[::-1] in call.response_body.decode()
        assert f"question {row}"[::-1] in text
