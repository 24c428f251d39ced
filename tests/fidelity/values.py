"""Generated JSON, as odd as JSON may be: spaces, escapes, duplicate keys, numbers beyond any float.

Not covered: texts that are not JSON.
"""

from __future__ import annotations

import json
from random import Random

Pairs = list[tuple[str, object]]
_SPACES = ("", "", "", " ", "\n  ", "\t", " \r\n ")
_NUMBERS = (
    "0",
    "-0",
    "1e3",
    "1.50",
    "-1E-2",
    "1e400",
    "12345678901234567890123",
    "0.1000000000000000055511151231257827",
)
_WORDS = (
    "",
    "refund",
    "Grüße – ",
    "東京",
    "😀🏳️‍🌈",
    'say "no"',
    "a\\b/c",
    "line\nbreak\t",
    "\u2028\u2029",
    "data: [DONE]\n\n",
    "\x7f\u0000",
)


def word(rng: Random) -> str:
    """A text."""
    return "".join(rng.choices(_WORDS, k=rng.randint(1, 3)))


def value(rng: Random, depth: int = 3) -> object:
    """Any value; an object is a list of pairs, so that a key may come twice."""
    kind = rng.randrange(8 if depth else 5)
    if kind < 3:
        return word(rng)
    if kind == 3:
        return rng.choice((True, False, None))
    if kind == 4:
        return Number(rng.choice(_NUMBERS))
    if kind == 5:
        return tuple(value(rng, depth - 1) for _ in range(rng.randrange(4)))
    pairs: Pairs = [
        (rng.choice(("a", "b", "é", "usage", word(rng))), value(rng, depth - 1)) for _ in range(rng.randrange(4))
    ]
    return pairs + pairs[:1] if rng.random() < 0.3 else pairs


class Number(str):
    """A number as it is to be written."""


def odd(rng: Random, what: object) -> str:
    """JSON text in a hand that nobody's library writes; objects are lists of pairs, arrays are tuples."""

    def gap() -> str:
        return rng.choice(_SPACES)

    match what:
        case Number():
            return str(what)
        case str():
            return _text(rng, what)
        case list():
            inner = (f"{gap()}{_text(rng, key)}{gap()}:{gap()}{odd(rng, item)}" for key, item in what)
            return "{" + (gap() + ",").join(inner) + gap() + "}"
        case tuple():
            return "[" + (gap() + ",").join(gap() + odd(rng, item) for item in what) + gap() + "]"
    return json.dumps(what)


def _text(rng: Random, text: str) -> str:
    written = json.dumps(text, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.2:
        written = written.replace("/", "\\/")
    if rng.random() < 0.05:
        written = (
            written[:-1] + '\\ud800"'
        )  # half of a surrogate pair: allowed by the grammar, and sent by real clients
    return written
