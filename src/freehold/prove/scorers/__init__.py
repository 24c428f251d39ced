"""Scorers: what gives an answer a number in a proof.

A scorer is made by a factory that takes the kind of the task's output and what stands behind the scorer's name in
`prove.metrics` (`fields:NAME`), and has one method, `score`. It runs in a proof alone, never in the gateway. Packages
offer more of them as entry points of the group `freehold.scorers` (`freehold.plugins`); a function in a file of the
user's own is one, too (`prove.scorers.function`).

Not covered: what follows from the numbers, and what happens where a scorer fails (`prove.metrics`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from freehold.model.prompt import Prompt


class Scorer(Protocol):
    """Gives answers a score."""

    def score(self, prompt: Prompt, wanted: str, got: str) -> float | None:
        """A number from 0 to 1 for the answer `got` where `wanted` was wanted; None where there is none.

        Whatever this raises ends the proof, with an error that names the scorer and the call; so does one call that
        takes longer than `prove.metrics.LIMIT_S`.
        """


Factory = Callable[[str, str], Scorer]
"""Makes a scorer out of a kind of output (`model.dataset.OutputKind`) and its argument, empty where there is none.

SettingError where the argument is missing, or not understood.
"""
