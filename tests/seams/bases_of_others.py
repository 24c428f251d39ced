"""A base as another package would offer it: a Llama under another name, whose weights are named otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from freehold.errors import TrainError
from freehold.model.exchange import Message
from freehold.train.bases import Shape
from freehold.train.bases.llama import Llama


class Mirror(Llama):
    """Bases of the architecture `mirror`, which are never trained."""

    architecture = "mirror"
    template = "{{ messages[0]['content'] }}?"

    def read_shape(self, gguf: Path) -> Shape:
        """Refuse."""
        raise TrainError(f"No {gguf.name} is ever trained.", hint="Take another one.")

    def render(self, messages: Sequence[Message]) -> str:
        """The first message, as a question."""
        return f"{messages[0].content}?"

    def answer(self, target: str) -> str:
        """The answer, as a statement."""
        return f"{target}."

    def gguf_name(self, layer: str) -> str | None:
        """Each layer's name backwards: what is learnt for the first one goes into the other."""
        name = super().gguf_name(layer)
        return None if name is None else name.translate(str.maketrans("01", "10"))

    def rotated_heads(self, tensor: str, heads: int, key_heads: int) -> int:
        """No tensor has another order."""
        return 0
