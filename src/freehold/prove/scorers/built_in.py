"""The scorers that Freehold brings: numbers out of one comparison of both answers (`text.scoring`).

None of them looks at the prompt. They are made for each kind of output, as what is compared depends on it.
"""

from __future__ import annotations

from functools import lru_cache

from freehold.errors import SettingError
from freehold.model.prompt import Prompt
from freehold.text.scoring import Score, field_name, normal_text, score

_FREE_CHARACTERS = 20
_LONGEST_TIMES = 2.0

compared = lru_cache(maxsize=16)(score)
"""`text.scoring.score`, done once for all metrics that look at the same answer."""


class _BuiltIn:
    """What the scorers here have in common: a kind of output, and no argument."""

    def __init__(self, kind: str, argument: str) -> None:
        if argument:
            name = type(self).__name__.lower()
            raise SettingError(f"There is no metric '{name}:{argument}'.", hint=f"Write {name}, with nothing behind.")
        self._kind = kind

    def _compared(self, wanted: str, got: str) -> Score:
        return compared(self._kind, wanted, got)


class Exact(_BuiltIn):
    """Whether both answers are equal."""

    def score(self, prompt: Prompt, wanted: str, got: str) -> float:
        """1 or 0."""
        del prompt
        return float(self._compared(wanted, got).is_exact)


class Graded(_BuiltIn):
    """How much of the wanted answer is there: ROUGE-L for text, the share of fields for JSON."""

    def score(self, prompt: Prompt, wanted: str, got: str) -> float:
        """From 0 to 1."""
        del prompt
        return self._compared(wanted, got).graded


class Valid(_BuiltIn):
    """Whether the answer is of the wanted form at all."""

    def score(self, prompt: Prompt, wanted: str, got: str) -> float:
        """1 or 0."""
        del prompt
        return float(self._compared(wanted, got).is_valid)


class Length(_BuiltIn):
    """Whether the answer is about as long as the wanted one."""

    def score(self, prompt: Prompt, wanted: str, got: str) -> float:
        """1 where neither has more than twice the characters of the other, 20 being free; else 0."""
        del prompt
        shorter, longer = sorted(max(len(normal_text(text)), _FREE_CHARACTERS) for text in (wanted, got))
        return float(longer <= _LONGEST_TIMES * shorter)


class Fields(_BuiltIn):
    """Whether one JSON field, and what is below it, is the same on both sides."""

    def __init__(self, kind: str, argument: str) -> None:
        super().__init__(kind, "")
        if not argument:
            raise SettingError("There is no metric 'fields' without a field.", hint="Name one: fields:NAME.")
        self._field = argument

    def score(self, prompt: Prompt, wanted: str, got: str) -> float:
        """1 or 0; where no JSON was wanted, whether the texts are equal."""
        del prompt
        plain = self._compared(wanted, got)
        if not plain.fields:
            return float(plain.is_exact)
        return float(all(is_same for path, is_same in plain.fields.items() if is_within(path, self._field)))


def is_within(path: str, field: str) -> bool:
    """Whether a JSON path is at or below a field.

    >>> is_within("a.b[0]", "a"), is_within("ab", "a")
    (True, False)
    """
    name = field_name(path)
    return name == field or name.startswith((f"{field}.", f"{field}[", f"{field}{{"))
