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
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from freehold.errors import EngineError, MissingExtraError
from freehold.model.engine import owned_body, with_key
from freehold.serve.base import file_sha256
from freehold.serve.engines import Ability
from freehold.serve.engines.llamacpp.greedy import greedy_answer
from freehold.system.environment import lean_environment

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0
_STEADY_S = 30.0
_START_TIMEOUT_S = 120.0
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
        self._arguments += ["--context", str(context), "--parent", str(os.getpid())]
        self._gguf = gguf
        self._sha256 = sha256
        self._is_refused = False
        self._log = log
        self._key = secrets.token_urlsafe(_KEY_BYTES)  # the same after a death: who asked goes on at the same URL
        self._port = 0
        self._url: str | None = None
        self._process: subprocess.Popen[str] | None = None
        self._changed = threading.Condition()
        self._is_ending = False
        self._deaths = 0
        self._thread = threading.Thread(target=self._keep, name="freehold-engine", daemon=True)

    @property
    def url(self) -> str | None:
        """Where the model is served now, with its key (`model.engine`), or None while it is not."""
        return self._url

    @property
    def pid(self) -> int | None:
        """The child's process id, while there is one."""
        return self._process.pid if self._process else None

    @property
    def deaths(self) -> int:
        """How often the child has died and was started again."""
        return self._deaths

    def start(self) -> None:
        """Start the child and the thread that watches it; returns at once."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def wait(self, timeout_s: float = _START_TIMEOUT_S) -> str:
        """Wait until the model is served and return its URL; EngineError when it is not in time or dies at once."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._url is None and self._deaths < 2 and time.monotonic() < deadline:
                self._changed.wait(0.5)
            if self._url is not None:
                return self._url
        raise EngineError(f"The engine did not start: {self._last_words()!r}.", hint=f"See {self._log}.")

    def stop(self) -> None:
        """Stop the child, gently first, and the thread."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        if self._process:
            self._process.terminate()
        self._thread.join(timeout=5)
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _keep(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._is_ending:
            began = time.monotonic()
            if self._is_allowed():
                self._run_once()
            if time.monotonic() - began > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            with self._changed:
                self._deaths += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._is_ending, timeout=pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

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

    def _run_once(self) -> None:
        """Run the child until it dies, announcing its URL in between."""
        command = [
            sys.executable,
            "-m",
            "freehold.serve.engines.llamacpp.worker",
            *self._arguments,
            "--port",
            str(self._port),
        ]
        with (
            self._log.open("ab") as log,
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_ENVIRONMENT | lean_environment(os.environ),
            ) as process,
        ):
            self._process = process
            if process.stdin is not None:
                with suppress(BrokenPipeError), process.stdin:  # a child that dies at once reads nothing
                    process.stdin.write(f"{self._key}\n")
            if process.stdout is not None:
                for line in process.stdout:
                    if line.startswith("ready "):
                        self._announce(with_key(line.removeprefix("ready ").strip(), self._key))
            process.wait()
            self._announce(None)

    def _announce(self, url: str | None) -> None:
        with self._changed:
            self._url = url
            if url is not None:
                self._port = int(url.rsplit(":", 1)[1])
            self._changed.notify_all()

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").split("\n") if self._log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
