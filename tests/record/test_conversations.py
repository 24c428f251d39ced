"""Calls of a conversation that the provider keeps are of one session, whichever response they name."""

from __future__ import annotations

import json
from typing import Any

from exchanges import an_exchange, as_call
from msgspec.structs import replace

from freehold.model import Call
from freehold.model.call import Dialect
from freehold.record import Conversations, conversations


def call(dialect: Dialect, request: dict[str, Any], response_id: str, session: str | None = None) -> Call:
    answer = {"id": response_id, "object": "response", "output": [], "content": []}
    exchange = an_exchange(body=json.dumps(answer).encode())
    sent = replace(exchange.request, dialect=dialect, body=json.dumps(request).encode(), session_key=session)
    return as_call(replace(exchange, request=sent))


def after(previous: str) -> dict[str, Any]:
    return {"thread": {"type": "continue", "previous_message_id": previous}}


def test_a_thread_of_messages() -> None:
    known = Conversations()
    begun = known.placed(call("anthropic-messages", {"thread": {"type": "create"}, "messages": []}, "msg_1"))
    second = known.placed(call("anthropic-messages", after("msg_1"), "msg_2"))
    third = known.placed(call("anthropic-messages", after("msg_2"), "msg_3"))
    branch = known.placed(call("anthropic-messages", after("msg_2"), "msg_4"))
    other = known.placed(call("anthropic-messages", after("msg_9"), "msg_10"))
    assert {begun.session_key, second.session_key, third.session_key, branch.session_key} == {"msg_1"}
    assert other.session_key == "msg_9"
    assert known.placed(call("anthropic-messages", {"messages": []}, "msg_5")).session_key is None


def test_responses_that_follow_each_other() -> None:
    known = Conversations()
    assert known.placed(call("openai-responses", {"input": "x"}, "resp_1")).session_key is None
    chain = [
        call("openai-responses", {"input": "x", "previous_response_id": f"resp_{n}"}, f"resp_{n + 1}")
        for n in (1, 2, 3)
    ]
    assert [known.placed(one).session_key for one in chain] == ["resp_1"] * 3


def test_a_session_that_the_caller_names_holds() -> None:
    known = Conversations()
    assert (
        known.placed(call("openai-responses", {"previous_response_id": "resp_1"}, "resp_2", "mine")).session_key
        == "mine"
    )
    assert known.placed(call("openai-responses", {"previous_response_id": "resp_2"}, "resp_3")).session_key == "mine"


def test_other_dialects_and_odd_bodies_are_left_alone() -> None:
    known = Conversations()
    chat = call("openai-chat", {"messages": []}, "c1")
    assert known.placed(chat) is chat
    odd = replace(call("openai-responses", {"previous_response_id": "r"}, "x"), response_body=b"\xff{")
    assert known.placed(odd).session_key == "r"


def test_what_is_remembered_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(conversations, "MOST_RESPONSES", 2)
    known = Conversations()
    for n in range(1, 5):
        known.placed(call("openai-responses", {"previous_response_id": f"r{n}"}, f"r{n + 1}"))
    assert len(known._first) == 2
    assert known.placed(call("openai-responses", {"previous_response_id": "r5"}, "r6")).session_key == "r1"
    assert known.placed(call("openai-responses", {"previous_response_id": "r2"}, "r7")).session_key == "r2"
