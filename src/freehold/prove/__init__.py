"""Proves on held-out calls how much of a task the owned model can take over; `prove` gives the verdict."""

from freehold.prove.attempts import Attempt, Entry, call_mark, level
from freehold.prove.flow import prove
from freehold.prove.planning import PlanRow, Seen, plan_assumed, plan_cascade, plan_whole
from freehold.prove.settings import ProofFacts, ProofSettings

__all__ = [
    "Attempt",
    "Entry",
    "PlanRow",
    "ProofFacts",
    "ProofSettings",
    "Seen",
    "call_mark",
    "level",
    "plan_assumed",
    "plan_cascade",
    "plan_whole",
    "prove",
]
