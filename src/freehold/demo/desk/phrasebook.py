"""The hand-written texts of one language, read from the TOML files in `texts/`.

`en.toml` with all `en_*.toml` makes the English phrasebook, `de.toml` the German one, and so on. This module reads and
checks; putting texts together is `writing`.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from freehold.demo.desk.intents import INTENT_OF

LANGUAGES = ("en", "de", "es", "fr", "it", "nl")

LATE_SHARE = 0.2
"""About this share of the skeletons is not in use from the first day."""
FIRST_DEBUT, DEBUT_SPAN = 300, 4_200
"""The late ones turn up one by one, from this message on and over this many messages."""


@dataclass(frozen=True)
class Skeleton:
    """One whole request with slots; it turns up in the traffic from message number `debut` on."""

    text: str
    topic: str
    is_urgent: bool
    debut: int


@dataclass(frozen=True)
class Topic:
    """The texts for one topic: whole requests, remarks that it is settled, and phrases that follow "I want to"."""

    name: str
    takes_order: bool
    plain: tuple[Skeleton, ...]
    past: tuple[str, ...]
    phrases: tuple[str, ...]


@dataclass(frozen=True)
class Phrasebook:
    """Everything that can be said in one language. `words` fill slots, `around` surrounds, `frames` combine."""

    language: str
    words: Mapping[str, tuple[str, ...]]
    around: Mapping[str, tuple[str, ...]]
    frames: Mapping[str, tuple[str, ...]]
    topics: Mapping[str, Topic]
    groups: Mapping[str, tuple[str, ...]]
    """topic -> the topics that are easily confused with it, itself included"""


@cache
def phrasebook(language: str) -> Phrasebook:
    """Read the texts of one of `LANGUAGES`."""
    base = _read(f"{language}.toml")
    words, around, frames = (_lists(base.pop(name)) for name in ("words", "around", "frames"))
    parts = [base] if len(base) > 1 else [_read(name) for name in _names(f"{language}_")]
    topics: dict[str, Topic] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for name, table in part.items():
            topics[name] = _topic(name, table)
            groups[name] = tuple(part)
    if topics.keys() != INTENT_OF.keys():
        raise ValueError(f"the texts for {language!r} do not cover the topics: compare texts/ with intents.py")
    return Phrasebook(language, words, around, frames, topics, groups)


def _topic(name: str, table: object) -> Topic:
    if not isinstance(table, dict):
        raise ValueError(f"[{name}] is {table!r} and not a table: see the other files in texts/")
    lists = _lists({key: table.get(key, []) for key in ("plain", "past", "phrases")})
    plain = tuple(
        Skeleton(line.removeprefix("! "), name, is_urgent=line.startswith("! "), debut=_debut(line))
        for line in lists["plain"]
    )
    return Topic(name, bool(table["takes_order"]), plain, lists["past"], lists["phrases"])


def _debut(line: str) -> int:
    """The number of the first message that may use a skeleton: 0 for most, spread by hash for the late ones."""
    digest = hashlib.sha256(line.encode()).digest()
    if digest[0] / 256 >= LATE_SHARE:
        return 0
    return FIRST_DEBUT + int.from_bytes(digest[1:4]) % DEBUT_SPAN


def _names(prefix: str) -> list[str]:
    return sorted(
        entry.name for entry in files(__package__).joinpath("texts").iterdir() if entry.name.startswith(prefix)
    )


def _read(name: str) -> dict[str, object]:
    return tomllib.loads(files(__package__).joinpath("texts", name).read_text(encoding="utf-8"))


def _lists(table: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise ValueError(f"expected a table of lists, got {table!r}: see the other files in texts/")
    return {key: tuple(str(line) for line in lines) for key, lines in table.items()}
