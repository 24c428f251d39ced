"""Low-rank adapters on a frozen base, with kernels of our own: what trains here on two CPU cores.

Importing this loads no torch; the program does (`worker`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ENVIRONMENT = {
    # Memory freed is kept for the next step: giving it back costs a page fault per 4 KiB, a fifth of the time. Blocks
    # of more than 32 MiB, rare and large enough to leave holes, are given back.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "MALLOC_ARENA_MAX": "1",
    # Waiting threads sleep instead of spinning: beside any other busy process, spinning is up to ten times slower.
    "OMP_WAIT_POLICY": "passive",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


class Lora:
    """Trains in `python -m freehold.train.trainers.lora.worker`."""

    needs = ("torch", "transformers", "accelerate", "gguf", "safetensors")

    def command(self, folder: Path, parent: int) -> list[str]:
        """This Python, with the worker."""
        return [sys.executable, "-m", "freehold.train.trainers.lora.worker", str(folder), str(parent)]

    def environment(self) -> Mapping[str, str]:
        """What makes it fast, and quiet."""
        return ENVIRONMENT
