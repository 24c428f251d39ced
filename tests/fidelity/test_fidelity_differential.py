"""The same request, sent to the provider directly and through Freehold: nobody can tell the difference.

Thousands of generated requests and responses. A stream is compared in lock step: the provider sends its next part only
when the client has the one before, so anything that waits in between shows as a failure.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
from fidelity.answers import Answer, Piece, answer
from fidelity.asks import Ask, request
from fidelity.running import Running, running
from fidelity.upstream import CLOSE, End, Seen, Upstream, always, served
from fidelity.wire import Got, Line, end_to_end

CASES = 2000
SIDE_BY_SIDE = 8
LATE_S = 10.0


@dataclass
class Turn:
    """One request under way: what the provider is to answer, and how much of that the client has."""

    answer: Answer
    seen: list[Seen] = field(default_factory=list)
    is_held_up: bool = False
    has_bytes: int = -2
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, got: Got) -> None:
        """The client has got this much."""
        self.has_bytes = len(got.body)
        self.more.set()

    async def wait_for(self, piece: Piece) -> None:
        """Return when the client has what the next part waits for."""
        try:
            async with asyncio.timeout(LATE_S):
                while piece.due_bytes is not None and self.has_bytes < piece.due_bytes:
                    self.more.clear()
                    await self.more.wait()
        except TimeoutError:
            self.is_held_up = True


@dataclass
class Checked:
    """One case that was sent both ways, and what differed."""

    number: int
    ask: Ask
    turn: Turn
    through: Got
    problems: list[str]

    @property
    def is_edited(self) -> bool:
        """Freehold asked the provider for usage that the client does not want to see."""
        return _is_edited(self.ask, self.turn)


class Differential:
    """Sends cases both ways."""

    def __init__(self, upstream: Upstream, port: int) -> None:
        self._upstream = upstream
        self._port = port
        self._turns: dict[bytes, Turn] = {}
        upstream.script = self._script

    async def _script(self, seen: Seen) -> AsyncIterator[bytes | End]:
        turn = self._turns[seen.header(b"x-case")]
        turn.seen.append(seen)
        options = seen.data.get("stream_options")
        is_told = isinstance(options, dict) and options.get("include_usage") is True
        for piece in turn.answer.with_usage if is_told else turn.answer.plain:
            yield piece.raw
            await turn.wait_for(piece)
        if turn.answer.is_closing:
            yield CLOSE

    async def check(self, first: int, cases: int) -> list[Checked]:
        """Send these cases, a few side by side, each worker on connections that it keeps."""
        numbers = iter(range(first, first + cases))
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work(numbers)) for _ in range(SIDE_BY_SIDE)]
        return [checked for worker in workers for checked in worker.result()]

    async def _work(self, numbers: Iterator[int]) -> list[Checked]:
        direct, through = Line(self._upstream.port), Line(self._port)
        checked = [await self._both(number, direct, through) for number in numbers]
        direct.close()
        through.close()
        return checked

    async def _both(self, number: int, direct: Line, through: Line) -> Checked:
        rng = Random(number)
        ask = request(rng, b"%d" % number)
        one = Turn(answer(rng, ask))
        two = Turn(one.answer)
        wanted, got = await self._send(direct, ask, one), await self._send(through, ask, two)
        return Checked(number, ask, two, got, list(_differences(ask, one, wanted, two, got)))

    async def _send(self, line: Line, ask: Ask, turn: Turn) -> Got:
        self._turns[dict(ask.headers)[b"X-Case"]] = turn
        await line.send(*ask.pieces)
        return await line.read(is_head=ask.method == b"HEAD", seen=turn.note, timeout_s=2 * LATE_S)


def _is_edited(ask: Ask, turn: Turn) -> bool:
    """Whether the option was added; the first stream of a provider and a model goes out as it came."""
    options = turn.seen[0].data.get("stream_options") if turn.seen else None
    return ask.wants_usage_hidden and isinstance(options, dict) and options.get("include_usage") is True


def _differences(ask: Ask, one: Turn, wanted: Got, two: Turn, got: Got) -> Iterator[str]:
    is_edited = _is_edited(ask, two)
    if (got.status, got.is_whole) != (wanted.status, wanted.is_whole):
        ours = f"{got.status}, whole: {got.is_whole}, {bytes(got.body[:300])!r}"
        yield f"status {ours}, not {wanted.status}, whole: {wanted.is_whole}"
    if got.body != wanted.body:
        yield f"body {bytes(got.body[:300])!r}, not {bytes(wanted.body[:300])!r}"
    out = (b"date", b"server", *((b"content-length",) if is_edited and two.answer.is_stream else ()))
    if (ours := end_to_end(got.headers, *out)) != (theirs := end_to_end(wanted.headers, *out)):
        yield f"response headers {[h for h in ours if h not in theirs]}, not {[h for h in theirs if h not in ours]}"
    if one.is_held_up or two.is_held_up:
        yield f"a part of the stream was held up, through Freehold: {two.is_held_up}, directly: {one.is_held_up}"
    if len(two.seen) != 1:
        yield f"{len(two.seen)} requests reached the provider"
    for seen in two.seen[:1]:
        yield from _request_differences(is_edited, one.seen[0], seen)


def _request_differences(is_edited: bool, wanted: Seen, seen: Seen) -> Iterator[str]:
    if (seen.method, seen.target) != (wanted.method, wanted.target):
        yield f"request {seen.method} {seen.target!r}, not {wanted.method} {wanted.target!r}"
    out = (b"host", b"content-length", b"accept-encoding")
    if (ours := end_to_end(seen.headers, *out)) != (theirs := end_to_end(wanted.headers, *out)):
        yield f"request headers {[h for h in ours if h not in theirs]}, not {[h for h in theirs if h not in ours]}"
    codings, offered = seen.header(b"accept-encoding"), wanted.header(b"accept-encoding")
    kept = {coding.strip() for coding in codings.split(b",")} - {b"identity"}
    if not kept <= {coding.strip() for coding in offered.split(b",")}:
        yield f"accept-encoding {codings!r} out of {offered!r}"
    if any(name.startswith(b"freehold-") for name, _ in seen.headers):
        yield "a header for Freehold went on to the provider"
    if not is_edited and seen.body != wanted.body:
        yield f"request body {seen.body[:300]!r}, not {wanted.body[:300]!r}"
    if is_edited and seen.data != wanted.data | {"stream_options": _with_usage(wanted)}:
        yield f"edited request body {seen.body!r} of {wanted.body!r}"


def _with_usage(seen: Seen) -> dict[str, object]:
    return {**(seen.data.get("stream_options") or {}), "include_usage": True}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, Running]]:
    with served(always(CLOSE)) as upstream, running(tmp_path_factory.mktemp("differential"), upstream) as gateway:
        yield upstream, gateway


@pytest.mark.parametrize("first", [0, *(pytest.param(n * CASES, marks=pytest.mark.slow) for n in range(1, 11))])
def test_nobody_can_tell_freehold_from_the_provider(town: tuple[Upstream, Running], first: int) -> None:
    upstream, gateway = town
    differential = Differential(upstream, gateway.port)
    checked = upstream.run(differential.check(first, CASES))
    wrong = [f"case {case.number}: {problem}" for case in checked for problem in case.problems]
    assert not wrong, f"{len(wrong)} differences\n" + "\n".join(wrong[:20])
    assert len({case.number for case in checked}) == CASES
    assert sum(case.turn.answer.is_stream for case in checked) > CASES / 8
    assert sum(case.is_edited and case.turn.answer.is_stream for case in checked) > CASES / 40
    assert gateway.is_alive()
    _compare_with_record(gateway, checked)


def _compare_with_record(gateway: Running, checked: list[Checked]) -> None:
    """Every exchange is in the record, with what was sent and what came."""
    ids = {case.number: case.through.header(b"freehold-call-id").decode() for case in checked}
    calls = gateway.recorded(ids.values())
    for case in checked:
        call = calls[ids[case.number]]
        assert (call["method"], call["status"]) == (case.ask.method.decode(), case.through.status), case.number
        assert call["path"] == case.ask.path.decode() or b"%" in case.ask.path
        if b"content-encoding" not in dict(case.ask.headers):
            assert call["request_body"] == case.ask.body.decode("utf-8", "replace"), case.number
        if not call["is_stream"] and not case.through.header(b"content-encoding"):
            assert call["response_body"] == case.through.body.decode("utf-8", "replace"), case.number
        if case.is_edited and case.turn.answer.is_stream:
            assert call["input_tokens"] == 20, case.number
            assert json.loads(call["response_body"])["usage"]["total_tokens"] == 24, case.number
