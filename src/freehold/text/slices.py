"""Cuts a task's calls into slices that can be told before an owned answer is given out.

    label:refund     what the owned model answered: a label, or the value of one field of its JSON
    length:long      the input's length, by thirds of the calls that tuned the confidence
    language:de      what the input seems to be written in (`text.language`)

Each call lies in one slice of each kind that the task has. A value that was not known when the slices were made lies in
`(other)`, an answer without the field in `(none)`. Proof and gateway cut alike.

Not covered: what is proven of a slice (`prove.slices`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from freehold.model.exchange import Message, input_text
from freehold.text.json_text import parse_json
from freehold.text.language import language_of
from freehold.text.scoring import normal_label

OTHER, NONE = "(other)", "(none)"
_LENGTHS = ("short", "middle", "long")
_MOST_LABEL_CHARS = 64
_BESIDE_HEAD = "slices"


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceShape:
    """How a task's calls are cut; a kind that is empty is not cut by.

    `field` names the top-level field of a JSON answer whose value is the label; None takes the whole answer. `labels`
    and `languages` are the known ones. `lengths` are the most characters of a short and of a middle input.
    """

    field: str | None = None
    labels: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    languages: tuple[str, ...] = ()

    def names(self, messages: Sequence[Message], answer: str) -> tuple[str, ...]:
        """The slices that a call with this input and this owned answer lies in."""
        found = []
        if self.labels:
            found.append(f"label:{self.label(answer)}")
        if self.lengths:
            found.append(f"length:{_LENGTHS[sum(input_chars(messages) > most for most in self.lengths)]}")
        if self.languages:
            language = language_of(input_text(messages))
            found.append(f"language:{language if language in self.languages else OTHER}")
        return tuple(found)

    def label(self, answer: str) -> str:
        """The known label of an answer, or of a wanted one."""
        label = label_of(answer, self.field)
        return NONE if label is None else label if label in self.labels else OTHER

    def to_json(self) -> dict[str, Any]:
        """The shape as a JSON object."""
        return {
            "field": self.field,
            "labels": list(self.labels),
            "lengths": list(self.lengths),
            "languages": list(self.languages),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SliceShape:
        """Read what `to_json` wrote; KeyError, TypeError or ValueError where something else did."""
        return cls(
            field=None if data["field"] is None else str(data["field"]),
            labels=tuple(map(str, data["labels"])),
            lengths=tuple(map(int, data["lengths"])),
            languages=tuple(map(str, data["languages"])),
        )

    def beside_head(self, head: Mapping[str, Any]) -> dict[str, Any]:
        """The document of a confidence head with this shape in it, as verdicts and routes keep both."""
        return {**head, _BESIDE_HEAD: self.to_json()}

    @classmethod
    def of_head(cls, head: Mapping[str, Any]) -> SliceShape:
        """Read what `beside_head` wrote; KeyError, TypeError or ValueError where something else did."""
        return cls.from_json(head[_BESIDE_HEAD])


def label_of(answer: str, field: str | None) -> str | None:
    """The label in an answer: the whole of it, or the value of the top-level field; None where there is none.

    Of a list (tool calls, say) the first element is looked into. A label is cut at 64 characters.
    """
    if field is None:
        return normal_label(answer)[:_MOST_LABEL_CHARS] or None
    return top_fields(answer).get(field)


def top_fields(answer: str) -> dict[str, str]:
    """The top-level fields of a JSON answer that could be labels: texts, true and false, null, whole numbers."""
    value, _ = parse_json(answer)
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return {}
    return {name: _plain(leaf) for name, leaf in value.items() if leaf is None or isinstance(leaf, str | int)}


def input_chars(messages: Sequence[Message]) -> int:
    """How long an input is, in characters."""
    return sum(len(message.content) for message in messages)


def _plain(leaf: str | int | None) -> str:
    match leaf:
        case str():
            return leaf.strip()[:_MOST_LABEL_CHARS] or '""'
        case None:
            return "null"
        case bool():
            return str(leaf).lower()
        case _:
            return str(leaf)
