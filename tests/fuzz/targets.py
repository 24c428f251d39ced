"""What is fuzzed: each target takes bytes that anybody may have sent, and fails by any exception.

Not covered: HTTP itself; its parser is a library's, and what the gateway makes of it is in `tests/abuse`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random

from fuzz import corpus

from freehold.dialects import BadBodyError, StreamAssembler, read_answer, read_request, static_parts
from freehold.dialects.sse import SseParser
from freehold.model import Dialect

Target = Callable[[bytes, Random], None]


def split(data: bytes, rng: Random) -> list[bytes]:
    """The same bytes in pieces."""
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice((0, 1, 3, 20))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def sse(data: bytes, rng: Random) -> None:
    """Any split of the bytes gives the same events, and no byte is lost."""
    whole, parts = SseParser(), SseParser()
    events = whole.feed(data)
    assert [event for piece in split(data, rng) for event in parts.feed(piece)] == events
    assert b"".join(event.raw for event in events) + whole.rest == data
    assert whole.rest == parts.rest


def assembly(data: bytes, rng: Random) -> None:
    """Any split of a stream assembles into the same body, in every dialect, and the body can be read."""
    for dialect in corpus.DIALECTS:
        body = _assembled(dialect, [data])
        assert _assembled(dialect, split(data, rng)) == body
        read_answer(dialect, body)


def _assembled(dialect: Dialect, pieces: list[bytes]) -> bytes:
    assembler = StreamAssembler(dialect)
    for piece in pieces:
        assembler.feed(piece)
        assert assembler.closing_bytes >= 0
    assembler.finish()
    assert isinstance(assembler.is_complete, bool)
    assert assembler.error is None or assembler.error
    return assembler.body()


def request(data: bytes, rng: Random) -> None:
    """A body is read in every dialect or is a bad body; its static parts are parts of it."""
    for dialect in corpus.DIALECTS:
        try:
            asked = read_request(dialect, data)
        except BadBodyError:
            continue
        assert isinstance(json.loads(data), dict)
        assert asked.model is None or "\0" not in asked.model
        for message in asked.messages:
            message.content.encode()
        for part in static_parts(dialect, data):
            assert part in data


def answer(data: bytes, rng: Random) -> None:
    """Whatever a provider answers is read, as far as it has a sense, and is fit to be kept."""
    for dialect in corpus.DIALECTS:
        read = read_answer(dialect, data)
        read.text.encode()
        for count in (read.usage.input_tokens, read.usage.cached_tokens, read.usage.output_tokens):
            assert count is None or 0 <= count <= 2**53


TARGETS: Mapping[str, tuple[Target, Callable[[Random], tuple[bytes, ...]]]] = {
    "sse": (sse, corpus.streams),
    "assembly": (assembly, corpus.streams),
    "request": (request, corpus.bodies),
    "answer": (answer, corpus.bodies),
}
