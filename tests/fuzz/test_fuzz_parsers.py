"""The parsers on a little of what `make fuzz` throws at them for minutes, and a proof that it would tell."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from fuzz import corpus
from fuzz.run import Tally, fuzz
from fuzz.targets import TARGETS
from hypothesis import given
from hypothesis import strategies as st

from freehold.dialects import StreamAssembler
from freehold.dialects.sse import SseParser
from freehold.model import Dialect

STREAMS = corpus.streams(Random(1))
CUTS = st.lists(st.floats(min_value=0, max_value=1), max_size=20)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_brings_a_parser_down(name: str) -> None:
    tally = Tally()
    assert fuzz(name, Random(20261123), 300, tally) == []
    assert tally == Tally(300, 0)


def test_a_parser_that_falls_over_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a parser that drops a byte now and then."""
    whole = SseParser.feed
    monkeypatch.setattr(SseParser, "feed", lambda self, data: whole(self, data.replace(b"\xff", b"")))
    tally = Tally()
    assert fuzz("sse", Random(1), 300, tally)
    assert tally.findings


def pieces(stream: bytes, cuts: list[float]) -> list[bytes]:
    edges = [0, *sorted(int(cut * len(stream)) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def assembled(dialect: Dialect, parts: list[bytes]) -> tuple[bytes, bool, bool, str | None, int]:
    assembler = StreamAssembler(dialect)
    for part in parts:
        assembler.feed(part)
    closing = assembler.closing_bytes
    assembler.finish()
    return assembler.body(), assembler.is_ended, assembler.is_complete, assembler.error, closing


@given(st.sampled_from(STREAMS), CUTS, st.sampled_from(corpus.DIALECTS))
def test_any_split_of_a_stream_assembles_into_the_same(stream: bytes, cuts: list[float], dialect: Dialect) -> None:
    assert assembled(dialect, pieces(stream, cuts)) == assembled(dialect, [stream])


@given(st.sampled_from(STREAMS), CUTS)
def test_any_split_of_a_stream_gives_the_same_events(stream: bytes, cuts: list[float]) -> None:
    parser = SseParser()
    events = [event for piece in pieces(stream, cuts) for event in parser.feed(piece)]
    assert events == SseParser().feed(stream)
    assert b"".join(event.raw for event in events) + parser.rest == stream
