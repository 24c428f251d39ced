"""A function of the user's own as a scorer: `module:function`, or `path/to/file.py:function`.

It is `f(prompt, wanted, got)`, or `f(wanted, got)` where it needs no prompt. It is code, and runs with the rights of
whoever runs the proof.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from freehold.model.ids import sha256_hex
from freehold.model.prompt import Prompt


class FunctionScorer:
    """Scores by a function; `source` is the SHA-256 of the file that it stands in.

    Whatever importing that file raises comes through; LookupError where there is no such function in it.
    """

    def __init__(self, place: str, name: str) -> None:
        module = _load(place)
        origin = Path(module.__file__ or "")
        self.source = sha256_hex(origin.read_bytes() if origin.is_file() else b"")
        function = vars(module).get(name)
        if not callable(function):
            raise LookupError(f"no function {name!r} there")
        self._function: Callable[..., float | None] = function
        self._takes_two = _takes_two(function)

    def score(self, prompt: Prompt, wanted: str, got: str) -> float | None:
        """What the function gives."""
        return self._function(wanted, got) if self._takes_two else self._function(prompt, wanted, got)


def _takes_two(function: Callable[..., object]) -> bool:
    """Whether the wanted and the given answer are enough for it; so of one that does not say what it takes."""
    try:
        inspect.signature(function).bind("", "")
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _load(place: str) -> ModuleType:
    """A module by its name, or by its file; a file is run anew each time it is asked for."""
    if not (place.endswith(".py") or "/" in place or "\\" in place):
        return importlib.import_module(place)
    spec = importlib.util.spec_from_file_location(f"freehold_metric_{sha256_hex(place)[:12]}", Path(place).absolute())
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look there for the module that they were made in
    spec.loader.exec_module(module)
    return module
