"""The fast parts compute what the stock parts compute, forwards and backwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_llama import write_tiny_llama

from freehold.train.bases.llama import Llama
from freehold.train.recipe import Recipe

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning"),  # peft asks transformers so
]
torch = pytest.importorskip("torch")
TEXTS = ((5, 6, 7, 8, 9, 10, 11, 12), (20, 21, 22, 23, 24))
RECIPE = Recipe(lora_rank=4, lora_alpha=8.0, precision="fp32")


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("base") / "tiny.gguf")


@pytest.fixture
def stock(gguf: Path) -> Any:
    return Llama().load_model(gguf, torch.device("cpu"), torch.float32)


@pytest.fixture
def fast(gguf: Path) -> Any:
    """The same base with adapters whose second half is not zero, so that they matter."""
    from freehold.train.trainers.lora.adapters import adapters, add_adapters

    model = Llama().load_model(gguf, torch.device("cpu"), torch.float32)
    add_adapters(model, RECIPE)
    generator = torch.Generator().manual_seed(1)
    for layer in adapters(model).values():
        layer.up.data.normal_(0.0, 0.05, generator=generator)
    return model


def _peft(stock: Any, fast: Any) -> Any:
    """The stock base under PEFT with the adapters of `fast`."""
    from peft import LoraConfig, get_peft_model

    from freehold.train.trainers.lora.adapters import adapters

    config = LoraConfig(r=RECIPE.lora_rank, lora_alpha=int(RECIPE.lora_alpha), target_modules="all-linear")
    wrapped = get_peft_model(stock, config)
    for name, layer in adapters(fast).items():
        module = wrapped.base_model.model.get_submodule(name)
        module.lora_A["default"].weight.data.copy_(layer.down)
        module.lora_B["default"].weight.data.copy_(layer.up)
    return wrapped


def _padded() -> tuple[Any, Any]:
    width = max(map(len, TEXTS))
    ids = torch.tensor([[*text, *[0] * (width - len(text))] for text in TEXTS])
    real = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in TEXTS])
    return ids, real


def test_adapted_model_and_its_gradients_equal_those_of_peft(stock: Any, fast: Any) -> None:
    from freehold.train.trainers.lora.adapters import adapters
    from freehold.train.trainers.lora.kernels import answer_loss

    peft = _peft(stock, fast)
    ids, real = _padded()
    wanted = torch.cat([ids[row, 1 : len(text)] for row, text in enumerate(TEXTS)])
    places = torch.cat([torch.arange(len(text) - 1) + row * ids.shape[1] for row, text in enumerate(TEXTS)])

    logits = peft(input_ids=ids, attention_mask=real).logits.reshape(-1, stock.config.vocab_size)[places]
    stock_loss = torch.nn.functional.cross_entropy(logits, wanted)
    stock_loss.backward()
    hidden = fast.model(input_ids=ids, use_cache=False).last_hidden_state.reshape(-1, stock.config.hidden_size)
    loss = answer_loss(hidden[places], fast.lm_head.weight, wanted, scale=1.0 / len(wanted))
    loss.backward()

    assert loss.item() == pytest.approx(stock_loss.item(), abs=1e-5)
    checked = 0
    for name, layer in adapters(fast).items():
        module = peft.base_model.model.get_submodule(name)
        torch.testing.assert_close(layer.down.grad, module.lora_A["default"].weight.grad, atol=1e-5, rtol=1e-3)
        torch.testing.assert_close(layer.up.grad, module.lora_B["default"].weight.grad, atol=1e-5, rtol=1e-3)
        checked += 1
    assert checked == 14


@pytest.mark.parametrize("tokens", [12, 300])
def test_short_and_long_texts_attend_alike(tokens: int) -> None:
    from freehold.train.trainers.lora.kernels import LONGEST_PLAIN_ATTENTION, causal_attention

    assert (tokens > LONGEST_PLAIN_ATTENTION) == (tokens == 300)
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 4, tokens, 16, generator=generator)
    key, value = (torch.randn(2, 2, tokens, 16, generator=generator) for _ in range(2))
    scores = query @ key.repeat_interleave(2, 1).transpose(2, 3) * 0.25
    scores = scores.masked_fill(torch.ones(tokens, tokens, dtype=torch.bool).triu(1), -torch.inf)
    wanted = (scores.softmax(-1) @ value.repeat_interleave(2, 1)).transpose(1, 2)
    torch.testing.assert_close(causal_attention(query, key, value, scale=0.25), wanted, atol=1e-5, rtol=1e-4)


def test_the_loss_is_the_same_however_many_rows_are_taken_at_once() -> None:
    from freehold.train.trainers.lora.kernels import LOSS_ROWS, answer_loss, answer_scores

    generator = torch.Generator().manual_seed(0)
    rows = 2 * LOSS_ROWS + 3
    hidden = torch.randn(rows, 8, generator=generator, requires_grad=True)
    head, wanted = torch.randn(50, 8, generator=generator), torch.arange(rows) % 50
    loss = answer_loss(hidden, head, wanted, scale=1.0 / rows)
    loss.backward()
    plain = hidden.detach().clone().requires_grad_()
    stock = torch.nn.functional.cross_entropy(plain @ head.t(), wanted)
    stock.backward()
    assert loss.item() == pytest.approx(stock.item(), rel=1e-5)
    torch.testing.assert_close(hidden.grad, plain.grad, atol=1e-6, rtol=1e-4)
    logprobs, is_top = answer_scores(hidden.detach(), head, wanted)
    assert -logprobs.mean().item() == pytest.approx(stock.item(), rel=1e-5)
    assert torch.equal(is_top, (hidden @ head.t()).argmax(-1) == wanted)


def test_a_saved_adapter_is_one_that_peft_reads(stock: Any, fast: Any, tmp_path: Path) -> None:
    from peft import PeftModel

    from freehold.train.trainers.lora.adapters import save_adapter

    save_adapter(fast, RECIPE, tmp_path)
    peft = PeftModel.from_pretrained(stock, tmp_path)
    ids = torch.tensor([TEXTS[0]])
    torch.testing.assert_close(peft(ids).logits, fast(ids).logits, atol=1e-4, rtol=1e-3)
