"""The step that takes out what all requests of a task share, so that the owned model sees what differs."""

from __future__ import annotations

from freehold.model.prompt import Prompt
from freehold.text.prompts.template import Template


class Strip:
    """Takes a template's text out of each prompt."""

    def __init__(self, template: Template) -> None:
        self._template = template

    def prepare(self, prompt: Prompt) -> Prompt | None:
        """The prompt without it; None where it does not fit the template, or nothing would be left."""
        messages = self._template.strip(prompt)
        if messages is None:
            return None
        return Prompt(messages=messages, tools=prompt.tools, response_format=prompt.response_format)
