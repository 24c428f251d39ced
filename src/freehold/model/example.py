"""An example: one call made ready for training and proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from freehold.model.exchange import Message
from freehold.model.prompt import Prompt
from freehold.text.scoring import is_acceptable

Source = Literal["provider", "correction", "import", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One input and the output that is wanted for it.

    `messages` are what is left of the prompt once the text that all calls share is taken out. `target` is the wanted
    output: a correction where there is one, else the provider's answer. Where that was rated bad and nobody said what
    was wanted, it is known to be wrong, and the source is `rejected`. `incumbent` is the provider's answer, kept so
    that a proof can score both sides against the target. `group` is the user, session or conversation; it never
    crosses a split. `also` are the ids of the other calls with the same input, whose answers were weighed when the
    target was chosen. `traits` say of what kind the request is (`text.traits`), and `response_format` is what it asks
    for, as canonical JSON, where that names a schema.

    A held-out call whose answer can be no target is kept for the proof, which is about all calls: `aside` names the
    reason (`tool_calls`, `refusal`, `cut_off`, ...). What was wanted is not known then; `target` is only blank, of the
    form that is wanted, and compared with nothing. `messages` are empty where no owned model is ever asked.
    """

    id: str
    messages: tuple[Message, ...]
    target: str
    incumbent: str
    source: Source
    group: str
    created_at: float
    also: tuple[str, ...] = ()
    aside: str = ""
    traits: tuple[str, ...] = ()
    response_format: str = ""

    @property
    def prompt(self) -> Prompt:
        """What an owned model is asked."""
        return Prompt(messages=self.messages, response_format=self.response_format or None)

    @property
    def is_aside(self) -> bool:
        """Whether nobody knows what was wanted, as the provider gave no answer that could be it."""
        return bool(self.aside)

    @property
    def is_askable(self) -> bool:
        """Whether the gateway would ask an owned model."""
        return bool(self.messages)

    def takes(self, kind: str, text: str) -> bool:
        """Whether the gateway would give this out as an answer of that kind, as far as its form goes."""
        return is_acceptable(kind, text, self.response_format or None)

    @property
    def is_rejected(self) -> bool:
        """Whether the target is known to be wrong, and what was wanted is not known."""
        return self.source == "rejected"

    @property
    def is_known(self) -> bool:
        """Whether the target is what people said, and not only what the provider answered."""
        return self.source in ("correction", "import")

    def to_row(self) -> dict[str, Any]:
        """The JSON object that a dataset file holds on one line; without what is empty of the last four."""
        more: dict[str, Any] = {
            "also": list(self.also),
            "aside": self.aside,
            "traits": list(self.traits),
            "response_format": self.response_format,
        }
        return {
            "id": self.id,
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            "target": self.target,
            "incumbent": self.incumbent,
            "source": self.source,
            "group": self.group,
            "created_at": self.created_at,
            **{name: value for name, value in more.items() if value},
        }
