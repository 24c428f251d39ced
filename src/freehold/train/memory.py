"""How much memory a training needs, and how much there is.

The need is an estimate on the safe side, fitted to measured peaks. Not covered: memory of a GPU (torch says so itself).
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from freehold.errors import TrainError

RUNTIME_BYTES = 600 * 2**20
"""The interpreter, torch and the tokenizer."""
TAKEN_PER_KEPT = 1.8
"""Memory taken in a step per value kept for the way back: copies that live for a moment, and the holes that batches of
many lengths leave behind. Measured: 1.53 for one batch, 1.71 for batches of several lengths."""
LONGEST_PLAIN_ATTENTION = 256
"""Tokens of a text up to which attention is two plain products (`kernels.causal_attention`)."""
_CGROUP_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The layers with adapters: how many, their widths, their attention heads, and the rank of the adapters."""

    count: int
    hidden: int
    inner: int
    heads: int
    rank: int

    @property
    def trainable(self) -> int:
        """Values that are learnt: two matrices of the rank at each linear layer."""
        return self.rank * self.count * (11 * self.hidden + 3 * self.inner)

    def kept(self, lengths: Sequence[int]) -> int:
        """Values that are kept for the way back when texts of these lengths go through together, padded to the longest.

        For each token of a layer: seven vectors of the hidden width (the inputs of norms and projections, queries, keys
        and values), three of the inner width, one value for each adapter's rank; and for each head a weight for every
        token of the text, as long as attention is computed as two plain products, or one more vector.
        """
        longest = max(lengths, default=0)
        attention = self.heads * longest if longest <= LONGEST_PLAIN_ATTENTION else self.hidden
        each = 7 * self.hidden + 3 * self.inner + 7 * self.rank + attention
        return self.count * each * longest * len(lengths)


def needed_bytes(*, weights: int, weight_bytes: int, layers: Layers, kept: int) -> int:
    """Peak of a training: the larger of loading the base and of a step; `kept` are the values of the largest step.

    While it is loaded, the base is there in fp32 and in the numbers of the training. In a step it is there once, beside
    the adapter with its gradient and AdamW's two moments.
    """
    load = weights * (4 + weight_bytes)
    step = weights * weight_bytes + layers.trainable * 4 * 4 + round(TAKEN_PER_KEPT * kept * weight_bytes)
    return RUNTIME_BYTES + max(load, step)


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
