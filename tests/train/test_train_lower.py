"""The layers below the adapters: computed once, and the same as if they were computed each time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from freehold.train.recipe import Recipe
from freehold.train.trainers.lora.adapters import add_adapters
from freehold.train.trainers.lora.batches import Encoded
from freehold.train.trainers.lora.lower import LowerLayers, body_of
from freehold.train.trainers.lora.trainer import Trainer

CPU = torch.device("cpu")


def _model() -> Any:
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        attn_implementation="eager",
    )
    return LlamaForCausalLM(config).requires_grad_(False)


def _examples(count: int) -> list[Encoded]:
    return [Encoded(tuple(range(1 + i, 4 + 2 * i)), (30 + i, 2)) for i in range(count)]


def _ids(examples: list[Encoded]) -> torch.Tensor:
    longest = max(len(example) for example in examples)
    return torch.tensor([[*e.prompt, *e.answer, *[0] * (longest - len(e))] for e in examples])


def test_states_are_those_of_the_whole_body_and_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    body, examples = _model().model, _examples(5)
    lower = LowerLayers(body, 2, examples, group_tokens=100)
    computed: list[int] = []
    whole = LowerLayers._computed
    monkeypatch.setattr(
        LowerLayers, "_computed", lambda self, batch: (computed.append(len(batch)), whole(self, batch))[1]
    )
    expected = body(input_ids=_ids(examples), output_hidden_states=True).hidden_states[2]
    for _ in range(2):
        states = lower.states(examples)
        for row, example in enumerate(examples):
            torch.testing.assert_close(states[row, : len(example)], expected[row, : len(example)])
    assert computed == [5]


def test_what_there_is_no_room_for_is_computed_each_time() -> None:
    body, examples = _model().model, _examples(6)
    room = 16 * 4 * sum(len(example) for example in examples[:2])
    lower = LowerLayers(body, 2, examples, group_tokens=100, most_bytes=room)
    plain = LowerLayers(body, 2, [], group_tokens=100)
    for batch in (examples[:2], examples[1:4], examples[4:]):
        torch.testing.assert_close(lower.states(batch)[0, : len(batch[0])], plain.states(batch)[0, : len(batch[0])])
    assert set(lower._kept) == set(examples[:2])


def test_a_step_is_the_same_whether_states_are_kept_or_not() -> None:
    losses = []
    for known in ([], _examples(6)):
        model = _model()
        recipe = Recipe(lora_layers=2, lora_rank=2, batch_size=3, precision="fp32")
        trainer = Trainer(model, add_adapters(model, recipe), recipe, CPU, known)
        steps = [trainer.take_step(_examples(6)[i : i + 3], 0.2) for i in (0, 3, 0, 3)]
        losses.append([*steps, trainer.check(_examples(6))[0]])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0][2] < losses[0][0]


def test_the_upper_part_shares_the_layers_and_leaves_the_body_whole() -> None:
    body = _model().model
    upper = body_of(body, body.layers[3:], body.norm)
    assert len(body.layers) == 4
    assert body.config.num_hidden_layers == 4
    assert upper.layers[0] is body.layers[3]
