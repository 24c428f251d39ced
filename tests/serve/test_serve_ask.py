"""Asking an engine: answers in order, an engine that is away is waited for, a refusal is an error."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from freehold.errors import EngineError
from freehold.model import Message, OwnedAnswer
from freehold.model.prompt import Prompt
from freehold.serve import ask as _ask  # noqa: F401 - the package's name is the function
from freehold.serve.ask import answer_all

Reply = Callable[[str, int], tuple[int, dict[str, object]]]


def _completion(text: str) -> dict[str, object]:
    return {
        "choices": [
            {
                "message": {"content": text},
                "finish_reason": "stop",
                "logprobs": {"content": [{"token": text, "logprob": -0.5}]},
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }


@pytest.fixture
def engine() -> Iterator[Callable[[Reply], str]]:
    """A loopback engine that answers (last message, how often it was asked that) with a status and a body."""
    servers: list[ThreadingHTTPServer] = []

    def start(reply: Reply) -> str:
        asked: dict[str, int] = {}
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                text = body["messages"][-1]["content"]
                with lock:
                    asked[text] = asked.get(text, 0) + 1
                status, answer = reply(text, asked[text])
                raw = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_words: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _prompts(count: int) -> list[Prompt]:
    return [Prompt(messages=(Message("user", f"q{i}"),)) for i in range(count)]


def test_answers_come_back_in_order_and_are_told_as_they_come(engine: Callable[[Reply], str]) -> None:
    url = engine(lambda text, _times: (200, _completion(f"a-{text}")))
    told: dict[int, OwnedAnswer] = {}
    answers = answer_all([url], _prompts(20), max_tokens=8, concurrency=4, on_answer=told.__setitem__)
    assert [answer.text for answer in answers] == [f"a-q{i}" for i in range(20)]
    assert [told[i] for i in range(20)] == answers
    assert all(a.logprobs == (-0.5,) and a.is_whole and a.latency_ms > 0 and a.input_tokens == 3 for a in answers)


def test_an_engine_that_loads_is_waited_for(engine: Callable[[Reply], str]) -> None:
    url = engine(lambda text, times: (503, {"error": "loading"}) if times < 2 else (200, _completion(text)))
    assert [answer.text for answer in answer_all([url], _prompts(2), max_tokens=8)] == ["q0", "q1"]


def test_a_refusal_is_an_error_with_the_engines_words(engine: Callable[[Reply], str]) -> None:
    url = engine(lambda _text, _times: (400, {"error": "prompt too long"}))
    with pytest.raises(EngineError, match=r"answered 400.*prompt too long"):
        answer_all([url], _prompts(3), max_tokens=8)


def test_nothing_asked_is_nothing_answered() -> None:
    assert answer_all(["http://127.0.0.1:9"], [], max_tokens=8) == []
