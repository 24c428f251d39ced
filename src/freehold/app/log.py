"""The log of the parent and its workers: one line an event, on stderr, for whoever collects it."""

from __future__ import annotations

import logging
import sys


def log_to_stderr() -> None:
    """Send the log to stderr; libraries speak up only when something is wrong."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("freehold").setLevel(logging.INFO)
