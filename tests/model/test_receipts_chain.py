"""The chain: whatever is changed, removed, added or exchanged is found; what cannot be found without a head is said."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.errors import DataError, UsageError
from freehold.model.ids import sha256_hex
from freehold.model.receipt import GENESIS, START, Head, Receipt, read_head, read_lines, receipt_of, seal, verify

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.text(max_size=5), JSON, max_size=4)


def chain(*documents: dict[str, object]) -> list[Receipt]:
    """A chain of receipts that say this."""
    made: list[Receipt] = []
    for number, document in enumerate(documents):
        last = Head(made[-1].number, made[-1].hash) if made else START
        kind = "verdict" if number % 2 else "route"
        made.append(seal(last, kind=kind, task_id=f"t{number % 3}", document=document, created_at=1.5 + number))
    return made


def head_of(made: list[Receipt]) -> Head:
    return Head(made[-1].number, made[-1].hash)


def sealed_anew(made: list[Receipt], start: int) -> list[Receipt]:
    """The chain with everything from a position on sealed again, as somebody would who forges it."""
    new = made[:start]
    for receipt in made[start:]:
        last = head_of(new) if new else START
        new.append(
            seal(
                last,
                kind=receipt.kind,
                task_id=receipt.task_id,
                document=json.loads(receipt.document),
                created_at=receipt.created_at,
            )
        )
    return new


FIVE = chain(*({"n": n, "text": "ä\u2028\x00😀"} for n in range(5)))
FILE = b"".join(receipt.line.encode() + b"\n" for receipt in FIVE)


def problems(found: list[Receipt | str], head: Head | None = None) -> list[str]:
    return list(verify(found, head))


def file_problems(content: bytes, head: Head | None = None) -> list[str]:
    return list(verify(read_lines(io.BytesIO(content)), head))


@given(st.lists(DOCUMENTS, max_size=4))
def test_a_chain_is_whole_and_comes_back_from_its_file_as_it_was(documents: list[dict[str, object]]) -> None:
    made = chain(*documents)
    parsed = list(read_lines([receipt.line.encode() + b"\n" for receipt in made]))
    assert parsed == made
    assert problems(made, head_of(made) if made else START) == []
    assert [json.loads(receipt.document) for receipt in made] == documents


def test_the_hash_is_of_the_line_without_it() -> None:
    for receipt in FIVE:
        assert receipt.line.startswith(f'{{"hash":"{receipt.hash}",')
        assert sha256_hex("{" + receipt.line[75:]) == receipt.hash
        assert json.loads(receipt.line) == json.loads(receipt.text) | {"hash": receipt.hash}
    assert FIVE[0].previous == GENESIS


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_any_changed_byte_of_a_file_is_found(place: int, byte: int) -> None:
    assert file_problems(FILE) == []
    assert file_problems(FILE[:place] + bytes([FILE[place] ^ byte]) + FILE[place + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(FILE) - 1), st.binary(min_size=1, max_size=3))
def test_any_removed_or_added_bytes_are_found(place: int, added: bytes) -> None:
    assert file_problems(FILE[:place] + FILE[place + 1 :])
    assert file_problems(FILE[:place] + added + FILE[place:])


@settings(deadline=None)
@given(st.integers(0, 4), st.sampled_from(["number", "previous", "hash", "created_at", "kind", "task_id", "document"]))
def test_any_changed_field_is_found(position: int, name: str) -> None:
    values = {
        "number": 9,
        "previous": "a" * 64,
        "hash": "a" * 64,
        "created_at": 99.0,
        "kind": "route" if FIVE[position].kind == "verdict" else "verdict",
        "task_id": "other",
        "document": '{"n":9}',
    }
    made = list(FIVE)
    made[position] = replace(made[position], **{name: values[name]})
    assert problems(made)


@settings(deadline=None)
@given(st.data())
def test_removal_exchange_and_repetition_are_found_where_they_are(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, 3))
    removed = FIVE[:position] + FIVE[position + 1 :]
    assert f"receipt {position + 1} is missing" in problems(removed)
    other = data.draw(st.integers(0, 4).filter(lambda other: other != position))
    swapped = list(FIVE)
    swapped[position], swapped[other] = swapped[other], swapped[position]
    assert problems(swapped)
    twice = FIVE[: position + 1] + FIVE[position:]
    assert problems(twice) == [f"receipt {position + 1} is there twice"]
    strange = chain({"strange": True}, *({"n": n} for n in range(5)))
    assert problems([*FIVE[: position + 1], strange[position + 1], *FIVE[position + 1 :]])


@given(st.integers(0, 4))
def test_a_cut_tail_and_a_chain_sealed_anew_are_found_with_a_head_alone(position: int) -> None:
    head = head_of(FIVE)
    assert problems(FIVE[:position]) == [], "nothing in the chain itself can tell"
    assert problems(FIVE[:position], head) == [
        f"receipt 5 of the head is not there: the chain ends with {position}, its end was cut off"
    ]
    made = list(FIVE)
    made[position] = replace(made[position], document='{"n":99}')
    assert problems(made)
    forged = sealed_anew(made, position)
    assert problems(forged) == [], "a chain sealed anew is whole: this is what a head is for"
    assert "the head says" in problems(forged, head)[0]
    grown = [*FIVE, seal(head, kind="route", task_id="t", document={}, created_at=9.0)]
    assert problems(grown, head) == [], "a chain may grow after its head was kept"
    assert problems(FIVE, Head(5, head.hash[:16])) == []
    assert problems([], START) == []


HOSTILE: tuple[tuple[bytes, str], ...] = (
    (b"\n", "not JSON"),
    (b"[]\n", "has not the fields"),
    (b"{}\n", "has not the fields"),
    (b"\xff\xfe\n", "not JSON"),
    (b"[" * 100_000 + b"\n", "not JSON"),
    (FIVE[0].line.encode(), "no line break"),
    (FIVE[0].line.encode().replace(b'"created_at":1.5', b'"created_at":NaN') + b"\n", "not JSON"),
    (FIVE[0].line.encode().replace(b'"created_at":1.5', b'"created_at":1e999') + b"\n", "time is not a number"),
    (FIVE[0].line.encode().replace(b'"created_at":1.5', b'"created_at":1.50') + b"\n", "in another way"),
    (
        FIVE[0].line.encode().replace(b'"hash":"' + FIVE[0].hash.encode() + b'"', b'"hash":' + b"1" * 64) + b"\n",
        "not text",
    ),
    (FIVE[0].line.encode().replace(b'"number":1', b'"number":true') + b"\n", "whole number"),
    (FIVE[0].line.encode().replace(b'"number":1', b'"number":' + b"1" * 5000) + b"\n", "not JSON"),
    (FIVE[0].line.encode().replace(b'"kind":"route"', b'"kind":"edict"') + b"\n", "no kind 'edict'"),
    (FIVE[0].line.encode().replace(b'"n":0', b'"n":0,"n":0') + b"\n", "in another way"),
    (FIVE[0].line.encode() + b" " * (16 * 2**20) + b"\n", "longer than"),
)


def test_hostile_lines_are_problems_in_words() -> None:
    for line, words in HOSTILE:
        (problem,) = verify(read_lines([line]))
        assert words in problem, line[:80]
        assert "\n" not in problem
    assert len(HOSTILE) == 15


def test_stored_values_of_any_type_are_receipts_or_words() -> None:
    good = {name: getattr(FIVE[0], name) for name in ("number", "previous", "hash", "created_at", "kind", "task_id")}
    good["document"] = FIVE[0].document
    assert receipt_of(good) == FIVE[0]
    for name in good:
        for value in (None, b"x", 1.5, -1, "x", [], True):
            found = receipt_of({**good, name: value})
            assert isinstance(found, str) or name in ("task_id", "document", "created_at")
    assert receipt_of({}) == "its number is not a whole number from 1"


@pytest.mark.parametrize("text", ["", "5", "5:abc", ":", "x:" + "a" * 64, "5:" + "A" * 64, "1" * 40 + ":" + "a" * 64])
def test_what_is_no_head_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError, match="is not the head"):
        read_head(text)


def test_a_head_is_read_as_it_is_printed() -> None:
    head = head_of(FIVE)
    assert read_head(f" {head}\n") == head
    with pytest.raises(ValueError, match="Out of range float"):
        seal(START, kind="route", task_id="t", document={"x": float("nan")}, created_at=1.0)
    with pytest.raises(DataError, match="was changed"):
        _ = replace(FIVE[0], document="[1]").content
