"""The layers below the adapters: their states are computed once per example and kept.

Nothing that is learnt changes them, so that each further pass over the examples, and each look at the dev split, needs
the layers with adapters alone. States are computed in groups of like length that do not depend on the batches, so that
a training that was resumed learns from the same numbers. Where there is not room for all, those of the first examples
are kept and the others are computed each time.

Not covered: the layers with adapters (`trainer`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from freehold.train.trainers.lora.batches import Encoded

MOST_BYTES = 2**30
_GROUP = 8


class LowerLayers:
    """The first `count` layers of a model's body, with its embedding; `examples` are those that come again and again.

    `most_bytes` bounds what is kept.
    """

    def __init__(
        self, body: Any, count: int, examples: Sequence[Encoded], *, group_tokens: int, most_bytes: int = MOST_BYTES
    ) -> None:
        self._part = body_of(body, body.layers[:count], nn.Identity())
        self._width = int(body.embed_tokens.weight.shape[1])
        self._device = body.embed_tokens.weight.device
        self._kept: dict[Encoded, Tensor] = {}
        self._group_of: dict[Encoded, Sequence[Encoded]] = {}
        if count:
            itemsize = body.embed_tokens.weight.dtype.itemsize
            self._group(examples, group_tokens, most_bytes // (self._width * itemsize))

    def states(self, batch: Sequence[Encoded]) -> Tensor:
        """What comes out of the lower layers. Shape: (examples, tokens of the longest, width), padded at the right."""
        if any(example not in self._group_of for example in batch):
            return self._computed(batch)
        for example in batch:
            if example not in self._kept:
                group = self._group_of[example]
                for member, states in zip(group, self._computed(group), strict=True):
                    self._kept[member] = states[: len(member)].clone()
        return nn.utils.rnn.pad_sequence([self._kept[example] for example in batch], batch_first=True)

    @torch.no_grad()
    def _computed(self, batch: Sequence[Encoded]) -> Tensor:
        longest = max(len(example) for example in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        for row, example in enumerate(batch):
            ids[row, : len(example)] = torch.tensor(example.prompt + example.answer)
        states: Tensor = self._part(input_ids=ids.to(self._device), use_cache=False).last_hidden_state
        return states

    def _group(self, examples: Sequence[Encoded], group_tokens: int, room: int) -> None:
        """Put examples of like length together, as far as there is room for the states of so many tokens."""
        kept: list[Encoded] = []
        for example in dict.fromkeys(examples):
            room -= len(example)
            if room < 0:
                break
            kept.append(example)
        group: list[Encoded] = []
        for example in sorted(kept, key=len):
            if len(group) == _GROUP or (len(group) + 1) * len(example) > group_tokens:
                group = []
            group.append(example)
            self._group_of[example] = group


def kept_bytes(examples: Sequence[Encoded], width: int, itemsize: int) -> int:
    """How much is kept of these examples, at most; `width` values of `itemsize` bytes for each token."""
    return min(MOST_BYTES, width * itemsize * sum(map(len, examples)))


def body_of(body: Any, layers: Sequence[nn.Module], norm: nn.Module) -> Any:
    """A model's body that has these of its layers and this norm at the end; all parts are shared with it."""
    part = copy.copy(body)
    part._modules = {**body._modules, "layers": nn.ModuleList(layers), "norm": norm}
    part.config = copy.copy(body.config)
    part.config.num_hidden_layers = len(layers)
    return part
