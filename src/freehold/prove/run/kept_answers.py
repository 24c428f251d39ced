"""Kept answers: what a model answered to held-out calls, in one file a model, sealed line by line as they come.

    {"model": "1f0c…"}                                    the SHA-256 of the file that was served
    {"key": "…", "answer": {…}, "seal": "…"}              an answer by its input, and the seal over all up to here

A seal is the HMAC-SHA256 of the seal before it and of the line's key and answer, under a key that lies beside the
answers and is readable by the account of Freehold alone. A line that was changed, added, moved or taken out breaks its
own seal and those after it; such answers are asked for again, and a proof says how many. So are all of them where the
model's file is another one. Who can read the key can seal anything: a verdict's receipt names the seal that its answers
ended with, and from then on they are fixed by the receipts' chain.

Not covered: asking (`prove.run.prove`), what receipts say (`model.statement`).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from freehold.model import Example, OwnedAnswer
from freehold.model.engine import NOT_ASKED
from freehold.model.ids import canonical_json, sha256_hex
from freehold.pipeline.workspace import Workspace

KEY_FILE = "seal.key"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Sealed:
    """How far a file of answers goes: the sealed ones in it, and the last seal; empty where there is none."""

    count: int = 0
    seal: str = ""


class KeptAnswers:
    """The answers of the model whose file has the hash `model_sha256`; safe to use from several threads.

    `unsealed` is how many lines of an earlier run are not counted. The answer to a call about which no owned model is
    asked is NOT_ASKED.
    """

    def __init__(self, path: Path, model_sha256: str) -> None:
        self._path = path
        self._model = model_sha256
        self._lock = threading.Lock()
        self._key = seal_key(path.parent)
        self._answers: dict[str, OwnedAnswer] = {}
        self._sealed, self._last, self._size = Sealed(), "", 0
        self.unsealed = 0
        self._read()

    @property
    def sealed(self) -> Sealed:
        """How far the file goes now."""
        with self._lock:
            return self._sealed

    def get(self, example: Example) -> OwnedAnswer | None:
        """What the model answered to this example; None where it was never asked."""
        return self._answers.get(input_key(example)) if example.is_askable else NOT_ASKED

    def answer(self, example: Example) -> OwnedAnswer:
        """What the model answered to this example; KeyError where it was never asked."""
        return self._answers[input_key(example)] if example.is_askable else NOT_ASKED

    def put(self, example: Example, answer: OwnedAnswer) -> None:
        """Keep an answer, sealed; what another process has kept in the meantime is read first."""
        key, plain = input_key(example), msgspec.json.encode(answer)
        with self._lock, _open(self._path) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_size != self._size:
                self._read()
            seal = _seal(self._key, self._last, key, plain)
            line = b"\n" + msgspec.json.encode(_Line(key=key, answer=msgspec.Raw(plain), seal=seal))
            if not self._sealed.count:
                line = b"\n" + msgspec.json.encode({"model": self._model}) + line
            file.write(line)
            file.flush()
            self._size = os.fstat(file.fileno()).st_size
            self._take(key, answer, seal)

    def _read(self) -> None:
        self._answers, self._sealed, self._last, self.unsealed = {}, Sealed(), _begin(self._key, self._model), 0
        data = _bytes_of(self._path)
        self._size = len(data)
        for row in _rows(data, self._key):
            if row.model == self._model and row.answer is not None:
                self._take(row.key, row.answer, row.seal)
            else:
                self.unsealed += 1

    def _take(self, key: str, answer: OwnedAnswer, seal: str) -> None:
        self._answers[key] = answer
        self._last = seal
        self._sealed = Sealed(self._sealed.count + 1, seal)


class _Line(msgspec.Struct, kw_only=True):
    """A line as it is written: the head of a model's answers, or an answer; `answer` is sealed byte for byte."""

    model: str | None = None
    key: str = ""
    answer: msgspec.Raw = msgspec.Raw(b"")
    seal: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """An answer in a file: of which model, and None where its seal does not hold."""

    model: str
    key: str
    answer: OwnedAnswer | None
    seal: str


def seal_at(path: Path, model_sha256: str, count: int) -> str | None:
    """The seal after the first `count` answers of a model in this file; None where so many are not sealed there."""
    rows = _rows(_bytes_of(path), seal_key(path.parent))
    sealed = (row.seal for row in rows if row.model == model_sha256 and row.answer is not None)
    return next(islice(sealed, count - 1, None), None) if count > 0 else None


def answers_path(workspace: Workspace, model_id: str) -> Path:
    """Where the answers of a model are kept."""
    return workspace.folder("proofs") / f"{model_id}.answers.jsonl"


def input_key(example: Example) -> str:
    """What names an input: the SHA-256 of its messages."""
    return sha256_hex(canonical_json([[m.role, m.content] for m in example.messages]))


def seal_key(folder: Path) -> bytes:
    """The key of a folder of answers; where there is no key, one is made that its owner alone can read."""
    path = folder / KEY_FILE
    while (key := _read_key(path)) is None:
        _make_key(path)
    return key


def _read_key(path: Path) -> bytes | None:
    """The key in a file; None where there is no file, or a damaged one, which is deleted."""
    try:
        key = bytes.fromhex(path.read_text("ascii"))
    except FileNotFoundError:
        return None
    except ValueError:
        key = b""
    if len(key) == _KEY_BYTES:
        return key
    path.unlink(missing_ok=True)
    return None


def _make_key(path: Path) -> None:
    """Write a new key, whole or not at all; whoever is first wins."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_KEY_BYTES))
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)


def _rows(data: bytes, key: bytes) -> Iterator[_Row]:
    """The answers in a file, each with whether its seal holds."""
    model, last = "", ""
    for text in data.split(b"\n"):
        line = _line(text)
        if line is None:
            continue
        if line.model is not None:
            model, last = line.model, _begin(key, line.model)
            continue
        answer = _answer(line, key, last)
        last = last if answer is None else line.seal
        yield _Row(model, line.key, answer, line.seal)


def _line(text: bytes) -> _Line | None:
    """A line of a file; None for an empty one, or one that a kill cut short."""
    try:
        return msgspec.json.decode(text, type=_Line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _answer(line: _Line, key: bytes, last: str) -> OwnedAnswer | None:
    plain = bytes(line.answer)
    if not hmac.compare_digest(_seal(key, last, line.key, plain).encode(), line.seal.encode()):
        return None
    try:
        return msgspec.json.decode(plain, type=OwnedAnswer)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _begin(key: bytes, model_sha256: str) -> str:
    return hmac.new(key, f"model {model_sha256}".encode(), hashlib.sha256).hexdigest()


def _seal(key: bytes, last: str, input_: str, answer: bytes) -> str:
    return hmac.new(key, f"{last} {input_} ".encode() + answer, hashlib.sha256).hexdigest()


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _open(path: Path) -> BinaryIO:
    """The file, opened to be added to, and readable by its owner alone."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
