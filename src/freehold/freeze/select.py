"""Which calls can become examples, and why the answers of the others can be no target; every one is counted.

A correction makes a call usable whose answer alone was not: it is what was wanted. An answer that was rated bad, with
no correction, stays as a rejected one: a proof has to know of it, and nothing may learn from it.

A call whose answer can be no target is set aside by the name of the reason and not dropped here: held out, it is part
of the traffic that a proof is about. It has messages where the gateway would ask an owned model about it, and none
where it never would (`not_plain`, `not_fitting`, `empty_input`, `not_unicode`). Only of an exchange that failed nothing
can be said (`why_unspoken`).

Not covered: what other calls tell (`duplicates`), redaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from freehold.dialects.endings import ending_of
from freehold.freeze.canonical import Canonical
from freehold.freeze.prompt_steps import Preparation
from freehold.model.dataset import OutputKind
from freehold.model.example import Source
from freehold.model.exchange import Answer, Asked, Message, input_text
from freehold.text.schema import blank, schematic
from freehold.text.target import Habits, shown_text, whole_text, why_no_target
from freehold.text.traits import traits_of

_MISFITS: Mapping[OutputKind, str] = {"json": "invalid_json", "label": "not_a_label"}


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

    @property
    def is_corrected(self) -> bool:
        """Whether somebody said what was wanted."""
        return self.correction is not None and bool(self.correction.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An answered call: its input without shared text, its wanted answer, its incumbent answer, in their one form.

    `aside` names the reason where its answer can be no target; the target is blank then. `also` are the ids of other
    calls with the same input, once it has been chosen among them. `conversation` is the first call of the conversation
    that it is a turn of; None where it is the only one. `traits` and `response_format` are those of the `Example`.
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
    aside: str = ""
    traits: tuple[str, ...] = ()
    response_format: str = ""

    @property
    def is_rejected(self) -> bool:
        """Whether the target is known to be wrong."""
        return self.source == "rejected"

    @property
    def is_usable(self) -> bool:
        """Whether something can be learnt from it."""
        return not self.aside and not self.is_rejected

    @property
    def text(self) -> str:
        """The input as one text."""
        return input_text(self.messages)

    @property
    def input_key(self) -> tuple[tuple[str, str], ...]:
        """Equal for equal inputs; white space makes no difference."""
        return tuple((message.role, " ".join(message.content.split())) for message in self.messages)


def why_unspoken(call: LabelledCall) -> str | None:
    """Why nothing can be said of a call, by name: it failed, and nobody said what was wanted; None where it can."""
    if call.is_corrected:
        return None
    if call.answer is None or not 200 <= call.status < 300:
        return "failed"
    if call.answer.error or ending_of(call.answer.finish_reason) == "error":
        return "error"
    return None if call.is_whole else "cut_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How a task's calls become candidates; `refused` are the ids of those whose answer the client refused."""

    preparation: Preparation
    canonical: Canonical
    kind: OutputKind
    habits: Habits = field(default_factory=Habits)
    refused: Collection[str] = ()

    def candidate(self, call: LabelledCall) -> Candidate:
        """The candidate that a call makes, which is set aside where its answer can be no target."""
        messages = self._input(call)
        reason = messages if isinstance(messages, str) else self._why_aside(call)
        answer = call.answer or Answer()
        answered = whole_text(call.asked, answer)
        wanted = call.correction if call.is_corrected and call.correction else answered
        target = None if reason else self.canonical(wanted)
        if target is None and not reason:
            reason = "invalid_correction" if call.is_corrected else _MISFITS.get(self.kind, "empty_answer")
        incumbent = self.canonical(answered) if not reason else None
        candidate = Candidate(
            call_id=call.call_id,
            created_at=call.created_at,
            messages=() if isinstance(messages, str) else messages,
            target=self._blank(call) if target is None else target,
            incumbent=shown_text(call.asked, answer) if incumbent is None else incumbent,
            source="provider" if reason else _source(call),
            user=call.user,
            session=call.session,
            aside=reason or "",
            traits=() if isinstance(messages, str) else traits_of(call.asked),
            response_format="" if isinstance(messages, str) else schematic(call.asked.response_format),
        )
        return _as_unicode(candidate, self._blank(call))

    def _input(self, call: LabelledCall) -> tuple[Message, ...] | str:
        """What the owned model is shown of a call; the reason where it would never be asked."""
        if not call.asked.is_plain:
            return "not_plain"
        if not self.preparation.template.fits(call.asked):
            return "not_fitting"
        messages = self.preparation.messages(call.asked)
        if messages is None or not any(message.content.strip() for message in messages):
            return "empty_input"
        return messages

    def _why_aside(self, call: LabelledCall) -> str:
        """Why the call's answer can be no target; empty where it can, or where a correction takes its place."""
        if call.is_corrected or call.answer is None:
            return ""
        reason = why_no_target(call.asked, call.answer, self.habits)
        return reason or ("refused_by_client" if call.call_id in self.refused else "")

    def _blank(self, call: LabelledCall) -> str:
        return blank(call.asked.response_format) if self.kind == "json" else ""


def _source(call: LabelledCall) -> Source:
    return "correction" if call.is_corrected else "rejected" if call.is_good is False else "provider"


def _as_unicode(candidate: Candidate, blank_target: str) -> Candidate:
    """The candidate, set aside where half of a surrogate pair is left in it: no tokenizer takes those."""
    if all(map(_is_unicode, (candidate.text, candidate.target, candidate.incumbent))):
        return candidate
    whole = replace(candidate, incumbent=candidate.incumbent.encode("utf-8", "replace").decode())
    if _is_unicode(whole.text) and _is_unicode(whole.target):
        return whole
    apart = replace(whole, target=blank_target, source="provider", aside="not_unicode")
    return apart if _is_unicode(apart.text) else replace(apart, messages=(), traits=(), response_format="")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
