"""Keeping the static parts of request bodies once.

A long system prompt or tool table stands in every request of an application. `fold` cuts such slices out of a body and
names them by content hash; `unfold` puts them back, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from freehold.model.ids import sha256_hex

Cut = tuple[int, str]


def fold(body: bytes, static: Sequence[bytes]) -> tuple[bytes, list[Cut], dict[str, bytes]]:
    """Cut the first occurrence of each slice of `static` out of `body`.

    Returns the rest, the cuts as (offset in the body, hash) in order, and the slices by hash. Slices that are absent
    or that overlap an earlier one are left in place.
    """
    found = sorted((body.find(part), part) for part in set(static) if part)
    rest: list[bytes] = []
    cuts: list[Cut] = []
    slices: dict[str, bytes] = {}
    end = 0
    for offset, part in found:
        if offset < end:
            continue
        digest = sha256_hex(part)
        rest.append(body[end:offset])
        cuts.append((offset, digest))
        slices[digest] = part
        end = offset + len(part)
    rest.append(body[end:])
    return b"".join(rest), cuts, slices


def unfold(rest: bytes, cuts: Sequence[Sequence[object]], slices: Mapping[str, bytes]) -> bytes:
    """Undo `fold`; KeyError names a slice that is missing."""
    whole = bytearray()
    taken = 0
    for cut in cuts:
        offset, digest = int(str(cut[0])), str(cut[1])
        need = offset - len(whole)
        whole += rest[taken : taken + need]
        taken += need
        whole += slices[digest]
    return bytes(whole + rest[taken:])
