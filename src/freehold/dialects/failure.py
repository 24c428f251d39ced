"""What a provider says went wrong, in the body of an answer whatever its status.

Not covered: the status itself, and a body that is no JSON object.
"""

from __future__ import annotations

from freehold.dialects.endings import ending_of
from freehold.dialects.values import JsonObject, as_count, as_list, as_object, as_text

_ANSWER_KEYS = frozenset({"choices", "content", "output", "output_text", "completion", "data", "message_start"})
_TEXT_KEYS = ("message", "msg", "error_msg", "detail", "error_description", "title")
UNNAMED = "error"


def failure_of(data: JsonObject) -> str | None:
    """What went wrong by the body of an answer, in the provider's words; None where nothing did.

    Known are the members `error` and `errors`, an object of type `error`, a `base_resp` with a code other than 0, and a
    body that has words and a code and nothing that could be an answer.
    """
    if data.get("error"):
        return _words(data["error"])
    if "error" in (data.get("object"), data.get("type")):
        return _words(data)
    has_answer = any(data[key] is not None for key in _ANSWER_KEYS & data.keys())
    if as_list(data.get("errors")) and not has_answer:
        return _words(data["errors"])
    base = as_object(data.get("base_resp"))
    if as_count(base.get("status_code")):
        return as_text(base.get("status_msg")) or UNNAMED
    if not has_answer and {"code", "status", "error_code", "detail", "success"} & data.keys():
        found = next((text for key in _TEXT_KEYS if (text := as_text(data.get(key)))), None)
        return found or (_words(data["detail"]) if data.get("detail") else None)
    return None


def choice_failure(choice: JsonObject) -> str | None:
    """What went wrong by a choice of an answer: its own `error`, its message's, or a finish reason that means one."""
    for error in (choice.get("error"), as_object(choice.get("message")).get("error")):
        if error:
            return _words(error)
    return ending_failure(as_text(choice.get("finish_reason")))


def ending_failure(finish_reason: str) -> str | None:
    """The finish reason, where it is an error."""
    return finish_reason if ending_of(finish_reason) == "error" else None


def _words(error: object) -> str:
    """An error as a text, in whatever shape it comes."""
    if isinstance(error, list):
        return _words(error[0]) if error else UNNAMED
    if isinstance(error, dict):
        inner = error.get("error")
        if isinstance(inner, dict):
            return _words(inner)
        found = (as_text(error.get(key)) for key in (*_TEXT_KEYS, "code", "type", "status"))
        return next((text for text in found if text), UNNAMED)
    return as_text(error) or UNNAMED
