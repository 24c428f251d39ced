"""Near duplicates in near-linear time: MinHash (Broder 1997) over character 5-grams, banded, then compared.

Two inputs are alike when the Jaccard similarity of their shingle sets is at least the threshold. Shingles that more
than a fifth of the inputs have say nothing about likeness and are left out, otherwise long shared passages would make
all inputs alike. Short inputs (under SHORT_SHINGLES) are alike only when nothing but case, spacing or closing
punctuation differs: one word makes all the difference there. Long inputs are compared on SKETCH shingles, the lowest
by hash, which estimates the same figure.

With 12 bands of 6 rows a pair at 0.9 is found with probability 0.9999, at 0.8 with 0.97. Not covered: paraphrases.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Flags = NDArray[np.bool_]
    Positions = NDArray[np.int_]

SHINGLE_CHARS = 5
SHORT_SHINGLES = 20
SKETCH = 1024
COMMON_SHARE = 0.2
COMMON_FROM = 50
BANDS, ROWS = 12, 6
_COMPARED = 64
_SLACK = 0.15
_CHUNK = 1000
_SEED = 20261123


class Likeness:
    """Answers which of some texts are alike; positions stand for texts."""

    def __init__(self, texts: Sequence[str], threshold: float) -> None:
        self._threshold = threshold
        self._sets = _shingle_sets([_plain(text) for text in texts])
        self._signatures = _signatures(self._sets)
        self._buckets: dict[tuple[int, bytes], list[int]] = defaultdict(list)
        self._keys: list[list[tuple[int, bytes]]] = []
        for position, signature in enumerate(self._signatures):
            keys = [(band, signature[band * ROWS : (band + 1) * ROWS].tobytes()) for band in range(BANDS)]
            self._keys.append(keys)
            for key in keys:
                self._buckets[key].append(position)

    def find(self, position: int, is_allowed: Callable[[Positions], Flags]) -> int | None:
        """A text like the one at `position` among the allowed ones, or None; never the text itself."""
        import numpy as np

        near = np.array(sorted({i for key in self._keys[position] for i in self._buckets[key]} - {position}), dtype=int)
        near = near[is_allowed(near)]
        if not len(near):
            return None
        guess = (self._signatures[near] == self._signatures[position]).mean(axis=1)
        best = np.argsort(-guess, kind="stable")[:_COMPARED]
        for i in near[best[guess[best] >= self._threshold - _SLACK]]:
            if self._are_alike(self._sets[position], self._sets[i]):
                return int(i)
        return None

    def _are_alike(self, one: Hashes, other: Hashes) -> bool:
        import numpy as np

        if min(len(one), len(other)) < SHORT_SHINGLES:
            return len(one) == len(other) and bool((one == other).all())
        union = np.union1d(one, other)[:SKETCH]
        both = np.isin(union, one, assume_unique=True) & np.isin(union, other, assume_unique=True)
        return bool(both.sum() >= self._threshold * len(union))


def _plain(text: str) -> str:
    """The text without case, spacing, and punctuation at its end."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(" .,;:!?")


def _shingle_sets(texts: Sequence[str]) -> list[Hashes]:
    """For each text its shingles' hashes, sorted, without the common ones; never empty."""
    import numpy as np

    sets = [_shingles(text)[:SKETCH] for text in texts]
    if len(sets) < COMMON_FROM:
        return sets
    hashes, counts = np.unique(np.concatenate(sets), return_counts=True)
    common = hashes[counts > COMMON_SHARE * len(sets)]
    rare = [own[~np.isin(own, common, assume_unique=True)] for own in sets]
    return [own if len(own) else _whole(text) for own, text in zip(rare, texts, strict=True)]


def _shingles(text: str) -> Hashes:
    import numpy as np

    if len(text) < SHINGLE_CHARS:
        return _whole(text)
    chars = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    mixed = np.zeros(len(chars) - SHINGLE_CHARS + 1, dtype=np.uint64)
    for offset in range(SHINGLE_CHARS):
        mixed = mixed * np.uint64(0x100000001B3) + chars[offset : offset + len(mixed)]
    return np.unique(_mix(mixed))


def _whole(text: str) -> Hashes:
    """One hash for a whole text."""
    import hashlib

    import numpy as np

    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def _mix(values: Hashes) -> Hashes:
    import numpy as np

    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ (values >> np.uint64(33))


def _signatures(sets: Sequence[Hashes]) -> Hashes:
    """One row of BANDS x ROWS minimal hashes for each set."""
    import numpy as np

    random = np.random.default_rng(_SEED)
    factors = random.integers(1, 2**63, size=BANDS * ROWS, dtype=np.uint64) | np.uint64(1)
    offsets = random.integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64)
    table = np.empty((len(sets), BANDS * ROWS), dtype=np.uint64)
    for start in range(0, len(sets), _CHUNK):
        chunk = sets[start : start + _CHUNK]
        together = np.concatenate(chunk)
        firsts = np.cumsum([0, *(len(own) for own in chunk[:-1])])
        for row, (factor, offset) in enumerate(zip(factors, offsets, strict=True)):
            hashed = (together * factor + offset) ^ ((together * factor + offset) >> np.uint64(32))
            table[start : start + len(chunk), row] = np.minimum.reduceat(hashed, firsts)
    return table
