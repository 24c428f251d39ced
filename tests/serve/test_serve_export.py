"""Exporting: the base with what was learnt added, everything else as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import HEAD_WIDTH, HEADS, HIDDEN, KEY_HEADS, write_tiny_llama

from freehold.errors import EngineError
from freehold.serve.export import Adapter, export_gguf, read_adapter
from freehold.text.chatml import TEMPLATE
from freehold.train.bases.llama import Llama

pytest.importorskip("gguf")
np = pytest.importorskip("numpy")
RANK, SCALE = 4, 2.0


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("base") / "tiny.gguf")


def _tensors(path: Path) -> dict[str, Any]:
    from gguf import GGUFReader
    from gguf.quants import dequantize

    return {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in GGUFReader(path).tensors}


def _fields(path: Path) -> dict[str, Any]:
    from gguf import GGUFReader

    return {name: field.contents() for name, field in GGUFReader(path).fields.items()}


def _adapter(*names: str, rows: dict[str, int] | None = None) -> Adapter:
    random = np.random.default_rng(0)
    down = {name: random.normal(0, 0.3, (RANK, HIDDEN)).astype(np.float32) for name in names}
    up = {name: random.normal(0, 0.3, ((rows or {}).get(name, HIDDEN), RANK)).astype(np.float32) for name in names}
    return Adapter(SCALE, down, up)


def _rotated(weight: Any, heads: int) -> Any:
    """Row i of llama.cpp's order is row `half * width/2 + pair` of Hugging Face's: written out, one row at a time."""
    width = len(weight) // heads
    order = [
        head * width + half * width // 2 + pair
        for head in range(heads)
        for pair in range(width // 2)
        for half in (0, 1)
    ]
    return weight[order]


def test_an_empty_adapter_changes_the_template_alone(base: Path, tmp_path: Path) -> None:
    out = export_gguf(base, Adapter(1.0, {}, {}), tmp_path / "model.gguf", names=Llama(), chat_template=TEMPLATE)
    before, after = _fields(base), _fields(out)
    assert after.pop("tokenizer.chat_template") == TEMPLATE
    assert before.pop("tokenizer.chat_template") != TEMPLATE
    written = {"general.file_type", "general.quantization_version", "GGUF.kv_count"}
    assert {name: value for name, value in after.items() if name not in written} == {
        name: value for name, value in before.items() if name not in written
    }
    old, new = _tensors(base), _tensors(out)
    assert old.keys() == new.keys()
    assert all(np.array_equal(old[name], new[name]) for name in old)


@pytest.mark.parametrize(("packing", "tolerance"), [("f16", 2e-3), ("q8_0", 1.5e-2)])
def test_what_was_learnt_is_added_where_it_belongs(base: Path, tmp_path: Path, packing: Any, tolerance: float) -> None:
    query, key, value = (f"blk.1.attn_{letter}.weight" for letter in "qkv")
    adapter = _adapter(query, key, value, rows={key: KEY_HEADS * HEAD_WIDTH, value: KEY_HEADS * HEAD_WIDTH})
    out = export_gguf(base, adapter, tmp_path / "model.gguf", names=Llama(), chat_template=TEMPLATE, packing=packing)
    old, new = _tensors(base), _tensors(out)
    learnt = {name: SCALE * adapter.up[name] @ adapter.down[name] for name in (query, key, value)}
    learnt[query], learnt[key] = _rotated(learnt[query], HEADS), _rotated(learnt[key], KEY_HEADS)
    for name, weight in new.items():
        assert np.abs(weight - old[name] - learnt.get(name, 0.0)).max() < (tolerance if name in learnt else 1e-9)
    assert np.abs(learnt[query]).max() > 20 * tolerance


def test_a_failed_export_leaves_nothing(base: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"has no tensor 'blk\.9\.attn_v\.weight'"):
        export_gguf(
            base, _adapter("blk.9.attn_v.weight"), tmp_path / "model.gguf", names=Llama(), chat_template=TEMPLATE
        )
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_of_another_kind_is_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8}), encoding="utf-8")
    with pytest.raises(EngineError, match="cannot be read"):
        read_adapter(tmp_path, Llama())
    weight = np.zeros((4, 8), np.float32)
    save_file({"base_model.model.model.layers.0.conv.lora_A.weight": weight}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(EngineError, match=r"has the layer 'base_model.*conv"):
        read_adapter(tmp_path, Llama())
    one_half = {"base_model.model.model.layers.0.mlp.up_proj.lora_A.weight": weight}
    save_file(one_half, tmp_path / "adapter_model.safetensors")
    with pytest.raises(EngineError, match="not a plain LoRA adapter"):
        read_adapter(tmp_path, Llama())
