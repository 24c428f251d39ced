"""Adapters on a base: put on its linear layers, and written out again.

What comes out is a plain Hugging Face folder (merged weights, tokenizer, template) and the adapter alone in PEFT's
format, so that nothing of Freehold is needed to use either.

Not covered: how a base is loaded (`train.bases`); GGUF as output (`serve.export`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from freehold.errors import TrainError
from freehold.train.recipe import Precision, Recipe
from freehold.train.trainers.lora.batches import Tokenize
from freehold.train.trainers.lora.kernels import LoraLinear, RmsNorm, SwiGlu, causal_attention

_ATTENTION = "freehold_causal"


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


def tokenize_with(tokenizer: Any) -> Tokenize:
    """Texts to ids, with nothing added."""

    def tokenize(texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    return tokenize


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
