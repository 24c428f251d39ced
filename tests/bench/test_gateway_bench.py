"""The gateway benchmark's own parts: its open-loop load tells of waits, its stream server frames what it sends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from socket import socket

import pytest
from benches import BENCH, reach_benches


@pytest.fixture(autouse=True)
def _bench_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    reach_benches(monkeypatch)


def test_percentiles_are_values_by_nearest_rank() -> None:
    from gateway_steady import percentile

    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.0
    assert percentile([float(value) for value in range(1, 101)], 0.99) == 99.0


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPOST", 41),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", None),
        (b"POST / HTTP/1.1\r\nContent-Le", None),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 60),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", None),
    ],
)
def test_the_stream_upstream_knows_when_a_request_is_whole(data: bytes, size: int | None) -> None:
    from gateway_stream import request_size

    assert request_size(data) == size


def test_a_stream_ends_with_done_and_has_usage_only_when_asked() -> None:
    from gateway_chat import stream_events

    plain, with_usage = stream_events(5, with_usage=False), stream_events(5, with_usage=True)
    assert plain[-1] == with_usage[-1] == b"data: [DONE]\n\n"
    assert len(plain) == 6
    assert "usage" not in json.loads(plain[0].removeprefix(b"data: "))
    assert json.loads(with_usage[-2].removeprefix(b"data: "))["usage"]["total_tokens"] == 79


def test_requests_are_what_the_tables_say() -> None:
    from gateway_chat import MODEL, completion, request_bodies

    bodies = request_bodies(MODEL)
    assert 250 < sum(map(len, bodies)) / len(bodies) < 350
    assert len(set(bodies)) > 900
    assert 500 < len(completion()) < 700


@pytest.mark.parametrize("stall_s", [0.0, 0.4])
def test_a_stall_of_the_server_shows_in_the_tail_of_the_open_loop(stall_s: float) -> None:
    """One stall of 0.4 s at 100 requests/s makes some 40 requests late; a closed loop would count a single one."""
    from gateway_steady import Load, percentile

    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        stop = threading.Event()
        server = threading.Thread(target=_serve, args=(listener, stop, stall_s), daemon=True)
        server.start()
        load = Load(
            listener.getsockname()[1],
            [b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nx"],
            rate=100,
            seconds=1.0,
            is_first=False,
        )
        load.run()
        stop.set()
        server.join(timeout=5)
    assert (load.failed, load.unanswered, len(load.latencies_s)) == (0, 0, 100)
    late = sum(latency > 0.1 for latency in load.latencies_s)
    if stall_s:
        assert late >= 20
        assert percentile(load.latencies_s, 0.99) > 0.3
    else:
        assert percentile(load.latencies_s, 0.5) < 0.1


def test_what_is_started_ends_with_all_that_it_started(tmp_path: Path) -> None:
    from gateway_host import Processes, tree, tree_usage

    processes = Processes(tmp_path)
    marker = tmp_path / "ready"
    child = f"import pathlib, signal; pathlib.Path({str(marker)!r}).touch(); signal.pause()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    started = processes.start("parent", [sys.executable, "-c", parent], cores=sorted(os.sched_getaffinity(0)))
    try:
        deadline = time.monotonic() + 20
        while not marker.exists() and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        members = tree(started.pid)
        assert len(members) == 1
        used = tree_usage(started.pid)
        assert used.root.resident_bytes > 0
        assert used.rest.resident_bytes > 0
    finally:
        processes.stop_since(0)
    assert processes.count == 0
    deadline = time.monotonic() + 20
    while [pid for pid in members if (state := _state(pid)) and state != "Z"]:
        assert time.monotonic() < deadline, "a child has outlived its parent"
        threading.Event().wait(0.01)


def test_a_system_that_is_not_known_is_named() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCH / "gateway.py"), "--only", "envoy"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "envoy" in done.stderr


def _state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def _serve(listener: socket, stop: threading.Event, stall_s: float) -> None:
    """Answer one request after the other on any number of connections; stand still once, at the 30th."""
    import select

    listener.setblocking(False)
    connections: list[socket] = []
    count = 0
    while not stop.is_set():
        ready, _, _ = select.select([listener, *connections], [], [], 0.05)
        for one in ready:
            if one is listener:
                connections.append(listener.accept()[0])
                continue
            if not one.recv(4096):
                connections.remove(one)
                one.close()
                continue
            count += 1
            if count == 30 and stall_s:
                stop.wait(stall_s)
            one.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    for one in connections:
        one.close()


def _measured(monkeypatch: pytest.MonkeyPatch, folder: Path, *cpu_s: float) -> int:
    """Measure this checkout beside itself, where the command takes these CPU seconds one time after the other."""
    import gateway_bench
    import gateway_record

    seconds = iter(cpu_s)
    monkeypatch.setattr(gateway_record, "_tasks", lambda *_: next(seconds))
    options = [
        "--record",
        "--quick",
        "--json",
        "--calls",
        "100",
        "--folder",
        str(folder),
        "--against",
        str(BENCH.parent),
    ]
    monkeypatch.setattr(sys, "argv", ["gateway.py", *options, "--against", str(BENCH.parent)])
    return int(gateway_bench.main())


def test_the_cost_of_recording_is_a_ratio_to_another_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _measured(monkeypatch, tmp_path, 2.0, 1.5, 1.0, 2.0, 2.0, 1.0) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [cost["rounds_us"] for cost in told["record"]] == [[5000.0], [10000.0]]
    assert [(aim["measured"], aim["is_met"]) for aim in told["aims"]] == [("0.50", False)]
    assert list(tmp_path.iterdir()) == []


def test_a_cost_that_cannot_be_told_is_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _measured(monkeypatch, tmp_path, 2.0, 1.1, 1.0) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "100 calls are too few" in told.err


def test_recording_is_measured_by_the_command_itself(tmp_path: Path) -> None:
    options = ["--record", "--quick", "--calls", "4000", "--folder", str(tmp_path)]
    command = [sys.executable, str(BENCH / "gateway.py"), *options]
    done = subprocess.run(command, cwd=BENCH.parent, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "CPU us a call to read, assemble, store and sort" in done.stdout


def test_a_checkout_that_cannot_record_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    options = ["--record", "--quick", "--calls", "10", "--folder", str(tmp_path), "--against", str(tmp_path / "other")]
    command = [sys.executable, str(BENCH / "gateway.py"), *options]
    done = subprocess.run(command, cwd=BENCH.parent, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "there is no Freehold in" in done.stderr.splitlines()[-1]
