"""A GGUF that declares more than it holds is refused before anything of it is read into memory."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest

from freehold.errors import DataError
from freehold.system.gguf import MOST_KEYS, MOST_VALUES, check_gguf

UINT8, STRING, ARRAY = 0, 8, 9
MOST_BYTES = 2**20


def text(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(value) if length is None else length) + value


def array(kind: int, count: int, values: bytes = b"") -> bytes:
    return struct.pack("<IIQ", ARRAY, kind, count) + values


def tensor(shape: tuple[int, ...], offset: int = 0, *, dimensions: int | None = None) -> bytes:
    sides = struct.pack(f"<{len(shape)}Q", *shape)
    count = len(shape) if dimensions is None else dimensions
    return text(b"blk.0.attn_q.weight") + struct.pack("<I", count) + sides + struct.pack("<IQ", 0, offset)


def header(*, version: int = 3, tensors: int = 0, keys: int = 0, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + rest


WHOLE = header(
    tensors=1,
    keys=2,
    rest=text(b"general.architecture")
    + struct.pack("<I", STRING)
    + text(b"llama")
    + text(b"tokenizer.ggml.tokens")
    + array(STRING, 2, text(b"a") + text(b"b"))
    + tensor((4, 2))
    + bytes(64),
)
DAMAGED = {
    "cut off in its counts": (b"GGUF" + struct.pack("<I", 3), "declares 8 bytes of its tensor count where 0 are left"),
    "of another version": (header(version=1), "is of GGUF version 1"),
    "with very many keys": (header(keys=2**60), "declares 1,152,921,504,606,846,976 keys where 0 bytes are left"),
    "with more keys than a model has": (
        header(keys=MOST_KEYS + 1, rest=bytes(13 * MOST_KEYS + 13)),
        "declares 65,537 keys; at most 65,536 are read",
    ),
    "with very many tensors": (header(tensors=2**40), "declares 1,099,511,627,776 tensors"),
    "with a key of no end": (header(keys=1, rest=text(b"name", 2**50) + bytes(32)), "bytes of a key where"),
    "with an array beyond its end": (
        header(keys=1, rest=text(b"k") + array(UINT8, 2**40)),
        "declares 1,099,511,627,776 values in arrays",
    ),
    "with an array a little beyond its end": (
        header(keys=1, rest=text(b"k") + array(UINT8, 100, bytes(99))),
        "declares 100 bytes of an array where 99 are left",
    ),
    "with more texts than there is room for": (
        header(keys=1, rest=text(b"k") + array(STRING, 1000, bytes(7999))),
        "declares 1,000 texts where 7,999 bytes are left",
    ),
    "with an array of arrays": (header(keys=1, rest=text(b"k") + array(ARRAY, 2)), "has an array of the type 9"),
    "with a value of no type": (header(keys=1, rest=text(b"k") + struct.pack("<I", 77)), "of the unknown type 77"),
    "with a tensor of very many sides": (
        header(tensors=1, rest=tensor((1,), dimensions=2**31) + bytes(64)),
        "declares 2,147,483,648 dimensions",
    ),
    "with a tensor larger than the file": (
        header(tensors=1, rest=tensor((2**32, 2**32)) + bytes(64)),
        "declares a tensor of 18,446,744,073,709,551,616 weights at 0, of 64 bytes",
    ),
    "with a tensor beyond the end": (header(tensors=1, rest=tensor((1,), 65) + bytes(64)), "weights at 65, of 64"),
}


def test_a_whole_file_passes(tmp_path: Path) -> None:
    path = tmp_path / "base.gguf"
    path.write_bytes(WHOLE)
    check_gguf(path)


@pytest.mark.parametrize("name", DAMAGED)
def test_a_file_is_refused_in_one_line_and_without_memory(tmp_path: Path, name: str) -> None:
    content, words = DAMAGED[name]
    path = tmp_path / "base.gguf"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            check_gguf(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert words in caught.value.message
    assert "\n" not in str(caught.value)
    assert peak < MOST_BYTES


def test_many_small_values_are_refused_although_the_file_has_room_for_them(tmp_path: Path) -> None:
    path = tmp_path / "base.gguf"
    count = MOST_VALUES + 1
    path.write_bytes(header(keys=1, rest=text(b"k") + array(UINT8, count)))
    with path.open("r+b") as file:
        file.truncate(len(header()) + 4096 + count)  # a sparse file
    with pytest.raises(DataError, match="declares 4,000,001 values in arrays; at most 4,000,000 are read"):
        check_gguf(path)


def test_wherever_a_file_is_cut_in_its_header_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "base.gguf"
    cuts = range(5, len(WHOLE) - 64)
    for size in cuts:
        path.write_bytes(WHOLE[:size])
        with pytest.raises(DataError):
            check_gguf(path)
    assert len(cuts) > 100
