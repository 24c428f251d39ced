"""Static parts are cut out of bodies and put back, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.store.bodies import fold, unfold

PIECES = st.binary(min_size=0, max_size=12)


@given(
    body=st.binary(max_size=200),
    static=st.lists(PIECES, max_size=5),
    spans=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 60)), max_size=4),
)
def test_unfold_undoes_fold(body: bytes, static: list[bytes], spans: list[tuple[int, int]]) -> None:
    parts = [*static, *(body[start : start + size] for start, size in spans)]
    rest, cuts, slices = fold(body, parts)
    assert unfold(rest, cuts, slices) == body
    assert len(rest) + sum(len(slices[digest]) for _, digest in cuts) == len(body)


@given(before=PIECES, part=st.binary(min_size=20, max_size=60), after=PIECES)
def test_a_part_that_is_there_is_cut_out(before: bytes, part: bytes, after: bytes) -> None:
    rest, cuts, slices = fold(before + part + after, [part])
    assert len(cuts) == 1
    assert len(rest) == len(before) + len(after)
    assert list(slices.values()) == [part]


def test_a_missing_slice_is_not_passed_over() -> None:
    rest, cuts, _ = fold(b"aa SYSTEM bb", [b"SYSTEM"])
    with pytest.raises(KeyError):
        unfold(rest, cuts, {})
