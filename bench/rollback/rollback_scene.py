"""A whole gateway between a scripted provider and a scripted owned model, and one client.

Who answers wrongly, and when, is known by the number of the call.

`freehold up` is the real one, in a process of its own, with its database, journal, watch and routes. Not covered: real
models (`bench/exit.py`), load (`bench/gateway.py`).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freehold.model import Call, Route
from freehold.model.ids import uuid7
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.route.run.move import put_route
from freehold.settings import load_settings
from freehold.sort.run.sort import sort_new_calls
from freehold.text.confidence import untrained_head

WAIT_S = 60.0
MODEL = "owned-1"
SYSTEM = "You triage messages to the support desk of a shop. Answer with one JSON object: intent and urgency."
INTENTS = ("refund", "delivery", "damaged", "invoice")
FAST = ("[watch]", "every_s = 0.02", "settle_s = 0.0", "audit_wait_s = 20")
"""A watch that looks all the time, so that what is counted is calls and not seconds."""
_NUMBER = re.compile(r"order (\d+)")
_HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
_BROKEN = (OSError, asyncio.IncompleteReadError, ValueError)

Behaviour = Callable[[int], str]
"""What happens at the call of this number: right, wrong, invalid, refusal, slow or down."""


def always_right(number: int) -> str:
    """A side that never fails."""
    del number
    return "right"


@dataclass
class Script:
    """How both sides behave; may be changed while the scene runs."""

    owned: Behaviour = always_right
    provider: Behaviour = always_right
    provider_model: str = "gpt-4o-2026"
    slow_s: float = 0.1

    def answer(self, number: int, kind: str) -> str:
        """The text of an answer."""
        match kind:
            case "wrong":
                return json.dumps({"intent": "other", "urgency": 9})
            case "invalid":
                return '{"intent": '
            case "refusal":
                return json.dumps({"intent": "I'm sorry, but I cannot help with that."})
        return json.dumps({"intent": INTENTS[number % len(INTENTS)], "urgency": number % 3})


@dataclass(frozen=True)
class Answered:
    """What the client got."""

    number: int
    call_id: str
    status: int
    arm: str
    text: str


def question(number: int, system: str = SYSTEM) -> bytes:
    """The body of the request of this number."""
    words = " ".join(_word(number * factor + factor) for factor in (1, 3, 7, 11))
    text = f"{INTENTS[number % len(INTENTS)]} of order {number}: {words}"
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return json.dumps({"model": "gpt-4o", "messages": messages}).encode()


def _word(number: int) -> str:
    return "".join(chr(97 + number * 7919 // 26**place % 26) for place in range(5))


@asynccontextmanager
async def both_sides(script: Script) -> AsyncIterator[str]:
    """A server that is provider and engine at once; gives its origin."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*_BROKEN):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                asked = json.loads(await reader.readexactly(_length(head)))
                writer.write(await _reply(script, asked))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _reply(script: Script, asked: dict[str, Any]) -> bytes:
    is_owned = asked["model"] == "owned"
    number = int(_NUMBER.findall(asked["messages"][-1]["content"])[-1])
    kind = (script.owned if is_owned else script.provider)(number)
    if kind == "slow":
        await asyncio.sleep(script.slow_s)
    if kind == "down":
        return b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}"
    message = {"role": "assistant", "content": script.answer(number, kind)}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    if is_owned:
        choice["logprobs"] = {"content": [{"token": "x", "logprob": -0.01}] * 4}
    usage = {"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38}
    model = "owned" if is_owned else script.provider_model
    body = json.dumps({"id": "c", "object": "chat.completion", "model": model, "choices": [choice], "usage": usage})
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return (head + body).encode()


class Gateway:
    """`freehold up` on a state folder of its own or a shared database; `environment` may name another checkout."""

    def __init__(
        self,
        folder: Path,
        origin: str,
        *lines: str,
        database_url: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = folder
        self._origin = origin
        self._environment = environment or {n: v for n, v in os.environ.items() if not n.startswith("FREEHOLD_")}
        top = [f'database_url = "{database_url}"'] if database_url else []
        own = ["[gateway]", f"port = {self.port}", "[providers.scripted]", f'base_url = "{origin}/v1"']
        prices = ["[providers.scripted.prices]", '"gpt*" = [2.5, 10.0]']
        (folder / "freehold.toml").write_text("\n".join([*top, *own, *prices, *lines]) + "\n", encoding="utf-8")
        self.workspace = open_workspace(load_settings(folder / "freehold.toml", environment={}, state=str(self.state)))
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def state(self) -> Path:
        """Its state folder."""
        return self.folder / ".freehold"

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "up.log").read_text(encoding="utf-8")

    async def start(self) -> None:
        """Start it and wait until it answers and knows where the owned model is served."""
        path = self.folder / "up.log"
        begin = path.stat().st_size if path.exists() else 0
        self._process = self._spawn(path)
        await self.until(lambda: "gateway on http" in self.log[begin:])
        engines = self.state / "run" / "engines.json"
        await self.until(engines.exists)
        engines.write_text(json.dumps({MODEL: self._origin}), encoding="utf-8")
        await self._until_async(self._is_placed)

    def _spawn(self, path: Path) -> subprocess.Popen[bytes]:
        with path.open("a") as log:
            command = [sys.executable, "-m", "freehold", "up"]
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, env=dict(self._environment))

    async def _is_placed(self) -> bool:
        """The scripted model is asked once the worker has read the list of engines; calls until then are its own."""
        return (await self.ask(0)).status == 200

    async def until_local(self, system: str = SYSTEM) -> None:
        """Ask until the owned model answers: the worker has seen the route, and where the model is served."""

        async def is_local() -> bool:
            return (await self.ask(1, system)).arm == "owned"

        await self._until_async(is_local)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        self.hang_up()
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)
            await asyncio.to_thread(self._process.wait, WAIT_S)

    def hang_up(self) -> None:
        """Close the client's connection."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    async def ask(self, number: int, system: str = SYSTEM) -> Answered:
        """One call, on the connection of the one before."""
        for _ in range(2):
            self._connection = self._connection or await asyncio.open_connection("127.0.0.1", self.port)
            try:
                return await _asked(number, *self._connection, system)
            except (OSError, asyncio.IncompleteReadError):
                self.hang_up()
        raise ConnectionError(f"call {number} was not answered: {self.log}")

    async def ask_beside(self, number: int) -> Answered:
        """One call on a connection of its own, so that others may be under way."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            return await _asked(number, reader, writer)
        finally:
            writer.close()

    async def page(self, path: str) -> str:
        """A page of the gateway."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            return (await reader.readexactly(_length(head))).decode()
        finally:
            writer.close()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something holds; fails with its log where that takes too long."""

        async def look() -> bool:
            return is_so()

        await self._until_async(look)

    async def _until_async(self, look: Callable[[], Any]) -> None:
        deadline = time.monotonic() + WAIT_S
        while True:
            with suppress(OSError, ConnectionError):
                if await look():
                    return
            assert time.monotonic() < deadline, self.log
            await asyncio.sleep(0.005)


