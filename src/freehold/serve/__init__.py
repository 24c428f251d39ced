"""Serve: a trained model becomes an upstream URL on this machine.

Not covered: engines elsewhere; any OpenAI-compatible URL serves as it is.
"""

from freehold.serve.ask import answer_all, ask
from freehold.serve.base import BASES, base_path, file_sha256, pull
from freehold.serve.engine import Engine, serving

__all__ = ["BASES", "Engine", "answer_all", "ask", "base_path", "file_sha256", "pull", "serving"]
