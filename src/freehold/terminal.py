"""How the command line speaks: tables and JSON on stdout, progress and next steps on stderr.

Text from outside is made safe for a terminal: control characters are shown, never obeyed. On a terminal, and wherever
`COLUMNS` says how wide it is, lines are folded between words; a table is cut to fit, and says where. In a pipe a line
stays a line.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import textwrap
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from freehold.pipeline.progress import Progress, Reporter
from freehold.sanitizer import plain_json

_LEAST_WIDTH = 8
_GAP = "  "
_LIVE_EVERY_S = 0.1
_LINE_EVERY_S = 10.0
_ALIVE_EVERY_S = 1.0
_ALIVE_LINE_S = 30.0
"""A stage that reports nothing is drawn again so often: on a terminal, and elsewhere."""
_WIDEST_LABEL = 32
_LABELS = re.compile(r"\s*(?:\S+(?: \S+)*\s{2,})*")


def say(text: str) -> None:
    """Data on stdout: one line or more."""
    sys.stdout.write(_lines(text, sys.stdout) + "\n")


def say_whole(text: str) -> None:
    """Data on stdout whose lines are never folded, such as a body that somebody may copy."""
    sys.stdout.write("\n".join(printable(line) for line in text.split("\n")) + "\n")


def tell(text: str) -> None:
    """Progress on stderr: one line or more."""
    sys.stderr.write(_lines(text, sys.stderr) + "\n")
    sys.stderr.flush()


def tell_error(text: str) -> None:
    """A mistake on stderr: one line, folded where people read it and whole where programs do."""
    line = printable(text)
    sys.stderr.write((folded(line, terminal_width()) if sys.stderr.isatty() else line) + "\n")
    sys.stderr.flush()


def next_command(text: str) -> None:
    """The last line of a command: what to run next."""
    tell(f"Next: {text}")


def program() -> str:
    """How this command line is called here: `freehold` where it is on the path, else where it lies."""
    return "freehold" if shutil.which("freehold") else os.path.relpath(sys.argv[0])


def say_json(value: object) -> None:
    """A value as one JSON line, safe for a terminal; anything JSON does not know becomes text."""
    sys.stdout.write(plain_json(json.dumps(value, ensure_ascii=False, default=_plain)) + "\n")


def say_rows(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = (), flexible: int | None = None
) -> None:
    """A plain table that fits the terminal; columns numbered in `right` are aligned right.

    The `flexible` column is cut first, then the widest of those that are aligned left.
    """
    table = [list(headings), *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(columns(row[i]) for row in table) for i in range(len(headings))]
    left = [i for i in range(len(headings)) if i not in right]
    for place in ([] if flexible is None else [flexible]) + sorted(left, key=lambda i: -widths[i]):
        too_wide = sum(widths) + len(_GAP) * (len(widths) - 1) - terminal_width()
        if too_wide > 0:
            widths[place] = min(widths[place], max(_LEAST_WIDTH, widths[place] - too_wide))
    for row in table:
        cells = [_aligned(cell, widths[i], is_right=i in right) for i, cell in enumerate(row)]
        sys.stdout.write(_GAP.join(cells).rstrip() + "\n")


def _aligned(cell: str, width: int, *, is_right: bool) -> str:
    cut = shorten(cell, width)
    padding = " " * (width - columns(cut))
    return padding + cut if is_right else cut + padding


def terminal_width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size().columns


def printable(text: str) -> str:
    """Text from outside on one line, safe for a terminal: control characters become their escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: two for a wide character, none for one that joins another."""
    if text.isascii():
        return len(text)
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def shorten(text: str, width: int) -> str:
    """Text cut to a width in columns, marked where it was cut."""
    if columns(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += _columns_of(character)
        if used > width - 1:
            break
        kept += character
    return kept + "…"


def folded(text: str, width: int) -> str:
    """One line folded between words; what follows stands below the last label of two or more, or below its beginning.

    A word that is wider than the line stays whole.
    """
    if columns(text) <= width:
        return text
    labels = _LABELS.match(text[:_WIDEST_LABEL])
    start = labels.end() if labels else 0
    if " " not in text[start:].strip():
        return text
    return "\n".join(
        textwrap.wrap(
            text,
            width,
            subsequent_indent=" " * start if start < width // 2 else "",
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
            expand_tabs=False,
        )
    )


@contextmanager
def reporting() -> Iterator[Reporter]:
    """A reporter that draws progress on stderr: a live line on a terminal, a line every ten seconds elsewhere.

    What is told beside it stands on a line of its own only after the block.
    """
    line = _Line(is_live=sys.stderr.isatty())
    try:
        yield line.show
    finally:
        line.end()


class _Line:
    """Where progress is drawn; a stage that reports nothing for a while is drawn again, with the seconds since."""

    def __init__(self, *, is_live: bool) -> None:
        self._is_live = is_live
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._stage = self._text = ""
        self._reported_at = self._drawn_at = 0.0
        self._is_open = False
        self._thread = threading.Thread(target=self._keep_alive, name="progress", daemon=True)
        self._thread.start()

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        with self._lock:
            is_new = progress.stage != self._stage
            pause_s = _LIVE_EVERY_S if self._is_live else _LINE_EVERY_S
            self._reported_at, self._text = now, printable(progress.text)
            if not is_new and not progress.is_last and now - self._drawn_at < pause_s:
                return
            self._draw(self._text, is_new=is_new)
            self._stage = progress.stage
            if progress.is_last:
                self._text = ""  # nothing more is waited for

    def end(self) -> None:
        self._ending.set()
        self._thread.join()
        if self._is_open:
            sys.stderr.write("\n")
            self._is_open = False

    def _keep_alive(self) -> None:
        while not self._ending.wait(_ALIVE_EVERY_S):
            with self._lock:
                now = time.monotonic()
                is_due = now - self._drawn_at >= (_ALIVE_EVERY_S if self._is_live else _ALIVE_LINE_S)
                if self._text and is_due:
                    self._draw(f"{self._text}  ({now - self._reported_at:.0f} s)", is_new=False)

    def _draw(self, text: str, *, is_new: bool) -> None:
        if self._is_live:
            start = "\n" if is_new and self._is_open else ""
            sys.stderr.write(f"{start}\r\x1b[K{shorten(text, terminal_width() - 1)}")
            self._is_open = True
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()
        self._drawn_at = time.monotonic()


def _lines(text: str, stream: TextIO) -> str:
    is_folded = "COLUMNS" in os.environ or stream.isatty()
    width = terminal_width()
    lines = (printable(line) for line in text.split("\n"))
    return "\n".join(folded(line, width) if is_folded else line for line in lines)


def _plain(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
