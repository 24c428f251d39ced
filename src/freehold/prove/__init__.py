"""Proves on held-out calls how much of a task the owned model can take over; `prove` gives the verdict."""

from freehold.prove.flow import prove
from freehold.prove.judging import Opinions
from freehold.prove.settings import ProofFacts, ProofSettings

__all__ = ["Opinions", "ProofFacts", "ProofSettings", "prove"]
