"""Receipts: what was decided, one after the other, each sealed by a hash over itself and the one before it.

    text   {"created_at":…,"document":{…},"kind":…,"number":…,"previous":…,"task_id":…}   keys sorted, no spaces, UTF-8
    hash   SHA-256 of the text
    line   {"hash":"…",  and then the text after its first brace: one line of an exported file

`number` counts from 1 without gaps and `previous` is the hash of the receipt before, 64 zeros for the first. Whoever
changes, removes, adds or exchanges receipts breaks the chain at that place, unless everything from there on is sealed
anew. The chain alone cannot tell that, nor that its end was cut off: for this a head, the newest number and hash, has
to be known from elsewhere. Not covered: what a receipt says (`model.statement`), where receipts are kept (`store`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn, get_args

from freehold.errors import DataError, UsageError
from freehold.model.ids import canonical_json, sha256_hex

Kind = Literal["verdict", "route", "watch"]
GENESIS = "0" * 64
LONGEST_LINE_BYTES = 16 * 2**20
_LEAST_HEAD_CHARS = 16
_FIELDS = frozenset({"hash", "created_at", "document", "kind", "number", "previous", "task_id"})
_HASH = re.compile(r"[0-9a-f]{64}")
_HEAD = re.compile(rf"(\d{{1,9}}):([0-9a-f]{{{_LEAST_HEAD_CHARS},64}})")
_SHOWN_CHARS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One link of the chain; `document` is canonical JSON, kept as the text that was sealed."""

    number: int
    previous: str
    hash: str
    created_at: float
    kind: Kind
    task_id: str
    document: str

    @property
    def content(self) -> dict[str, Any]:
        """The document as values; DataError when it is no JSON object, which only a changed one is not."""
        try:
            content = json.loads(self.document)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise DataError(
                f"Receipt {self.number} was changed: what it says is no JSON object.",
                hint="Run: freehold receipts verify",
            )
        return content

    @property
    def text(self) -> str:
        """What the hash is taken over."""
        return (
            f'{{"created_at":{json.dumps(self.created_at)},"document":{self.document},"kind":{canonical_json(self.kind)},'
            f'"number":{self.number},"previous":{canonical_json(self.previous)},'
            f'"task_id":{canonical_json(self.task_id)}}}'
        )

    @property
    def line(self) -> str:
        """The receipt as a line of an exported file, without the line break."""
        return f'{{"hash":{canonical_json(self.hash)},{self.text[1:]}'

    @property
    def is_sealed(self) -> bool:
        """Whether its hash is that of what it says."""
        return sha256_hex(self.text) == self.hash


