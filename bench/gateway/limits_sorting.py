"""A case of `limits.py`: how long a round of sorting takes over long conversations.

A round sorts 200 calls of 400 messages each, twice: conversations that are the same up to their end, and conversations
that differ in each message. Timed is `sort_calls`, which decides; reading the bodies and writing what was decided take
time in proportion to their bytes and are shown beside it. A call of 40,000 messages beside 50 ordinary ones says how
long one caller can keep the sorter busy.

    python bench/gateway/limits_sorting.py FOLDER    measures this interpreter's freehold and prints one JSON object

Not covered: the processes around it (`steady.py` measures the delivery beside a sorter that works).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from steady_figures import Options, Row, at_most

CALLS, MESSAGES, HUGE = 200, 400, 40_000
MOST_MS = 50.0
_TIMES = 5
_PATIENCE_S = 90.0


def measure(options: Options) -> list[Row]:
    """The rows, measured in a process of the checkout."""
    command = [sys.executable, str(Path(__file__)), str(options.folder)]
    try:
        done = subprocess.run(
            command, env=options.environment, capture_output=True, text=True, check=True, timeout=_PATIENCE_S
        )
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        note = ""
    except subprocess.TimeoutExpired:
        found, note = {}, f"not done in {_PATIENCE_S:g} s"
    except subprocess.CalledProcessError as error:
        found, note = {}, error.stderr.strip().splitlines()[-1]
    return [
        at_most("sorting 200 calls of 400 equal messages, a round", found.get("equal_ms"), MOST_MS, "ms", note),
        at_most("sorting 200 calls of 400 different messages, a round", found.get("varied_ms"), MOST_MS, "ms", note),
        Row(name="the same with reading and writing", value=found.get("round_ms"), unit="ms", note=note),
        Row(name="a call of 40,000 messages beside 50 others", value=found.get("huge_s"), unit="s", note=note),
    ]


def _equal(call: int, message: int) -> str:
    return "hi" if message < MESSAGES - 1 else f"and {call}"


def _varied(call: int, message: int) -> str:
    return f"message {message} of {call}"


def _body(content: Callable[[int, int], str], call: int, messages: int) -> bytes:
    roles = ("user", "assistant")
    turns = [{"role": roles[place % 2], "content": content(call, place)} for place in range(messages)]
    return json.dumps({"model": "m", "messages": turns}).encode()


def _sorting_ms(content: Callable[[int, int], str]) -> float:
    """Milliseconds that the decision takes, the median of some rounds."""
    from freehold.dialects import read_request
    from freehold.model.exchange import Answer
    from freehold.sort import Reading, sort_calls

    calls = [
        Reading(
            call_id=f"{number:06}",
            asked=read_request("openai-chat", _body(content, number, MESSAGES)),
            answer=Answer(text="ok", finish_reason="stop"),
            created_at=float(number),
        )
        for number in range(CALLS)
    ]
    times = []
    for _ in range(_TIMES + 1):  # the first one loads what is loaded once
        began = time.perf_counter()
        sort_calls(calls)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times[1:])


def _round_s(folder: Path, bodies: list[bytes]) -> float:
    """Seconds until calls of these bodies have their tasks, in a new record."""
    from freehold.model import Call
    from freehold.pipeline.workspace import open_workspace
    from freehold.settings import load_settings
    from freehold.sort.run.sort import sort_new_calls

    workspace = open_workspace(load_settings(environment={}, state=str(folder)))
    try:
        workspace.store.calls.add([_call(Call, number, body) for number, body in enumerate(bodies)])
        began = time.perf_counter()
        sort_new_calls(workspace)
        return time.perf_counter() - began
    finally:
        workspace.store.close()


def _call(make: Callable[..., object], number: int, body: bytes) -> object:
    answer = {"choices": [{"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]}
    return make(
        id=f"0190{number:08x}-7abc",
        created_at=1_763_900_000.0 + number,
        dialect="openai-chat",
        path="/v1/chat/completions",
        request_body=body,
        response_body=json.dumps(answer).encode(),
        provider="openai",
        model_asked="m",
        status=200,
    )


def _main() -> None:
    folder = Path(sys.argv[1])
    found = {"equal_ms": _sorting_ms(_equal), "varied_ms": _sorting_ms(_varied)}
    found["round_ms"] = 1000 * _round_s(folder / "round", [_body(_equal, call, MESSAGES) for call in range(CALLS)])
    huge = [_body(_varied, call, 2) for call in range(50)]
    found["huge_s"] = _round_s(folder / "huge", [*huge, _body(_equal, 50, HUGE)])
    print(json.dumps(found))


if __name__ == "__main__":
    _main()
