"""A moved task whose engine gets more than it can do, is stopped, or gets a burst; run by `steady_engine`.

    python steady_engine_scene.py CASE FOLDER SECONDS     a case (overload, hung or burst); its calls as JSON on stdout
    python steady_engine_scene.py engine                  the engine alone: it prints its URL

The gateway is a real `freehold up` of whatever `freehold` is importable; provider and engine are stand-ins with known
times. The engine is a process of its own with one slot and 0.4 s for an answer: 2.5 answers a second. It answers
/health at once, as llama.cpp does.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from rollback_scene import MODEL, Gateway, Script, moved, teach

from freehold.store import CallFilter

ANSWER_S = 0.4
OVERLOAD, HEALTHY_PER_S, BURST = 3, 1.5, 40
WARM_UP = 60
PROVEN_AT_ONCE = 8
"""A proof asks its engine for so many answers at a time, and this one gives them one after the other."""
_FASTEST_S, _SPREAD_S = 0.12, 0.08
_SETTLE_S = 3.0
_BROKEN = (OSError, asyncio.IncompleteReadError, ValueError)


def provider_s(number: int) -> float:
    """How long the provider takes for its `number`-th call: 0.12 to 0.20 s, evenly spread."""
    return _FASTEST_S + _SPREAD_S * (number * 37 % 100) / 99


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)


def _response(body: dict[str, Any]) -> bytes:
    raw = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(raw), raw)


def _answer(asked: dict[str, Any], *, is_owned: bool) -> bytes:
    number = int(asked["messages"][-1]["content"].rpartition("order ")[2].partition(":")[0])
    message = {"role": "assistant", "content": Script().answer(number, "right")}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
    if is_owned:
        choice["logprobs"] = {"content": [{"token": "x", "logprob": -0.01}] * 4}
    usage = {"prompt_tokens": 30, "completion_tokens": 8, "total_tokens": 38}
    return _response({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})


@asynccontextmanager
async def _served(reply: Callable[[dict[str, Any]], Any]) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*_BROKEN):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                raw = await reader.readexactly(_length(head))
                writer.write(await reply(json.loads(raw)) if raw else _response({"status": "ok"}))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _serve_engine() -> None:
    """Answer one after the other until the parent goes."""
    slot = asyncio.Lock()

    async def reply(asked: dict[str, Any]) -> bytes:
        async with slot:
            await asyncio.sleep(ANSWER_S)
        return _answer(asked, is_owned=True)

    async with _served(reply) as url:
        sys.stdout.write(url + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


class Engine:
    """The engine's process."""

    def __init__(self) -> None:
        command = [sys.executable, __file__, "engine"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it."""
        self.send(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def _engine() -> Any:
    engine = Engine()
    try:
        yield engine
    finally:
        engine.stop()


class Scene:
    """A gateway with a moved task, and the calls of its client."""

    def __init__(self, gateway: Gateway, engine: Engine, task_id: str) -> None:
        self.gateway, self.engine, self.task_id = gateway, engine, task_id
        self.calls: list[dict[str, Any]] = []
        self._began_at = time.perf_counter()

    def now(self) -> float:
        """Seconds since the first call of the case was due."""
        return time.perf_counter() - self._began_at

    async def offer(self, per_s: float, seconds: float) -> None:
        """Ask at a steady rate, each call on a connection of its own; its latency runs from when it was due."""
        asks, began = [], self.now()
        for number in range(int(per_s * seconds)):
            due = began + number / per_s
            await asyncio.sleep(max(0.0, due - self.now()))
            asks.append(asyncio.create_task(self.ask(due)))
        await asyncio.gather(*asks)

    async def ask(self, due: float) -> None:
        """Ask once, and note what came of it."""
        number = 10_000 + len(self.calls)
        noted: dict[str, Any] = {"due_s": due, "status": 0}
        self.calls.append(noted)
        with suppress(*_BROKEN):
            answered = await self.gateway.ask_beside(number)
            noted |= {"status": answered.status, "arm": answered.arm, "id": answered.call_id}
        noted["latency_s"] = self.now() - due

    def result(self) -> dict[str, Any]:
        """The calls with their tags, what became of the route, and the provider's own times."""
        store = self.gateway.workspace.store
        known = {call.id: call for call in store.calls.stream(CallFilter(task_id=self.task_id, since=1.0))}
        for noted in self.calls:
            call = known.get(noted.get("id", ""))
            noted["engine"] = call.coins.engine if call else None
        route = store.registry.route(self.task_id)
        taken_back = sum(one.decided_by == "rollback" for one in store.registry.route_history(self.task_id))
        return {"calls": self.calls, "route": route.kind, "taken_back": taken_back}


async def _run(case: str, folder: Path, seconds: float) -> dict[str, Any]:
    asked = 0

    async def provide(body: dict[str, Any]) -> bytes:
        nonlocal asked
        asked += 1
        await asyncio.sleep(provider_s(asked))
        return _answer(body, is_owned=False)

    async with _served(provide) as origin:
        with _engine() as engine:
            gateway = Gateway(folder, origin)
            task_id = teach(gateway.workspace)
            await gateway.start()
            try:
                times = await _warm_up(gateway, engine, task_id)
                scene = Scene(gateway, engine, task_id)
                notes = await _CASES[case](scene, seconds)
                await asyncio.sleep(_SETTLE_S)
                return {**scene.result(), **notes, "provider_s": times, "log": gateway.log}
            finally:
                await gateway.stop()
                gateway.workspace.store.close()


async def _warm_up(gateway: Gateway, engine: Engine, task_id: str) -> list[float]:
    """Let the provider answer some calls, then move the task; gives how long the provider took, in seconds."""

    async def timed(number: int) -> float:
        began = time.perf_counter()
        await gateway.ask_beside(number)
        return time.perf_counter() - began

    times = [time_s for at in range(0, WARM_UP, 4) for time_s in await asyncio.gather(*map(timed, range(at, at + 4)))]
    await asyncio.sleep(_SETTLE_S)
    (gateway.state / "run" / "engines.json").write_text(json.dumps({MODEL: engine.url}), encoding="utf-8")
    moved(gateway.workspace, task_id, expected={"owned_p95_ms": 1000 * ANSWER_S * PROVEN_AT_ONCE})
    await gateway.until_local()
    await asyncio.sleep(1.0)
    return times


async def _overload(scene: Scene, seconds: float) -> dict[str, Any]:
    await scene.offer(OVERLOAD / ANSWER_S, seconds)
    return {}


async def _hung(scene: Scene, seconds: float) -> dict[str, Any]:
    async def stop_and_go_on() -> dict[str, Any]:
        await asyncio.sleep(seconds / 3)
        stopped_s = scene.now()
        scene.engine.send(signal.SIGSTOP)
        await asyncio.sleep(seconds / 3)
        scene.engine.send(signal.SIGCONT)
        return {"stopped_s": stopped_s, "went_on_s": scene.now()}

    _, notes = await asyncio.gather(scene.offer(HEALTHY_PER_S, seconds), stop_and_go_on())
    return notes


async def _burst(scene: Scene, seconds: float) -> dict[str, Any]:
    await scene.offer(1.0, 4.0)
    at = scene.now()
    await asyncio.gather(*(scene.ask(at) for _ in range(BURST)))
    after_s = scene.now()
    await scene.offer(1.0, min(seconds, 10.0))
    return {"burst_s": at, "after_s": after_s}


_CASES = {"overload": _overload, "hung": _hung, "burst": _burst}


def main(case: str, folder: str, seconds: str) -> None:
    """Run one case and write what came of it."""
    found = asyncio.run(_run(case, Path(folder), float(seconds)))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "engine":
        asyncio.run(_serve_engine())
    else:
        main(*sys.argv[1:4])
