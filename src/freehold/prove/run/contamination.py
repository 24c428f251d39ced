"""Which held-out calls a model may be proven on: none that it learnt from, or that came before that learning ended.

On the model's own dataset the freeze saw to that. On another one a held-out call is left out when

- it is in the train or dev split of the model's own dataset;
- it is as old as those, so that it is no traffic from after the training cut-off;
- a call with nearly the same input is among them;
- its user, session or conversation is among theirs.

Unless more than six in ten of the calls that are left would go for one of the last two, as where inputs come again and
again, or the same few users always call: then those calls stay, and are counted.

Not covered: calls that earlier proofs looked at (`prove.run.eligibility`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from freehold.freeze import near_repeats
from freehold.model import Example

LEAST_KEPT = 0.4
_NO_GROUP = "call:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contamination:
    """Why calls are left out, by id.

    `of_trained_users` and `of_learnt_inputs` count those that stay although their user, or nearly their input, was
    learnt from.
    """

    left_out: dict[str, str] = field(default_factory=dict)
    of_trained_users: int = 0
    of_learnt_inputs: int = 0


def contamination(proof: Sequence[Example], learnt: Sequence[Example], *, near_duplicate: float) -> Contamination:
    """Which of the `proof` calls a model may not be proven on that learnt from `learnt`."""
    known = {example.id for example in learnt}
    cutoff_at = max((example.created_at for example in learnt), default=0.0)
    left_out: dict[str, str] = {}
    for example in proof:
        if example.id in known:
            left_out[example.id] = "trained on"
        elif learnt and example.created_at <= cutoff_at:
            left_out[example.id] = "older than the training cut-off"
    rest = [example for example in proof if example.id not in left_out]
    near = near_repeats(rest, learnt, near_duplicate)
    of_inputs = _kept(rest, near)
    left_out |= {} if of_inputs else dict.fromkeys(near, "nearly trained on")
    groups = {example.group for example in learnt if not example.group.startswith(_NO_GROUP)}
    rest = [example for example in rest if example.id not in left_out]
    shared = [example.id for example in rest if example.group in groups]
    of_users = _kept(rest, shared)
    left_out |= {} if of_users else dict.fromkeys(shared, "of users trained on")
    return Contamination(left_out=left_out, of_trained_users=of_users, of_learnt_inputs=of_inputs)


def _kept(rest: Sequence[Example], some: Sequence[str]) -> int:
    """How many of `some` stay: all of them where too few others would be left, else none."""
    return len(some) if len(rest) - len(some) < LEAST_KEPT * len(rest) else 0
