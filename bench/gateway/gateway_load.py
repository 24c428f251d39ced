"""The load: wrk for the most that a gateway can do, `gateway_steady` for latency at a rate, one request to look at.

All of it runs on the load's core. Not covered: what the figures mean (`gateway_measure`).
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway_chat import ANSWER, request_bodies
from gateway_figures import Burst, Steady
from gateway_host import BenchError, Cores, find_tool
from gateway_systems import HERE, Endpoint

CONNECTIONS = 32
_PATIENCE_S = 40.0  # beyond a load's own seconds; wrk itself waits 30 s for an answer


@dataclass(frozen=True, slots=True)
class Client:
    """A client of one endpoint; its request bodies lie in files of the folder."""

    endpoint: Endpoint
    cores: Cores
    folder: Path

    def probe(self, *, is_stream: bool = False) -> None:
        """Send one request and check that the upstream's answer came through; BenchError tells what came instead."""
        body = request_bodies(self.endpoint.model, is_stream=is_stream)[0]
        headers = dict(line.split(": ", 1) for line in self.endpoint.header_lines)
        connection = http.client.HTTPConnection("127.0.0.1", self.endpoint.port, timeout=60)
        try:
            connection.request("POST", self.endpoint.path, body=body, headers=headers)
            response = connection.getresponse()
            answer = response.read()
        except OSError as error:
            raise BenchError(f"the first request failed: {error}") from error
        finally:
            connection.close()
        wanted = b"data: [DONE]" if is_stream else ANSWER.encode()
        if response.status != 200 or wanted not in answer:
            raise BenchError(f"the first answer was {response.status} {answer[:200]!r}")

    def burst(self, seconds: int, *, is_stream: bool = False) -> Burst:
        """As many requests as go over 32 connections."""
        url = f"http://127.0.0.1:{self.endpoint.port}{self.endpoint.path}"
        command = [str(find_tool("wrk")), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s"]
        command += ["-s", str(HERE / "gateway_chat.lua"), url, "--", str(self._bodies(is_stream=is_stream))]
        found = self._run([*command, *self.endpoint.header_lines], seconds)
        requests, refused = int(found["requests"]), int(found["refused"])
        return Burst(
            answered=requests - refused,
            failed=refused + int(found["broken"]),
            duration_s=float(found["duration_s"]),
        )

    def steady(self, rate: float, seconds: float, *, is_stream: bool = False) -> Steady:
        """Requests at a rate, timed to their end; streams are the paced ones, timed to their first event."""
        bodies = self._bodies(is_stream=is_stream, is_paced=is_stream)
        command = [sys.executable, str(HERE / "gateway_steady.py"), "--port", str(self.endpoint.port)]
        command += ["--path", self.endpoint.path, "--bodies", str(bodies), "--rate", str(rate)]
        command += ["--seconds", str(seconds), *(["--first"] if is_stream else [])]
        for header in self.endpoint.header_lines:
            command += ["--header", header]
        found = self._run(command, seconds)
        if "p50_ms" not in found:
            raise BenchError(f"none of {found['failed']:,.0f} requests at {rate:g}/s was answered")
        return Steady(
            answered=int(found["answered"]),
            failed=int(found["failed"]),
            unanswered=int(found["unanswered"]),
            p50_ms=float(found["p50_ms"]),
            p99_ms=float(found["p99_ms"]),
        )

    def _bodies(self, *, is_stream: bool, is_paced: bool = False) -> Path:
        path = self.folder / f"bodies-{is_stream:d}{is_paced:d}.jsonl"
        if not path.exists():
            bodies = request_bodies(self.endpoint.model, is_stream=is_stream, is_paced=is_paced)
            path.write_bytes(b"\n".join(bodies) + b"\n")
        return path

    def _run(self, command: Sequence[str], seconds: float) -> dict[str, float]:
        """Run a load on its core and read the JSON line that it ends with."""
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds + _PATIENCE_S,
                preexec_fn=lambda: os.sched_setaffinity(0, self.cores.load),
            )
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"the load did not end within {seconds + _PATIENCE_S:.0f} s") from error
        if done.returncode:
            raise BenchError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-200:]}")
        found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
        return found
