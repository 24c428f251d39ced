"""A case of `limits.py`: does a key with a small budget of money spend more than that at 500 calls a second?

A load of whole calls at a rate, with a key whose budget is spent within some seconds; each call costs the same, so that
what was spent is the number of calls that were answered. Not covered: other limits (`limits_refused`,
`limits_strangers`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from gateway_chat import MODEL, completion, request_bodies
from gateway_host import BenchError, Processes
from steady_figures import Options, Row, at_most
from steady_scene import CHAT, HERE, Scene

BUDGET_USD, CALL_USD, RATE = 5.0, 0.005, 500.0
MOST_OVERSHOOT, LEAST_USED = 0.02, 0.9
_SECONDS, _QUICK_SECONDS = 10.0, 5.0
_PATIENCE_S = 60.0


def measure(options: Options) -> list[Row]:
    """The load, and what it spent."""
    processes = Processes(options.folder)
    tokens = int(json.loads(completion())["usage"]["completion_tokens"])
    scene = Scene(options, processes, lines=(f'prices = {{ "*" = [0.0, {CALL_USD / tokens * 1e6!r}] }}',))
    try:
        scene.start()
        key = new_key(scene, "--usd-per-day", f"{BUDGET_USD:g}")
        seconds = _QUICK_SECONDS if options.is_quick else _SECONDS
        options.tell(f"{RATE:g} calls/s for {seconds:g} s with a budget of {BUDGET_USD:g} USD")
        found = _load(scene, key, tokens, seconds)
    finally:
        processes.stop_since(0)
    spent = found["answered"] * CALL_USD
    overshoot = max(0.0, spent / BUDGET_USD - 1)
    refused = f"{found['answered']} calls let in, {found['failed']} refused"
    return [
        at_most("overshoot of a budget at 500 calls/s", overshoot, MOST_OVERSHOOT, "of the budget", note=refused),
        Row(name="share of the budget that was spent", value=spent / BUDGET_USD, unit="of the budget"),
        Row(name="callers' p99 with a budget", value=found["p99_ms"], unit="ms"),
    ]


def new_key(scene: Scene, *limits: str) -> str:
    """The text of a new gateway key; workers know it within a second."""
    command = [sys.executable, "-m", "freehold", "--state", str(scene.state), "keys", "add", "bench", "--json", *limits]
    made = subprocess.run(command, env=scene.options.environment, capture_output=True, text=True, check=False)
    if made.returncode:
        raise BenchError(f"no key could be made: {made.stderr}")
    subprocess.run(["sleep", "2"], check=True)
    return str(json.loads(made.stdout)["key"])


def _load(scene: Scene, key: str, tokens: int, seconds: float) -> dict[str, float]:
    bodies = scene.options.folder / "budget.jsonl"
    limited = [json.dumps({**json.loads(body), "max_tokens": tokens}).encode() for body in request_bodies(MODEL)]
    bodies.write_bytes(b"\n".join(limited) + b"\n")
    command = [sys.executable, str(HERE / "gateway_steady.py"), "--port", str(scene.port), "--path", CHAT]
    command += ["--bodies", str(bodies), "--rate", str(RATE), "--seconds", str(seconds)]
    command += ["--header", "content-type: application/json", "--header", f"authorization: Bearer {key}"]
    cores = scene.options.cores
    process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, cores))
    said, _ = process.communicate(timeout=seconds + _PATIENCE_S)
    found: dict[str, float] = json.loads(said.decode().strip().splitlines()[-1])
    return found
