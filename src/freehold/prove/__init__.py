"""Proves on held-out calls how much of a task the owned model can take over; `prove` gives the verdict."""

from freehold.prove.flow import prove
from freehold.prove.judge_prompt import Question, judge_body, preference, read_reply
from freehold.prove.judging import Opinions, draw_pairs, is_same, judged_pairs, planned_pairs
from freehold.prove.noise import Noise, measure_noise
from freehold.prove.settings import ProofFacts, ProofSettings

__all__ = [
    "Noise",
    "Opinions",
    "ProofFacts",
    "ProofSettings",
    "Question",
    "draw_pairs",
    "is_same",
    "judge_body",
    "judged_pairs",
    "measure_noise",
    "planned_pairs",
    "preference",
    "prove",
    "read_reply",
]
