"""`freehold up` in a folder of its own, between the tests and an upstream that answers by the model's name."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WAIT_S = 60.0


def canary(place: str) -> str:
    """A text that stands nowhere else."""
    return f"canary{place}{secrets.token_hex(12)}"


class Upstream(BaseHTTPRequestHandler):
    """Answers by the model's name: well, with an error that repeats the key it was sent, or not to the end."""

    protocol_version = "HTTP/1.1"
    cookie = ""
    seen: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        self._answer(200, b'{"object": "list", "data": []}')

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        match asked["model"]:
            case "echo":
                key = self.headers.get("authorization") or self.headers.get("x-api-key")
                self._answer(401, json.dumps({"error": {"message": f"Incorrect API key provided: {key}"}}).encode())
            case "cut":
                self.send_response(200)
                self.send_header("content-length", "1000")
                self.end_headers()
                self.wfile.write(b"{")
                self.close_connection = True
            case "stream":
                event = {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": []}
                self._answer(200, f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode(), "text/event-stream")
            case _:
                choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
                self._answer(200, json.dumps({"id": "1", "model": "m", "choices": [choice]}).encode())

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("set-cookie", f"session={self.cookie}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Town:
    """A folder with `freehold up` in it, between the tests and an upstream."""

    folder: Path
    port: int
    lent: str
    cookie: str
    seen: list[tuple[str, dict[str, str]]]
    said: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)

    def freehold(self, *arguments: str) -> str:
        """Run a verb; what it says on both streams is searched, too."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, cwd=self.folder, env=self.env)
        assert done.returncode == 0, done.stderr
        self.said.append(done.stderr)
        return done.stdout

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "freehold", *arguments]

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {"MINE_KEY": self.lent, "PYTHONFAULTHANDLER": "1"} | self.settings

    def ask(self, target: str, model: str, *, method: str = "POST", marker: str = "", **headers: str) -> bytes:
        """What one call gives, headers and body."""
        status, told, body = self.call(target, model, method=method, marker=marker, **headers)
        return f"{status} {told}".encode() + body

    def call(
        self, target: str, model: str, *, method: str = "POST", marker: str = "", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """One call; a response that breaks off counts as what had come."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        messages = [{"role": "user", "content": f"hello {marker}"}]
        body = json.dumps({"model": model, "messages": messages, "max_tokens": 9}) if method == "POST" else None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method, target, body, named | ({"content-type": "application/json"} if body else {}))
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.headers.items()}
            try:
                return response.status, told, response.read()
            except http.client.IncompleteRead as error:
                return response.status, told, bytes(error.partial)
        finally:
            connection.close()

    def is_up(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self.ask("/healthz", "", method="GET"))
        return False

    def written(self) -> dict[str, bytes]:
        """All that Freehold wrote: every file below the folder but the settings, and what its verbs said."""
        files = {str(path): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        del files[str(self.folder / "freehold.toml")]
        return files | {f"said {number}": text.encode() for number, text in enumerate(self.said)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def a_town(folder: Path) -> Iterator[Town]:
    """A town that is not yet running."""
    handler = type("Handler", (Upstream,), {"cookie": canary("setcookie"), "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = _free_port()
    (folder / "freehold.toml").write_text(
        f"""
        [gateway]
        port = {port}
        [providers.mine]
        base_url = "http://127.0.0.1:{server.server_address[1]}/v1"
        key_env = "MINE_KEY"
        [providers.dead]
        base_url = "http://127.0.0.1:{_free_port()}/v1"
        key_env = "MINE_KEY"
        models = ["dead"]
        """
    )
    yield Town(folder, port, canary("lent"), handler.cookie, handler.seen)
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def running(town: Town) -> Iterator[subprocess.Popen[bytes]]:
    """The town's gateway runs."""
    with (town.folder / "up.log").open("ab") as log:
        process = subprocess.Popen(town.command("up"), cwd=town.folder, env=town.env, stdout=log, stderr=log)
    deadline = time.monotonic() + WAIT_S
    while not town.is_up():
        assert process.poll() is None, (town.folder / "up.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S)
