"""Bases: open models by their architecture, and what a training and an export must know of each.

A base is a GGUF file, whose header names its architecture; that is its name in the table. Packages offer more of them
as entry points of the group `freehold.bases` (`freehold.plugins`), and `train.base` takes the path of any `.gguf`.

Not covered: fetching a base (`serve.base`), what is put on it to be trained (`train.trainers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from freehold.errors import TrainError
from freehold.model.exchange import Message
from freehold.plugins import BASES
from freehold.system.gguf import architecture_of
from freehold.train.memory import Layers
from freehold.train.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a base's GGUF says about itself; `split_rule` names how text is cut before it becomes tokens."""

    split_rule: str
    weights: int
    layers: int
    hidden: int
    inner: int
    heads: int


class Base(Protocol):
    """One architecture; it is made without arguments, and importing it loads no torch.

    What it loads are objects of transformers: a tokenizer, and a causal language model whose body is `model.model`,
    with `layers` and a `norm` after them.
    """

    template: str
    """The prompt's template in Jinja, as an engine and transformers apply it to `text.chatml.turns`."""

    def read_shape(self, gguf: Path) -> Shape:
        """Read a base's metadata; TrainError where it cannot be trained, DataError where it declares what is not there.

        A base whose control tokens pass through `text.chatml.escape` must be refused.
        """

    def load_tokenizer(self, gguf: Path, shape: Shape) -> Any:
        """The tokenizer, which splits as an engine does, with the template; TrainError where it lacks a token."""

    def load_model(self, gguf: Path, device: Any, dtype: Any) -> Any:
        """The base with dense weights on a `torch.device`, in a `torch.dtype`; nothing of it trainable yet."""

    def layers(self, shape: Shape, recipe: Recipe) -> Layers:
        """The layers that have adapters, from which the memory that a training needs is reckoned."""

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt for messages up to where the answer begins: the template's text, exactly."""

    def answer(self, target: str) -> str:
        """The text that the model learns to write after the prompt, with the token that ends it."""

    def gguf_name(self, layer: str) -> str | None:
        """The tensor's name in GGUF of a linear layer like `layers.3.self_attn.q_proj`; None for no layer of its."""

    def rotated_heads(self, tensor: str, heads: int, key_heads: int) -> int:
        """How many heads a tensor has whose rows GGUF orders in pairs and transformers in halves; 0: the same order."""


def base_of(gguf: Path) -> Base:
    """The base that a file is of; TrainError where its architecture is in no table, or it cannot be read.

    DataError for a file that is no GGUF, SettingError where the base's package cannot be loaded.
    """
    hint = "Choose a base of the Llama family, such as smollm2-135m."
    try:
        architecture = architecture_of(gguf)
    except OSError as error:
        raise TrainError(f"The base {gguf.name!r} cannot be read: {error}.", hint=hint) from error
    if architecture not in BASES.names():
        raise TrainError(f"The base {gguf.name!r} is of the architecture {architecture!r}.", hint=hint)
    with BASES.errors_of(architecture):
        base: Base = BASES.load(architecture)()
    return base
