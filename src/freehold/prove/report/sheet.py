"""Reads figures out of a verdict's evidence: absent, odd or not finite is unknown, and never an error.

A report is drawn after hours of work, perhaps from a verdict of an earlier version; one figure that is not there must
not cost it. Not covered: writing figures (`prove.evidence`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from freehold.prove.report.words import finite
from freehold.text.json_text import JsonValue


@dataclass(frozen=True, slots=True)
class Sheet:
    """One JSON value; every method walks down `path` first, through keys and then list places."""

    value: JsonValue

    def at(self, *path: str | int) -> Sheet:
        """What lies at the path; a Sheet of None where nothing does."""
        value = self.value
        for step in path:
            if isinstance(value, Mapping) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return Sheet(None)
        return Sheet(value)

    def number(self, *path: str | int) -> float | None:
        """A finite number, or None."""
        return finite(self.at(*path).value)

    def count(self, *path: str | int) -> int:
        """A whole number; 0 where there is none."""
        return round(self.number(*path) or 0.0)

    def text(self, *path: str | int) -> str:
        """A text; empty where there is none."""
        value = self.at(*path).value
        return value if isinstance(value, str) else ""

    def flag(self, *path: str | int) -> bool:
        """Whether `true` stands there."""
        return self.at(*path).value is True

    def rows(self, *path: str | int) -> tuple[Sheet, ...]:
        """The items of a list; none where there is no list."""
        value = self.at(*path).value
        return tuple(Sheet(item) for item in value) if isinstance(value, list) else ()

    def texts(self, *path: str | int) -> tuple[str, ...]:
        """The texts of a list."""
        return tuple(row.text() for row in self.rows(*path) if row.text())

    def has(self, *path: str | int) -> bool:
        """Whether anything stands there: not absent, null, false, zero or empty."""
        return bool(self.at(*path).value)
