"""Which calls are turns of one conversation, told from the messages alone, where no session is named.

A chat app sends the whole history with each turn. So a request shows which call came before it: it holds the question
that the earlier call asked and the answer that the earlier call got, side by side (an *exchange*). Each call is linked
to one earlier call at most, the one whose own exchange is the latest in its history; calls that are linked, however far
apart, are one conversation. Time and memory grow with the calls, not with their histories, of which the last
`MOST_BACK` exchanges at most are read.

- Texts are compared by their letters and digits alone: white space, case and markup that an app changes do no harm.
- System messages are left out: a prompt that changes from turn to turn does no harm, nor does a history that was cut at
  its beginning.
- Where the exchange is not found, an answer or a question that only one call has, and that is long, says as much: apps
  shorten answers and wrap questions.
- An exchange that several calls have (*hello*, and what is said to it) is told by the exchange before it. Where there
  is none, it links only if it is long and few calls have it; a common opening makes no two conversations one.
- A request that begins, to a line, with the whole of an earlier one that is long goes on from it, too: so do apps that
  send questions alone, or the talk as one text.
- Examples in every request are no conversation: no call asked them. Should one have, more than `MOST_BRANCHES`
  different requests go on from it, and none of these links counts.

Not covered: conversations that a provider keeps (they have a session), histories that were rewritten as a summary.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from freehold.model.exchange import Message
from freehold.text.prompts.fingerprint import LEAD_ROLES

MOST_BACK = 8
MOST_ALIKE = 10
MOST_BRANCHES = 10
MOST_LINES = 200
LONG_EXCHANGE, LONG_ANSWER, LONG_QUESTION = 40, 32, 24
"""How many letters and digits make an exchange, an answer or a question that hardly comes twice by chance."""

_SIGNS = re.compile(r"[\W_]+")
_ANSWERS = frozenset({"assistant", "model"})


class Turn(NamedTuple):
    """One call: what it asked and what it was answered (None: nothing), oldest calls first."""

    messages: Sequence[Message]
    answer: str | None


class _Text(NamedTuple):
    """A text's letters and digits as a digest, and how many they are."""

    digest: bytes
    length: int


class _Exchange(NamedTuple):
    """A question and its answer."""

    question: _Text
    answer: _Text

    @property
    def key(self) -> bytes:
        return self.question.digest + self.answer.digest

    @property
    def length(self) -> int:
        return self.question.length + self.answer.length


class _Known:
    """The exchanges that calls had themselves: how many had each, and which one had it last."""

    def __init__(self, own: Sequence[_Exchange | None]) -> None:
        had = [exchange for exchange in own if exchange is not None]
        self._exchanges = Counter(exchange.key for exchange in had)
        self._answers = Counter(exchange.answer.digest for exchange in had)
        self._questions = Counter(exchange.question.digest for exchange in had)
        self._last: dict[bytes, int] = {}

    def add(self, place: int, own: _Exchange, before: _Exchange | None) -> None:
        """Take the own exchange of the call at this place, and the one before it in its history."""
        keys = [own.key, b"a" + own.answer.digest, b"q" + own.question.digest]
        self._last.update(dict.fromkeys(keys if before is None else [*keys, before.key + own.key], place))

    def find(self, exchange: _Exchange, before: _Exchange | None) -> int | None:
        """The earlier call that had this exchange itself; None where it cannot be told."""
        if before is not None and (found := self._last.get(before.key + exchange.key)) is not None:
            return found
        alike = self._exchanges[exchange.key]
        is_told = alike == 1 or (before is None and alike <= MOST_ALIKE and exchange.length >= LONG_EXCHANGE)
        if is_told and (found := self._last.get(exchange.key)) is not None:
            return found
        for mark, text, counts, least in (
            (b"a", exchange.answer, self._answers, LONG_ANSWER),
            (b"q", exchange.question, self._questions, LONG_QUESTION),
        ):
            if text.length >= least and counts[text.digest] == 1 and mark + text.digest in self._last:
                return self._last[mark + text.digest]
        return None


def conversations(turns: Sequence[Turn]) -> list[int]:
    """For each call, given oldest first, the place of the first call of its conversation: its own where it has none."""
    own = [_own(turn) for turn in turns]
    known = _Known(own)
    whole: dict[bytes, int] = {}
    parents: list[int | None] = []
    branches: dict[int, set[bytes]] = defaultdict(set)
    for place, turn in enumerate(turns):
        latest, told = _look_back(turn.messages, known)
        *begun, all_of_it = _beginnings(turn.messages) or [b""]
        parent = next((whole[key] for key in reversed(begun) if key in whole), told)
        if all_of_it:
            whole[all_of_it] = place
        parents.append(parent)
        if parent is not None:
            branches[parent].add(_text(turn.messages[-1].content).digest)
        mine = own[place]
        if mine is not None:
            known.add(place, mine, latest)
    firsts: list[int] = []
    for place, parent in enumerate(parents):
        is_linked = parent is not None and len(branches[parent]) <= MOST_BRANCHES
        firsts.append(firsts[parent] if is_linked and parent is not None else place)
    return firsts


def _look_back(messages: Sequence[Message], known: _Known) -> tuple[_Exchange | None, int | None]:
    """The latest exchange in a request's history, and the call that the history was taken from."""
    history = _history(messages)
    latest = exchange = next(history, None)
    for _ in range(MOST_BACK):
        if exchange is None:
            break
        before = next(history, None)
        found = known.find(exchange, before)
        if found is not None:
            return latest, found
        exchange = before
    return latest, None


def _beginnings(messages: Sequence[Message]) -> list[bytes]:
    """Digests of what a request begins with, up to each line that makes it long enough; the last one is of all of it.

    Empty where it has more than MOST_LINES lines, or is short.
    """
    texts = [message.content for message in messages if message.role not in LEAD_ROLES]
    if sum(text.count("\n") for text in texts) + len(texts) > MOST_LINES:
        return []
    found: list[bytes] = []
    running, length = blake2b(digest_size=16), 0
    for line in (line for text in texts for line in text.split("\n")):
        bare = _SIGNS.sub("", line.casefold())
        running.update(bare.encode("utf-8", "surrogatepass"))
        length += len(bare)
        if bare and length >= LONG_QUESTION:
            found.append(running.digest())
    return found


def _own(turn: Turn) -> _Exchange | None:
    """What the call itself asked last, with its answer; None where it got none or gave its beginning."""
    last = turn.messages[-1] if turn.messages else None
    if last is None or turn.answer is None or last.role in _ANSWERS or last.role in LEAD_ROLES:
        return None
    return _Exchange(_text(last.content), _text(turn.answer))


def _history(messages: Sequence[Message]) -> Iterator[_Exchange]:
    """The exchanges in a request, the latest first; several answers in a row are one."""
    answer: list[str] = []
    for message in reversed(messages):
        if message.role in _ANSWERS:
            answer.append(message.content)
        elif answer and message.role not in LEAD_ROLES:
            yield _Exchange(_text(message.content), _text("".join(reversed(answer))))
            answer = []


def _text(text: str) -> _Text:
    bare = _SIGNS.sub("", text.casefold()) or text.strip()
    return _Text(blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=16).digest(), len(bare))
