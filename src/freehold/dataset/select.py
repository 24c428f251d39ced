"""Which calls can become examples, and why the others cannot; every call that is left out is counted.

A correction makes a call usable whose answer alone was not: it is what was wanted. An answer that was rated bad, with
no correction, stays as a rejected one: a proof has to know of it, and nothing may learn from it.

Not covered: redaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from freehold.core.example import Source
from freehold.core.exchange import Answer, Asked, Message
from freehold.core.template import Template
from freehold.dataset.canonical import Canonical

_CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens", "incomplete"})
_REFUSED = frozenset({"content_filter", "refusal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCall:
    """One call with what is known about its answer; `is_whole` is False for a stream that broke.

    `is_good` is what the newest rating of its answer says; None where nobody rated it.
    """

    call_id: str
    created_at: float
    asked: Asked
    answer: Answer | None
    correction: str | None = None
    is_good: bool | None = None
    user: str | None = None
    session: str | None = None
    is_whole: bool = True
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A usable call: its input without shared text, its wanted answer, its incumbent answer, in their one form.

    `also` are the ids of other calls with the same input, once it has been chosen among them. `conversation` is the
    first call of the conversation that it is a turn of; None where it is the only one.
    """

    call_id: str
    created_at: float
    messages: tuple[Message, ...]
    target: str
    incumbent: str
    source: Source
    user: str | None
    session: str | None
    also: tuple[str, ...] = ()
    conversation: str | None = None

    @property
    def is_rejected(self) -> bool:
        """Whether the target is known to be wrong."""
        return self.source == "rejected"

    @property
    def text(self) -> str:
        """The input as one text."""
        return input_text(self.messages)

    @property
    def input_key(self) -> tuple[tuple[str, str], ...]:
        """Equal for equal inputs; white space makes no difference."""
        return tuple((message.role, " ".join(message.content.split())) for message in self.messages)


def input_text(messages: Sequence[Message]) -> str:
    """Messages as one text, in which inputs are compared."""
    return "\n".join(message.content for message in messages)


def why_unusable(call: LabelledCall) -> str | None:
    """Why the call's answer cannot be a target, looking at the answer alone; None when it can."""
    answer = call.answer
    if answer is None or not 200 <= call.status < 300:
        return "failed"
    if not call.is_whole or answer.finish_reason in _CUT_OFF:
        return "cut_off"
    if answer.is_refusal or answer.finish_reason in _REFUSED:
        return "refusal"
    if answer.tool_calls:
        return "tool_calls"
    return None if answer.text.strip() else "empty_answer"


def select(
    calls: Sequence[LabelledCall], template: Template, canonical: Canonical, *, misfit: str
) -> tuple[list[Candidate], Counter[str]]:
    """The usable calls in their order, and a count per reason of those that are not.

    `misfit` names the reason when an answer has no form of its kind, for instance `invalid_json`.
    """
    dropped: Counter[str] = Counter()
    candidates = []
    for call in calls:
        found = _candidate(call, template, canonical, misfit)
        if isinstance(found, str):
            dropped[found] += 1
        else:
            candidates.append(found)
    return candidates, dropped


def _candidate(call: LabelledCall, template: Template, canonical: Canonical, misfit: str) -> Candidate | str:
    is_corrected = call.correction is not None and bool(call.correction.strip())
    reason = why_unusable(call)
    if reason and not is_corrected:
        return reason
    if not call.asked.is_plain:
        return "not_plain"
    if not template.fits(call.asked):
        return "not_fitting"
    messages = template.strip(call.asked)
    if messages is None or not any(message.content.strip() for message in messages):
        return "empty_input"
    answered = call.answer.text if call.answer else ""
    target = canonical(call.correction if is_corrected and call.correction else answered)
    if target is None:
        return "invalid_correction" if is_corrected else misfit
    incumbent = canonical(answered)
    candidate = Candidate(
        call_id=call.call_id,
        created_at=call.created_at,
        messages=messages,
        target=target,
        incumbent=answered if incumbent is None else incumbent,
        source="correction" if is_corrected else "rejected" if call.is_good is False else "provider",
        user=call.user,
        session=call.session,
    )
    return candidate if _is_unicode(candidate) else "not_unicode"


def _is_unicode(candidate: Candidate) -> bool:
    """Whether no half of a surrogate pair is left in it: no tokenizer takes those."""
    try:
        "\n".join((candidate.text, candidate.target, candidate.incumbent)).encode()
    except UnicodeEncodeError:
        return False
    return True
