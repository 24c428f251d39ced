"""Rows of a folder as a product's traffic: JSON lines of `id`, `input`, `gold`, and perhaps `teacher`."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freehold.demo.traffic import Request
from freehold.errors import DataError, NotFoundError

TEST_NAMES = ("test", "valid", "validate", "dev")
MODEL = "rented-large-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row; `gold` is text: JSON golds are written compactly, in the order in which they came."""

    id: str
    input: str
    gold: str
    is_json: bool
    teacher: dict[str, str] = field(default_factory=dict)


def read_folder(folder: Path) -> tuple[list[Row], list[Row], str]:
    """The training rows, the held-out rows, and the name of the held-out file.

    Raises NotFoundError for a missing folder or file, DataError naming the file and line of an unusable row.
    """
    if not folder.is_dir():
        raise NotFoundError(f"There is no data folder {str(folder)!r}.", hint="Give a folder with train.jsonl in it.")
    train = folder / "train.jsonl"
    if not train.exists():
        raise NotFoundError(f"{str(folder)!r} has no train.jsonl.", hint="One JSON object a line: id, input, gold.")
    held_out = [path for name in TEST_NAMES for path in sorted(folder.glob(f"{name}*.jsonl"))]
    if not held_out:
        raise NotFoundError(f"{str(folder)!r} has no held-out file.", hint="Add test.jsonl or valid.jsonl.")
    return read_rows(train), read_rows(held_out[0]), held_out[0].name


def read_rows(path: Path) -> list[Row]:
    """The rows of one file; DataError names the line that is not a row."""
    rows = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                rows.append(_row(path, number, line))
    if not rows:
        raise DataError(f"{str(path)!r} holds no rows.", hint="One JSON object a line: id, input, gold.")
    return rows


def _row(path: Path, number: int, line: str) -> Row:
    hint = 'A row is {"id": "1", "input": "text", "gold": "text, label or JSON"}.'
    try:
        data = json.loads(line)
        text, gold = data["input"], data["gold"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path.name} line {number} is not a row: {error!r}.", hint=hint) from error
    teacher = data.get("teacher") or {}
    if not isinstance(text, str) or gold is None or not isinstance(teacher, dict):
        raise DataError(f"{path.name} line {number} is not a row: input, gold or teacher is unusable.", hint=hint)
    return Row(
        id=str(data.get("id", f"{path.stem}-{number}")),
        input=text,
        gold=as_text(gold),
        is_json=not isinstance(gold, str),
        teacher={str(name): str(answer) for name, answer in teacher.items()},
    )


def as_text(gold: object) -> str:
    """A gold value as the text that a provider would answer with."""
    return gold if isinstance(gold, str) else json.dumps(gold, ensure_ascii=False, separators=(", ", ": "))


def requests(rows: Sequence[Row], *, prompt: str, teacher: str | None = None, seed: int | None = 0) -> list[Request]:
    """The rows as requests, shuffled by `seed` (None keeps their order): real traffic is not sorted by answer."""
    ordered = list(rows)
    if seed is not None:
        random.Random(seed).shuffle(ordered)  # noqa: S311  (an order, not a secret)
    return [_request(row, prompt, teacher) for row in ordered]


def _request(row: Row, prompt: str, teacher: str | None) -> Request:
    arguments: dict[str, Any] = {
        "model": MODEL,
        "messages": [{"role": "system", "content": prompt}, {"role": "user", "content": row.input}],
        "temperature": 0,
    }
    if row.is_json:
        arguments["response_format"] = {"type": "json_object"}
    return Request(
        row=row.id, arguments=arguments, gold=row.gold, teacher=row.teacher.get(teacher) if teacher else None
    )


def default_prompt(rows: Sequence[Row]) -> str:
    """Instructions for a folder that brings none."""
    labels = sorted({row.gold for row in rows})
    if rows[0].is_json:
        return "Read the message and answer with one JSON object, and nothing else, in the format that was agreed."
    if len(labels) <= max(20, len(rows) // 20) and max(map(len, labels)) < 80:
        return "Classify the message. Answer with exactly one of these labels and nothing else:\n" + "\n".join(labels)
    return "Rewrite the message as you were shown. Answer with the result and nothing else."


def write_answers(path: Path, chosen: Sequence[Request]) -> None:
    """Write what the stand-in provider answers with, one `input` and `gold` a line; later lines win."""
    with path.open("w", encoding="utf-8") as sink:
        for request in chosen:
            answer = request.gold if request.teacher is None else request.teacher
            line = {"input": request.arguments["messages"][-1]["content"], "gold": answer}
            sink.write(json.dumps(line) + "\n")
