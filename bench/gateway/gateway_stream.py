"""The upstream of the streams: answers every chat request with chunks, each sent on its own.

    python bench/gateway/gateway_stream.py --port N

A request that holds the paced mark gets few chunks, PACE_S apart; any other gets CHUNKS as fast as they go. It reads
just enough HTTP for that. Not covered: calls that are not streamed, which nginx answers.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import uvloop
from gateway_chat import CHUNKS, PACE_S, PACED_CHUNKS, PACED_MARK, stream_events

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"x-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class Streams(asyncio.Protocol):
    """One connection: requests one after the other, a stream for each."""

    def __init__(self, answers: Mapping[tuple[bool, bool], Sequence[bytes]]) -> None:
        self._answers = answers
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's own class, which is not a subclass

    def data_received(self, data: bytes) -> None:
        """Answer each request once it is whole."""
        self._buffer += data
        size = request_size(self._buffer)
        if size is None:
            return
        request, self._buffer = self._buffer[:size], self._buffer[size:]
        is_paced = PACED_MARK.encode() in request
        frames = self._answers[is_paced, b"include_usage" in request]
        self._transport.write(_HEAD + frames[0])
        self._send(iter(frames[1:]), PACE_S if is_paced else 0.0)

    def _send(self, frames: Iterator[bytes], pace_s: float) -> None:
        if self._transport.is_closing():
            return
        loop = asyncio.get_running_loop()
        if (frame := next(frames, None)) is not None:
            self._transport.write(frame)
            if pace_s:
                loop.call_later(pace_s, self._send, frames, pace_s)
            else:
                loop.call_soon(self._send, frames, pace_s)


def request_size(data: bytes) -> int | None:
    """Bytes of the request that `data` begins with; None while it is not whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    if length := _LENGTH.search(data, 0, end):
        size = end + 4 + int(length[1])
        return size if len(data) >= size else None
    if _CHUNKED.search(data, 0, end + 2):
        last = data.find(b"0\r\n\r\n", end + 4)
        return None if last < 0 else last + 5
    return end + 4


def framed(events: Sequence[bytes]) -> list[bytes]:
    """Each event as one chunk of the transfer encoding; the last one ends the body."""
    frames = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    return [*frames[:-1], frames[-1] + b"0\r\n\r\n"]


async def serve(port: int) -> None:
    """Listen on loopback until the process is ended."""
    answers = {
        (is_paced, with_usage): framed(stream_events(PACED_CHUNKS if is_paced else CHUNKS, with_usage=with_usage))
        for is_paced in (False, True)
        for with_usage in (False, True)
    }
    server = await asyncio.get_running_loop().create_server(lambda: Streams(answers), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
