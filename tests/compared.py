"""A workspace whose model answered every held-out call, and a rented provider over HTTP that tests script.

Nothing was trained: answers are kept where a proof keeps them, and no engine is started.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from made import BEGAN_AT, a_call, answer_body, chat_body

import freehold.pipeline.students.generator
from freehold.freeze import load
from freehold.freeze.run.freeze import freeze
from freehold.model import Call, Example, ModelCard, OwnedAnswer
from freehold.model.ids import sha256_hex
from freehold.model.task import Task
from freehold.pipeline.progress import Progress
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.prove.run.kept_answers import KeptAnswers, answers_path
from freehold.settings import ProviderSettings, load_settings
from freehold.sort.run.sort import sort_new_calls

Answer = tuple[int, dict[str, str], bytes]
PRICE_USD = 100.0
"""Per million tokens, of input and output alike."""
_WEIGHTS = b"GGUF weights of nothing"
_WORDS = ("amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "jetty", "kelp", "lagoon")


def quiet(_progress: Progress) -> None:
    """A reporter that says nothing."""


def said(text: str, *, tokens: int = 10, model: str = "m-1", **changes: Any) -> Answer:
    """A chat answer that costs `tokens` of input."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"} | changes
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    return 200, {}, json.dumps({"model": model, "choices": [choice], "usage": usage}).encode()


@dataclass
class Rented:
    """A provider; `answer` gets each request's body as JSON, with its number from 0. `seen` are the bodies."""

    answer: Callable[[dict[str, Any], int], Answer]
    seen: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    port: int = 0

    def settings(self, **changes: Any) -> ProviderSettings:
        """How it is configured, with changes."""
        url = f"http://127.0.0.1:{self.port}/v1"
        provider = ProviderSettings(name="rented", base_url=url, prices={"*": (PRICE_USD, PRICE_USD)})
        return replace(provider, **changes)


@contextmanager
def rented(answer: Callable[[dict[str, Any], int], Answer]) -> Iterator[Rented]:
    """Serve a provider on a free port."""
    provider = Rented(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with provider.lock:
                number = len(provider.seen)
                provider.seen.append(body)
                provider.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, headers, answered = provider.answer(json.loads(body), number)
            self.send_response(status)
            for name, value in ({"content-type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answered)))
            self.end_headers()
            self.wfile.write(answered)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        provider.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()


def words(number: int, count: int = 8) -> str:
    """Words that follow from a number."""
    picked = []
    for _ in range(count):
        number = (number * 1_103_515_245 + 12_345) % 2**31
        picked.append(_WORDS[number // 65_536 % len(_WORDS)])
    return " ".join(picked)


def text_calls(count: int) -> list[Call]:
    """Calls of one task with free text as answers, each of a user of its own."""
    return [
        a_call(
            id=f"0190{number:08x}-7abc-{number:010x}",
            created_at=BEGAN_AT + 60.0 * number,
            request_body=chat_body(
                f"Case {number}: {words(number)}, {words(number * 31 + 7)}", "Write a reply of one sentence."
            ),
            response_body=answer_body(
                f"Reply {number}. We are sorry about the {words(number + 5000)}, and will see to it."
            ),
            provider="rented",
            user_key=f"user-{number}",
            cost_usd=0.001,
        )
        for number in range(count)
    ]


def another(example: Example) -> str:
    """Another answer in other words."""
    return f"Other words about this: {example.incumbent}"


def compared_workspace(
    folder: Path,
    *,
    provider: ProviderSettings | None = None,
    calls: list[Call] | None = None,
    owned: Callable[[Example], str] = another,
    **values: Any,
) -> tuple[Workspace, Task]:
    """A workspace with one frozen task whose model answered what `owned` says; half of the calls are held out."""
    settings = load_settings(environment={}, state=str(folder))
    settings = settings.override({key.replace("__", "."): value for key, value in values.items()})
    workspace = open_workspace(replace(settings, providers=(provider,)) if provider else settings)
    workspace.store.calls.add(text_calls(160) if calls is None else calls)
    sort_new_calls(workspace)
    (task,) = workspace.store.registry.tasks()
    holding = settings.override({"freeze.proof_share": 0.5, "freeze.dev_share": 0.2})
    dataset_hash = freeze(replace(workspace, settings=holding), task, quiet)
    models = workspace.folder("models") / "model-1"
    models.mkdir(exist_ok=True)
    (models / "model.gguf").write_bytes(_WEIGHTS)
    card = ModelCard(
        id="model-1",
        task_id=task.id,
        base="b",
        base_sha256="c",
        dataset_hash=dataset_hash,
        recipe={},
        seed=0,
        metrics={},
        path=str(models),
        files={"model.gguf": sha256_hex(_WEIGHTS)},
        parity={"is_ok": True},
    )
    workspace.store.registry.put_model(card)
    put_answers(workspace, task, owned)
    return workspace, task


def put_answers(workspace: Workspace, task: Task, owned: Callable[[Example], str]) -> None:
    """Keep these answers of the model to all held-out calls."""
    frozen = load(Path(workspace.dataset(task).path))
    path = answers_path(workspace, "model-1")
    path.unlink(missing_ok=True)
    kept = KeptAnswers(path, sha256_hex(_WEIGHTS))
    for example in (*frozen.dev, *frozen.proof):
        answer = OwnedAnswer(text=owned(example), logprobs=(-0.1,), input_tokens=9, output_tokens=9, latency_ms=5.0)
        kept.put(example, answer)


@contextmanager
def _no_engine(*_: object, **__: object) -> Iterator[str]:
    yield "http://127.0.0.1:9"


def without_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no engine: every answer is kept already."""
    monkeypatch.setattr(freehold.pipeline.students.generator, "serving", _no_engine)
