"""A base as torch sees it: loaded from its GGUF, fitted with adapters, and written out again.

What comes out is a plain Hugging Face folder (merged weights, tokenizer, template) and the adapter alone in PEFT's
format, so that nothing of Freehold is needed to use either.

Not covered: architectures other than Llama's (SmolLM2 is one); GGUF as output (`serve.export`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from freehold.errors import TrainError
from freehold.system.gguf import check_gguf
from freehold.text.chatml import END, START, TEMPLATE, escape
from freehold.train.recipe import Precision, Recipe
from freehold.train.trainers.lora.batches import Tokenize
from freehold.train.trainers.lora.kernels import LoraLinear, RmsNorm, SwiGlu, causal_attention

_ATTENTION = "freehold_causal"
_CONTROL_TYPES = (2, 3)
"""The types of tokens that llama.cpp finds by their spelling and that are no text: unknown and control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a base's GGUF says about itself; `split_rule` names how text is cut before it becomes tokens."""

    split_rule: str
    weights: int
    layers: int
    hidden: int
    inner: int
    heads: int


@contextmanager
def reading_once() -> Iterator[None]:
    """Read the header of a GGUF once for all that is loaded inside.

    transformers 5.24 reads it anew for configuration, tokenizer and weights, 6 seconds each time for SmolLM2's 98,000
    texts, and makes gguf's map of tensor names anew for each module: 8 seconds for 397 of them.
    """
    import gguf

    reader, name_map = gguf.GGUFReader, gguf.get_tensor_name_map
    gguf.GGUFReader = lru_cache(reader)
    gguf.get_tensor_name_map = lru_cache(name_map)
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map = reader, name_map


def read_shape(gguf: Path) -> Shape:
    """Read a base's metadata; TrainError when it is damaged, no Llama, or has control tokens that pass as text.

    DataError when it declares what is not there.
    """
    from gguf import GGUFReader

    hint = "Choose a base of the Llama family, such as smollm2-135m."
    try:
        check_gguf(gguf)
        reader = GGUFReader(str(gguf))
        fields = {name: field.contents() for name, field in reader.fields.items() if len(field.types) == 1}
        architecture = fields["general.architecture"]
        if architecture != "llama":
            raise TrainError(f"The base {gguf.name!r} is of the architecture {architecture!r}.", hint=hint)
        dangerous = [token for token in _control_tokens(reader) if escape(token) == token]
        if dangerous:
            hint = "Choose a base whose control tokens are spelled like <|im_end|>."
            raise TrainError(f"The base {gguf.name!r} takes {dangerous[0]!r} in a text for a control token.", hint=hint)
        _check_sizes(gguf.name, fields, reader)
        return Shape(
            split_rule=str(fields.get("tokenizer.ggml.pre", "")),
            weights=sum(math.prod(int(size) for size in tensor.shape) for tensor in reader.tensors),
            layers=int(fields["llama.block_count"]),
            hidden=int(fields["llama.embedding_length"]),
            inner=int(fields["llama.feed_forward_length"]),
            heads=int(fields["llama.attention.head_count"]),
        )
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise TrainError(f"The base {gguf.name!r} cannot be read: {error}.", hint=hint) from error


def _check_sizes(name: str, fields: Mapping[str, Any], reader: Any) -> None:
    """TrainError where a size is declared that no tensor has: weights that are not there would be made up."""
    largest = max((int(size) for tensor in reader.tensors for size in tensor.shape), default=0)
    sizes = {key: value for key, value in fields.items() if key.startswith("llama.") and isinstance(value, int)}
    for key, size in sizes.items():
        if not key.endswith("context_length") and not 0 <= size <= largest:
            raise TrainError(
                f"The base {name!r} declares {key} = {size:,}, and its largest tensor has a side of {largest:,}.",
                hint="Fetch it again, or choose another base.",
            )


def _control_tokens(reader: Any) -> list[str]:
    """The tokens of a base that are no text, as they are spelled."""
    types: list[int] = reader.fields["tokenizer.ggml.token_type"].contents()
    tokens = reader.fields["tokenizer.ggml.tokens"]
    places = [place for place, kind in enumerate(types) if kind in _CONTROL_TYPES]
    return [bytes(tokens.parts[tokens.data[place]]).decode("utf-8", "replace") for place in places]


