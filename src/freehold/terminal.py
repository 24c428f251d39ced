"""How the command line speaks: tables and JSON on stdout, progress and next steps on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from freehold.loop.progress import Progress, Reporter


def say(text: str) -> None:
    """One line of data on stdout."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """One line of progress on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def next_command(text: str) -> None:
    """The last line of a command: what to run next."""
    tell(f"Next: {text}")


def say_json(value: object) -> None:
    """A value as one JSON line; anything JSON does not know becomes text."""
    say(json.dumps(value, ensure_ascii=False, default=_plain))


def say_rows(headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    """A plain table; columns numbered in `right` are aligned right. Control characters are shown, never obeyed."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(headings), *cells]) for i in range(len(headings))]
    for row in [list(headings), *cells]:
        padded = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        say("  ".join(padded).rstrip())


def printable(text: str) -> str:
    """Text from outside, safe for a terminal: control characters become their escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shorten(text: str, width: int) -> str:
    """Text cut to a width for a table, marked where it was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


def usd(amount: float | None) -> str:
    """Money, or `unknown`."""
    if amount is None:
        return "unknown"
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.5f}"


def ms(value: float | None) -> str:
    """Milliseconds, or `-` for none."""
    return "-" if value is None else f"{value:,.0f} ms"


def ago(stamp: float | None, now: float) -> str:
    """How long ago a Unix time was, in one unit."""
    if stamp is None:
        return "never"
    seconds = max(0.0, now - stamp)
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


@contextmanager
def reporting(*, is_quiet: bool = False) -> Iterator[Reporter]:
    """A reporter that draws progress on stderr: a live line on a terminal, a line every ten seconds elsewhere."""
    line = _Line(is_live=sys.stderr.isatty())
    yield (lambda _progress: None) if is_quiet else line.show
    line.end()


class _Line:
    def __init__(self, *, is_live: bool) -> None:
        self._is_live = is_live
        self._last = 0.0
        self._stage = ""
        self._is_open = False

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        is_new = progress.stage != self._stage
        if not is_new and not progress.is_last and now - self._last < (0.1 if self._is_live else 10.0):
            return
        if self._is_live:
            if is_new and self._is_open:
                sys.stderr.write("\n")
            sys.stderr.write("\r\x1b[K" + shorten(progress.text, 110))
            self._is_open = True
        else:
            sys.stderr.write(progress.text + "\n")
        sys.stderr.flush()
        self._last, self._stage = now, progress.stage

    def end(self) -> None:
        if self._is_open:
            sys.stderr.write("\n")
            self._is_open = False


def _plain(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
