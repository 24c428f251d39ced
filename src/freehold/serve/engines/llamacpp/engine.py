"""llama.cpp as an engine, in a child process, started, watched, and restarted on the same port when it dies.

A crash of the engine is not a crash of its user: `url` is None while it is away. Where the SHA-256 of the file is
given, each start and each restart reads the file and serves no other one. Each engine has a key, made anew with it,
without which the child answers nobody; it has no secret of ours in its environment. Not covered: asking it
(`serve.ask`), engines elsewhere (an OpenAI-compatible URL needs no supervisor).
"""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import sys
import time
from pathlib import Path
from typing import ClassVar

from freehold.errors import EngineError, MissingExtraError
from freehold.model.engine import owned_body, with_key
from freehold.serve.engines import Ability
from freehold.serve.engines.llamacpp.greedy import greedy_answer
from freehold.system.child_process import Supervisor, last_line
from freehold.system.environment import lean_environment
from freehold.system.files import file_sha256
from freehold.system.lifeline import parent_option

_START_TIMEOUT_S = 120.0
_DEATHS_BEFORE_READY = 2
_PATIENCE_S = 5.0
_KEY_BYTES = 32
_LOG = logging.getLogger("freehold.engines")
_ENVIRONMENT = {"OMP_WAIT_POLICY": "passive"}
"""Waiting threads sleep instead of spinning: beside another busy process, spinning answers several times slower."""


class LlamaCpp:
    """Keeps one GGUF served; safe to ask from any thread."""

    can: ClassVar[frozenset[Ability]] = frozenset({"logprobs", "tokenize"})
    body = staticmethod(owned_body)
    greedy = staticmethod(greedy_answer)

    def __init__(
        self,
        gguf: Path,
        *,
        log: Path,
        threads: int = 0,
        slots: int = 8,
        context: int = 2048,
        sha256: str | None = None,
    ) -> None:
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingExtraError("engine", "Serving a model")
        if not gguf.exists():
            raise EngineError(f"There is no model file {str(gguf)!r}.", hint="Train the task again.")
        self._arguments = ["--model", str(gguf), "--threads", str(threads), "--slots", str(slots)]
        self._arguments += ["--context", str(context), *parent_option()]
        self._gguf = gguf
        self._sha256 = sha256
        self._is_refused = False
        self._log = log
        self._key = secrets.token_urlsafe(_KEY_BYTES)  # the same after a death: who asked goes on at the same URL
        self._port = 0
        self._url: str | None = None
        self._child = Supervisor(
            "the engine",
            self._command,
            told=f"{self._key}\n".encode(),
            hear=self._hear,
            environment=_ENVIRONMENT | lean_environment(os.environ),
            log=log,
        )

    @property
    def url(self) -> str | None:
        """Where the model is served now, with its key (`model.engine`), or None while it is not."""
        return self._url if self._child.is_ready else None

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return self._child.pid

    @property
    def deaths(self) -> int:
        """How often the child has died, or could not be started, and was tried again."""
        return self._child.deaths

    def start(self) -> None:
        """Start the child and the thread that watches it; returns at once."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._child.start()

    def wait(self, timeout_s: float = _START_TIMEOUT_S) -> str:
        """Wait until the model is served and return its URL; EngineError when it is not in time or dies at once."""
        deadline = time.monotonic() + timeout_s
        changed = self._child.changed
        with changed:
            while self.url is None and self.deaths < _DEATHS_BEFORE_READY and time.monotonic() < deadline:
                changed.wait(0.5)
            if (url := self.url) is not None:
                return url
        raise EngineError(f"The engine did not start: {last_line(self._log)!r}.", hint=f"See {self._log}.")

    def stop(self) -> None:
        """Stop the child, gently first, and the thread."""
        self._child.stop(_PATIENCE_S)

    def _command(self) -> list[str] | None:
        """The words of the next start, on the port of the last one; None where the file may not be served."""
        if not self._is_allowed():
            return None
        worker = "freehold.serve.engines.llamacpp.worker"
        return [sys.executable, "-m", worker, *self._arguments, "--port", str(self._port)]

    def _hear(self, words: list[str]) -> None:
        match words:
            case ["ready", url]:
                self._port = int(url.rsplit(":", 1)[1])
                self._url = with_key(url, self._key)

    def _is_allowed(self) -> bool:
        """Whether the file is the one that may be served; that it is not is logged once."""
        if self._sha256 is None:
            return True
        try:
            is_same = file_sha256(self._gguf) == self._sha256
        except OSError:
            is_same = False
        if not is_same and not self._is_refused:
            _LOG.error(
                "The model file %r is not the one that was proven, so no engine serves it. Put the file back, or train"
                " the task again.",
                str(self._gguf),
            )
        self._is_refused = not is_same
        return is_same
