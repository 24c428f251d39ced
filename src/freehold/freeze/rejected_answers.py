"""Answers that the client refused: it asked the same again, seconds later, and said what was wrong with the answer.

Libraries that want answers of a certain form (pydantic-ai, instructor, LangChain, Guardrails, many others) check them
and ask again with the error. How that looks differs:

    the same messages, the answer, and one more message with the error
    the same messages, and one more message with the error that quotes the answer
    the same messages, to one of which the error was added, or one more message, which quotes nothing
    a request of one message that quotes question, answer and error
    in a session that the provider keeps, the error alone

A message shows an error where it holds what validators write (`validation error`, `Field required`, `not valid JSON`).
Where the answers have a form (JSON, labels), and so are read by programs, a word for an error together with one for
correcting or trying again is enough, in several languages, within a shorter time.

The answer that the client accepted in the end is the target of the call that got it, whose input has the error in it.
It becomes no target of the first call: that it would have been accepted there, too, nobody said.

Not covered: clients that ask again without a word of why, or of another task.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from freehold.freeze.select import LabelledCall
from freehold.model.dataset import OutputKind
from freehold.model.exchange import Message
from freehold.text.prompts.fingerprint import LEAD_ROLES
from freehold.text.target import whole_text

WITHIN_S, SOON_S = 600.0, 120.0
_MOST_LOOKED_AT = 50
_LEAST_QUOTED = 8
_LONGEST_READ = 20_000
_SHORT = 40
_LEAST_SAME = 20
"""How many letters and digits of a question make it the same one where it comes back within another text."""
_SIGNS = re.compile(r"[\W_]+")
_ANSWERS = frozenset({"assistant", "model"})

_BEGINS, _ENDS = re.compile(r"[\s*#\[(]*"), re.compile(r"\w*\s?[:：]")
_BESIDE = frozenset(["try", "please", "the", "that", "is", "answer", "format", "output", "bitte"])
_VALIDATORS = re.compile(
    r"validation[ _-]?(?:error|feedback|fail|issue)|validationerror|\bvalidator\b.{0,40}\bfail|json ?decode ?error"
    r"|outputparser(?:exception)?|expecting (?:value|property name|',' delimiter)|extra data: line|unterminated string"
    r"|input should be|field required|missing required|(?:value|type)_error|is a required property|is not of type '"
    r"|is not one of \[|additional properties are not allowed|does not match (?:the )?(?:schema|pattern|format|regex)"
    r"|(?:failed|unable) to (?:parse|validate|decode)|could ?n[o']t (?:be )?(?:parse|validate|decode)"
    r"|could not (?:be )?(?:parse|validate|decode)|(?:not|in)[ -]?valid json|malformed json|not (?:a )?valid \w*schema"
    r"|did not (?:satisfy|match|conform|pass|validate)|does not (?:satisfy|conform|validate)"
    r"|fix (?:the|these|all|any) errors?\b|correct (?:your|the) json|recall the function correctly"
    r"|incorrect values based on|problems due to incorrect values|traceback \(most recent call last\)"
    r"|schema (?:validation|mismatch|violation)|violates? the schema|unexpected token .{0,20} in json"
    r"|failed validation|validation failed|\binvalid_type\b|must (?:match pattern|have required property|not have add)"
    r"|must be equal to one of|missing field `|unknown field `|cannot unmarshal|unrecognized field|was expecting "
    r"|is not a valid (?:option|label|value|choice|category)|\bnot (?:valid )?json\b",
    re.IGNORECASE,
)
_ERRORS = re.compile(
    r"error|invalid|incorrect|wrong|malformed|mistake|not allowed|must (?:be|have|contain|match)|missing"
    r"|fehler|ungültig|falsch|fehlt|erreur|invalide|manqu|inválid|incorrect|erróne|falta|errore|non valid|sbagliat"
    r"|mancan|erro\b|errad[ao]|incorret|faltando|fout|ongeldig|onjuist|ontbreek|błąd|błęd|nieprawidłow|niepoprawn|brakuj"
    r"|chyb|neplatn|ошибк|неверн|некорректн|недопустим|помилк|невірн|hata|geçersiz|yanlış|fel\b|ogiltig|saknas|fejl|ugyldig"
    r"|virhe|错误|錯誤|无效|無效|不正确|不正確|エラー|無効|不正|誤り|間違|오류|잘못|유효하지|خطأ|غير صالح|त्रुटि|अमान्य",
    re.IGNORECASE,
)
_AGAIN = re.compile(
    r"correct|\bfix|again|retry|repair|redo|resend|regenerate|revise|resubmit|korrigier|erneut|noch ?ein ?mal|nochmal"
    r"|behebe|berichtig|corrig|réessa|recommence|à nouveau|de nouveau|corrij|inténta|intenta|de nuevo|otra vez|vuelve"
    r"|corregg|riprova|di nuovo|ancora una volta|tente|novamente|de novo|corrigeer|opnieuw|verbeter|popraw|ponownie"
    r"|jeszcze raz|oprav|znovu|исправ|ещё раз|еще раз|снова|повтор|виправ|ще раз|знову|düzelt|tekrar|yeniden|rätta"
    r"|försök|igen\b|korjaa|uudelleen|修正|更正|改正|重新|再试|再試|再次|重试|重試|もう一度|再度|やり直|수정|다시|고쳐"
    r"|صحح|مرة أخرى|أعد|ठीक|फिर से|सुधार",
    re.IGNORECASE,
)


def refused_by_client(calls: Sequence[LabelledCall], kind: OutputKind) -> set[str]:
    """The ids of those calls, given oldest first, whose answer the client refused."""
    seen = _Seen(calls)
    refused: set[str] = set()
    for place, call in enumerate(calls):
        wait_s = _wait_s(call, kind)
        at = seen.refused_at(place, is_sure=wait_s == WITHIN_S) if wait_s else None
        if at is None and _may_show_error(call):
            at, wait_s = seen.added_to(place), SOON_S
        if at is not None and call.created_at - calls[at].created_at <= wait_s:
            refused.add(calls[at].call_id)
        seen.add(place)
    return refused


def _wait_s(call: LabelledCall, kind: OutputKind) -> float:
    """How long before this call an answer that it refuses may have been asked for; 0 where it shows no error."""
    last = _error_of(call)
    if last is None or last.role in _ANSWERS:
        return 0.0
    return _shows_error(last.content[:_LONGEST_READ], kind)


def _shows_error(text: str, kind: OutputKind) -> float:
    """The same by a text that was sent after an answer. Where it says no more than that, it means the answer."""
    if _VALIDATORS.search(text):
        return WITHIN_S
    if kind == "text":
        return 0.0
    is_error, is_again = _ERRORS.search(text), _AGAIN.search(text)
    is_bare = len(text) <= _SHORT and bool(words := re.findall(r"\w+", text)) and all(map(_is_of_errors, words))
    begins = is_error is not None and _BEGINS.fullmatch(text[: is_error.start()]) and _ENDS.match(text, is_error.end())
    return SOON_S if is_bare or begins or (is_error and is_again) else 0.0


def _is_of_errors(word: str) -> bool:
    return word.casefold() in _BESIDE or bool(_ERRORS.match(word) or _AGAIN.match(word))


def _may_show_error(call: LabelledCall) -> bool:
    """Whether a validator's words stand anywhere in what a call asked."""
    said = (m.content for m in call.asked.messages if m.role not in _ANSWERS)
    return any(_VALIDATORS.search(text[:_LONGEST_READ]) for text in said)


