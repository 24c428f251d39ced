"""Whether a GGUF file holds what its header declares, before anything of it is read into memory.

Libraries that read GGUF make an object for each value that a header declares, also for values beyond the end of the
file. Here the header is walked through with the file mapped, and nothing is kept of it: every declared count and length
must fit into what is left of the file, and the counts stay within what a model can have.

    magic, version, tensors, keys      24 bytes
    key: name, type, value             an array's value: type, count, values
    tensor: name, shape, type, offset  the offset counts from the end of the header

Not covered: whether the model is a good one, or of a known architecture (`train.bases`); GGUF version 1, big-endian.
"""

from __future__ import annotations

import math
import mmap
import struct
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

from freehold.errors import DataError

MOST_KEYS = MOST_TENSORS = 65_536
MOST_VALUES = 4_000_000
"""All values of all arrays together; a vocabulary of 256,000 tokens with its merges has about a fifth of it."""
MOST_DIMENSIONS = 8
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_ARCHITECTURE = b"general.architecture"
_SIZES = MappingProxyType({0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8})
"""Bytes of a value, by the number of its type."""
_LEAST_BITS = 1
"""A weight takes more than one bit in every format."""


def check_gguf(path: Path) -> None:
    """DataError where the file is no GGUF or declares what is not there; OSError where it cannot be read."""
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise DataError(f"{path.name!r} is not a GGUF file.", hint="Give the path of a .gguf file.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _Header(path.name, content).check()


def architecture_of(path: Path) -> str:
    """The architecture that a GGUF says it is of, from its first keys; DataError and OSError as `check_gguf`."""
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise DataError(f"{path.name!r} is not a GGUF file.", hint="Give the path of a .gguf file.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Header(path.name, content).architecture()


class _Header:
    """A place in a file's header, which moves on as it is checked."""

    def __init__(self, name: str, content: mmap.mmap) -> None:
        self._name = name
        self._content = content
        self._place = 4
        self._values = 0

    def check(self) -> None:
        tensors, keys = self._counts()
        for _ in range(keys):
            self._skip_text("a key")
            self._skip_value(self._number("<I", "a type"))
        extents = [self._tensor() for _ in range(tensors)]
        left = len(self._content) - self._place
        for offset, weights in extents:
            if offset > left or weights * _LEAST_BITS > 8 * (left - offset):
                self._refuse(f"declares a tensor of {weights:,} weights at {offset:,}, of {left:,} bytes")

    def architecture(self) -> str:
        found = self._find(_ARCHITECTURE)
        if found is None:
            self._refuse("does not name its architecture")
        return found

    def _find(self, wanted: bytes) -> str | None:
        """The text under a key; None where there is none."""
        for _ in range(self._counts()[1]):
            key, kind = self._text("a key"), self._number("<I", "a type")
            if key == wanted and kind == _STRING:
                return self._text("a text").decode("utf-8", "replace")
            self._skip_value(kind)
        return None

    def _counts(self) -> tuple[int, int]:
        """How many tensors and keys it declares."""
        version = self._number("<I", "its version")
        if version not in _VERSIONS:
            self._refuse(f"is of GGUF version {version}, and {' and '.join(map(str, _VERSIONS))} are known")
        tensors = self._count(self._number("<Q", "its tensor count"), MOST_TENSORS, "tensors", least_bytes=24)
        return tensors, self._count(self._number("<Q", "its key count"), MOST_KEYS, "keys", least_bytes=13)

    def _skip_value(self, kind: int) -> None:
        if kind == _STRING:
            self._skip_text("a text")
        elif kind == _ARRAY:
            self._skip_array()
        elif kind in _SIZES:
            self._skip(_SIZES[kind], "a value")
        else:
            self._refuse(f"has a value of the unknown type {kind}")

    def _skip_array(self) -> None:
        kind = self._number("<I", "a type")
        if kind != _STRING and kind not in _SIZES:
            self._refuse(f"has an array of the type {kind}")
        count = self._number("<Q", "the length of an array")
        self._values += count
        self._count(self._values, MOST_VALUES, "values in arrays", least_bytes=0)
        if kind in _SIZES:
            self._skip(count * _SIZES[kind], "an array")
            return
        for _ in range(self._count(count, MOST_VALUES, "texts", least_bytes=8)):
            self._skip_text("a text")

    def _tensor(self) -> tuple[int, int]:
        """Where a tensor's weights begin, and how many there are."""
        self._skip_text("a tensor's name")
        dimensions = self._count(self._number("<I", "a dimension count"), MOST_DIMENSIONS, "dimensions", least_bytes=8)
        weights = math.prod(self._number("<Q", "a dimension") for _ in range(dimensions))
        self._number("<I", "a type")
        return self._number("<Q", "an offset"), weights

    def _number(self, form: str, what: str) -> int:
        begin = self._place
        self._skip(struct.calcsize(form), what)
        return int(struct.unpack_from(form, self._content, begin)[0])

    def _text(self, what: str) -> bytes:
        size_bytes = self._number("<Q", f"the length of {what}")
        begin = self._place
        self._skip(size_bytes, what)
        return self._content[begin : self._place]

    def _skip_text(self, what: str) -> None:
        self._skip(self._number("<Q", f"the length of {what}"), what)

    def _skip(self, size_bytes: int, what: str) -> None:
        left = len(self._content) - self._place
        if size_bytes > left:
            self._refuse(f"declares {size_bytes:,} bytes of {what} where {left:,} are left")
        self._place += size_bytes

    def _count(self, count: int, most: int, what: str, *, least_bytes: int) -> int:
        """The count, where there can be so many, each of `least_bytes` at the least."""
        left = len(self._content) - self._place
        if count * least_bytes > left:
            self._refuse(f"declares {count:,} {what} where {left:,} bytes are left")
        if count > most:
            self._refuse(f"declares {count:,} {what}; at most {most:,} are read")
        return count

    def _refuse(self, what: str) -> NoReturn:
        raise DataError(f"The GGUF file {self._name!r} {what}.", hint="Fetch it again, or choose another base.")
