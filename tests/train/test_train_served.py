"""What is trained is what is served: a tiny model all the way, and the real base's tokenizer where it is at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import write_dataset, write_tiny_llama

from freehold.model import Message
from freehold.model.dataset_folder import read_split
from freehold.serve import answer_all, check_parity, export_gguf, read_adapter, serving
from freehold.serve.ask import post
from freehold.serve.engines.llamacpp.engine import LlamaCpp
from freehold.serve.export import Adapter, Packing
from freehold.text.chatml import TEMPLATE, escape, render, turns
from freehold.train import Recipe, Trained, fit
from freehold.train.bases.llama import Llama

pytestmark = [pytest.mark.train, pytest.mark.engine, pytest.mark.slow]
pytest.importorskip("torch")
pytest.importorskip("xllamacpp")
TEXTS = (
    "Order 12345 of 3.5 kg,  two  spaces and\ttabs\n\n\nnew lines",
    "Grüße aus Köln, ça va? ¿Qué tal? Żółć 你好 😀👍🏽 ﷽",
    "don't I'll we've DON'T x_y camelCase https://a.b/c?d=e&f=%20 {\"k\": [1, 2.0, -3e5]}",
    "   leading and trailing   ",
    "\u00a0no\u2009break\u3000spaces \u200bzero\r\nwindows",
    "<|im_start|>system\nspecial tokens in the text<|im_end|>\n",
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("base") / "tiny.gguf")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"), examples=96)


@pytest.fixture(scope="module")
def trained(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    recipe = Recipe(max_steps=60, epochs=100.0, learning_rate=1e-2, precision="fp32")
    return fit(data, base, tmp_path_factory.mktemp("job") / "out", recipe, lambda _progress: None)


@pytest.mark.parametrize(("packing", "bound"), [("f16", 0.01), ("q8_0", 0.4)])
def test_a_served_model_is_the_trained_one(
    trained: Trained, base: Path, data: Path, tmp_path: Path, packing: Packing, bound: float
) -> None:
    adapter = read_adapter(trained.adapter_dir, Llama())
    gguf = export_gguf(base, adapter, tmp_path / "model.gguf", names=Llama(), chat_template=TEMPLATE, packing=packing)
    examples = read_split(data, "dev")
    with serving(LlamaCpp, gguf, log=tmp_path / "log", threads=1, slots=2) as url:
        parity = check_parity(trained.path, examples, LlamaCpp, url)
        answers = answer_all([url], [example.prompt for example in examples], max_tokens=16)
        letters = len(examples[0].target)  # each is a token of this base, and the end is one more
        limited = [answer_all([url], [examples[0].prompt], max_tokens=letters + n)[0] for n in (0, 1)]
    assert parity.is_ok, parity.reason
    assert parity.same_prompts == parity.prompts == len(examples)
    assert parity.tokens > 30
    assert parity.relative_difference is not None
    assert parity.relative_difference < bound
    assert [answer.text for answer in answers] == [example.target for example in examples]
    assert all(answer.is_whole for answer in answers)
    assert [answer.is_whole for answer in limited] == [False, True]
    assert {answer.text for answer in limited} == {examples[0].target}


def test_the_uppermost_layers_alone_can_be_trained(base: Path, data: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    recipe = Recipe(max_steps=60, epochs=100.0, learning_rate=1e-2, precision="fp32", lora_layers=1)
    trained = fit(data, base, tmp_path / "out", recipe, lambda _progress: None)
    tensors = load_file(trained.adapter_dir / "adapter_model.safetensors")
    last = max(int(name.split("layers.")[1].split(".")[0]) for name in tensors)
    assert last > 0
    assert all(f"layers.{last}." in name for name in tensors)
    config = json.loads((trained.adapter_dir / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["layers_to_transform"] == [last]
    assert trained.dev_curve[-1][1] < trained.dev_curve[0][1]
    gguf = export_gguf(
        base, read_adapter(trained.adapter_dir, Llama()), tmp_path / "model.gguf", names=Llama(), chat_template=TEMPLATE
    )
    with serving(LlamaCpp, gguf, log=tmp_path / "log", threads=1, slots=2) as url:
        parity = check_parity(trained.path, read_split(data, "dev"), LlamaCpp, url)
    assert parity.is_ok, parity.reason


@pytest.mark.parametrize(
    ("template", "has_adapter", "words"),
    [(TEMPLATE, False, "of the model's doubt"), ("{{ messages[0]['content'] }}", True, "has other token ids")],
)
def test_a_model_exported_wrongly_does_not_pass(
    trained: Trained, base: Path, data: Path, tmp_path: Path, template: str, has_adapter: bool, words: str
) -> None:
    adapter = read_adapter(trained.adapter_dir, Llama()) if has_adapter else Adapter(1.0, {}, {})
    gguf = export_gguf(base, adapter, tmp_path / "model.gguf", names=Llama(), chat_template=template)
    with serving(LlamaCpp, gguf, log=tmp_path / "log", threads=1, slots=1) as url:
        parity = check_parity(trained.path, read_split(data, "dev")[:4], LlamaCpp, url)
    assert not parity.is_ok
    assert words in parity.reason


def test_the_real_base_is_tokenized_as_llama_cpp_does(tmp_path: Path) -> None:
    """Runs where FREEHOLD_BASE names a state folder with smollm2-135m."""
    path = _real_base()
    from freehold.train.trainers.lora.adapters import tokenize_with

    tokenize = tokenize_with(Llama().load_tokenizer(path, Llama().read_shape(path)))
    with serving(LlamaCpp, path, log=tmp_path / "log", threads=1, slots=1) as url:
        assert [_engine_ids(url, text) for text in TEXTS] == tokenize(list(TEXTS))


def test_no_text_makes_a_control_token_of_the_real_base(tmp_path: Path) -> None:
    """Runs where FREEHOLD_BASE names a state folder with smollm2-135m."""
    path = _real_base()
    from freehold.train.trainers.lora.adapters import tokenize_with

    tokenize = tokenize_with(Llama().load_tokenizer(path, Llama().read_shape(path)))
    control = range(17)
    spelled = _spelled(path, control)
    texts = [*spelled, *(a + b for a in spelled for b in ("<|im_", "end|>", "\nassistant\n")), "".join(spelled)]
    with serving(LlamaCpp, path, log=tmp_path / "log", threads=1, slots=1) as url:
        for text in texts:
            messages = [Message("system", f"{text}a"), Message("user", text), Message("assistant", f"<|{text}|>")]
            messages += [Message("user<|im_end|>", "end|>")]
            rendered = _post(url, "/apply-template", {"messages": turns(messages)})["prompt"]
            ids = _engine_ids(url, rendered)
            assert rendered == render(messages)
            assert [token for token in ids if token in control] == [1, 2] * len(messages) + [1]
            assert tokenize([rendered])[0] == ids
            assert not set(_engine_ids(url, escape(text))) & set(control)
    assert len(texts) == 17 + 3 * 17 + 1


def _real_base() -> Path:
    folder = Path(os.environ.get("FREEHOLD_BASE", "")) / "bases" / "smollm2-135m"
    path = next(folder.glob("*.gguf"), None)
    if path is None:
        pytest.skip("FREEHOLD_BASE names no folder with the base; `freehold pull smollm2-135m` fetches it")
    return path


def _spelled(path: Path, ids: range) -> list[str]:
    from gguf import GGUFReader

    tokens = GGUFReader(path).fields["tokenizer.ggml.tokens"]
    return [bytes(tokens.parts[tokens.data[number]]).decode() for number in ids]


def _engine_ids(url: str, text: str) -> list[int]:
    ids: list[int] = _post(url, "/tokenize", {"content": text, "add_special": False, "parse_special": True})["tokens"]
    return ids


def _post(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(post(url, path, json.dumps(body).encode()).body)
    return answer
