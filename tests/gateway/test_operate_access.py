"""The access log and the probes: one line a call, nothing that is anybody's, and nobody waits for a reader."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest

from freehold.gateway.telemetry.access import Accessed, AccessLog, AccessMode, access_line
from freehold.gateway.telemetry.health import Readiness

CALL = Accessed(
    at=1_763_900_000.25,
    id="0190",
    task=None,
    provider="openai",
    arm="rented",
    model='gpt "4"\n',
    status=200,
    latency_ms=12.3456,
    error=None,
)
WAIT_S = 10.0


def _logged(mode: AccessMode) -> list[dict[str, object]]:
    written: list[bytes] = []
    log = AccessLog(mode, written.append)
    log.log(CALL)
    log.log(replace(CALL, id="failed", status=502, error="upstream_unreachable"))
    log.log(replace(CALL, id="cut", error="cut_off"))
    log.close()
    return [json.loads(line) for line in b"".join(written).splitlines()]


def test_a_line_is_json_whatever_the_model_is_called() -> None:
    line = access_line(CALL)
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "time": "2025-11-23T12:13:20.250+00:00",
        "id": "0190",
        "task": None,
        "provider": "openai",
        "arm": "rented",
        "model": 'gpt "4"\n',
        "status": 200,
        "latency_ms": 12.3,
        "error": None,
    }
    assert len(access_line(replace(CALL, model="m" * 10**6))) < 1000


@pytest.mark.parametrize(
    ("mode", "ids"), [("off", []), ("errors", ["failed", "cut"]), ("all", ["0190", "failed", "cut"])]
)
def test_the_mode_says_which_calls_are_logged(mode: AccessMode, ids: list[str]) -> None:
    assert [line["id"] for line in _logged(mode)] == ids


def test_a_reader_that_stands_still_holds_nobody_up_and_what_is_left_out_is_counted() -> None:
    goes_on, written = threading.Event(), []

    def stand_still(data: bytes) -> None:
        goes_on.wait(WAIT_S)
        written.append(data)

    log = AccessLog("all", stand_still)
    for _ in range(30_000):
        log.log(CALL)
    goes_on.set()
    log.close(WAIT_S)
    lines = [json.loads(line) for line in b"".join(written).splitlines()]
    left_out = sum(line.get("left_out_lines", 0) for line in lines)
    assert left_out > 15_000
    assert sum("id" in line for line in lines) + left_out == 30_000


def test_a_stderr_that_is_gone_ends_the_log_and_nothing_else() -> None:
    def refuse(data: bytes) -> None:
        raise BrokenPipeError

    log = AccessLog("all", refuse)
    log.log(CALL)
    log.close(WAIT_S)
    log.log(CALL)
    assert not log.wants(500, None)


@pytest.mark.parametrize(
    ("readiness", "status", "says"),
    [
        (Readiness(providers=1), 200, '"ready"'),
        (Readiness(providers=1, database_problem="locked", knows_routes=False), 200, "not known yet"),
        (Readiness(providers=1, journal_problem="No space left"), 503, "No space left"),
        (Readiness(providers=1, is_full=True), 503, '"full"'),
        (Readiness(providers=1, is_stopping=True), 503, '"stopping"'),
        (Readiness(providers=0), 503, '"not ready"'),
    ],
)
def test_readiness_is_about_taking_calls(readiness: Readiness, status: int, says: str) -> None:
    found, body = readiness.reply()
    assert found == status
    assert says in body.decode()
    assert json.loads(body)["providers"] == readiness.providers
