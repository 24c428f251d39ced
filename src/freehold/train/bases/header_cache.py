"""The header of a GGUF, read once for all that is loaded out of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache


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
