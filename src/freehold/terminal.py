"""How the command line speaks: tables and JSON on stdout, progress and next steps on stderr.

Text from outside is made safe for a terminal: control characters are shown, never obeyed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from freehold.loop.progress import Progress, Reporter

_LEAST_WIDTH = 8
_GAP = "  "
_LIVE_EVERY_S = 0.1
_LINE_EVERY_S = 10.0


def say(text: str) -> None:
    """Data on stdout: one line or more."""
    sys.stdout.write(_printable_lines(text) + "\n")


def tell(text: str) -> None:
    """Progress on stderr: one line or more."""
    sys.stderr.write(_printable_lines(text) + "\n")
    sys.stderr.flush()


def next_command(text: str) -> None:
    """The last line of a command: what to run next."""
    tell(f"Next: {text}")


def program() -> str:
    """How this command line is called here: `freehold` where it is on the path, else where it lies."""
    return "freehold" if shutil.which("freehold") else os.path.relpath(sys.argv[0])


def say_json(value: object) -> None:
    """A value as one JSON line; anything JSON does not know becomes text."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=_plain) + "\n")


def say_rows(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = (), flexible: int | None = None
) -> None:
    """A plain table; columns numbered in `right` are aligned right, the `flexible` one is cut to fit the terminal."""
    table = [list(headings), *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(headings))]
    if flexible is not None:
        others = sum(widths) - widths[flexible] + len(_GAP) * (len(widths) - 1)
        widths[flexible] = min(widths[flexible], max(_LEAST_WIDTH, terminal_width() - others))
        for row in table:
            row[flexible] = shorten(row[flexible], widths[flexible])
    for row in table:
        padded = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        sys.stdout.write(_GAP.join(padded).rstrip() + "\n")


def terminal_width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size().columns


def printable(text: str) -> str:
    """Text from outside on one line, safe for a terminal: control characters become their escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shorten(text: str, width: int) -> str:
    """Text cut to a width for a table, marked where it was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


@contextmanager
def reporting() -> Iterator[Reporter]:
    """A reporter that draws progress on stderr: a live line on a terminal, a line every ten seconds elsewhere."""
    line = _Line(is_live=sys.stderr.isatty())
    try:
        yield line.show
    finally:
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
        pause_s = _LIVE_EVERY_S if self._is_live else _LINE_EVERY_S
        if not is_new and not progress.is_last and now - self._last < pause_s:
            return
        text = printable(progress.text)
        if self._is_live:
            start = "\n" if is_new and self._is_open else ""
            sys.stderr.write(f"{start}\r\x1b[K{shorten(text, terminal_width() - 1)}")
            self._is_open = True
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()
        self._last, self._stage = now, progress.stage

    def end(self) -> None:
        if self._is_open:
            sys.stderr.write("\n")
            self._is_open = False


def _printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


def _plain(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
