"""Whether an answer can be what is wanted of its call: learnt from, and what a proof holds others against.

    error            the provider says that it failed, beside the answer or as its finish reason
    cut_off          a limit ended it
    refusal          the provider would not answer
    tool_calls       it calls tools
    unknown_finish   its finish reason is a word that nobody knows: half an answer must not pass for a whole one
    no_finish        nothing says that it was ended
    empty_answer     there is no text in it
    off_schema       it breaks the schema that its own request names

Two habits of a task change that (`Habits`). Where no call of it ever carries a finish reason, its server sends none,
and a body that came whole is whole (a stream without one may have been cut). And where a request allows so few tokens
that only a label fits, `length` is how every answer ends: where the same few come back, they are labels.

Not covered: what only other calls tell (`freeze.rejected_answers`), the form that answers of a kind have
(`freeze.canonical`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from freehold.dialects.endings import ending_of
from freehold.model.exchange import Answer, Asked
from freehold.text.json_text import parse_json
from freehold.text.output_kind import are_labels
from freehold.text.schema import keeps_to

FEW_TOKENS = 8
"""Nobody asks for so few tokens but for a label."""
_LONG_PREFILL = 2


@dataclass(frozen=True, slots=True)
class Habits:
    """How a task's answers end: `no_finish` without any finish reason, `short` at the few tokens they may have."""

    no_finish: bool = False
    short: bool = False

    def names(self) -> list[str]:
        """The habits that there are, by name."""
        return [name for name, has in (("no_finish", self.no_finish), ("short", self.short)) if has]

    @classmethod
    def of_names(cls, names: object) -> Habits:
        """Read what `names` gave; anything but a list of names reads as empty."""
        found = names if isinstance(names, list | tuple) else ()
        return cls(no_finish="no_finish" in found, short="short" in found)


def habits_of(calls: Iterable[tuple[Asked, Answer]]) -> Habits:
    """The habits of a task's answers."""
    told = list(calls)
    ends = {ending_of(answer.finish_reason) for _, answer in told}
    short = [answer.text for asked, answer in told if _is_short(asked, answer)]
    return Habits(no_finish=ends == {"none"}, short=bool(short) and are_labels(short))


def whole_text(asked: Asked, answer: Answer) -> str:
    """The answer with the beginning that the request gave it; providers that repeat it are understood."""
    begun, text = asked.prefill, answer.text
    if not begun or not text:
        return text
    if text.startswith(begun) and (len(begun.strip()) > _LONG_PREFILL or not parse_json(begun + text)[1]):
        return text
    return begun + text


def shown_text(asked: Asked, answer: Answer) -> str:
    """The answer as people read it, tool calls as `name(arguments)`."""
    calls = (f"{call.name}({call.arguments})" for call in answer.tool_calls)
    return " ".join(part for part in (whole_text(asked, answer), *calls) if part)


def why_no_target(asked: Asked, answer: Answer, habits: Habits) -> str | None:
    """Why an answer that came can be no target, by name; None where it can."""
    match ending_of(answer.finish_reason):
        case "error":
            return "error"
        case _ if answer.error:
            return "error"
        case "cut_off" if not (habits.short and _is_short(asked, answer)):
            return "cut_off"
        case "refusal":
            return "refusal"
        case "tool_calls":
            return "tool_calls"
        case _ if answer.is_refusal or answer.tool_calls:
            return "refusal" if answer.is_refusal else "tool_calls"
        case "unknown":
            return "unknown_finish"
        case "none" if asked.is_stream or not habits.no_finish:
            return "no_finish"
    text = whole_text(asked, answer)
    if not text.strip():
        return "empty_answer"
    return "off_schema" if keeps_to(asked.response_format, text) is False else None


def _is_short(asked: Asked, answer: Answer) -> bool:
    """Whether the answer has as many tokens as it may, and these are few."""
    most, used = asked.max_tokens, answer.usage.output_tokens
    if most is None or not 0 < most <= FEW_TOKENS or ending_of(answer.finish_reason) != "cut_off":
        return False
    return bool(answer.text.strip()) and (used is None or used >= most)
