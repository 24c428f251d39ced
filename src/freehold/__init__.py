"""Freehold: the way out of a rented model.

    Workspace       a state folder, opened: calls, tasks, freeze, train, prove, move, back, status
    Call, Route, Verdict, ModelCard, Progress       what comes out of it, or is told on the way
    FreeholdError   what every error of Freehold is, with a hint that names the next step

The package imports nothing heavy, and a name of the list above only when it is asked for. `freehold.cli` is the command
line, `freehold.app` the processes of a gateway.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freehold.api import Workspace
    from freehold.errors import FreeholdError
    from freehold.model import Call, ModelCard, Route, Verdict
    from freehold.pipeline.progress import Progress, Reporter

__version__ = "0.1.0"
__all__ = ["Call", "FreeholdError", "ModelCard", "Progress", "Reporter", "Route", "Verdict", "Workspace"]

_PLACES = {
    "Call": "freehold.model",
    "FreeholdError": "freehold.errors",
    "ModelCard": "freehold.model",
    "Progress": "freehold.pipeline.progress",
    "Reporter": "freehold.pipeline.progress",
    "Route": "freehold.model",
    "Verdict": "freehold.model",
    "Workspace": "freehold.api",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'freehold' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
