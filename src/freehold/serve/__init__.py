"""Serve: a trained model becomes an upstream URL on this machine.

Not covered: engines elsewhere; any OpenAI-compatible URL serves as it is.
"""

from freehold.serve.ask import answer_all, ask
from freehold.serve.base import BASES, base_path, pull
from freehold.serve.engines import Ability, Body, Engine, load_engine, serving
from freehold.serve.export import export_gguf, read_adapter
from freehold.serve.parity import Parity, check_parity

__all__ = [
    "BASES",
    "Ability",
    "Body",
    "Engine",
    "Parity",
    "answer_all",
    "ask",
    "base_path",
    "check_parity",
    "export_gguf",
    "load_engine",
    "pull",
    "read_adapter",
    "serving",
]
