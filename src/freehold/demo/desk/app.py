"""The shop's app: the instructions and the request that it sends to its rented model for every message.

This is the code that a team would have had before Freehold, with nothing of Freehold in it. It makes the request and
leaves the sending to any OpenAI client.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from freehold.demo.desk.inbox import CustomerMessage
from freehold.demo.desk.intents import INTENTS
from freehold.demo.desk.phrasebook import LANGUAGES

MODEL: Final = "rented-large-1"

_NAMES: Final = tuple(intent.name for intent in INTENTS)

RESPONSE_FORMAT: Final[dict[str, object]] = {
    "type": "json_schema",
    "json_schema": {
        "name": "triage",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "intent": {"type": "string", "enum": list(_NAMES)},
                "order": {"type": ["string", "null"]},
                "urgent": {"type": "boolean"},
                "language": {"type": "string", "enum": list(LANGUAGES)},
            },
            "required": ["intent", "order", "urgent", "language"],
            "additionalProperties": False,
        },
    },
}


LOOKUP_FORMAT: Final[dict[str, object]] = {
    "type": "json_schema",
    "json_schema": {
        "name": "lookup",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "order": {"type": ["string", "null"]},
                "language": {"type": "string", "enum": list(LANGUAGES)},
            },
            "required": ["order", "language"],
            "additionalProperties": False,
        },
    },
}


@cache
def system_prompt() -> str:
    """The shop's instructions: `prompt.md`, with the list of intents put in."""
    text = _read("prompt.md")
    listed = "\n".join(f"- {intent.name}: {intent.meaning}" for intent in INTENTS)
    return text.replace("{intents}", listed)


@cache
def lookup_prompt() -> str:
    """The shop's instructions for the smaller question: which order, and in which language."""
    return _read("lookup.md")


def app_request(message: CustomerMessage) -> dict[str, object]:
    """Return the keyword arguments of `client.chat.completions.create` for the triage of one customer message."""
    return _request(message, system_prompt(), RESPONSE_FORMAT)


def lookup_request(message: CustomerMessage) -> dict[str, object]:
    """The same for the order number and the language alone."""
    return _request(message, lookup_prompt(), LOOKUP_FORMAT)


def _request(message: CustomerMessage, system: str, response_format: dict[str, object]) -> dict[str, object]:
    return {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": message.text},
        ],
        "response_format": response_format,
        "temperature": 0,
        "user": message.user,
    }


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8").strip()
