"""What is left of an owned answer for a client that began it.

The owned model gives the whole answer; the client wants what comes after the beginning that it sent. Where both are
JSON, white space outside strings makes no difference, and a sentence before the JSON in the beginning is the client's
own. Where the answer does not begin so, there is nothing to give.

Not covered: finding the beginning in a request (`dialects.plain`).
"""

from __future__ import annotations

_BLANKS = " \t\r\n"
_OPENINGS = "{["
_NUMBER = "+-."


def rest_after(prefill: str, answer: str) -> str | None:
    """The part of `answer` after `prefill`; None where it does not begin so, or nothing is left.

    Example: after `{"intent":`, of `{ "intent": "refund" }` there is `"refund" }` left.
    """
    if not prefill.strip():
        return answer
    rest = _rest_of_text(prefill, answer)
    if rest is None:
        rest = _rest_of_json(prefill, answer)
    return rest if rest and rest.strip() else None


def _rest_of_text(prefill: str, answer: str) -> str | None:
    """The rest after the very same text; white space at the end of the beginning stands for any."""
    if answer.startswith(prefill):
        return answer[len(prefill) :]
    begun = prefill.rstrip(_BLANKS)
    rest = answer[len(begun) :]
    if answer.startswith(begun) and begun != prefill and rest[:1] in tuple(_BLANKS):
        return rest.lstrip(_BLANKS)
    return None


def _rest_of_json(prefill: str, answer: str) -> str | None:
    start = min((at for at in map(prefill.find, _OPENINGS) if at >= 0), default=-1)
    answer = answer.lstrip(_BLANKS)
    if start < 0 or "`" in prefill[:start] or not answer.startswith(tuple(_OPENINGS)):
        return None
    begun = prefill[start:]
    i = j = 0
    is_string = is_escaped = False
    while True:
        if not is_string:
            i, j = _after_blanks(begun, i), _after_blanks(answer, j)
        if i == len(begun):
            return None if _splits_a_word(begun, answer[j:], is_string=is_string) else answer[j:]
        if j == len(answer) or begun[i] != answer[j]:
            return None
        if begun[i] == '"' and not is_escaped:
            is_string = not is_string
        is_escaped = is_string and begun[i] == "\\" and not is_escaped
        i, j = i + 1, j + 1


def _after_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in _BLANKS:
        place += 1
    return place


def _splits_a_word(begun: str, rest: str, *, is_string: bool) -> bool:
    """Whether white space at the end of the beginning would part a number or a word that goes on in the rest."""
    last = begun.rstrip(_BLANKS)[-1:]
    is_within = _is_wordy(last) and _is_wordy(rest[:1])
    return is_within and begun[-1:] in tuple(_BLANKS) and not is_string


def _is_wordy(character: str) -> bool:
    return character.isalnum() or (character != "" and character in _NUMBER)
