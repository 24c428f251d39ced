"""Engines that are busy, slow, hung or left by a client: who answers, what the call says of it, what is shown."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from gateway.scripted import Shelf, running
from gateway.scripted_town import ScriptedRouter
from test_gateway_bytes import CHAT_PATH, asking, send
from tiny_llama import write_tiny_llama

from freehold.gateway.app import Gateway
from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.oversight import Oversight
from freehold.httpd.server import Limits
from freehold.model import Route
from freehold.model.assignment import Assignment
from freehold.serve.engines.llamacpp.engine import LlamaCpp

WAIT_S = 20.0
_BROKEN = (OSError, asyncio.IncompleteReadError, ValueError)


@dataclass
class Sides:
    """A server that is provider and engine at once: the engine works on one answer at a time, or not at all.

    While `is_hung`, the engine takes connections and says nothing, not even at /health.
    """

    engine_s: float = 0.0
    is_hung: bool = False
    port: int = 0
    asked: int = 0
    left: int = 0
    most_at_once: int = 0
    _at_once: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*_BROKEN):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                raw = await reader.readexactly(_length(head))
                asked = json.loads(raw) if raw else {}
                is_engine = not asked or asked["model"] == "owned"
                while is_engine and self.is_hung:
                    await self._goes_on.wait()
                if asked and is_engine:
                    await self._work(reader)
                writer.write(_reply(is_owned=is_engine))
        writer.close()

    async def _work(self, reader: asyncio.StreamReader) -> None:
        """Take the time of one answer; who leaves before its end is counted."""
        self.asked += 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.engine_s):
                    await reader.readexactly(1)
        except asyncio.IncompleteReadError:
            self.left += 1
            raise
        finally:
            self._at_once -= 1

    def revive(self) -> None:
        """Go on."""
        self.is_hung = False
        self._loop.call_soon_threadsafe(self._goes_on.set)

    def run(self) -> None:
        """Serve in a thread of its own."""
        ready = threading.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await self._ending.wait()
            server.close()

        def work() -> None:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(serve())

        self._thread = threading.Thread(target=work)
        self._thread.start()
        assert ready.wait(WAIT_S)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(WAIT_S)


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)


def _reply(*, is_owned: bool) -> bytes:
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": "{}"}, "finish_reason": "stop"}
    if is_owned:
        choice["logprobs"] = {"content": [{"token": "{}", "logprob": -0.001}]}
    body = json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


@dataclass
class Scene:
    """A gateway with one moved task between both sides."""

    sides: Sides
    shelf: Shelf
    gateway: Gateway
    placed: Assignment
    port: int = 0

    def ask(self, number: int = 0) -> tuple[str, dict[str, str]]:
        """Ask once; gives the arm and the tags of the call."""
        messages = [{"role": "user", "content": f"order {number}"}]
        status, headers, _ = send(self.port, "POST", CHAT_PATH, asking("chat", messages=messages))
        assert status == 200
        call = self.shelf.by_id(dict(headers)["freehold-call-id"])
        return call.arm, dict(call.all_tags)

    def ask_at_once(self, count: int) -> list[tuple[str, dict[str, str]]]:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(self.ask, range(count)))

    def ask_until(self, arm: str) -> None:
        """Ask until this side answers."""
        pause = threading.Event()
        for _ in range(int(WAIT_S / 0.05)):
            if self.ask()[0] == arm:
                return
            pause.wait(0.05)
        raise AssertionError(f"no call was {arm}")

    def page(self, path: str) -> str:
        return send(self.port, "GET", path)[2].decode()


@contextmanager
def a_scene(*, engine_url: str = "", kind: str = "cascade", **changes: Any) -> Iterator[Scene]:
    """`slack_s` is long, so that a busy machine does not make an answer late, unless a test says otherwise."""
    sides, shelf = Sides(), Shelf({})
    sides.run()
    route = Route(task_id="t1", version=1, kind=kind, model_id="m1", threshold=0.5, shadow_rate=1.0)  # type: ignore[arg-type]
    placed = Assignment(task_id="t1", task_key="triage", route=route, **{"slack_s": 5.0, **changes})

    def find(asked: Any, explicit: str | None) -> Assignment:
        return replace(placed, messages=asked.messages)

    url = f"http://127.0.0.1:{sides.port}"
    board = ScriptedRouter(
        find=find, engine_url=lambda model_id: engine_url or url, confidence=lambda route, answer: 1.0
    )
    providers = [Provider(name="up", base_url=f"{url}/v1")]
    gateway = Gateway(GatewaySettings(), providers, shelf, board, None, Oversight())  # type: ignore[arg-type]
    with running(gateway, Limits()) as port:
        yield Scene(sides, shelf, gateway, placed, port)
    sides.stop()


@pytest.fixture
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with a_scene(**getattr(request, "param", {})) as scene:
        yield scene


def test_a_burst_beyond_what_the_engine_can_do_goes_to_the_provider_and_says_so(scene: Scene) -> None:
    scene.sides.engine_s = 0.3
    answered = scene.ask_at_once(12)
    assert {(arm, tags.get("engine")) for arm, tags in answered} == {("owned", None), ("rented", "busy")}
    assert scene.sides.most_at_once == 1  # nothing was measured yet
    assert scene.gateway.oversight.meter.figures().counters["freehold_engine_fallbacks"] == [
        (("triage", "busy"), float(sum(arm == "rented" for arm, _ in answered)))
    ]


def test_a_healthy_engine_is_asked_as_often_at_once_as_its_answers_come_in_time(scene: Scene) -> None:
    scene.sides.engine_s = 0.2
    scene.ask_until("owned")
    assert {arm for arm, _ in scene.ask_at_once(6)} == {"owned"}
    assert 1 < scene.sides.most_at_once <= 6


def test_a_hung_engine_costs_the_calls_under_way_a_moment_and_the_others_nothing(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.ask_until("owned")
    scene.sides.is_hung = True
    assert scene.ask() == ("rented", {"engine": "hung"})
    assert [scene.ask() for _ in range(5)] == [("rented", {"engine": "hung"})] * 5
    asked = scene.sides.asked
    readiness = json.loads(scene.page("/readyz"))
    assert (readiness["status"], "m1 is hung for" in readiness["engines"]) == ("ready", True)
    assert scene.gateway.oversight.meter.figures().gauges["freehold_engines_left_alone"] == 1
    for _ in range(int(WAIT_S / 0.1)):
        if "gives no sign of life" in caplog.text:
            break
        threading.Event().wait(0.1)
    assert scene.sides.asked == asked
    scene.sides.revive()
    scene.ask_until("owned")
    assert json.loads(scene.page("/readyz"))["engines"] == "ok"
    assert caplog.text.count("gives no sign of life") == caplog.text.count("answers in time again") == 1


@pytest.mark.parametrize("scene", [{"slack_s": 0.2}], indirect=True)
def test_an_engine_that_is_alive_and_too_slow_is_left_alone_and_tried_until_it_is_not(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.sides.engine_s = 1.5
    first = [scene.ask() for _ in range(3)]
    assert first == [("rented", {"engine": "timeout"})] * 3
    assert scene.sides.left == 3  # the engine is not left with work that nobody waits for
    assert scene.ask() == ("rented", {"engine": "slow"})
    assert "m1 is slow for" in json.loads(scene.page("/readyz"))["engines"]
    scene.sides.engine_s = 0.0
    scene.ask_until("owned")
    assert caplog.text.count("is too slow for task 'triage'") == caplog.text.count("answers in time again") == 1


def test_a_client_that_hangs_up_frees_the_engine(scene: Scene) -> None:
    scene.sides.engine_s = WAIT_S
    body = asking("chat", messages=[{"role": "user", "content": "x"}])
    with socket.create_connection(("127.0.0.1", scene.port)) as client:
        client.sendall(
            b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % (CHAT_PATH.encode(), len(body))
        )
        client.sendall(body)
        for _ in range(int(WAIT_S / 0.05)):
            if scene.sides.asked:
                break
            threading.Event().wait(0.05)
    assert scene.shelf.wait_for(lambda call: call.error == "client_gone")
    for _ in range(int(WAIT_S / 0.05)):
        if scene.sides.left:
            break
        threading.Event().wait(0.05)
    assert (scene.sides.asked, scene.sides.left) == (1, 1)
    scene.sides.engine_s = 0.0
    assert scene.ask() == ("owned", {})


@pytest.mark.parametrize(
    "scene", [{"provider_ms": (800.0, 900.0, 1000.0), "slack_s": 0.3, "slow_s": 2.0}], indirect=True
)
def test_what_the_record_knows_of_the_provider_bounds_a_call_from_the_start(scene: Scene) -> None:
    allowed = scene.gateway._gate.allowance(scene.placed)
    assert (allowed.bound_s, allowed.provider_s, allowed.queued_s) == (1.3, 0.9, 2.0)


@pytest.mark.parametrize("scene", [{"kind": "shadow"}], indirect=True)
def test_shadows_wait_for_their_turn_and_all_come(scene: Scene) -> None:
    scene.sides.engine_s = 0.05
    assert {arm for arm, _ in scene.ask_at_once(8)} == {"rented"}
    for _ in range(int(WAIT_S / 0.05)):
        shadows = [call for call in scene.shelf.calls if call.arm == "shadow"]
        if len(shadows) == 8:
            break
        threading.Event().wait(0.05)
    assert {(call.status, call.error) for call in shadows} == {(200, None)}
    assert scene.sides.most_at_once <= GatewaySettings().engine_slots // 2


@pytest.mark.engine
def test_llama_cpp_that_is_stopped_is_noticed_and_asked_again_once_it_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    engine = LlamaCpp(write_tiny_llama(tmp_path / "tiny.gguf"), log=tmp_path / "log", threads=1, slots=2)
    engine.start()
    try:
        with a_scene(engine_url=engine.wait()) as scene:
            assert "engine" not in scene.ask()[1]
            assert engine.pid is not None
            os.kill(engine.pid, signal.SIGSTOP)
            while not all(" T " in path.read_text() for path in Path(f"/proc/{engine.pid}/task").glob("*/stat")):
                threading.Event().wait(0.01)
            assert [scene.ask() for _ in range(4)] == [("rented", {"engine": "hung"})] * 4
            os.kill(engine.pid, signal.SIGCONT)
            for _ in range(int(WAIT_S / 0.05)):
                if "engine" not in scene.ask()[1]:
                    break
                threading.Event().wait(0.05)
            else:
                raise AssertionError("it is not asked again")
    finally:
        engine.stop()