async def _asked(
    number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, system: str = SYSTEM
) -> Answered:
    body = question(number, system)
    writer.write(_HEAD % len(body) + body)
    head = await reader.readuntil(b"\r\n\r\n")
    answer = json.loads(await reader.readexactly(_length(head)))
    text = answer["choices"][0]["message"]["content"] if "choices" in answer else ""
    arm = "owned" if b"freehold-arm: owned" in head else "rented"
    call_id = _header(head, b"freehold-call-id").decode()
    return Answered(number, call_id, int(head.split(b" ", 2)[1]), arm, text)


def teach(workspace: Workspace, count: int = 60, system: str = SYSTEM) -> str:
    """Let the record have calls of one task, sorted; returns the task's id."""
    script = Script()
    began_at = time.time() - 7200
    calls = [
        Call(
            id=uuid7(),
            created_at=began_at + number,
            dialect="openai-chat",
            path="/v1/chat/completions",
            request_body=question(number, system),
            response_body=json.dumps(
                {"choices": [{"message": {"role": "assistant", "content": script.answer(number, "right")}}]}
            ).encode(),
            provider="scripted",
            status=200,
        )
        for number in range(count)
    ]
    workspace.store.calls.add(calls)
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    return task.id


def moved(workspace: Workspace, task_id: str, kind: str = "cascade", **changes: Any) -> Route:
    """Put a route on which every whole answer of the owned model is used."""
    task = workspace.task(task_id)
    values: dict[str, Any] = {
        "task_id": task_id,
        "version": workspace.store.registry.route(task_id).version + 1,
        "kind": kind,
        "model_id": MODEL,
        "verdict_id": "verdict1",
        "threshold": 0.5,
        "audit_rate": 0.05,
        "output_kind": "json",
        "head": untrained_head().to_json(),
        "template": task.template.to_json(),
        "risk": 0.05,
    }
    return put_route(workspace, Route(**{**values, **changes}))


async def watched(workspace: Workspace, task_id: str, version: int, call_id: str) -> bool:
    """Wait until the watch of this version has seen this call; False when the route has gone on."""
    deadline = time.monotonic() + WAIT_S
    while workspace.store.registry.newest_versions([task_id]).get(task_id) == version:
        row = workspace.store.watches.get(task_id).document
        if row.get("route_version") == version and row["cursor"][1] >= call_id:
            return True
        assert time.monotonic() < deadline, (row.get("cursor"), call_id)
        await asyncio.sleep(0.003)
    return False


async def ask_in_step(gateway: Gateway, task_id: str, version: int, numbers: Sequence[int]) -> list[Answered]:
    """Ask one call after another, each once the watch has seen the one before, until the route goes on."""
    answered = []
    for number in numbers:
        answered.append(await gateway.ask(number))
        if not await watched(gateway.workspace, task_id, version, answered[-1].call_id):
            break
    return answered


def _length(head: bytes) -> int:
    return int(_header(head, b"content-length") or 0)


def _header(head: bytes, wanted: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == wanted:
            return value.strip()
    return b""
