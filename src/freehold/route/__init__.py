"""Where a task's traffic goes: routes from verdicts, plans in words, and a route's live figures."""

from freehold.route.figures import LiveCall, LiveFigures, live_figures
from freehold.route.proposal import back, confidence, is_acceptable, plan_text, propose, withheld, words
from freehold.route.ramp import (
    RAMP,
    SLICES,
    TEMPLATE,
    canary,
    least_audit_rate,
    ramped,
    relearnt,
    rolled_back,
    shadow,
    withholding,
)

__all__ = [
    "RAMP",
    "SLICES",
    "TEMPLATE",
    "LiveCall",
    "LiveFigures",
    "back",
    "canary",
    "confidence",
    "is_acceptable",
    "least_audit_rate",
    "live_figures",
    "plan_text",
    "propose",
    "ramped",
    "relearnt",
    "rolled_back",
    "shadow",
    "withheld",
    "withholding",
    "words",
]