class _Seen:
    """The calls so far, by what they asked last; the whole of what one asked is read where it has to be compared."""

    def __init__(self, calls: Sequence[LabelledCall]) -> None:
        self._calls = calls
        self._by_question: dict[str, list[int]] = defaultdict(list)
        self._in_session: dict[str, int] = {}

    def add(self, place: int) -> None:
        """Take a call among those that a later one may refuse."""
        call = self._calls[place]
        last = _last(call)
        if call.session:
            self._in_session[call.session] = place
        if last is not None and call.answer is not None:
            self._by_question[_bare(last.content)].append(place)

    def refused_at(self, place: int, *, is_sure: bool) -> int | None:
        """The place of the call whose answer the last message of this one refuses; None where there is none."""
        call = self._calls[place]
        last = _error_of(call)
        error = "" if last is None else _bare(last.content)
        before = _talk(call)[: None if last is not None and last.role in LEAD_ROLES else -1]
        given = ""
        while before and before[-1][0] in _ANSWERS:
            given = before.pop()[1] + given
        if before:
            same = reversed(self._by_question[before[-1][1]][-_MOST_LOOKED_AT:])
            found = next((at for at in same if self._is_shown(at, given, error) and self._asked(at) == before), None)
            return found if found is not None else self._corrected(place, before, given)
        if is_sure and call.session and not call.asked.is_plain:
            return self._in_session.get(call.session)
        latest = range(place - 1, max(-1, place - 1 - _MOST_LOOKED_AT), -1)
        return next((at for at in latest if self._is_quoted(at, error)), None)

    def _corrected(self, place: int, before: list[tuple[str, str]], given: str) -> int | None:
        """The place of a call that asked for a correction of an earlier answer, and whose own answer is given back."""
        for at in range(place - 1, max(-1, place - 1 - _MOST_LOOKED_AT), -1):
            is_given = len(given) >= _LEAST_QUOTED and _said(self._calls[at]) == given
            if is_given and self._asked(at)[: len(before)] == before:
                return at
        return None

    def added_to(self, place: int) -> int | None:
        """The place of the latest call whose request this one is with nothing but an error added; None without one."""
        call = self._calls[place]
        texts, answers = _apart(call)
        for at in range(place - 1, max(-1, place - 1 - _MOST_LOOKED_AT), -1):
            earlier = self._calls[at]
            if call.created_at - earlier.created_at > SOON_S:
                break
            last = _last(earlier)
            if earlier.answer is None or last is None or len(_bare(last.content)) < _LEAST_SAME:
                continue
            theirs, theirs_answers = _apart(earlier)
            added = _added(theirs, texts) if theirs_answers == answers else ""
            if added and _VALIDATORS.search(added):
                return at
        return None

    def _asked(self, at: int) -> list[tuple[str, str]]:
        return _talk(self._calls[at])

    def _is_shown(self, at: int, given: str, error: str) -> bool:
        """Whether the call's answer is what was given back, or, where nothing was, is quoted."""
        said = _said(self._calls[at])
        return given == said if given else len(said) >= _LEAST_QUOTED and said in error

    def _is_quoted(self, at: int, error: str) -> bool:
        """Whether a message quotes both the call's question and its answer."""
        call = self._calls[at]
        said, last = _said(call), _last(call)
        if last is None or len(said) < _LEAST_QUOTED or said not in error:
            return False
        question = _bare(last.content)
        return question in error and question != error