@dataclass(frozen=True, slots=True)
class Head:
    """The newest receipt's number and hash; `hash` may be the beginning of one."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


START = Head(0, GENESIS)


def seal(last: Head, *, kind: Kind, task_id: str, document: Mapping[str, object], created_at: float) -> Receipt:
    """The receipt after `last`; ValueError when the document is not plain JSON."""
    draft = Receipt(
        number=last.number + 1,
        previous=last.hash,
        hash="",
        created_at=float(created_at),
        kind=kind,
        task_id=task_id,
        document=json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False),
    )
    return replace(draft, hash=sha256_hex(draft.text))


def read_head(text: str) -> Head:
    """A head as `freehold receipts head` prints it, N:HASH, of which 16 characters are enough; UsageError otherwise."""
    found = _HEAD.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text[:100]!r} is not the head of a chain.", hint="Give N:HASH as `freehold receipts head`.")
    return Head(int(found[1]), found[2])


def receipt_of(values: Mapping[str, object]) -> Receipt | str:
    """A receipt out of stored values, whose types nobody vouches for; what is wrong with them where it cannot be one.

    >>> receipt_of({"number": "1"})
    'its number is not a whole number from 1'
    """
    number, created_at, kind = values.get("number"), values.get("created_at"), values.get("kind")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        return "its number is not a whole number from 1"
    if not isinstance(created_at, float) or not math.isfinite(created_at):
        return "its time is not a number"
    if kind not in get_args(Kind):
        return f"there is no kind {str(kind)[:40]!r}"
    for name in ("hash", "previous", "task_id", "document"):
        if not isinstance(values.get(name), str):
            return f"its {name} is not text"
    for name in ("hash", "previous"):
        if not _HASH.fullmatch(str(values[name])):
            return f"its {name} is no SHA-256"
    return Receipt(**values)  # type: ignore[arg-type]  # each was looked at above


def read_lines(lines: Iterable[bytes]) -> Iterator[Receipt | str]:
    """The receipts of an exported file, line by line with their line breaks; words where a line is none as written.

    A line counts only when it is, byte for byte, what the receipt in it is written as.
    """
    for position, line in enumerate(lines, 1):
        found = _read_line(line)
        yield found if isinstance(found, Receipt) else f"line {position} is no receipt as it was exported: {found}"


def verify(found: Iterable[Receipt | str], head: Head | None = None, kept: Iterable[Head] = ()) -> Iterator[str]:
    """Everything that is wrong with a chain, in words; nothing when it is whole.

    `head` is a number and hash known from elsewhere, and so are those that were `kept`: without one nothing can be said
    about receipts cut off at the end, nor about a chain that was sealed anew. Words among the receipts are problems
    already and are passed on.
    """
    last, wanted = START, _by_number([*kept, *([head] if head is not None else [])])
    for receipt in found:
        if isinstance(receipt, str):
            yield receipt
            continue
        if problem := _misplaced(receipt, last):
            yield problem
        if not receipt.is_sealed:
            yield f"receipt {receipt.number} was changed: what it says does not give its hash {_short(receipt.hash)}"
        for known in wanted.pop(receipt.number, ()):
            if not receipt.hash.startswith(known):
                yield f"receipt {receipt.number} has the hash {_short(receipt.hash)}, the head says {_short(known)}"
        last = Head(receipt.number, receipt.hash)
    if wanted:
        gone = max(wanted)
        yield f"receipt {gone} of the head is not there: the chain ends with {last.number}, its end was cut off"


def _by_number(heads: Iterable[Head]) -> dict[int, list[str]]:
    """The hashes of heads by their numbers; number 0 says nothing."""
    found: dict[int, list[str]] = {}
    for head in heads:
        if head.number:
            found.setdefault(head.number, []).append(head.hash)
    return found


def _misplaced(receipt: Receipt, last: Head) -> str | None:
    number, wanted = receipt.number, last.number + 1
    if number == wanted:
        if receipt.previous == last.hash:
            return None
        before = f"receipt {last.number}" if last.number else "the beginning of the chain"
        return (
            f"receipt {number} does not follow {before}: it names {_short(receipt.previous)}, not {_short(last.hash)}"
        )
    if number == last.number:
        return f"receipt {number} is there twice"
    if number < wanted:
        return f"receipt {number} stands where receipt {wanted} belongs"
    return f"receipt {wanted} is missing" if number == wanted + 1 else f"receipts {wanted} to {number - 1} are missing"


def _read_line(line: bytes) -> Receipt | str:
    if len(line) > LONGEST_LINE_BYTES:
        return f"it is longer than {LONGEST_LINE_BYTES:,} bytes"
    if not line.endswith(b"\n"):
        return "it has no line break, so its end may be missing"
    if line.endswith(b"\r\n"):
        return (
            "its line break is that of Windows, as a mail or an editor may write it; take the file as it was exported"
        )
    try:
        values = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(values, dict) or values.keys() != _FIELDS:
        return f"it has not the fields {', '.join(sorted(_FIELDS))}"
    receipt = receipt_of(values | {"document": _document(values["document"])})
    if isinstance(receipt, Receipt) and receipt.line.encode("utf-8", "surrogatepass") != line[:-1]:
        return "its fields, spaces or numbers are written in another way"
    return receipt


def _document(value: object) -> str | None:
    try:
        return canonical_json(value) if isinstance(value, dict) else None
    except RecursionError:
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _short(digest: str) -> str:
    return digest[:_SHOWN_CHARS]
