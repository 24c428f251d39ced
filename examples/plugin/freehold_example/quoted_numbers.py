"""A scorer that finds numbers which the model made up: those of its answer that nobody wrote in the prompt."""

from __future__ import annotations

import re

from freehold.errors import SettingError
from freehold.model.prompt import Prompt

_NUMBER = re.compile(r"\d+")


class QuotedNumbers:
    """Scores by the share of an answer's numbers that stand in its prompt; those of few digits are not looked at."""

    def __init__(self, kind: str, argument: str) -> None:
        """`argument` is the least digits of a number, 3 if it is empty; SettingError where it is no number."""
        del kind
        if argument and not argument.isdecimal():
            raise SettingError(f"quoted:{argument} names no number of digits.", hint="Write quoted, or quoted:4.")
        self._least = int(argument or 3)

    def score(self, prompt: Prompt, wanted: str, got: str) -> float | None:
        """From 0 to 1; None where the answer has no such number."""
        del wanted
        known = {number for message in prompt.messages for number in _NUMBER.findall(message.content)}
        told = [number for number in _NUMBER.findall(got) if len(number) >= self._least]
        return sum(number in known for number in told) / len(told) if told else None
