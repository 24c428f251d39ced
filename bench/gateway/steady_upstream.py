"""A provider that answers every request with the same chat completion, and costs little.

    python bench/gateway/steady_upstream.py --port N

It reads just enough HTTP to know where a request ends. Not covered: streams (`gateway_stream`).
"""

from __future__ import annotations

import argparse
import asyncio
from typing import cast

import uvloop
from gateway_chat import completion
from gateway_stream import request_size


def _response() -> bytes:
    body = completion()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


class Answers(asyncio.Protocol):
    """One connection: requests one after the other, the answer to each."""

    def __init__(self, response: bytes) -> None:
        self._response = response
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's own class, which is not a subclass

    def data_received(self, data: bytes) -> None:
        """Answer each request once it is whole."""
        self._buffer += data
        while (size := request_size(self._buffer)) is not None:
            self._buffer = self._buffer[size:]
            self._transport.write(self._response)


async def _serve(port: int) -> None:
    response = _response()
    server = await asyncio.get_running_loop().create_server(lambda: Answers(response), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Answer until ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
