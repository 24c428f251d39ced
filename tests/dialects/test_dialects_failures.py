"""Errors under status 200, in every dialect: in the body, in the choice, in the stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dialects.made_streams import answered, assembled, chat, chunk, data, named

from freehold.dialects import read_answer
from freehold.dialects.endings import ending_of
from freehold.model import Dialect

ANSWERING: tuple[Dialect, ...] = ("openai-chat", "openai-responses", "openai-completions", "anthropic-messages")
BODIES: list[tuple[dict[str, Any], str]] = [
    ({"error": {"code": 429, "message": "Provider returned error"}}, "Provider returned error"),
    ({"error": {"error": {"message": "nested"}}}, "nested"),
    ({"error": "model is loading"}, "model is loading"),
    ({"error": {"type": "overloaded_error"}}, "overloaded_error"),
    ({"error": [{"message": "first"}]}, "first"),
    ({"error": True}, "error"),
    ({"error": {"code": 502}}, "error"),
    ({"type": "error", "error": {"type": "api_error", "message": "busy"}}, "busy"),
    ({"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}, "too long"),
    ({"errors": [{"message": "no such model"}], "success": False}, "no such model"),
    ({"base_resp": {"status_code": 1004, "status_msg": "not authorised"}}, "not authorised"),
    ({"code": "InvalidParameter", "message": "bad", "request_id": "r"}, "bad"),
    ({"detail": "not found"}, "not found"),
    ({"detail": [{"loc": ["body"], "msg": "bad role"}]}, "bad role"),
    ({"success": False, "msg": "busy", "choices": None, "content": None, "output": None}, "busy"),
    ({"error_code": 336003, "error_msg": "empty"}, "empty"),
]
NONE: list[dict[str, Any]] = [
    {},
    {"error": None},
    {"error": {}},
    {"error": ""},
    {"error": False},
    {"base_resp": {"status_code": 0, "status_msg": ""}},
    {"choices": [], "code": 200, "message": "ok"},
    {"output": [], "error": None, "status": "completed"},
    {"content": [], "detail": "x"},
]


def test_bodies_in_every_dialect() -> None:
    checked = 0
    for dialect in ANSWERING:
        for body, words in BODIES:
            assert read_answer(dialect, json.dumps(body).encode()).error == words, (dialect, body)
            checked += 1
        for body in NONE:
            assert read_answer(dialect, json.dumps(body).encode()).error is None, (dialect, body)
            checked += 1
    assert checked == len(ANSWERING) * (len(BODIES) + len(NONE))


def test_errors_of_a_choice() -> None:
    assert chat({"content": "half"}, "error").error == "error"
    assert chat({"content": "half"}, "insufficient_system_resource").error == "insufficient_system_resource"
    half = {"message": {"content": "half"}, "finish_reason": "stop", "error": {"code": 502, "message": "died"}}
    assert read_answer("openai-chat", json.dumps({"choices": [half]}).encode()).error == "died"
    assert chat({"content": "half", "error": {"message": "died"}}, "stop").error == "died"
    assert chat({"content": "whole"}, "stop").error is None
    assert chat({"content": "cut"}, "length").error is None


def test_responses_that_failed() -> None:
    failed = {"status": "failed", "error": {"code": "server_error", "message": "broke"}, "output": []}
    assert read_answer("openai-responses", json.dumps(failed).encode()).error == "broke"
    assert read_answer("openai-responses", b'{"status": "failed", "error": null, "output": []}').error == "failed"


def test_a_response_whose_message_is_not_whole_was_cut() -> None:
    part = {"type": "output_text", "text": "half"}
    message = {"type": "message", "status": "incomplete", "content": [part]}
    for status in ({"status": "completed"}, {}):
        body = json.dumps({**status, "output": [message]}).encode()
        assert ending_of(read_answer("openai-responses", body).finish_reason) == "cut_off"


STREAMS: list[tuple[Dialect, bytes, str]] = [
    ("openai-chat", data(chunk({"content": "x"}), {"error": {"message": "overloaded"}}), "overloaded"),
    ("openai-chat", data(chunk({"content": "x"}), chunk({"content": ""}, "error", error={"message": "died"})), "died"),
    ("openai-chat", data(chunk({"content": "x"}, "stop"), {"error": {"code": 502, "message": "late"}}), "late"),
    ("openai-chat", data(chunk({"content": "x"}), {"object": "error", "message": "aborted", "code": 500}), "aborted"),
    (
        "openai-chat",
        data(chunk({"content": "x"}), done=False) + b"event: error\ndata: upstream died\n\n",
        "upstream died",
    ),
    ("openai-chat", data(chunk({"content": "x"}), done=False) + b'event: error\ndata: {"detail": "x"}\n\n', "x"),
    ("openai-chat", data(chunk({"content": "x"}), done=False) + b'{"error": {"message": "bare"}}\n', "bare"),
    ("openai-completions", data({"choices": [{"text": "x"}]}, {"error": {"message": "overloaded"}}), "overloaded"),
    ("anthropic-messages", named({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}), "busy"),
    ("anthropic-messages", b'data: {"error": {"message": "proxy"}}\n\n', "proxy"),
    ("openai-responses", named({"type": "error", "code": "server_error", "message": "broke", "param": None}), "broke"),
    (
        "openai-responses",
        named({"type": "response.failed", "response": {"status": "failed", "error": {"message": "broke"}}}),
        "broke",
    ),
    ("openai-responses", data({"error": {"message": "proxy"}}, done=False), "proxy"),
]


@pytest.mark.parametrize(("dialect", "stream", "words"), STREAMS)
def test_streams(dialect: Dialect, stream: bytes, words: str) -> None:
    assert assembled(dialect, stream).error == words


def test_an_error_of_a_stream_stays_in_its_body() -> None:
    checked = 0
    for dialect, stream, words in STREAMS:
        if b"bare" not in stream and b"died\n" not in stream:  # bare words have no place in a body
            assert answered(dialect, stream).error == words, stream
            checked += 1
    assert checked == len(STREAMS) - 2


def test_a_choice_that_failed_in_a_stream() -> None:
    ended = answered("openai-chat", data(chunk({"content": "half"}), chunk({}, "error")))
    assert (ended.error, ended.text) == ("error", "half")
