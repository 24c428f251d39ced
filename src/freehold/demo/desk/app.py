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


@cache
def system_prompt() -> str:
    """The shop's instructions: `prompt.md`, with the list of intents put in."""
    text = files(__package__).joinpath("prompt.md").read_text(encoding="utf-8").strip()
    listed = "\n".join(f"- {intent.name}: {intent.meaning}" for intent in INTENTS)
    return text.replace("{intents}", listed)


def app_request(message: CustomerMessage) -> dict[str, object]:
    """Return the keyword arguments of `client.chat.completions.create` for one customer message."""
    return {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": system_prompt()},
            {"role": "user", "content": message.text},
        ],
        "response_format": RESPONSE_FORMAT,
        "temperature": 0,
        "user": message.user,
    }
