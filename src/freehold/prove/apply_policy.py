"""The last word on an outcome: what is served after slices were withheld, and that its reason says so.

Not covered: the rules that gave the outcome (`prove.decide`), finding the policy (`prove.policy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from freehold.prove.decide import Outcome
from freehold.prove.policy import Policy, find_whole
from freehold.prove.report.words import slice_name
from freehold.prove.settings import ProofSettings
from freehold.prove.slices import Sliced
from freehold.prove.stats.cascade import lower_bound

_MOST_NAMED = 4


def serve(
    outcome: Outcome, policy: Policy, paired: Sliced, settings: ProofSettings, known: Sequence[bool] | None = None
) -> tuple[Policy, Outcome]:
    """The policy and the outcome as they are served; replacing the provider wholly has a policy of its own.

    `known` marks the calls of which it is known what they lose, where that is not all of them: slices are judged on
    those.
    """
    if outcome.scope == "whole":
        policy = find_whole(paired, settings, known)
        coverage, n = policy.cascade.coverage, policy.cascade.n
        outcome = replace(outcome, coverage=coverage)
        if policy.withheld and lower_bound(round(coverage * n), n, settings.delta) < settings.least_coverage:
            outcome = Outcome(decision="hold", reason="The owned model is no worse on the whole, but in most slices.")
    elif policy.blocking:
        outcome = Outcome(
            decision="hold",
            reason=f"The contract is proven, but at every threshold {_named(policy.blocking)} would be answered wrong"
            " too often, and the calls that tune the confidence were too few to show it and leave it out.",
        )
    if policy.withheld:
        told = f"Calls in {_named(policy.withheld)} stay with the provider: too many were wrong there."
        outcome = replace(outcome, reason=f"{outcome.reason} {told}")
    return policy, outcome


def _named(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMED
    return ", ".join(slice_name(name) for name in names[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
