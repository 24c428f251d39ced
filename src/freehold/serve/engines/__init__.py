"""Engines: programs that serve a model on a port of this machine.

An engine answers `POST URL/v1/chat/completions` with a chat completion (`model.engine.read_owned`) and `GET URL/health`
with anything. `serve.engine` names the one that is used, for parity, proof and live traffic alike. Packages offer more
of them as entry points of the group `freehold.engines` (`freehold.plugins`).

Not covered: which models are served when (`serve.run.engines`), asking them (`serve.ask`, `gateway.provider.upstream`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from freehold.errors import EngineError, in_a_line
from freehold.model.exchange import Message
from freehold.model.prompt import Prompt
from freehold.plugins import ENGINES
from freehold.system.time_limit import TimeLimit

Ability = Literal["schema", "tools", "logprobs", "adapters", "tokenize"]
"""What not every engine can do: hold an answer to a schema, call tools, tell each token's log probability, serve
several adapters of one base, and tell the ids of a prompt's tokens."""
LOAD_S = 30.0
"""Seconds that an engine of others may take to be imported by a worker, which is not there before."""
BODY_S = 1.0
"""Seconds that the `body` of an engine of others may take, while the gateway's event loop waits for it."""
_LOG = logging.getLogger("freehold.engines")


@dataclass(frozen=True, slots=True, kw_only=True)
class Greedy:
    """A greedy answer token by token: the prompt's ids, the answer's, and which of these have a log probability.

    `logprobs[i]`, a natural logarithm, is that of `answer_ids[places[i]]`.
    """

    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]
    places: tuple[int, ...]
    logprobs: tuple[float, ...]


class Body(Protocol):
    """Makes the body of the request that asks an engine for one greedy answer, with its log probabilities.

    It runs in the gateway's event loop for every call, so it must return at once. JSON values only.
    """

    def __call__(self, prompt: Prompt, *, max_tokens: int) -> dict[str, Any]:
        """The body as a JSON object."""


class Engine(Protocol):
    """Keeps one model served; a proof needs one that can `logprobs` and `tokenize`.

    It is made with the model's file; `log` is where it may write, `slots` is how many answers it works on at once and
    `context` how many tokens of prompt and answer each may have; `threads` 0 is for it to choose. Where the SHA-256 of
    the file is given, no other one may be served. EngineError for a file that cannot be served, MissingExtraError for
    a missing part. `start`, `stop` and making it may take `serve.run.engines.LIMIT_S` each.
    """

    can: ClassVar[frozenset[Ability]]

    def __init__(
        self,
        gguf: Path,
        *,
        log: Path,
        threads: int = 0,
        slots: int = 8,
        context: int = 2048,
        sha256: str | None = None,
    ) -> None: ...

    @property
    def url(self) -> str | None:
        """Where the model is served now, with its key (`model.engine`), or None while it is not. Returns at once."""

    def start(self) -> None:
        """Begin to serve; returns before the model is there."""

    def wait(self) -> str:
        """Wait until the model is served and return its URL; EngineError when it is not in time."""

    def stop(self) -> None:
        """Stop serving."""

    @staticmethod
    def body(prompt: Prompt, *, max_tokens: int) -> dict[str, Any]:
        """See `Body`."""

    @staticmethod
    def greedy(url: str, messages: Sequence[Message], *, max_tokens: int) -> Greedy:
        """The greedy answer to messages, token by token; EngineError where it gives none. For parity alone."""


def load_engine(name: str, *needed: Ability) -> type[Engine]:
    """The engine of this name; SettingError where there is none, EngineError where it cannot do what is needed."""
    engine: type[Engine] = ENGINES.load(name)
    missing = [ability for ability in needed if ability not in engine.can]
    if missing:
        raise EngineError(
            f"The engine {name!r} cannot {', '.join(missing)}, and a model is not proven without.",
            hint="Set serve.engine to another one, such as llamacpp.",
        )
    return engine


def live_body(name: str) -> Body | None:
    """How live traffic asks the engine of this name; None where it cannot be loaded, and then nothing serves a model.

    The `body` of another package may raise, or take longer than `BODY_S`: the log says so once, and ValueError lets the
    provider answer.
    """
    try:
        body: Body = TimeLimit(f"freehold-engine-{name}", LOAD_S).call(load_engine, name).body
    except Exception as error:  # an engine may be of any package
        _LOG.error("No owned model is asked, so the provider answers: %s", error)
        return None
    return body if name in ENGINES.own else _guarded(name, body)


def _guarded(name: str, body: Body) -> Body:
    told: list[Exception] = []
    limit = TimeLimit(f"freehold-body-{name}", BODY_S)

    def guarded(prompt: Prompt, *, max_tokens: int) -> dict[str, Any]:
        try:
            return limit.call(lambda: body(prompt, max_tokens=max_tokens))
        except Exception as error:
            if not told:
                told.append(error)
                _LOG.error("The engine %s makes no request, so the provider answers: %s", name, in_a_line(error))
            raise ValueError(f"the engine {name} makes no request") from error

    return guarded


@contextmanager
def serving(
    engine: type[Engine],
    gguf: Path,
    *,
    log: Path,
    threads: int = 0,
    slots: int = 8,
    context: int = 2048,
    sha256: str | None = None,
) -> Iterator[str]:
    """Serve a model's file for as long as the block runs; gives its URL. See `Engine` for the rest."""
    served = engine(gguf, log=log, threads=threads, slots=slots, context=context, sha256=sha256)
    served.start()
    try:
        yield served.wait()
    finally:
        served.stop()
