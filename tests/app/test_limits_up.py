"""A budget with `freehold up`: two workers share it exactly, one that is killed loses none of it for ever."""

from __future__ import annotations

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fidelity.running import Running, running
from fidelity.upstream import WAIT_S, End, Seen, plain, served

CHAT = "/v1/chat/completions"
MAX_TOKENS, CALL_USD = 5000, 0.01  # at 2 USD per million tokens of output


async def costly(seen: Seen) -> AsyncIterator[bytes | End]:
    """Answers that cost all that they may."""
    usage = {"prompt_tokens": 0, "completion_tokens": MAX_TOKENS, "total_tokens": MAX_TOKENS}
    choices = [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]
    yield plain(json.dumps({"id": "1", "model": "gpt-x", "choices": choices, "usage": usage}).encode())


def keys(folder: Path, *arguments: str) -> dict[str, object]:
    command = [sys.executable, "-m", "freehold", "keys", *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def ask(gateway: Running, key: str) -> tuple[int, str]:
    body = {"model": "gpt-x", "max_tokens": MAX_TOKENS, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {key}"}
    status, told, _ = gateway.ask("POST", CHAT, json.dumps(body).encode(), headers)
    return status, told.get("freehold-error", "")


def known(gateway: Running, key: str) -> None:
    """Wait until the workers know a key: each new connection may go to another one."""
    deadline = time.monotonic() + WAIT_S
    hits = 0
    while hits < 8:
        status, _, _ = gateway.ask("GET", "/v1/models", None, {"authorization": f"Bearer {key}"})
        hits = hits + 1 if status != 401 else 0
        assert time.monotonic() < deadline


@pytest.mark.slow
def test_workers_share_a_budget_and_do_not_exceed_it(tmp_path: Path) -> None:
    with served(costly) as upstream, running(tmp_path, upstream, settings="workers = 2") as gateway:
        made = keys(tmp_path, "add", "app", "--usd-per-day", "0.55")
        key = str(made["key"])
        known(gateway, key)
        upstream.seen.clear()
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            found = Counter(pool.map(lambda _: ask(gateway, key), range(200)))
        passed = len(upstream.seen)
        assert found[200, ""] == passed
        assert found[200, ""] + found[429, "budget_short"] + found[429, "budget_spent"] == 200
        assert passed * CALL_USD <= 0.55
        deadline = time.monotonic() + WAIT_S
        while ask(gateway, key)[0] == 200 or keys(tmp_path, "show", "app")["reserved_usd"] != 0:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert len(upstream.seen) in (53, 54, 55), "what was not used is there for the next call"
        assert len(upstream.seen) * CALL_USD <= 0.55


@pytest.mark.slow
def test_a_worker_that_is_killed_gives_its_part_back_once(tmp_path: Path) -> None:
    with served(costly) as upstream, running(tmp_path, upstream) as gateway:
        made = keys(tmp_path, "add", "app", "--usd-per-day", "0.105")
        key = str(made["key"])
        known(gateway, key)
        upstream.seen.clear()
        assert [ask(gateway, key)[0] for _ in range(4)] == [200] * 4
        listing = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children")
        commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in _children(gateway.pid)}
        worker = next(pid for pid, command in commands.items() if "freehold.app.worker" in command)
        os.kill(worker, signal.SIGKILL)
        assert listing.exists()
        deadline, statuses = time.monotonic() + 3 * WAIT_S, Counter[int]()
        while statuses[200] < 6:
            try:
                statuses[ask(gateway, key)[0]] += 1
            except OSError:
                time.sleep(0.1)  # nobody listens until the worker is there again
            assert time.monotonic() < deadline, statuses
            time.sleep(0.1)
        assert ask(gateway, key)[0] == 429
        assert len(upstream.seen) == 10


def _children(pid: int) -> list[str]:
    return [child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
