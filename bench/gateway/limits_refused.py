"""A case of `limits.py`: how many bytes of disk does a refused request leave?

Requests with large bodies, half of them without a key and half for a model that their key is not for, one after the
other. What counts is how much the state folder has grown once all is delivered, and the log of the gateway with it. Not
covered: requests that are let in.
"""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path

from gateway_chat import MODEL
from gateway_host import Processes
from limits_budget import new_key
from steady_figures import Options, Row, at_most
from steady_scene import CHAT, Scene

REQUESTS, QUICK_REQUESTS, BODY_BYTES = 20_000, 6_000, 100_000
MOST_BYTES = 50.0
_SETTLE_S = 3.0


def measure(options: Options) -> list[Row]:
    """The requests, and what they left."""
    processes = Processes(options.folder)
    scene = Scene(options, processes, environment={"FREEHOLD_GATEWAY_REQUIRE_KEY": "true"})
    count = QUICK_REQUESTS if options.is_quick else REQUESTS
    try:
        scene.start()
        key = new_key(scene, "--model", "another")
        before = _bytes(options.folder)
        options.tell(f"{count:,} requests that are refused, with bodies of {BODY_BYTES // 1000} kB")
        began_at = time.monotonic()
        statuses = _ask(scene.port, key, count)
        seconds = time.monotonic() - began_at
        time.sleep(_SETTLE_S)
        scene.drained_s()
        grown = _bytes(options.folder) - before
    finally:
        processes.stop_since(0)
    note = f"{statuses}, {count / seconds:,.0f} a second"
    return [
        at_most("disk that a refused request leaves", grown / count, MOST_BYTES, "bytes", note=note),
        Row(name="disk that all of them left", value=grown / 1024, unit="KiB"),
    ]


def _ask(port: int, key: str, count: int) -> dict[int, int]:
    """Ask for a model that is not allowed; every other time without a key. Returns how often which status came."""
    messages = [{"role": "user", "content": "x" * BODY_BYTES}]
    body = json.dumps({"model": MODEL, "messages": messages}).encode()
    headers = {"content-type": "application/json"}
    statuses: dict[int, int] = {}
    for number in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        more = {"authorization": f"Bearer {key}"} if number % 2 else {}
        try:
            connection.request("POST", CHAT, body, headers | more)
            status = connection.getresponse().status
        except OSError:  # it was answered and closed while the body was still on its way
            status = 0
        connection.close()
        statuses[status] = statuses.get(status, 0) + 1
    return statuses


def _bytes(folder: Path) -> int:
    """What all files below a folder take on the disk."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except OSError:
            continue  # a segment of the journal that was delivered meanwhile
    return total
