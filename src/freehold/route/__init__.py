"""Where a task's traffic goes: routes from verdicts, plans in words, and how a route fares."""

from freehold.route.figures import LiveCall, LiveFigures, live_figures
from freehold.route.routing import back, confidence, is_acceptable, plan_text, propose, withheld

__all__ = [
    "LiveCall",
    "LiveFigures",
    "back",
    "confidence",
    "is_acceptable",
    "live_figures",
    "plan_text",
    "propose",
    "withheld",
]
