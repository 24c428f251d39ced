"""The nouns and pure functions that the stages meet through; no I/O, standard library only."""

from freehold.model.call import Arm, Call, Dialect
from freehold.model.dataset import Manifest, OutputKind, Split
from freehold.model.engine import OwnedAnswer
from freehold.model.example import Example, Source
from freehold.model.exchange import Answer, Asked, Message, ToolCall, Usage
from freehold.model.key import Key, KeyUsage
from freehold.model.model_card import ModelCard
from freehold.model.route import Route, RouteKind, rented_route
from freehold.model.verdict import Decision, Verdict

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
