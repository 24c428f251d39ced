"""Engines as another package would offer them: one that answers by itself, and others that misbehave."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from freehold.model.engine import owned_body
from freehold.model.exchange import Message
from freehold.model.prompt import Prompt
from freehold.serve.engines import Ability, Greedy

NEVER = threading.Event()
MARK = {"of_others": True}


class Echo:
    """Answers with the last message, and keeps the bodies that it was asked with."""

    can: ClassVar[frozenset[Ability]] = frozenset({"logprobs", "tokenize"})
    asked: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, gguf: Path, **_options: object) -> None:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                raw = json.dumps(_completion(asked[-1]["messages"][-1]["content"])).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_words: object) -> None:
                pass

        self.gguf = gguf
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url: str | None = None

    def start(self) -> None:
        """Serve."""
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def wait(self) -> str:
        """Give the URL."""
        return self.url or ""

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self.url = None

    @staticmethod
    def body(prompt: Prompt, *, max_tokens: int) -> dict[str, Any]:
        """The usual one, marked."""
        return owned_body(prompt, max_tokens=max_tokens) | MARK

    @staticmethod
    def greedy(url: str, messages: Sequence[Message], *, max_tokens: int) -> Greedy:
        """Tell one token."""
        del url, messages, max_tokens
        return Greedy(prompt_ids=(1, 2), answer_ids=(3,), places=(0,), logprobs=(-0.1,))


class Mute(Echo):
    """Tells no log probabilities."""

    can: ClassVar[frozenset[Ability]] = frozenset({"tokenize"})


class Stubborn(Echo):
    """Never begins."""

    def start(self) -> None:
        """Wait for what does not come."""
        NEVER.wait()


class Clinging(Echo):
    """Never stops."""

    def stop(self) -> None:
        """Stop serving, and wait for what does not come."""
        super().stop()
        NEVER.wait()


class Broken(Echo):
    """Fails when it is made, and when it is to ask."""

    def __init__(self, gguf: Path, **_options: object) -> None:
        raise RuntimeError(f"no card\nfor {gguf.name}")

    @staticmethod
    def body(prompt: Prompt, *, max_tokens: int) -> dict[str, Any]:
        """Fail."""
        raise KeyError(f"{len(prompt.messages)} {max_tokens}")


def _completion(text: str) -> dict[str, Any]:
    logprobs = {"content": [{"token": text, "logprob": -0.01}]}
    choice = {"message": {"content": text}, "finish_reason": "stop", "logprobs": logprobs}
    return {"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
