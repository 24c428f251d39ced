"""The nouns and pure functions that the stages meet through; no I/O, standard library only."""

from freehold.core.call import Arm, Call, Dialect
from freehold.core.dataset import Manifest, OutputKind, Split
from freehold.core.engine import OwnedAnswer
from freehold.core.example import Example, Source
from freehold.core.exchange import Answer, Asked, Message, ToolCall, Usage
from freehold.core.key import Key, KeyUsage
from freehold.core.model import ModelCard
from freehold.core.route import Route, RouteKind, rented_route
from freehold.core.verdict import Decision, Verdict

__all__ = [
    "Answer",
    "Arm",
    "Asked",
    "Call",
    "Decision",
    "Dialect",
    "Example",
    "Key",
    "KeyUsage",
    "Manifest",
    "Message",
    "ModelCard",
    "OutputKind",
    "OwnedAnswer",
    "Route",
    "RouteKind",
    "Source",
    "Split",
    "ToolCall",
    "Usage",
    "Verdict",
    "rented_route",
]
