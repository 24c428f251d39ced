"""Labels in files: pairs to be decided elsewhere, by as many people as one likes, and what they decided.

A row does not tell whose answer is whose. Its `answers` is the digest of both in the order in which the row shows them,
so that 1 and 2 mean what they meant when it was written, whatever the seed says now.

Not covered: which pairs there are, and which label counts (`prove.run.label`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from freehold.errors import DataError
from freehold.model.label import Preference, answers_digest
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.label import Comparison, Pair, keep

_LARGEST_FILE_BYTES = 256 * 2**20
_LONGEST_SHOWN = 80
_HINT = 'Each line is like {"example_id": "...", "preferred": "owned"}: owned, rented, same, or 1 or 2 as exported.'


def export_rows(comparison: Comparison, pairs: Sequence[Pair]) -> list[dict[str, object]]:
    """Pairs as rows to be filled in."""
    return [
        {
            "example_id": pair.example_id,
            "model_id": comparison.model_id,
            "answers": answers_digest(pair.first, pair.second),
            "instructions": pair.instructions,
            "request": pair.request,
            "answer_1": pair.first,
            "answer_2": pair.second,
            "preferred": None,
        }
        for pair in pairs
    ]


def import_labels(workspace: Workspace, comparison: Comparison, path: Path, *, by: str) -> tuple[int, int]:
    """Keep the labels of a JSONL file, all or none; returns how many, and how many rows were left undecided.

    Each row has `example_id` and `preferred`: owned, rented, same, or 1 or 2 as exported; null or nothing is undecided.
    """
    by_id = {pair.example_id: pair for pair in comparison.pairs}
    said: dict[str, Preference] = {}
    undecided = 0
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        row = _Row(_read(line, f"{str(path)!r}, line {number}"), f"{str(path)!r}, line {number}")
        pair, preferred = row.decided(comparison, by_id)
        if preferred is None:
            undecided += 1
        elif said.setdefault(pair.example_id, preferred) != preferred:
            raise DataError(
                f"{row.where}: {pair.example_id!r} is decided twice, differently.", hint="Leave one of both."
            )
    keep(workspace, comparison, said, by=by)
    return len(said), undecided


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a file, and where it stands."""

    values: Mapping[str, Any]
    where: str

    def decided(self, comparison: Comparison, by_id: Mapping[str, Pair]) -> tuple[Pair, Preference | None]:
        """The pair that it is about, and what it says of it; None where it says nothing."""
        example_id = self.values["example_id"]
        pair = by_id.get(example_id)
        if pair is None:
            raise DataError(
                f"{self.where}: {_clipped(example_id)} is none of the {len(by_id):,} drawn pairs of model"
                f" {comparison.model_id}.",
                hint=f"See them with: freehold label {comparison.task.name} --list",
            )
        shown = self._as_shown(pair, comparison.model_id)
        preferred = self.values.get("preferred")
        if preferred is None or preferred == "":
            return pair, None
        try:
            choice = shown.preferred(str(preferred))
        except ValueError as error:
            raise DataError(f"{self.where}: preferred is {_clipped(preferred)}.", hint=_HINT) from error
        if choice != str(preferred) and self.values.get("answers") is None:
            raise DataError(
                f"{self.where}: which answer {preferred!r} is cannot be known without `answers`.",
                hint="Keep that field as it was exported, or write owned or rented.",
            )
        return pair, choice

    def _as_shown(self, pair: Pair, model_id: str) -> Pair:
        """The pair with its answers on the sides on which the row showed them."""
        sides = {answers_digest(pair.rented, pair.owned): False, pair.digest: True}
        answers = self.values.get("answers")
        if self.values.get("model_id", model_id) != model_id or not (
            answers is None or (isinstance(answers, str) and answers in sides)
        ):
            raise DataError(
                f"{self.where}: it is about other answers than those of model {model_id}.",
                hint="Export the pairs again, or name the model with --model.",
            )
        return pair if answers is None else replace(pair, is_owned_first=sides[answers])


def _clipped(value: object) -> str:
    """A value as an error shows it: on one line, and not the whole of a long one."""
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise DataError(
                f"{str(path)!r} is larger than {_LARGEST_FILE_BYTES // 2**20} MiB.", hint="Cut it in parts."
            )
        return path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.", hint="Give a JSONL file in UTF-8.") from error


def _read(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: this is not JSON.", hint=_HINT) from error
    if not isinstance(row, dict) or not isinstance(row.get("example_id"), str):
        raise DataError(f"{where}: there is no example_id.", hint=_HINT)
    return row
