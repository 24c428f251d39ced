"""Importers: each reads calls out of one kind of source, and says how faithful they are.

Packages offer more of them as entry points of the group `freehold.importers` (`freehold.plugins`).

Not covered: what is done with the calls (`freehold.ingest`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from freehold.errors import DataError, FreeholdError, in_a_line
from freehold.model.call import Call
from freehold.plugins import IMPORTERS

_MOST_EXAMPLES = 5


@dataclass(slots=True)
class Fidelity:
    """How faithful an import is; complete once the last call was read.

    `calls` were read. By reason, `skipped` counts the rows that made no call, `missing` the calls without something
    that calls of ours have, and `changed` those in which something may not be as it was sent. `examples` are a few of
    the skipped rows, each with its place and what was wrong.
    """

    calls: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def skip(self, reason: str, place: str) -> None:
        """Count a row that makes no call; `place` says where it is, as `line 7`."""
        self.skipped[reason] += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(f"{place}: {reason}")

    @property
    def words(self) -> str:
        """The report in one line.

        >>> Fidelity(calls=2, changed=Counter({"text that was not UTF-8": 1})).words
        '2 calls; changed in 1: text that was not UTF-8'
        """
        parts = [f"{self.calls:,} calls"]
        named = (("skipped {}", self.skipped), ("missing in {}", self.missing), ("changed in {}", self.changed))
        for words, counts in named:
            parts += [f"{words.format(f'{count:,}')}: {reason}" for reason, count in sorted(counts.items())]
        return "; ".join(parts)


class Importer(Protocol):
    """Reads one kind of source; it is made without arguments."""

    def read(self, source: str, fidelity: Fidelity) -> Iterator[Call]:
        """The calls of a source (a path or a URL), one after the other, telling `fidelity` as it goes.

        A row that is no call is skipped and counted. NotFoundError where there is no such source, DataError where it is
        of another kind.
        """


def read_calls(name: str, source: str, fidelity: Fidelity) -> Iterator[Call]:
    """The calls that the importer of this name reads; the report is filled while they come.

    SettingError for an unknown importer. DataError where the importer fails, after the calls that came before.
    """
    with IMPORTERS.errors_of(name):
        importer: Importer = IMPORTERS.load(name)()
    try:
        for call in importer.read(source, fidelity):
            fidelity.calls += 1
            yield call
    except (FreeholdError, GeneratorExit):
        raise
    except Exception as error:  # an importer may be of any package
        raise DataError(
            f"The importer {name!r} failed after {fidelity.calls:,} calls of {source!r}: {in_a_line(error)}.",
            hint="Mend or uninstall it, or leave out what it fails on.",
        ) from error
    if not fidelity.calls:
        first = f" {fidelity.examples[0]}." if fidelity.examples else ""
        raise DataError(f"There is no call in {source!r} that {name!r} can read.{first}", hint="Give another source.")
