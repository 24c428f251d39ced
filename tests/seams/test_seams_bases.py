"""Bases of other packages: the GGUF's architecture names one, and training and export go by what it says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_llama import HIDDEN, write_dataset, write_tiny_llama

from freehold.errors import DataError, SettingError, TrainError
from freehold.model import Example, Message
from freehold.serve.export import export_gguf, read_adapter
from freehold.system.gguf import architecture_of
from freehold.text.chatml import TEMPLATE
from freehold.train import Recipe, fit
from freehold.train.bases import Shape, base_of
from freehold.train.bases.llama import Llama
from freehold.train.trainers.lora.batches import encode

pytest.importorskip("gguf")
np = pytest.importorskip("numpy")
Offer = Callable[[str, str, str], None]


@pytest.fixture
def mirror(offer: Offer, tmp_path: Path) -> Path:
    """A base of another package's architecture."""
    offer("bases", "mirror", "seams.bases_of_others:Mirror")
    return write_tiny_llama(tmp_path / "mirror.gguf", architecture="mirror")


def test_the_architecture_of_a_file_names_its_base(mirror: Path, tmp_path: Path) -> None:
    assert architecture_of(mirror) == "mirror"
    assert type(base_of(mirror)).__name__ == "Mirror"
    assert isinstance(base_of(write_tiny_llama(tmp_path / "tiny.gguf")), Llama)


def test_what_is_no_base_is_one_line(offer: Offer, tmp_path: Path) -> None:
    offer("bases", "broken", "no_such_module_here:Base")
    with pytest.raises(TrainError, match="of the architecture 'falcon'"):
        base_of(write_tiny_llama(tmp_path / "other.gguf", architecture="falcon"))
    with pytest.raises(SettingError, match="'broken' of bases cannot be loaded"):
        base_of(write_tiny_llama(tmp_path / "broken.gguf", architecture="broken"))
    with pytest.raises(TrainError, match="cannot be read"):
        base_of(tmp_path / "nothing.gguf")
    (tmp_path / "zip.gguf").write_bytes(b"PK\3\4")
    with pytest.raises(DataError, match="is not a GGUF file"):
        base_of(tmp_path / "zip.gguf")
    (tmp_path / "bare.gguf").write_bytes(b"GGUF" + (3).to_bytes(4, "little") + bytes(16))
    with pytest.raises(DataError, match="does not name its architecture"):
        base_of(tmp_path / "bare.gguf")


def test_examples_are_spelled_as_the_base_reads_them(mirror: Path) -> None:
    example = Example(
        id="e", messages=(Message("user", "Hi"),), target="a", incumbent="a", source="import", group="g", created_at=0.0
    )
    (encoded,), _ = encode([example], lambda texts: [list(text.encode()) for text in texts], 99, base_of(mirror))
    assert (bytes(encoded.prompt), bytes(encoded.answer)) == (b"Hi?", b"a.")


def test_an_export_names_weights_as_the_base_does(mirror: Path, tmp_path: Path) -> None:
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from safetensors.numpy import save_file

    random, layer = np.random.default_rng(0), "base_model.model.model.layers.0.self_attn.o_proj"
    sides = {
        side: random.normal(0, 0.3, shape).astype(np.float32)
        for side, shape in (("A", (4, HIDDEN)), ("B", (HIDDEN, 4)))
    }
    save_file(
        {f"{layer}.lora_{side}.weight": value for side, value in sides.items()}, tmp_path / "adapter_model.safetensors"
    )
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8}), "utf-8")
    base = base_of(mirror)
    out = export_gguf(
        mirror,
        read_adapter(tmp_path, base),
        tmp_path / "out.gguf",
        names=base,
        chat_template=base.template,
        packing="f16",
    )
    before, after = (
        {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in GGUFReader(path).tensors}
        for path in (mirror, out)
    )
    changed = [name for name in after if np.abs(after[name] - before[name]).max() > 1e-2]
    assert changed == ["blk.1.attn_output.weight"]
    assert GGUFReader(out).fields["tokenizer.chat_template"].contents() == base.template != TEMPLATE


@pytest.mark.train
def test_the_trainer_asks_the_base_of_another_package(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own process, where the package is installed."""
    site = tmp_path / "site" / "mirror-1.0.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: mirror\nVersion: 1.0\n", "utf-8")
    (site / "entry_points.txt").write_text("[freehold.bases]\nmirror = seams.bases_of_others:Mirror\n", "utf-8")
    folders = [str(site.parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, folders)))
    with pytest.raises(TrainError, match="is ever trained"):
        fit(write_dataset(tmp_path / "data"), mirror, tmp_path / "out", Recipe(), lambda _progress: None)


def test_a_training_of_fewer_layers_needs_less_memory() -> None:
    shape = Shape(split_rule="", weights=1, layers=4, hidden=8, inner=16, heads=2)
    counts = [Llama().layers(shape, Recipe(lora_layers=layers)).count for layers in (0, 3, 9)]
    assert counts == [4, 3, 4]
