"""The calls that the owned model answered otherwise than wanted, worst first.

First those that it would have answered itself, the surest first: a customer would have seen them. Then those that
would have gone to the provider, the least alike first. Long texts are cut around the place where they begin to differ,
and `cut` counts what is left out. A call that had to be left alone is among them only where it would not have been.
Not covered: showing them (`prove.report.differences`).
"""

from __future__ import annotations

from dataclasses import dataclass

from freehold.model.example import Example
from freehold.prove.evaluate import Evaluation
from freehold.prove.measure import ScoredSplit

MOST_DIFFERENCES = 200
NOT_KNOWN = "(not known: the provider's answer was rated bad)"
NOT_TEXT = "(none: the call was to be left to the provider, which gave no answer that could be wanted)"
_LONGEST_TEXT = 2000
_BEFORE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One call that the owned model answered otherwise than wanted; `fields` are the JSON paths that differ.

    `cut` has, for each text that is not whole, how many characters are left out before it and after it.
    """

    id: str
    input: str
    wanted: str
    provider: str
    owned: str
    confidence: float
    graded: float
    is_local: bool
    fields: tuple[str, ...]
    cut: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Window:
    text: str
    before: int
    after: int


def difference_rows(held: ScoredSplit, examined: Evaluation) -> list[Difference]:
    """All differences, worst first; two of the same rank stand in the order of their ids."""
    rows = []
    answers = zip(held.examples, examined.guesses, examined.scores, examined.is_local, strict=True)
    for example, guess, score, is_local in answers:
        if score.is_exact or (example.is_aside and not is_local):
            continue
        start = _first_difference(example.target, guess.text)
        wanted = NOT_KNOWN if example.is_rejected else NOT_TEXT if example.is_aside else example.target
        whole = {"wanted": wanted, "provider": example.incumbent, "owned": guess.text}
        shown = {name: _window(text, start) for name, text in whole.items()}
        shown["input"] = _window(shown_input(example), 0)
        rows.append(
            Difference(
                id=example.id,
                input=shown["input"].text,
                wanted=shown["wanted"].text,
                provider=shown["provider"].text,
                owned=shown["owned"].text,
                confidence=guess.confidence,
                graded=score.graded,
                is_local=is_local,
                fields=tuple(path for path, is_same in score.fields.items() if not is_same)[:50],
                cut={name: (part.before, part.after) for name, part in shown.items() if part.before or part.after},
            )
        )
    return sorted(rows, key=_rank)


def shown_input(example: Example) -> str:
    """The input as a reader sees it: one message bare, several with their roles."""
    if len(example.messages) == 1:
        return example.messages[0].content
    return "\n".join(f"{message.role}: {message.content}" for message in example.messages)


def _rank(row: Difference) -> tuple[bool, float, float, str]:
    if row.is_local:
        return False, -row.confidence, row.graded, row.id
    return True, row.graded, -row.confidence, row.id


def _first_difference(first: str, second: str) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


def _window(text: str, start: int) -> _Window:
    """At most _LONGEST_TEXT characters of a text from a little before `start`."""
    begin = min(max(0, start - _BEFORE), max(0, len(text) - _LONGEST_TEXT))
    part = text[begin : begin + _LONGEST_TEXT]
    return _Window(part, begin, len(text) - begin - len(part))
