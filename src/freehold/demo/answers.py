"""What the simulated provider says to a message, and how: decided by the seed and the text, never by order of arrival.

`DeskAnswers` knows the right triage of the shop's messages and, like a real model, is sometimes wrong and often words
the same content differently. `FileAnswers` says what a file says, exactly. Neither understands anything: a message that
they do not know gets the triage `other` from the first and no answer from the second.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from freehold.demo.desk import messages
from freehold.demo.desk.intents import INTENT_OF
from freehold.demo.desk.phrasebook import phrasebook
from freehold.errors import DataError

Triage = dict[str, object]

UNKNOWN: Triage = {"intent": "other", "order": None, "urgent": False, "language": "en"}
"""The triage of a text that is not in the traffic."""


class Answers(Protocol):
    """Something that can answer a customer's message; None when it has no answer."""

    def answer(self, text: str) -> str | None: ...


@dataclass(frozen=True)
class Habits:
    """How often the provider is wrong (another content) and how often it words an answer differently (same content)."""

    wrong_share: float = 0.025
    reworded_share: float = 0.10


class DeskAnswers:
    """Answers the first `known` messages of the shop's traffic with this seed; writes them all when it is made."""

    def __init__(self, seed: int, *, known: int = 20_000, habits: Habits = Habits()) -> None:
        self.seed = seed
        self.habits = habits
        self._gold = {message.text: message.gold for message in messages(known, seed)}

    def answer(self, text: str) -> str:
        """Return the triage as JSON text, right or wrong, plain or reworded."""
        rng = seeded("answer", self.seed, text)
        gold = self._gold.get(text, UNKNOWN)
        triage = mistake(gold, rng) if rng.random() < self.habits.wrong_share else gold
        return reworded(triage, rng) if rng.random() < self.habits.reworded_share else compact(triage)


class FileAnswers:
    """Answers from rows `{"input", "gold"}`; with `teacher`, the answer that `row["teacher"][teacher]` holds instead.

    The message may stand inside a prompt: an input that is the whole text wins, then the longest one contained in it.
    """

    _HEAD_CHARS = 16

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        self._answers: dict[str, str] = {}
        for text, answer in rows:
            self._answers.setdefault(text, answer)
        self._short = [text for text in self._answers if len(text) < self._HEAD_CHARS]
        self._by_head: dict[str, list[str]] = {}
        for text in self._answers:
            if len(text) >= self._HEAD_CHARS:
                self._by_head.setdefault(text[: self._HEAD_CHARS], []).append(text)

    @classmethod
    def read(cls, path: Path, *, teacher: str = "") -> FileAnswers:
        """Read a JSON-lines file; DataError names the line that cannot be used."""
        return cls(_rows(path, teacher))

    def answer(self, text: str) -> str | None:
        """Return the stored answer, or None where no input matches."""
        if text in self._answers:
            return self._answers[text]
        found = max(self._contained(text), key=len, default=None)
        return None if found is None else self._answers[found]

    def _contained(self, text: str) -> Iterator[str]:
        """Every known input that stands in `text` as whole words."""
        for at in range(len(text)):
            for known in self._by_head.get(text[at : at + self._HEAD_CHARS], ()):
                if text.startswith(known, at) and _is_whole(text, at, at + len(known)):
                    yield known
        for short in self._short:
            at = text.find(short) if short else -1
            while at >= 0 and not _is_whole(text, at, at + len(short)):
                at = text.find(short, at + 1)
            if at >= 0:
                yield short


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] begins and ends where words do."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    starts = not (before.isalnum() and text[start].isalnum())
    return starts and not (after.isalnum() and text[end - 1].isalnum())


def seeded(purpose: str, seed: int, text: str) -> random.Random:
    """A generator that depends on these three alone; any text will do, lone surrogates too."""
    return random.Random(f"{purpose}/{seed}/{text}".encode("utf-8", "surrogatepass"))  # noqa: S311


def compact(value: object) -> str:
    """JSON without spaces, keys as they come, letters beyond ASCII as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def mistake(gold: Triage, rng: random.Random) -> Triage:
    """Return a plausible wrong triage: always different from `gold` in one matter."""
    kind = rng.choice(["intent"] * 5 + ["urgent"] * 2 + (["order"] if gold["order"] else []))
    if kind == "urgent":
        return {**gold, "urgent": not gold["urgent"]}
    if kind == "order":
        return {**gold, "order": None}
    right = str(gold["intent"])
    near = {
        INTENT_OF[n] for topic, group in phrasebook("en").groups.items() if INTENT_OF[topic] == right for n in group
    }
    return {**gold, "intent": rng.choice(sorted(near - {right}) or ["other"])}


def reworded(triage: Triage, rng: random.Random) -> str:
    """Write the same content in another way: indented, with spaces, with other key order, in a code fence."""
    kind = rng.randrange(4)
    if kind == 0:
        return json.dumps(triage, ensure_ascii=False, indent=2)
    if kind == 1:
        return f"```json\n{json.dumps(triage, ensure_ascii=False, indent=2)}\n```"
    if kind == 2:
        return json.dumps(dict(rng.sample(list(triage.items()), len(triage))), ensure_ascii=False)
    return f" {json.dumps(triage, ensure_ascii=False)}\n"


def _rows(path: Path, teacher: str) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as problem:
        raise DataError(
            f"The answers in {str(path)!r} cannot be read: {problem.strerror}.", hint="Check --answers."
        ) from problem
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text, gold = row["input"], row["teacher"][teacher] if teacher else row["gold"]
        except (ValueError, KeyError, TypeError) as problem:
            wanted = f'{{"input", "teacher": {{{teacher!r}}}}}' if teacher else '{"input", "gold"}'
            raise DataError(
                f"Line {number} of {str(path)!r} is not a row {wanted}: {problem!r}.",
                hint="Mend the line or leave it out.",
            ) from problem
        yield str(text), gold if isinstance(gold, str) else compact(gold)