def _apart(call: LabelledCall) -> tuple[list[str], list[str]]:
    """What a call asked, and the answers in it."""
    messages = call.asked.messages
    said = [m.content for m in messages if m.role in _ANSWERS]
    return [m.content for m in messages if m.role not in _ANSWERS], said


def _last(call: LabelledCall) -> Message | None:
    """What a call asked last."""
    return next((message for message in reversed(call.asked.messages) if message.role not in LEAD_ROLES), None)


def _error_of(call: LabelledCall) -> Message | None:
    """The message that may show an error: what was asked last, or a system message right behind an answer."""
    messages = call.asked.messages
    if len(messages) > 1 and messages[-1].role in LEAD_ROLES and messages[-2].role in _ANSWERS:
        return messages[-1]
    return _last(call)


def _talk(call: LabelledCall) -> list[tuple[str, str]]:
    """Role and bare text of what a call asked, without system messages."""
    return [(m.role, _bare(m.content)) for m in call.asked.messages if m.role not in LEAD_ROLES]


def _said(call: LabelledCall) -> str:
    return "" if call.answer is None else _bare(whole_text(call.asked, call.answer))


def _bare(text: str) -> str:
    """A text's letters and digits."""
    return _SIGNS.sub("", text[:_LONGEST_READ].casefold())


def _added(before: Sequence[str], after: Sequence[str]) -> str:
    """What `after` says beside all of `before`, in the same order; empty where it says less, or says it otherwise."""
    added, place = list[str](), 0
    for text in after:
        if place < len(before) and before[place].strip() and before[place].strip() in text:
            head, _, tail = text.partition(before[place].strip())
            added += [head, tail]
            place += 1
        else:
            added.append(text)
    return "\n".join(part.strip() for part in added if part.strip()) if place == len(before) else ""
