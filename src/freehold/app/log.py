"""The log of the parent and its workers: one line an event, on stderr, for whoever collects it.

What comes from outside cannot write lines of its own colour or length there: control characters are escaped, and
passwords of URLs are masked (`freehold.sanitizer`).
"""

from __future__ import annotations

import logging
import sys

from freehold.sanitizer import masked, plain_lines


class PlainFormatter(logging.Formatter):
    """Formats a record as text that a terminal does not obey and that holds no password of a URL."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return plain_lines(masked(super().format(record)))


def log_to_stderr() -> None:
    """Send the log to stderr; libraries speak up only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("freehold").setLevel(logging.INFO)
