"""Dialects as another package would offer them."""

from __future__ import annotations

import threading
from typing import Any

from freehold.dialects.form import Form
from freehold.model.exchange import Answer, Asked, Message

NEVER = threading.Event()


def read_request(data: dict[str, Any]) -> Asked:
    """One question."""
    return Asked(dialect="plain", model=str(data["model"]), messages=(Message("user", data["q"]),))


def read_answer(data: dict[str, Any]) -> Answer:
    """One answer."""
    return Answer(text=data["a"], finish_reason="stop")


def wait(_data: dict[str, Any]) -> Any:
    """Wait for what does not come."""
    NEVER.wait()


def render(_answer: object) -> dict[str, Any]:
    """Nobody asks for it."""
    raise AssertionError


PLAIN = Form(read_request=read_request, read_answer=read_answer, render=render, paths=("/v2/ask",))
HANGING = Form(read_request=wait, read_answer=wait, paths=("/v2/wait",))
