"""Calls, tasks and settings made for tests."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

from freehold.model import Call
from freehold.model.coins import coins_of, without_coins
from freehold.model.ids import sha256_hex
from freehold.model.model_card import MODEL_FILE
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.settings import load_settings

Run = Callable[..., Result]
"""Runs the command line with these arguments."""

SYSTEM = "You triage messages to the support desk of a shop. Answer with one JSON object: intent and urgency."
INTENTS = ("refund", "delivery", "damaged", "invoice")
BEGAN_AT = 1_763_900_000.0
_NUMBERS = itertools.count(1)


def weights(folder: Path, content: bytes = b"GGUF weights") -> dict[str, Any]:
    """A model's file, written into the folder, as the fields of a card that say where it is and which it is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(content)
    return {"path": str(folder), "files": {MODEL_FILE: sha256_hex(content)}}


def a_call(**changes: Any) -> Call:
    """A whole call, with changes; ids grow."""
    values: dict[str, Any] = {
        "id": f"0190{next(_NUMBERS):08x}-7abc",
        "created_at": BEGAN_AT,
        "dialect": "openai-chat",
        "path": "/v1/chat/completions",
        "request_body": b'{"model":"m","messages":[{"role":"user","content":"hello"}]}',
        "response_body": b'{"choices":[{"message":{"content":"hi"}}]}',
        "provider": "openai",
        "model_asked": "m",
        "model_answered": "m-1",
        "status": 200,
        "input_tokens": 10,
        "output_tokens": 2,
        "cost_usd": 0.5,
        "latency_ms": 100.0,
        "tags": {"row": "1"},
    }
    return with_coins(values | changes)


def with_coins(values: dict[str, Any]) -> Call:
    """A call whose coins are given among its tags."""
    tags = values.get("tags", {})
    return Call(**{"coins": coins_of(tags)} | values | {"tags": without_coins(tags)})


def chat_body(text: str, system: str = SYSTEM) -> bytes:
    """The body of a chat request."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return json.dumps({"model": "m", "messages": messages}).encode()


def answer_body(text: str) -> bytes:
    """The body of its answer."""
    message = {"role": "assistant", "content": text}
    return json.dumps({"model": "m-1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()


def triage_calls(count: int, **changes: Any) -> list[Call]:
    """Calls of one task, each with a different message and an answer that follows from it."""
    return [_triage_call(number, changes) for number in range(count)]


def _triage_call(number: int, changes: dict[str, Any]) -> Call:
    intent = INTENTS[number % len(INTENTS)]
    words = f"{intent} of order {number * 7919 % 100_003}: {_letters(number)} and {_letters(number * 31 + 7)}"
    values: dict[str, Any] = {
        "created_at": BEGAN_AT + 60.0 * number,
        "request_body": chat_body(words),
        "response_body": answer_body(json.dumps({"intent": intent, "urgency": number % 3})),
        "session_key": f"session-{number // 2}",
    }
    return a_call(**values | changes)


def _letters(number: int) -> str:
    words = []
    for _ in range(6):
        number = (number * 1_103_515_245 + 12_345) % 2**31
        words.append("".join(chr(97 + number // 26**place % 26) for place in range(5)))
    return " ".join(words)


def a_workspace(folder: Path, **values: Any) -> Workspace:
    """A workspace in a folder, with default settings but for `values`, whose dots are double underscores."""
    settings = load_settings(environment={}, state=str(folder))
    return open_workspace(settings.override({key.replace("__", "."): value for key, value in values.items()}))
