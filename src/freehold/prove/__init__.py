"""Proves on held-out calls how much of a task the owned model can take over; `prove` gives the verdict."""

from freehold.prove.attempts import Attempt, ProofBudget, call_mark, level
from freehold.prove.dev_preview import Rehearsal, rehearse
from freehold.prove.flow import prove
from freehold.prove.labels.judge import Opinions, draw_pairs, is_same, judged_pairs, planned_pairs, settled
from freehold.prove.labels.judge_prompt import Question, judge_body, preference, read_reply
from freehold.prove.metrics import metric_sources
from freehold.prove.plan import LEAST_CALLS, PlanRow, Seen, plan_assumed, plan_cascade, plan_whole
from freehold.prove.self_consistency import Noise, measure_noise
from freehold.prove.settings import ProofFacts, ProofSettings

__all__ = [
    "LEAST_CALLS",
    "Attempt",
    "Noise",
    "Opinions",
    "PlanRow",
    "ProofBudget",
    "ProofFacts",
    "ProofSettings",
    "Question",
    "Rehearsal",
    "Seen",
    "call_mark",
    "draw_pairs",
    "is_same",
    "judge_body",
    "judged_pairs",
    "level",
    "measure_noise",
    "metric_sources",
    "plan_assumed",
    "plan_cascade",
    "plan_whole",
    "planned_pairs",
    "preference",
    "prove",
    "read_reply",
    "rehearse",
    "settled",
]
