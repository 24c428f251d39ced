"""Progress of a stage, as drivers show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One report: which stage, how far, and a few words; `total` 0 means that the end is not known."""

    stage: str
    done: int = 0
    total: int = 0
    note: str = ""

    @property
    def is_last(self) -> bool:
        """Whether the stage has reached its end."""
        return 0 < self.total <= self.done

    @property
    def text(self) -> str:
        """The report as one line."""
        if not self.total:
            return f"{self.stage:<8} {self.note}"
        share = min(1.0, self.done / self.total)
        bar = ("█" * round(20 * share)).ljust(20, "·")
        return f"{self.stage:<8} {bar} {share:4.0%} {self.done:,}/{self.total:,}  {self.note}".rstrip()


Reporter = Callable[[Progress], None]
