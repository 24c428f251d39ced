"""Which calls under one system prompt are features of their own: labels, replies, chat under a company's long prompt.

They are told apart by what is asked, the instructions that their first messages share (`families.clusters`), together
with what comes back: another kind of answers, other labels, other keys; two kinds of text with instructions of their
own count as two. So each can be told by its request alone later. Calls whose messages begin alike and are answered with
the same labels stay one feature: what they share is content.

Not covered: calls that nothing in the request tells apart, tools and response formats (`grouping` parts those first).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from freehold.model.dataset import OutputKind
from freehold.model.exchange import Answer, Asked
from freehold.sort.families import FAIR_SHARE, clusters, shared_ends
from freehold.sort.sortable import Reading
from freehold.text.json_text import parse_json
from freehold.text.output_kind import LABEL_CHARS, is_json, output_kind
from freehold.text.prompts.alignment import MIN_SHARED_CHARS, MIN_VARIANTS
from freehold.text.prompts.fingerprint import LEAD_ROLES
from freehold.text.scoring import normal_label

LEAST_SHARED_VOCABULARY = 0.5
LEAST_ANSWERS = 8
_LEAST_REPEATED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Calls of one feature; `instructions` is what their first messages share, empty for calls that share nothing."""

    readings: tuple[Reading, ...]
    instructions: str = ""
    kind: OutputKind = "text"


def features(readings: Sequence[Reading]) -> list[Feature]:
    """The features among calls with one system prompt, that of the oldest call first; one where they are one."""
    texts = [first_text(reading.asked) for reading in readings]
    enough = max(MIN_VARIANTS, FAIR_SHARE * len(readings))
    sides: list[tuple[list[int], str]] = []
    rest = set(range(len(texts)))
    for members in clusters(texts):
        if len({texts[i] for i in members}) >= enough:
            head, tail = shared_ends([texts[i] for i in members])
            sides.append((members, f"{head} {tail}"))
            rest -= set(members)
    if rest and len({texts[i] for i in rest}) >= enough:
        sides.append((sorted(rest), ""))
    found: list[tuple[list[int], str]] = []
    for members, instructions in sides:
        for place, (others, theirs) in enumerate(found):
            if _are_one([readings[i] for i in members], instructions, [readings[i] for i in others], theirs):
                found[place] = (sorted([*others, *members]), "" if instructions != theirs else theirs)
                break
        else:
            found.append((members, instructions))
    if len(found) < 2:
        return [_feature(readings, "")]
    small = rest if rest and not any(not instructions for _, instructions in found) else set()
    if small:
        found[0] = (sorted([*found[0][0], *small]), found[0][1])
    made = [_feature([readings[i] for i in members], instructions) for members, instructions in found]
    return sorted(made, key=lambda feature: (feature.readings[0].created_at, feature.readings[0].call_id))


def may_be_several(kind: OutputKind, readings: Sequence[Reading]) -> bool:
    """Whether new calls of a task are a reason to look for several features: another kind of answers, instructions."""
    if any(reading.answer and not is_of_kind(kind, reading.answer) for reading in readings):
        return True
    texts = [first_text(reading.asked) for reading in readings]
    for ends in ([text[:MIN_SHARED_CHARS] for text in texts], [text[-MIN_SHARED_CHARS:] for text in texts]):
        most = max(Counter(ends).values(), default=0)
        if _LEAST_REPEATED <= most < len(readings) and most >= FAIR_SHARE * len(readings):
            return True
    return False


def is_of_kind(kind: str, answer: Answer) -> bool:
    """Whether one answer can be of this kind; an empty one and a refusal can be of any."""
    text = answer.text.strip()
    if answer.is_refusal or not (text or answer.tool_calls):
        return True
    match kind:
        case "tools":
            return bool(answer.tool_calls)
        case "json":
            return bool(answer.tool_calls) or is_json(text)
        case "label":
            return not answer.tool_calls and len(text) <= LABEL_CHARS and "\n" not in text and not is_json(text)
    return not answer.tool_calls and not is_json(text)


def shared_vocabulary(kind: str, old: Sequence[Reading], new: Sequence[Reading]) -> float | None:
    """The share of the new answers whose label, or half of whose keys, the old ones had; None where nothing tells."""
    before = {word for reading in old for word in _words(kind, reading)}
    after = [words for reading in new if (words := _words(kind, reading))]
    if not before or not after:
        return None
    return sum(len(words & before) >= LEAST_SHARED_VOCABULARY * len(words) for words in after) / len(after)


def first_text(asked: Asked) -> str:
    """The first message that is not the system's."""
    return next((message.content for message in asked.messages if message.role not in LEAD_ROLES), "")


def _feature(readings: Sequence[Reading], instructions: str) -> Feature:
    return Feature(readings=tuple(readings), instructions=instructions, kind=output_kind(_answers(readings)))


def _answers(readings: Sequence[Reading]) -> list[Answer]:
    return [reading.answer for reading in readings if reading.answer is not None]


def _are_one(one: Sequence[Reading], instructions: str, other: Sequence[Reading], theirs: str) -> bool:
    """Whether two groups of calls are one feature; without enough answers on either side nothing parts them."""
    if min(len(_answers(one)), len(_answers(other))) < LEAST_ANSWERS:
        return True
    kinds = {output_kind(_answers(one)), output_kind(_answers(other))}
    if len(kinds) > 1:
        return False
    overlap = shared_vocabulary(kinds.pop(), one, other)
    if overlap is not None:
        return overlap >= LEAST_SHARED_VOCABULARY
    return not instructions and not theirs


def _words(kind: str, reading: Reading) -> set[str]:
    text = reading.answer.text if reading.answer else ""
    match kind:
        case "label":
            return {normal_label(text)} - {""}
        case "json":
            value = parse_json(text)[0] if text.strip() else None
            return set(value) if isinstance(value, dict) else set()
    return set()
