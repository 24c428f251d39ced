"""Readable names for tasks, out of what their requests say about themselves.

Not covered: names that clients give; those only pass through `slug`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection

from freehold.model.exchange import Asked
from freehold.text.prompts.fingerprint import CHAT_DIALECTS, lead_text

MAX_CHARS = 40
_WORDS_READ = 40
_SHORT_CHARS = 120
_WORDS_TAKEN = 3
_COMMON_WORDS = """
    a about above act adding all an and any app application are as assistant at be been below by can careful chatbot
    company customer customers do each every everything exact exactly expert following for from given gpt has have
    helpful here his i if in input into is it its job just language large me message messages model more must my new no
    not now of on one only or our output please professional provide provided respond role should skilled some
    system task text that the their them then these they this to today tool use user users using very want was we were
    what when which who will with world you your
"""
_SAYS_NOTHING = frozenset(_COMMON_WORDS.split())
_GENERIC_FORMATS = frozenset({"response", "output", "schema", "result", "answer", "json", "json-schema", "format"})


def slug(text: str) -> str:
    """A text as a name: lower-case ASCII words with hyphens; `task` when nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return words[:MAX_CHARS].strip("-") or "task"


def suggest(asked: Asked, instructions: str = "") -> str:
    """A name for the task of this request: its response format's, its only tool's, or its first telling words.

    `instructions` is the text that a task without a system prompt shares.
    """
    if asked.dialect not in CHAT_DIALECTS:
        kind = "embeddings" if asked.dialect == "openai-embeddings" else "other"
        return slug(f"{kind} {asked.model or ''}")
    formatted = slug(_format_name(asked))
    if formatted not in _GENERIC_FORMATS and formatted != "task":
        return formatted
    words = _telling_words(instructions or lead_text(asked))
    if words:
        return slug(" ".join(words))
    return slug(f"chat {asked.model or ''}")


def says_nothing(text: str) -> bool:
    """Whether a system prompt is none, or one that many features of an app may share."""
    return len(text) < _SHORT_CHARS and len(_telling_words(text)) <= 1


def unique(name: str, task_id: str, taken: Collection[str]) -> str:
    """The name, with the first digits of the task's id when another task has it."""
    return f"{name}-{task_id[:4]}" if name in taken else name


def _telling_words(text: str) -> list[str]:
    words = re.findall(r"[^\W\d_]+(?:'\w+)?", text)[:_WORDS_READ]
    telling = [word for word in words if word.lower() not in _SAYS_NOTHING and "'" not in word and len(word) > 1]
    return telling[:_WORDS_TAKEN]


def _format_name(asked: Asked) -> str:
    """The name in a JSON schema format, or that of the only tool; empty when there is none."""
    for text, path in ((asked.response_format, "json_schema"), (asked.tools, "function")):
        value = json.loads(text) if text else None
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, dict):
            inner = value.get(path)
            name = inner.get("name") if isinstance(inner, dict) else value.get("name")
            if isinstance(name, str) and name:
                return name
    return ""
