"""A prompt: what an owned model is asked, the same in a dataset, in the proof and live."""

from __future__ import annotations

from dataclasses import dataclass

from freehold.model.exchange import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is left of a request once the text that all calls of its task share is taken out.

    `tools` and `response_format` are what the request asks for, as canonical JSON, or None.
    """

    messages: tuple[Message, ...]
    tools: str | None = None
    response_format: str | None = None
