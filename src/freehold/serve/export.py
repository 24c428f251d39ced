"""Write a trained model as one GGUF: the base with its adapter merged in.

Metadata, tokenizer and untouched tensors are copied from the base as they are; adapted weights are unpacked, added to
and packed again. No torch is involved, so that the parity check compares two independent ways to the same model.

Q8_0 is the default: as close to the trained weights as F16 for every answer that was compared, and the fastest here
(see the measurements in docs/log.md). Not covered: how the layers of a base are
named (`train.bases`), layers with a bias.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from freehold.errors import EngineError, MissingExtraError, StateError
from freehold.system.gguf import check_gguf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

Packing = Literal["q8_0", "f16"]
_PREFIX, _DOWN, _UP = "base_model.model.model.", ".lora_A.weight", ".lora_B.weight"
_DERIVED = (
    "GGUF.",
    "general.architecture",
    "general.file_type",
    "general.quantization_version",
    "tokenizer.chat_template",
)
"""Keys that the writer sets itself."""


class Names(Protocol):
    """How GGUF has a base's linear layers (`train.bases.Base`)."""

    def gguf_name(self, layer: str) -> str | None:
        """The tensor's name of a layer like `layers.3.self_attn.q_proj`; None for no layer of the base."""

    def rotated_heads(self, tensor: str, heads: int, key_heads: int) -> int:
        """How many heads a tensor has whose rows GGUF orders in pairs and transformers in halves; 0: the same order."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter by GGUF tensor name: what to add to a weight is scale * up @ down, shapes (out, r) and (r, in)."""

    scale: float
    down: dict[str, Matrix]
    up: dict[str, Matrix]


def read_adapter(folder: Path, names: Names) -> Adapter:
    """Read an adapter in PEFT's format; EngineError when it is damaged or has layers that the base has not."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "adapter_model.safetensors")
        scale = float(config["lora_alpha"]) / int(config["r"])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise EngineError(f"The adapter in {str(folder)!r} cannot be read: {error}.", hint="Train again.") from error
    down = {_gguf_name(name, _DOWN, names): value for name, value in tensors.items() if name.endswith(_DOWN)}
    up = {_gguf_name(name, _UP, names): value for name, value in tensors.items() if name.endswith(_UP)}
    if down.keys() != up.keys() or len(down) + len(up) != len(tensors):
        raise EngineError(f"The adapter in {str(folder)!r} is not a plain LoRA adapter.", hint="Train again.")
    return Adapter(scale, down, up)


def export_gguf(
    base: Path, adapter: Adapter, out: Path, *, names: Names, chat_template: str, packing: Packing = "q8_0"
) -> Path:
    """Write the merged model to `out`, wholly or not at all; returns `out`."""
    if find_spec("gguf") is None:
        raise MissingExtraError("engine", "Exporting a model")
    from gguf import GGUFReader

    check_gguf(base)
    reader = GGUFReader(base)
    known = {tensor.name for tensor in reader.tensors}
    unknown = sorted(adapter.down.keys() - known)
    if unknown:
        raise EngineError(f"The base {base.name!r} has no tensor {unknown[0]!r}.", hint="Export with the trained base.")
    part = out.with_name(out.name + ".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _write(reader, adapter, part, names, chat_template, packing)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StateError(
            f"{str(out)!r} cannot be written: {error}.", hint="Free some space, or check rights."
        ) from error
    return out


def _write(reader: Any, adapter: Adapter, path: Path, names: Names, chat_template: str, packing: Packing) -> None:
    from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter, LlamaFileType
    from gguf.quants import dequantize

    architecture = str(_value(reader, "general.architecture"))
    writer = GGUFWriter(path, architecture)
    for name, field in reader.fields.items():
        if not name.startswith(_DERIVED):
            sub_type = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=sub_type)
    writer.add_chat_template(chat_template)
    writer.add_quantization_version(2)
    is_q8 = packing == "q8_0"
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0 if is_q8 else LlamaFileType.MOSTLY_F16)
    wanted = GGMLQuantizationType.Q8_0 if is_q8 else GGMLQuantizationType.F16
    heads = int(_value(reader, f"{architecture}.attention.head_count"))
    key_heads = int(_value(reader, f"{architecture}.attention.head_count_kv", heads))
    for tensor in reader.tensors:
        if tensor.name not in adapter.down:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
            continue
        up = adapter.up[tensor.name]
        rotated = names.rotated_heads(tensor.name, heads, key_heads)
        if rotated:
            up = _interleave(up, rotated)
        merged = dequantize(tensor.data, tensor.tensor_type) + adapter.scale * (up @ adapter.down[tensor.name])
        _add_packed(writer, tensor.name, merged, wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_packed(writer: Any, name: str, weight: Matrix, wanted: Any) -> None:
    """Pack as wanted, or as F16 where a row does not divide into the packing's blocks."""
    import numpy as np
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import quantize

    fits = weight.shape[-1] % GGML_QUANT_SIZES[wanted][0] == 0
    kind = wanted if fits else GGMLQuantizationType.F16
    writer.add_tensor(name, quantize(weight.astype(np.float32), kind), raw_dtype=kind)


def _interleave(rows: Matrix, heads: int) -> Matrix:
    """From Hugging Face's order of a head's rows (halves) to llama.cpp's (pairs), for the rotary embedding."""
    return rows.reshape(heads, 2, len(rows) // heads // 2, -1).swapaxes(1, 2).reshape(rows.shape)


def _gguf_name(name: str, ending: str, names: Names) -> str:
    found = names.gguf_name(name.removeprefix(_PREFIX).removesuffix(ending)) if name.startswith(_PREFIX) else None
    if found is None:
        raise EngineError(f"The adapter has the layer {name!r}, which the base has not.", hint="Train again.")
    return found


def _value(reader: Any, key: str, default: int | None = None) -> Any:
    field = reader.get_field(key)
    if field is None and default is None:
        raise EngineError(f"The base has no {key!r}.", hint="Choose a base of the Llama family, such as smollm2-135m.")
    return default if field is None else field.contents()
