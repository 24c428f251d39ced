"""Comparing answers: the pairs that people decide, in the order that was drawn for them, and what they said.

The pairs, their order and the side on which each answer stands follow from the seed, so that nobody chooses them and
that they are the same on a terminal and in an exported file. Not covered: what labels show (`freehold.prove.judging`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from freehold.core import ModelCard
from freehold.core.example import Example
from freehold.core.label import Label, Preference, answers_digest, is_owned_first
from freehold.core.task import Task
from freehold.core.template import Template
from freehold.errors import DataError, UsageError
from freehold.loop.entering import left_out
from freehold.loop.estate import Estate
from freehold.loop.progress import Reporter
from freehold.loop.proving import owned_answers, proof_id, proof_settings
from freehold.prove import draw_pairs, is_same, planned_pairs
from freehold.prove.folder import read_folder
from freehold.store import DatasetRow

HUMAN = "human:"
_LONGEST_NAME = 64
_LARGEST_FILE_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two answers to one call; `instructions` is what all calls of the task share, `is_same` needs nobody."""

    example_id: str
    place: int
    instructions: str
    request: str
    owned: str
    rented: str
    is_owned_first: bool
    is_same: bool

    @property
    def first(self) -> str:
        """The answer that is shown first."""
        return self.owned if self.is_owned_first else self.rented

    @property
    def second(self) -> str:
        """The answer that is shown second."""
        return self.rented if self.is_owned_first else self.owned

    @property
    def digest(self) -> str:
        """What tells these two answers from others."""
        return answers_digest(self.owned, self.rented)

    def preferred(self, choice: str) -> Preference:
        """Which side a choice means: `1`, `2`, `same`, or the side itself; ValueError for anything else."""
        match choice:
            case "1":
                return "owned" if self.is_owned_first else "rented"
            case "2":
                return "rented" if self.is_owned_first else "owned"
            case "owned" | "rented" | "same":
                return choice
        raise ValueError(f"{choice!r} prefers nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All drawn pairs of one model's proof, in their order, with the labels that count for them."""

    task: Task
    model_id: str
    pairs: tuple[Pair, ...]
    planned: int
    labels: tuple[Label, ...]

    @property
    def open_pairs(self) -> list[Pair]:
        """The planned pairs that differ and that nobody has decided, in their order."""
        done = {label.example_id for label in self.labels}
        return [pair for pair in self.pairs[: self.planned] if not pair.is_same and pair.example_id not in done]

    @property
    def differing(self) -> int:
        """How many of the planned pairs people are asked for."""
        return sum(not pair.is_same for pair in self.pairs[: self.planned])

    @property
    def values(self) -> dict[str, float]:
        """What people said of each pair, 1 for the owned answer; the mean where several spoke."""
        said: dict[str, list[float]] = {}
        for label in self.labels:
            said.setdefault(label.example_id, []).append(label.value)
        return {example_id: sum(values) / len(values) for example_id, values in said.items()}


def compare(
    estate: Estate, name: str, model_id: str | None, report: Reporter, dataset: DatasetRow | None = None
) -> Comparison:
    """The pairs of the calls that would enter a proof of a task's model, each the newest by default.

    The model is asked where its answers are not kept. Raises DataError where no call would enter.
    """
    task = estate.task(name)
    card = estate.model(task, model_id)
    dataset = dataset or estate.dataset(task)
    frozen, settings = read_folder(Path(dataset.path)), proof_settings(estate)
    entering = _entering(estate, task, dataset, card, frozen.proof)
    drawn = [entering[position] for position in draw_pairs(entering, settings.seed)]
    answers = owned_answers(estate, task, card, drawn, report)
    shared = shared_text(task.template)
    pairs = tuple(
        Pair(
            example_id=example.id,
            place=place,
            instructions=shared,
            request=request_text(example),
            owned=answer.text,
            rented=example.incumbent,
            is_owned_first=is_owned_first(card.id, example.id, settings.seed),
            is_same=is_same(frozen.kind, answer.text, example.incumbent),
        )
        for place, (example, answer) in enumerate(zip(drawn, answers, strict=True), 1)
    )
    return Comparison(
        task=task,
        model_id=card.id,
        pairs=pairs,
        planned=planned_pairs(frozen.kind, len(pairs), settings),
        labels=_counting(estate.store.labels.of_model(task.id, card.id), {p.example_id: p.digest for p in pairs}),
    )


def _entering(
    estate: Estate, task: Task, dataset: DatasetRow, card: ModelCard, proof: Sequence[Example]
) -> list[Example]:
    """The held-out calls that enter the proof which uses these comparisons."""
    settings = proof_settings(estate)
    attempt_id = proof_id(card, dataset, settings, is_compared=True)
    found = left_out(estate, task, dataset, card, proof_id=attempt_id, is_fresh=settings.is_fresh)
    entering = [example for example in proof if example.id not in found.left_out]
    if not entering:
        raise DataError(
            f"Task {task.name!r} has no held-out call whose answers could be compared.",
            hint=f"Record newer calls, then: freehold freeze {task.name}",
        )
    return entering


def labels_of(estate: Estate, task: Task, card: ModelCard) -> list[Label]:
    """All labels of a model's answers."""
    return estate.store.labels.of_model(task.id, card.id)


def keep(estate: Estate, comparison: Comparison, pair: Pair, choice: str, *, by: str) -> Label:
    """Write down what one person said of a pair."""
    label = _label(comparison, pair, choice, source(by))
    estate.store.labels.put([label])
    return label


def source(by: str) -> str:
    """The source of a person's labels; UsageError for a name that is none."""
    name = by.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"{by!r} is no name for somebody.", hint=f"Give --by NAME, up to {_LONGEST_NAME} characters.")
    return HUMAN + name


