"""The SSE parser: the same events and the same bytes, however the stream is split."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from freehold.dialects.sse import SseEvent, SseParser, sse_bytes

STREAMS = st.lists(
    st.sampled_from(
        [
            b"data: {}",
            b"data:x",
            b"data",
            b": ping",
            b"event: e",
            b"id: 7",
            b"\n",
            b"\r\n",
            b"\r",
            b"\n\n",
            b"\xc3\xbc",
            b"x",
        ]
    ),
    max_size=40,
).map(b"".join)


def parse(*chunks: bytes) -> tuple[list[SseEvent], bytes]:
    parser = SseParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events, parser.rest


def test_fields() -> None:
    stream = b"\xef\xbb\xbf: hello\nevent: a\ndata: 1\ndata:  2\nid: 9\n\ndata\n\n\n"
    events, rest = parse(stream)
    assert [(event.name, event.data) for event in events] == [("a", "1\n 2"), ("", ""), ("", "")]
    assert rest == b""


def test_line_ends() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        stream = b"data: 1" + end * 2 + b"data: 2" + end * 2 + b"data"
        events, rest = parse(stream)
        assert [event.data for event in events] == ["1", "2"], end
        assert rest == b"data"


def test_an_unfinished_event_waits() -> None:
    events, rest = parse(b"data: [DO", b"NE]\n")
    assert (events, rest) == ([], b"data: [DONE]\n")


@given(STREAMS, st.lists(st.integers(min_value=0, max_value=200), max_size=30))
def test_any_split_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]
    assert parse(*chunks) == parse(stream) == parse(*[stream[n : n + 1] for n in range(len(stream))])


@given(STREAMS)
def test_no_byte_is_lost(stream: bytes) -> None:
    events, rest = parse(stream)
    assert b"".join(event.raw for event in events) + rest == stream


@given(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])))
def test_what_is_written_is_read(text: str) -> None:
    events, _ = parse(sse_bytes(text, name="n"))
    assert [(event.name, event.data) for event in events] == [("n", text)]