def device_and_dtype(precision: Precision) -> tuple[torch.device, torch.dtype]:
    """A GPU where there is one; bf16 where the hardware multiplies it, fp32 elsewhere."""
    if torch.cuda.is_available():
        has_bf16, device = torch.cuda.is_bf16_supported(), torch.device("cuda")
    else:
        has_bf16, device = _cpu_has_bf16(), torch.device("cpu")
    use_bf16 = precision == "bf16" or (precision == "auto" and has_bf16)
    return device, torch.bfloat16 if use_bf16 else torch.float32


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags))


def load_tokenizer(gguf: Path, split_rule: str) -> Any:
    """The base's tokenizer, made to split as llama.cpp does; TrainError where it lacks the ChatML tokens."""
    from tokenizers import pre_tokenizers

    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    if split_rule == "smollm":
        # transformers forgets this rule: every digit is a token of its own, and so is the space before it
        digits = pre_tokenizers.Digits(individual_digits=True)
        rest = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, rest])
    missing = [token for token in (START, END) if len(tokenizer.encode(token, add_special_tokens=False)) != 1]
    if missing:
        raise TrainError(
            f"The base {gguf.name!r} has no token {missing[0]!r}.", hint="Choose a base with ChatML tokens."
        )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def tokenize_with(tokenizer: Any) -> Tokenize:
    """Texts to ids, with nothing added."""

    def tokenize(texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    return tokenize


def load_model(gguf: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """The base with dense weights in `dtype`, nothing of it trainable yet."""
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=dtype
    )
    return model.requires_grad_(False).to(device)


def add_adapters(model: Any, recipe: Recipe) -> list[nn.Parameter]:
    """Put an adapter on every linear layer and faster parts in place of the stock ones; returns what is trained.

    With `recipe.lora_layers` the layers below the uppermost ones stay as they are.
    """
    generator = torch.Generator().manual_seed(recipe.seed)
    body = model.model
    first = recipe.first_trained(len(body.layers))
    for name, module in list(body.named_modules()):
        if isinstance(module, nn.Linear) and _layer(name) >= first:
            if "bias" in dict(module.named_parameters()):
                raise TrainError(f"The base's layer {name!r} has a bias.", hint="Choose a base such as smollm2-135m.")
            _replace(body, name, LoraLinear(module, recipe.lora_rank, recipe.lora_alpha, generator))
    for name, module in list(body.named_modules()):
        if hasattr(module, "variance_epsilon"):
            _replace(body, name, RmsNorm(module.weight, module.variance_epsilon))
        elif name.endswith(".mlp") and model.config.hidden_act == "silu":
            _replace(body, name, SwiGlu(module.gate_proj, module.up_proj, module.down_proj))
    _use_causal_attention(model)
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _layer(name: str) -> int:
    """The number of the layer that a module of the body lies in, from 0. Example: layers.7.mlp.up_proj is in 7."""
    return int(name.split(".")[1])


def _replace(root: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(root.get_submodule(parent), leaf, new)


def _use_causal_attention(model: Any) -> None:
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    def attend(
        _module: nn.Module, query: Tensor, key: Tensor, value: Tensor, _mask: None, *, scaling: float, **_rest: object
    ) -> tuple[Tensor, None]:
        return causal_attention(query, key, value, scale=scaling), None

    def no_mask(*_args: object, **_rest: object) -> None:
        return None

    ALL_ATTENTION_FUNCTIONS.register(_ATTENTION, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(_ATTENTION, no_mask)
    model.set_attn_implementation(_ATTENTION)


def adapters(model: Any) -> dict[str, LoraLinear]:
    """The adapted layers by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, LoraLinear)}


def save_adapter(model: Any, recipe: Recipe, folder: Path) -> None:
    """Write the adapter as PEFT would."""
    from safetensors.torch import save_file

    layers = adapters(model)
    tensors: dict[str, Tensor] = {}
    for name, layer in layers.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = layer.down.detach().cpu().contiguous()
        tensors[f"base_model.model.{name}.lora_B.weight"] = layer.up.detach().cpu().contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": recipe.lora_rank,
        "lora_alpha": recipe.lora_alpha,
        "target_modules": sorted({name.rpartition(".")[2] for name in layers}),
        "layers_to_transform": sorted({_layer(name.removeprefix("model.")) for name in layers}),
        "bias": "none",
        "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


def save_merged(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write the merged weights as a Hugging Face folder, float16: three bits finer than bf16 for what was learnt."""
    for name, layer in adapters(model).items():
        out_features, in_features = layer.weight.shape
        linear = nn.Linear(in_features, out_features, bias=False, device="meta")
        linear.weight = nn.Parameter(layer.merged().half(), requires_grad=False)
        _replace(model, name, linear)
    model.set_attn_implementation("sdpa")
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
