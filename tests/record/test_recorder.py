"""The recorder: durable when it says so, in groups, and nothing is dropped when the sink fails."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from collections.abc import Sequence

import pytest

from freehold.core import Call
from freehold.record import Recorder, ResponseCapture, decode_body, readable_encodings


def call(name: str, size: int = 0) -> Call:
    return Call(id=name, created_at=0.0, dialect="other", path="/v1/x", request_body=b"x" * size)


class GatedSink:
    """A sink that waits at a gate, and fails while told to."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.batches: list[list[str]] = []
        self.attempts = 0
        self.failing: set[str] = set()
        self.gate = threading.Event()
        self.entered = threading.Event()
        if is_open:
            self.gate.set()

    def __call__(self, calls: Sequence[Call]) -> None:
        self.attempts += 1
        self.entered.set()
        assert self.gate.wait(20)
        names = [call.id for call in calls]
        if "all" in self.failing or self.failing & set(names):
            raise OSError("disk full")
        self.batches.append(names)

    @property
    def names(self) -> list[str]:
        return [name for batch in self.batches for name in batch]


async def test_commit_returns_when_the_sink_has_returned() -> None:
    sink = GatedSink(is_open=False)
    recorder = Recorder(sink)
    commit = asyncio.create_task(recorder.commit(call("a")))
    await asyncio.to_thread(sink.entered.wait, 20)
    assert not commit.done()
    assert recorder.waiting_bytes > 0
    sink.gate.set()
    await commit
    assert sink.names == ["a"]
    assert recorder.waiting_bytes == 0
    assert recorder.close() == ()


async def test_calls_that_come_during_a_write_share_the_next_one() -> None:
    sink = GatedSink(is_open=False)
    recorder = Recorder(sink)
    first = asyncio.create_task(recorder.commit(call("first")))
    await asyncio.to_thread(sink.entered.wait, 20)
    others = [asyncio.create_task(recorder.commit(call(f"c{n}"))) for n in range(50)]
    await asyncio.sleep(0)
    sink.gate.set()
    await asyncio.gather(first, *others)
    assert [len(batch) for batch in sink.batches] == [1, 50]
    recorder.close()


async def test_a_failing_sink_is_tried_again_and_nothing_is_dropped() -> None:
    sink = GatedSink()
    sink.failing = {"all"}
    recorder = Recorder(sink)
    assert not await recorder.commit_within(call("a"), 0.01)
    waiting = [asyncio.create_task(recorder.commit(call(f"b{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    assert recorder.problem == "OSError: disk full"
    sink.failing = set()
    await asyncio.gather(*waiting)
    assert recorder.close() == ()
    assert sorted(sink.names) == ["a", "b0", "b1", "b2", "b3", "b4"]
    assert recorder.problem is None
    assert sink.attempts > len(sink.batches)


async def test_one_call_that_cannot_be_written_does_not_keep_the_others_out() -> None:
    sink = GatedSink(is_open=False)
    sink.failing = {"poison"}
    recorder = Recorder(sink, batch_calls=8)
    recorder.add(call("poison"))
    good = [asyncio.create_task(recorder.commit(call(f"g{n}"))) for n in range(20)]
    await asyncio.sleep(0)
    sink.gate.set()
    async with asyncio.timeout(20):
        await asyncio.gather(*good)
    assert sorted(sink.names) == sorted(f"g{n}" for n in range(20))
    assert recorder.problem == "OSError: disk full"
    assert [left.id for left in recorder.close(0.0)] == ["poison"]


def test_close_writes_what_waits() -> None:
    sink = GatedSink()
    recorder = Recorder(sink)
    for n in range(100):
        recorder.add(call(str(n)))
    assert recorder.close() == ()
    assert sink.names == [str(n) for n in range(100)]


def test_close_gives_back_what_cannot_be_written() -> None:
    sink = GatedSink()
    sink.failing = {"all"}
    recorder = Recorder(sink)
    recorder.add(call("a"))
    assert [left.id for left in recorder.close(0.01)] == ["a"]


def test_full_by_bytes() -> None:
    sink = GatedSink(is_open=False)
    recorder = Recorder(sink, limit_bytes=5000)
    assert not recorder.is_full
    recorder.add(call("a", size=5000))
    assert recorder.is_full
    sink.gate.set()
    recorder.close()
    assert not recorder.is_full


async def test_a_caller_that_gives_up_does_not_take_its_call_along() -> None:
    sink = GatedSink(is_open=False)
    recorder = Recorder(sink)
    commit = asyncio.create_task(recorder.commit(call("a")))
    await asyncio.to_thread(sink.entered.wait, 20)
    commit.cancel()
    sink.gate.set()
    assert recorder.close() == ()
    assert sink.names == ["a"]


PLAIN = b"text " * 1000
RAW_DEFLATE = zlib.compressobj(wbits=-15)
ENCODED = [
    ("gzip", gzip.compress(PLAIN)),
    ("gzip", gzip.compress(PLAIN[:700]) + gzip.compress(PLAIN[700:])),
    ("deflate", zlib.compress(PLAIN)),
    ("deflate", RAW_DEFLATE.compress(PLAIN) + RAW_DEFLATE.flush()),
    ("identity", PLAIN),
    ("deflate, gzip", gzip.compress(zlib.compress(PLAIN))),
]


@pytest.mark.parametrize(("encoding", "body"), ENCODED)
def test_decoding(encoding: str, body: bytes) -> None:
    assert decode_body(encoding, body, limit_bytes=10_000) == PLAIN
    assert decode_body(encoding, body, limit_bytes=100) is None


def test_what_cannot_be_decoded() -> None:
    assert decode_body("martian", b"x", limit_bytes=100) is None
    assert decode_body("gzip", b"no gzip", limit_bytes=100) is None
    assert readable_encodings("gzip;q=1, martian") == "gzip;q=1"
    assert readable_encodings("martian") == "identity"
    assert readable_encodings("gzip, deflate") == "gzip, deflate"


def capture(encoding: str, *chunks: bytes, is_stream: bool = False, limit_bytes: int = 10_000) -> ResponseCapture:
    kept = ResponseCapture("openai-chat", is_stream=is_stream, content_encoding=encoding, limit_bytes=limit_bytes)
    for chunk in chunks:
        kept.feed(chunk)
    kept.finish()
    return kept


def test_capture_keeps_whole_bodies_or_none() -> None:
    packed = gzip.compress(PLAIN)
    assert capture("gzip", packed[:20], packed[20:]).body() == PLAIN
    broken = capture("gzip", b"no gzip")
    assert (broken.body(), broken.note) == (b"no gzip", {"response_encoding": "gzip"})
    unknown = capture("martian", b"xyz", is_stream=True)
    assert (unknown.body(), unknown.note) == (b"xyz", {"response_encoding": "martian"})
    large = capture("", b"x" * 60, b"x" * 60, limit_bytes=100)
    assert (large.body(), large.note) == (b"", {"response_not_kept": "more than 100 bytes"})
