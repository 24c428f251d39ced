"""Entries survive whatever happens to the file around them."""

from __future__ import annotations

import msgspec
import pytest
from exchanges import an_exchange
from hypothesis import given
from hypothesis import strategies as st

from freehold.record.entries import UnreadableError, mark_of, read_payload, split, write_entry

MARK = mark_of("a writer")
TEXTS = ("first", "second " * 50, "third", "")


def _segment() -> tuple[bytes, list[tuple[int, int]]]:
    data, places = b"", []
    for text in TEXTS:
        buffer = bytearray()
        write_entry(buffer, MARK, an_exchange(text))
        places.append((len(data), len(data) + len(buffer)))
        data += buffer
    return data, places


DATA, PLACES = _segment()


def _texts(data: bytes, *, is_final: bool = True) -> list[str]:
    pieces = list(split(data, MARK, is_final=is_final))
    assert [piece.start for piece in pieces[1:]] == [piece.end for piece in pieces[:-1]]
    assert not is_final or not data or (pieces[0].start, pieces[-1].end) == (0, len(data))
    return [read_payload(piece.payload).request.tags["row"] for piece in pieces if piece.payload is not None]


def test_what_was_written_is_read() -> None:
    exchange = an_exchange("x", body=b"\0\xff" * 1000, note={"a": "b"})
    buffer = bytearray(b"left from before" * 1000)
    write_entry(buffer, MARK, exchange)
    (piece,) = split(bytes(buffer), MARK, is_final=False)
    assert piece.payload is not None
    assert read_payload(piece.payload) == exchange


@given(st.integers(0, len(DATA)))
def test_a_truncated_segment_gives_the_entries_before_the_cut(cut: int) -> None:
    whole = [text for text, (_, end) in zip(TEXTS, PLACES, strict=True) if end <= cut]
    assert _texts(DATA[:cut]) == whole
    assert _texts(DATA[:cut], is_final=False) == whole
    torn = [piece.is_torn for piece in split(DATA[:cut], MARK, is_final=True) if piece.payload is None]
    assert torn == ([] if cut in {0, *(end for _, end in PLACES)} else [True])


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255), st.booleans())
def test_a_changed_byte_costs_its_own_entry_and_no_other(place: int, change: int, is_final: bool) -> None:
    data = bytearray(DATA)
    data[place] ^= change
    expected = [text for text, (start, end) in zip(TEXTS, PLACES, strict=True) if not start <= place < end]
    assert _texts(bytes(data), is_final=is_final) == expected


@given(st.integers(0, len(DATA)), st.binary(min_size=1, max_size=40), st.integers(0, 60))
def test_bytes_put_in_or_over_cost_only_the_entries_that_they_touch(place: int, junk: bytes, over: int) -> None:
    expected = [
        text
        for text, (start, end) in zip(TEXTS, PLACES, strict=True)
        if end <= place or start >= place + over or (over == 0 and not start < place < end)
    ]
    found = _texts(DATA[:place] + junk + DATA[place + over :])
    assert [text for text in found if text in expected] == expected


@given(st.binary(max_size=300))
def test_any_bytes_at_all_give_nothing_and_no_error(data: bytes) -> None:
    assert _texts(data) == []
    assert _texts(MARK + data) == []


def test_an_entry_inside_a_body_is_not_taken_for_one() -> None:
    forged = bytearray()
    write_entry(forged, mark_of("another writer"), an_exchange("forged"))
    entry = bytearray()
    write_entry(entry, MARK, an_exchange("outer", body=bytes(forged)))
    entry[3] ^= 1
    assert _texts(bytes(entry) + DATA) == list(TEXTS)


def test_texts_that_no_encoding_takes_are_kept_with_question_marks() -> None:
    exchange = an_exchange(note={"odd\ud800": "\udfff"})
    odd = msgspec.structs.replace(
        exchange, request=msgspec.structs.replace(exchange.request, user_key="u\ud800", path="/\udc80")
    )
    buffer = bytearray()
    write_entry(buffer, MARK, odd)
    (piece,) = split(bytes(buffer), MARK, is_final=False)
    assert piece.payload is not None
    read = read_payload(piece.payload)
    assert (read.request.user_key, read.request.path, read.response.note) == ("u?", "/?", {"odd?": "?"})


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x83", b"\x80", b"\x90" * 100_000])
def test_a_payload_that_is_no_exchange(payload: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_payload(payload)
