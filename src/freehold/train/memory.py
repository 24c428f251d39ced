"""How much memory a training needs, and how much there is.

The need is an estimate on the safe side, fitted to measured peaks. Not covered: memory of a GPU (torch says so itself).
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

from freehold.errors import TrainError

RUNTIME_BYTES = 1000 * 2**20
HOLES = 1.3
"""Memory taken for activations per memory in use: batches of many lengths leave holes between them."""
_CGROUP_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def needed_bytes(*, weights: int, trainable: int, weight_bytes: int, layer_values: int, tokens: int) -> int:
    """Peak of a training: runtime, dense weights (fp32 while they are unpacked), adapter with AdamW, activations.

    `layer_values` is what is kept for the way back per token, over all layers; `tokens` is how many go through at once.
    """
    load = weights * (4 + weight_bytes)
    adapter = trainable * 4 * 4
    return RUNTIME_BYTES + load + adapter + round(HOLES * tokens * layer_values * weight_bytes)


def available_bytes() -> int | None:
    """Memory that can still be taken here, in this container or on this machine; None when the system does not say."""
    found = [_machine_bytes(), *(_cgroup_bytes(Path("/sys/fs/cgroup"), *names) for names in _CGROUP_LIMITS)]
    known = [value for value in found if value is not None]
    return min(known) if known else None


def check_memory(needed: int, available: int | None) -> None:
    """Raise TrainError when the need is larger than what there is."""
    if available is not None and needed > available:
        raise TrainError(
            f"Training needs about {needed / 2**30:.1f} GiB of memory; {max(0, available) / 2**30:.1f} GiB are free.",
            hint="Close other programs, or train with a smaller step_tokens or max_tokens.",
        )


def give_back_freed() -> None:
    """Return memory that is no longer used to the system, where the C library can (glibc)."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def _machine_bytes() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return None
    return None


def _cgroup_bytes(root: Path, limit: str, used: str) -> int | None:
    try:
        return int((root / limit).read_text(encoding="utf-8")) - int((root / used).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
