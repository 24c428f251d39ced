"""An example: one call made ready for training and proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from freehold.core.exchange import Message

Source = Literal["provider", "correction", "import", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One input and the output that is wanted for it.

    `messages` are what is left of the prompt once the text that all calls share is taken out. `target` is the wanted
    output: a correction where there is one, else the provider's answer. Where that was rated bad and nobody said what
    was wanted, it is known to be wrong, and the source is `rejected`. `incumbent` is the provider's answer, kept so
    that a proof can score both sides against the target. `group` is the user, session or conversation; it never
    crosses a split. `also` are the ids of the other calls with the same input, whose answers were weighed when the
    target was chosen.
    """

    id: str
    messages: tuple[Message, ...]
    target: str
    incumbent: str
    source: Source
    group: str
    created_at: float
    also: tuple[str, ...] = ()

    @property
    def is_rejected(self) -> bool:
        """Whether the target is known to be wrong, and what was wanted is not known."""
        return self.source == "rejected"

    @property
    def is_known(self) -> bool:
        """Whether the target is what people said, and not only what the provider answered."""
        return self.source in ("correction", "import")

    def to_row(self) -> dict[str, Any]:
        """The JSON object that a dataset file holds on one line; without `also` where there are no such calls."""
        also: dict[str, Any] = {"also": list(self.also)} if self.also else {}
        return {
            "id": self.id,
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            "target": self.target,
            "incumbent": self.incumbent,
            "source": self.source,
            "group": self.group,
            "created_at": self.created_at,
            **also,
        }

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Example:
        """Read what `to_row` wrote; KeyError names a missing field."""
        return cls(
            id=row["id"],
            messages=tuple(Message(m["role"], m["content"]) for m in row["messages"]),
            target=row["target"],
            incumbent=row["incumbent"],
            source=row["source"],
            group=row["group"],
            created_at=row["created_at"],
            also=tuple(row.get("also", ())),
        )
