"""Scorers as another package would offer them."""

from __future__ import annotations

import threading

from freehold.model.prompt import Prompt

NEVER = threading.Event()


class Echo:
    """1 where the answer stands in the prompt; `argument` is what counts in its place."""

    def __init__(self, kind: str, argument: str) -> None:
        self._kind, self._wanted = kind, argument

    def score(self, prompt: Prompt, wanted: str, got: str) -> float | None:
        """None for a label."""
        del wanted
        text = " ".join(message.content for message in prompt.messages)
        return None if self._kind == "label" else float((self._wanted or got) in text)


class Hanging(Echo):
    """Takes for ever."""

    def score(self, prompt: Prompt, wanted: str, got: str) -> float | None:
        """Wait for what does not come."""
        NEVER.wait()
        return super().score(prompt, wanted, got)


class Raising(Echo):
    """Fails when it is made."""

    def __init__(self, kind: str, argument: str) -> None:
        raise OSError(f"no word list\nfor {kind}{argument}")
