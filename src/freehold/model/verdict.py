"""A verdict: the outcome of a proof, with its evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from freehold.model.evidence.evidence import Evidence
from freehold.model.live_baseline import LiveBaseline

Decision = Literal["move", "hold", "need"]
Contract = Literal["A", "B"]
NeedOf = Literal["calls", "labels"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What may be done with a task's traffic, and why.

    `need` is the number of further calls that a decision needs, for the decision `need` alone; where `need_of` is
    `labels`, of pairs that people have to compare. `threshold` is the least confidence at which the owned answer is
    used (None: none was proven); `coverage` is the share of proof calls above it. `contract` says what `risk`
    bounds: A, P(local and wrong), or B, P(wrong | local). `withheld` are the slices that stay with the provider
    (`label:refund`, `length:long`, `language:de`). `head` is the confidence head as JSON. `attempt` counts the
    proofs of this task, from 1, and `level` is the share of alpha and of delta that this one may spend. `used`
    names the proof calls that it used up. `model_sha256` is the SHA-256 of the file that was served and asked, and
    `answers` the count and the last seal of the answers that it gave. `expected` is what live traffic is compared with
    later. `evidence` is the document that holds every figure that the report shows, as it was written: what receipts
    are sealed over. Whoever wants a figure takes it from `figures`, and what `expected` says from `baseline`.
    """

    id: str
    task_id: str
    model_id: str
    model_sha256: str = ""
    dataset_hash: str
    decision: Decision
    need: int | None = None
    need_of: NeedOf = "calls"
    threshold: float | None = None
    coverage: float | None = None
    margin: float
    risk: float
    contract: Contract = "A"
    withheld: tuple[str, ...] = ()
    attempt: int = 1
    level: float = 1.0
    used: dict[str, object] = field(default_factory=dict)
    answers: dict[str, object] = field(default_factory=dict)
    expected: dict[str, object] = field(default_factory=dict)
    head: dict[str, object] = field(default_factory=dict)
    evidence: dict[str, object] = field(default_factory=dict)
    report_path: str = ""
    created_at: float = 0.0

    @cached_property
    def figures(self) -> Evidence:
        """The figures of the evidence."""
        return Evidence.from_json(self.evidence)

    @cached_property
    def baseline(self) -> LiveBaseline:
        """The figures of `expected`."""
        return LiveBaseline.from_json(self.expected)

    @property
    def words(self) -> str:
        """The verdict as it is spoken: `move`, `hold`, `need 212 more` or `need 40 more labels`."""
        if self.decision != "need":
            return self.decision
        return f"need {self.need} more{' labels' if self.need_of == 'labels' else ''}"
