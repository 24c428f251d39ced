"""A route: where a task's traffic goes now."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from freehold.model.live_baseline import LiveBaseline
from freehold.model.verdict import Contract

RouteKind = Literal["rented", "shadow", "canary", "cascade", "owned"]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One version of a task's route; versions only grow and are never edited.

    A cascade uses the owned answer when its confidence is at least `threshold`. `audit_rate` is the share of locally
    answered calls that the provider is asked about too. `model_sha256` is the SHA-256 of the one file that may be
    served: the one that was proven, or for a shadow the one that was trained. `template` is how the shared prompt text
    is taken out. `head`, `template` and `expected` are the verdict's and the dataset's documents, as they were written;
    what `expected` says is in `baseline`.
    """

    task_id: str
    version: int
    kind: RouteKind
    model_id: str | None = None
    model_path: str | None = None
    model_sha256: str = ""
    verdict_id: str | None = None
    threshold: float | None = None
    audit_rate: float = 0.0
    output_kind: str = "text"
    head: dict[str, object] = field(default_factory=dict)
    template: dict[str, object] = field(default_factory=dict)
    risk: float | None = None
    contract: Contract = "A"
    withheld: tuple[str, ...] = ()
    harm: float | None = None
    shadow_rate: float = 0.0
    expected: dict[str, object] = field(default_factory=dict)
    max_output_tokens: int = 512
    decided_by: str = "person"
    reason: str = ""
    created_at: float = 0.0

    @cached_property
    def baseline(self) -> LiveBaseline:
        """The figures of `expected`."""
        return LiveBaseline.from_json(self.expected)


def rented_route(task_id: str, *, version: int = 0, reason: str = "", created_at: float = 0.0) -> Route:
    """The route of a task that nothing has been proven for."""
    return Route(task_id=task_id, version=version, kind="rented", reason=reason, created_at=created_at)
