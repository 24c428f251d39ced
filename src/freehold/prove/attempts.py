"""What one proof of a task may spend, so that a user may prove it as often as they like.

    gamma_k = 2 / (4k^2 - 1):  2/3, 2/15, 2/35, 2/63, ...      sum over k = 1

Attempt k runs at gamma_k alpha and gamma_k delta. So, over the life of a task, the chance that any proof certifies a
model which is worse than the margin is at most alpha, and that any proves a cascade which breaks its contract at most
delta, by the union bound, whatever the dependence between attempts. An attempt is one model on one dataset with one
set of settings: run again, it is the same attempt. Checkable: the partial sums are 1 - 1/(2k + 1).

Why this sequence: the calls that a proof needs grow about as ln(1/gamma_k), so if p_k is the share of tasks that are
decided at their k-th attempt, sum p_k ln(1/gamma_k) is least at gamma = p (Gibbs). gamma_k says that two in three are
decided at the first, and that a share 1/(2k + 1) needs more than k: a heavy tail, for "as often as they like".
At 10% discordance and a margin of 2 points attempt 1 needs 1.16 times the calls of one that spent all of alpha, attempt
2 1.78 times, attempt 5 2.5 times, attempt 20 3.5 times; 6/(pi k)^2 asks 1.19, 1.73, 2.4 and 3.5, and 1/(k(k+1)) 1.27,
1.69, 2.3 and 3.3. e-LOND (move if E_k >= 1/(alpha gamma_k (R + 1)), R moves before: a success earns back) is cheaper
after many moves, but bounds the expected share of wrong moves, not the chance of any; and with adaptive bets it does so
only where no call is proven on twice. Here the stronger promise is kept.

What it assumes: a model, its settings and its metrics were not fitted to the proof calls of an earlier attempt. A
person who read which calls differed, and mended those, has seen more than alpha counts. So every proof says how many of
its calls earlier ones had looked at, and `prove.fresh` leaves those out; then nothing needs to be assumed.

Not covered: keeping attempts (`store.attempts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from freehold.model.example import Example
from freehold.model.ids import sha256_hex

_MARK_LENGTH = 12


def level(number: int) -> float:
    """The share of alpha and of delta that attempt `number` may spend; attempts count from 1."""
    if number < 1:
        raise ValueError(f"attempts count from 1, not {number!r}")
    return 2 / (4 * number * number - 1)


def call_mark(example_id: str) -> str:
    """A short digest of a call's id: what an attempt keeps of each call that it used up."""
    return sha256_hex(example_id)[:_MARK_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt: its number among all of the task, and how many of its calls earlier ones had looked at."""

    number: int = 1
    looked_at_before: int = 0

    @property
    def level(self) -> float:
        """The share of alpha and of delta that it may spend."""
        return level(self.number)


def first_attempt(_entered: Sequence[Example]) -> Attempt:
    """The attempt of a proof that nobody keeps count of."""
    return Attempt()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofBudget:
    """Which held-out calls may enter a proof, and how it comes by its attempt.

    `left_out` says by id why a call of the proof split may not enter; `notes` are figures about those that do, for the
    record. `tuned_on` is the folder whose dev split fits the confidence head, where that is not the proof's own.
    `claim` is asked once, when all answers are scored and before any figure is made: a proof that dies earlier costs
    nothing.
    """

    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, int | float | None] = field(default_factory=dict)
    tuned_on: Path | None = None
    claim: Callable[[Sequence[Example]], Attempt] = first_attempt
