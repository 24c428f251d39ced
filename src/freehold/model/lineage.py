"""Lineage as values: where a call went, and what a dataset, a model or a verdict was made of.

Not covered: tracing it (`ops.lineage`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from freehold.model.dataset import Split

Thing = Literal["call", "dataset", "model", "verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A call in a dataset: `example` is the example that it is behind, `is_kept` whether its own answer was kept.

    `models` are those that learned from it, were tuned with it or were judged by it, as the split says.
    """

    dataset: str
    split: Split
    example: str
    is_kept: bool
    source: str
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLine:
    """A verdict on a model, what it says, and the dataset that it was given on."""

    id: str
    dataset: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteLine:
    """A version of a route that used a model."""

    version: int
    kind: str
    is_in_force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """A model and what followed from it, oldest first."""

    id: str
    dataset: str
    base: str
    verdicts: tuple[VerdictLine, ...]
    routes: tuple[RouteLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The calls of one split: `examples` are lines, `calls` all ids behind them, `corrections` the corrected."""

    split: Split
    examples: int
    calls: int
    corrections: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What came of a thing and what it came from; `problems` say where that cannot be told.

    `role` says what a call was there for that is no plain call of a client to the provider.
    """

    kind: Thing
    id: str
    task: str | None
    uses: tuple[Use, ...] = ()
    role: str | None = None
    is_corrected: bool = False
    dataset: str | None = None
    contents: tuple[Contents, ...] = ()
    models: tuple[ModelLine, ...] = ()
    recipe: dict[str, object] | None = None
    problems: tuple[str, ...] = ()

    def plain(self) -> dict[str, object]:
        """The lineage as JSON-able values."""
        return asdict(self)
