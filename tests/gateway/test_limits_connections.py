"""Idle callers take nobody's place, and who finds none is told so."""

from __future__ import annotations

import http.client
import json
import math
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from gateway.scripted import Shelf, running

from freehold.gateway.app import Gateway
from freehold.gateway.config import GatewaySettings, Provider
from freehold.gateway.router import ProvidersOnly
from freehold.gateway.server import most_connections
from freehold.httpd.server import Limits

WAIT_S = 20.0
MOST = 5


@contextmanager
def a_gateway(**limits: float) -> Iterator[tuple[int, Gateway]]:
    """A gateway that serves MOST connections at once."""
    provider = Provider(name="up", base_url="http://127.0.0.1:9/v1", prices={})
    gateway = Gateway(GatewaySettings(record_wait_s=5), [provider], Shelf({}), ProvidersOnly())  # type: ignore[arg-type]
    with running(gateway, Limits(connections=MOST, **limits)) as port:  # type: ignore[arg-type]
        yield port, gateway


def _connection(stack: ExitStack, port: int) -> socket.socket:
    taken = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    return stack.enter_context(taken)


def _healthy(taken: socket.socket) -> bool:
    """Ask over an open connection; False where the gateway has closed it."""
    try:
        taken.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        return taken.recv(4096).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_new_caller_gets_the_place_of_whoever_was_idle_for_the_longest() -> None:
    with a_gateway() as (port, gateway), ExitStack() as stack:
        idle = [_connection(stack, port) for _ in range(MOST)]
        assert all(_healthy(one) for one in idle)
        assert _healthy(idle[0]), "it was asked the last, and so is idle for the shortest"
        for _ in range(MOST - 1):
            assert _healthy(_connection(stack, port))
        assert [_healthy(one) for one in idle] == [True, False, False, False, False]
        _until(lambda: b"freehold_connections_closed" in _counters(gateway))
        assert gateway.oversight.meter.connections <= MOST


def _counters(gateway: Gateway) -> bytes:
    return repr(gateway.oversight.meter.figures().counters).encode()


def test_callers_who_only_connect_take_no_place_either() -> None:
    with a_gateway() as (port, _gateway), ExitStack() as stack:
        for _ in range(4 * MOST):
            _connection(stack, port)
        assert _healthy(_connection(stack, port))


def test_who_finds_all_places_taken_by_calls_is_told_so() -> None:
    with a_gateway(client_wait_s=WAIT_S, hurried_s=WAIT_S) as (port, gateway), ExitStack() as stack:
        for _ in range(MOST):
            _connection(stack, port).sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"
            )
        _until(lambda: gateway.oversight.crowd.open == MOST)
        one = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        one.request("GET", "/readyz")
        answer = one.getresponse()
        error = json.loads(answer.read())["error"]
        one.close()
        assert (answer.status, error["code"], answer.headers["retry-after"]) == (503, "too_many_connections", "1")
        _until(lambda: gateway.oversight.crowd.is_full)
    assert b"'freehold_connections_closed': [(('full',), 1" in _counters(gateway)


def test_heads_that_are_long_in_coming_are_hurried_while_places_are_few() -> None:
    with a_gateway(client_wait_s=10 * WAIT_S, hurried_s=0.1) as (port, _gateway), ExitStack() as stack:
        slow = [_connection(stack, port) for _ in range(MOST)]
        for one in slow:
            one.sendall(b"GET /hea")
        assert all(one.recv(4096).startswith(b"HTTP/1.1 408") for one in slow)


def test_readyz_tells_how_many_connections_there_are() -> None:
    with a_gateway() as (port, gateway):
        _until(lambda: gateway.oversight.crowd.most == MOST)
        one = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        one.request("GET", "/readyz")
        assert json.loads(one.getresponse().read())["connections"].endswith(f" of {MOST}")
        one.close()


@pytest.mark.parametrize(
    ("wanted", "files", "most"), [(20_000, 2**20, 20_000), (20_000, 4096, 1948), (100, math.inf, 100), (20_000, 64, 8)]
)
def test_there_are_no_more_connections_than_files_for_them(wanted: int, files: float, most: int) -> None:
    assert most_connections(wanted, files) == most


@pytest.mark.skipif(sys.platform != "linux", reason="the soft limit is raised everywhere, and read here on Linux")
def test_the_soft_limit_of_files_is_raised_and_connections_are_bounded_below_the_hard_one() -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1024))
from freehold.app.wiring import limits
from freehold.settings import load_settings
print(limits(load_settings(environment={})).connections, *resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.split() == ["412", "1024", "1024"]
