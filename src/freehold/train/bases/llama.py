"""The Llama family, with ChatML: SmolLM2 is of it.

Not covered: layers with a bias; bases that lack the two ChatML tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from freehold.errors import TrainError
from freehold.model.exchange import Message
from freehold.system.gguf import check_gguf
from freehold.text.chatml import END, START, TEMPLATE, answer, escape, render
from freehold.train.bases import Shape
from freehold.train.memory import Layers
from freehold.train.recipe import Recipe

_CONTROL_TYPES = (2, 3)
"""The types of tokens that llama.cpp finds by their spelling and that are no text: unknown and control."""
_NAMES = MappingProxyType(
    {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
)


class Llama:
    """Bases of the architecture `llama`."""

    architecture = "llama"
    template = TEMPLATE

    def read_shape(self, gguf: Path) -> Shape:
        """Read a base's metadata; TrainError when it is damaged, or has control tokens that pass as text.

        DataError when it declares what is not there.
        """
        from gguf import GGUFReader

        hint = "Choose a base of the Llama family, such as smollm2-135m."
        try:
            check_gguf(gguf)
            reader = GGUFReader(str(gguf))
            fields = {name: field.contents() for name, field in reader.fields.items() if len(field.types) == 1}
            dangerous = [token for token in _control_tokens(reader) if escape(token) == token]
            if dangerous:
                hint = "Choose a base whose control tokens are spelled like <|im_end|>."
                raise TrainError(
                    f"The base {gguf.name!r} takes {dangerous[0]!r} in a text for a control token.", hint=hint
                )
            _check_sizes(gguf.name, self.architecture, fields, reader)
            return Shape(
                split_rule=str(fields.get("tokenizer.ggml.pre", "")),
                weights=sum(math.prod(int(size) for size in tensor.shape) for tensor in reader.tensors),
                layers=int(fields[f"{self.architecture}.block_count"]),
                hidden=int(fields[f"{self.architecture}.embedding_length"]),
                inner=int(fields[f"{self.architecture}.feed_forward_length"]),
                heads=int(fields[f"{self.architecture}.attention.head_count"]),
            )
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise TrainError(f"The base {gguf.name!r} cannot be read: {error}.", hint=hint) from error

    def load_tokenizer(self, gguf: Path, shape: Shape) -> Any:
        """The base's tokenizer, made to split as llama.cpp does; TrainError where it lacks the ChatML tokens."""
        from tokenizers import pre_tokenizers
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
        if shape.split_rule == "smollm":
            # transformers forgets this rule: every digit is a token of its own, and so is the space before it
            digits = pre_tokenizers.Digits(individual_digits=True)
            rest = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
            tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, rest])
        missing = [token for token in (START, END) if len(tokenizer.encode(token, add_special_tokens=False)) != 1]
        if missing:
            raise TrainError(
                f"The base {gguf.name!r} has no token {missing[0]!r}.", hint="Choose a base with ChatML tokens."
            )
        tokenizer.chat_template = self.template
        return tokenizer

    def load_model(self, gguf: Path, device: Any, dtype: Any) -> Any:
        """The base with dense weights in `dtype`, nothing of it trainable yet."""
        from transformers import AutoModelForCausalLM, GgufConfig

        model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=dtype
        )
        return model.requires_grad_(False).to(device)

    def layers(self, shape: Shape, recipe: Recipe) -> Layers:
        """The uppermost layers, as many as the recipe says."""
        count = min(recipe.lora_layers or shape.layers, shape.layers)
        return Layers(count=count, hidden=shape.hidden, inner=shape.inner, heads=shape.heads, rank=recipe.lora_rank)

    def render(self, messages: Sequence[Message]) -> str:
        """ChatML without a default system text."""
        return render(messages)

    def answer(self, target: str) -> str:
        """The text and the token that ends a turn."""
        return answer(target)

    def gguf_name(self, layer: str) -> str | None:
        """Example: layers.3.self_attn.q_proj is blk.3.attn_q.weight."""
        head, number, part = [*layer.split(".", 2), "", ""][:3]
        return f"blk.{number}.{_NAMES[part]}.weight" if head == "layers" and part in _NAMES else None

    def rotated_heads(self, tensor: str, heads: int, key_heads: int) -> int:
        """The heads of queries and keys, for the rotary embedding."""
        return heads if tensor.endswith("attn_q.weight") else key_heads if tensor.endswith("attn_k.weight") else 0


def _check_sizes(name: str, architecture: str, fields: Mapping[str, Any], reader: Any) -> None:
    """TrainError where a size is declared that no tensor has: weights that are not there would be made up."""
    largest = max((int(size) for tensor in reader.tensors for size in tensor.shape), default=0)
    sizes = {
        key: value for key, value in fields.items() if key.startswith(f"{architecture}.") and isinstance(value, int)
    }
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
