"""A redactor as another package would offer it."""

from __future__ import annotations

from freehold.freeze.redactors import Span


class Names:
    """Knows one name."""

    def redact(self, text: str) -> tuple[str, tuple[Span, ...]]:
        """Take it out once."""
        start = text.find("Ada")
        return (text, ()) if start < 0 else (text.replace("Ada", "<name>", 1), (Span(start, start + 3, "name"),))
