"""Prompt steps as another package would offer them."""

from __future__ import annotations

import threading
from dataclasses import replace

from freehold.model.exchange import Message
from freehold.model.prompt import Prompt
from freehold.text.prompts.template import Template

NEVER = threading.Event()


class Shouting:
    """Makes every message upper case; leaves whispers to the provider."""

    def __init__(self, template: Template) -> None:
        self.template = template

    def prepare(self, prompt: Prompt) -> Prompt | None:
        """Shout."""
        if any("psst" in message.content for message in prompt.messages):
            return None
        loud = tuple(Message(message.role, message.content.upper()) for message in prompt.messages)
        return replace(prompt, messages=loud)


class Raising(Shouting):
    """Fails."""

    def prepare(self, prompt: Prompt) -> Prompt | None:
        """Fail."""
        raise LookupError("no index\nof documents")


class Hanging(Shouting):
    """Takes for ever."""

    def prepare(self, prompt: Prompt) -> Prompt | None:
        """Wait for what does not come."""
        NEVER.wait()
        return prompt


class Unmade(Shouting):
    """Cannot be made."""

    def __init__(self, template: Template) -> None:
        raise OSError(f"no disk for {template.version}")