def export_rows(comparison: Comparison, pairs: Sequence[Pair]) -> list[dict[str, object]]:
    """Pairs as rows to be filled in elsewhere; they do not tell whose answer is whose."""
    return [
        {
            "example_id": pair.example_id,
            "model_id": comparison.model_id,
            "answers": pair.digest,
            "instructions": pair.instructions,
            "request": pair.request,
            "answer_1": pair.first,
            "answer_2": pair.second,
            "preferred": None,
        }
        for pair in pairs
    ]


def import_labels(estate: Estate, comparison: Comparison, path: Path, *, by: str) -> tuple[int, int]:
    """Keep the labels of a JSONL file, all or none; returns how many, and how many rows were left undecided.

    Each row has `example_id` and `preferred`: owned, rented, same, or 1 or 2 as exported; null or nothing is undecided.
    """
    who = source(by)
    by_id = {pair.example_id: pair for pair in comparison.pairs}
    labels: dict[str, Label] = {}
    undecided = 0
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        label = _read_row(comparison, by_id, line, who, f"{str(path)!r}, line {number}")
        if label is None:
            undecided += 1
        else:
            labels[label.example_id] = label
    estate.store.labels.put(list(labels.values()))
    return len(labels), undecided


def request_text(example: Example) -> str:
    """What one call asked, as people and judges read it."""
    if len(example.messages) == 1:
        return example.messages[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in example.messages)


def shared_text(template: Template) -> str:
    """What all calls of a task say, with a mark where each call has its own text."""
    texts = [
        part.prefix + ("[...]" if part.has_gap and part.static_chars else "") + part.suffix for part in template.parts
    ]
    return "\n\n".join(text for text in texts if text)


def _counting(labels: Sequence[Label], digests: Mapping[str, str]) -> tuple[Label, ...]:
    """The labels that were given on these very answers."""
    return tuple(label for label in labels if digests.get(label.example_id) == label.answers)


def _label(comparison: Comparison, pair: Pair, choice: str, who: str) -> Label:
    return Label(
        task_id=comparison.task.id,
        model_id=comparison.model_id,
        example_id=pair.example_id,
        source=who,
        preferred=pair.preferred(choice),
        answers=pair.digest,
        created_at=time.time(),
    )


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise DataError(
                f"{str(path)!r} is larger than {_LARGEST_FILE_BYTES // 2**20} MiB.", hint="Cut it in parts."
            )
        return path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.", hint="Give a JSONL file in UTF-8.") from error


def _read_row(comparison: Comparison, by_id: Mapping[str, Pair], line: str, who: str, where: str) -> Label | None:
    hint = 'Each line is like {"example_id": "...", "preferred": "owned"}: owned, rented, same, 1 or 2.'
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: this is not JSON.", hint=hint) from error
    if not isinstance(row, dict) or not isinstance(row.get("example_id"), str):
        raise DataError(f"{where}: there is no example_id.", hint=hint)
    pair = by_id.get(row["example_id"])
    if pair is None:
        raise DataError(
            f"{where}: {row['example_id']!r} is none of the {len(by_id):,} drawn pairs of model {comparison.model_id}.",
            hint=f"See them with: freehold label {comparison.task.name} --list",
        )
    if (
        row.get("model_id", comparison.model_id) != comparison.model_id
        or row.get("answers", pair.digest) != pair.digest
    ):
        raise DataError(
            f"{where}: it is about other answers than those of model {comparison.model_id}.",
            hint="Export the pairs again, or name the model with --model.",
        )
    preferred = row.get("preferred")
    if preferred is None or preferred == "":
        return None
    try:
        return _label(comparison, pair, str(preferred), who)
    except ValueError as error:
        raise DataError(f"{where}: preferred is {preferred!r}.", hint=hint) from error
