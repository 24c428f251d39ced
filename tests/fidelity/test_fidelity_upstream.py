"""The provider that these tests script: what it does when its client breaks off."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest
from fidelity.upstream import SSE_HEAD, End, Seen, chunk, served
from fidelity.wire import request

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def test_a_script_that_never_waits_ends_when_its_client_breaks_off(caplog: pytest.LogCaptureFixture) -> None:
    """A reset is seen by a write, in the middle of the script: it stops there, and others are served."""
    event = chunk(b"x" * 2**17)

    async def endless(_: Seen) -> AsyncIterator[bytes | End]:
        yield SSE_HEAD
        while True:
            yield event

    with served(endless) as upstream:
        for count in range(1, 11):
            client = socket.create_connection(("127.0.0.1", upstream.port))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            client.sendall(request(b"POST", b"/v1/files", [], b"{}"))
            assert client.recv(2**20)
            client.close()
            upstream.run(asyncio.sleep(0), timeout_s=20)
            upstream.wait_until(lambda up, count=count: len(up.hung_up) == count)
    assert len(caplog.records) < 10
