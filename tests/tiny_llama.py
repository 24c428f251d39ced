"""A Llama of two small layers and random weights, written as a GGUF: small enough to train and serve in seconds."""

from __future__ import annotations

import json
from pathlib import Path

HIDDEN, INNER, LAYERS, HEADS, KEY_HEADS, HEAD_WIDTH = 64, 128, 2, 4, 2, 16
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def write_tiny_llama(
    path: Path, *, seed: int = 0, architecture: str = "llama", special: tuple[str, ...] = SPECIAL
) -> Path:
    """Write the model; equal seeds give equal bytes."""
    import numpy as np
    from gguf import GGUFWriter, TokenType

    writer = GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(2048)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(HEAD_WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(0)
    tokens = [*special, *_byte_characters(), "Ġt"]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL] * len(special) + [TokenType.NORMAL] * (len(tokens) - len(special)))
    writer.add_token_merges(["Ġ t"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template("{{ 'not this one' }}")
    random = np.random.default_rng(seed)

    def put(name: str, *shape: int, scale: float) -> None:
        writer.add_tensor(name, random.normal(0.0, scale, shape).astype(np.float32))

    put("token_embd.weight", len(tokens), HIDDEN, scale=0.3)
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, np.float32))
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{norm}.weight", np.ones(HIDDEN, np.float32))
        put(f"blk.{layer}.attn_q.weight", HEADS * HEAD_WIDTH, HIDDEN, scale=0.2)
        put(f"blk.{layer}.attn_k.weight", KEY_HEADS * HEAD_WIDTH, HIDDEN, scale=0.2)
        put(f"blk.{layer}.attn_v.weight", KEY_HEADS * HEAD_WIDTH, HIDDEN, scale=0.2)
        put(f"blk.{layer}.attn_output.weight", HIDDEN, HEADS * HEAD_WIDTH, scale=0.2)
        put(f"blk.{layer}.ffn_gate.weight", INNER, HIDDEN, scale=0.2)
        put(f"blk.{layer}.ffn_up.weight", INNER, HIDDEN, scale=0.2)
        put(f"blk.{layer}.ffn_down.weight", HIDDEN, INNER, scale=0.2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_dataset(folder: Path, *, examples: int = 48, dev: int = 12, name: str = "tiny") -> Path:
    """A dataset of a task that a tiny model can learn: answer the colour that the text names."""
    folder.mkdir(parents=True, exist_ok=True)
    colours = ("red", "blue", "green")
    rows = [
        {
            "id": f"e{i}",
            "messages": [{"role": "user", "content": f"Item {i % 17} is {colours[i % 3]} now"}],
            "target": colours[i % 3],
            "incumbent": colours[i % 3],
            "source": "provider",
            "group": f"g{i}",
            "created_at": float(i),
        }
        for i in range(examples + dev)
    ]
    for split, part in (("train", rows[:examples]), ("dev", rows[examples:]), ("proof", [])):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    manifest = {"hash": name, "task": name, "task_id": name, "kind": "label"}
    manifest |= {key: {} for key in ("template", "counts", "dropped", "files")}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _byte_characters() -> list[str]:
    """The characters that stand for the 256 bytes in a byte-level vocabulary."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    spelled = {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [spelled[byte] for byte in range(256)]
