"""The simulated provider over real HTTP, asked by the official SDK: its dialect, its habits and its manners."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from freehold.demo import chat
from freehold.demo.answers import UNKNOWN, DeskAnswers, FileAnswers, Habits, compact, mistake, reworded
from freehold.demo.desk import app_request, messages
from freehold.demo.provider import Pace, Provider, _listen, create_app, main
from freehold.errors import BusyError, DataError

SEED = 7
NO_WAIT = Pace(float("inf"))


@contextmanager
def serving(provider: Provider) -> Iterator[str]:
    """Serve a provider on a free port of this machine; gives the base URL."""
    listener = _listen(0)
    server = uvicorn.Server(uvicorn.Config(create_app(provider), log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


@pytest.fixture(scope="module")
def desk() -> DeskAnswers:
    return DeskAnswers(SEED, known=4_000)


@pytest.fixture(scope="module")
def url(desk: DeskAnswers) -> Iterator[str]:
    with serving(Provider(desk, seed=SEED, pace=NO_WAIT)) as base_url:
        yield base_url


def _parsed(answer: str) -> object:
    return json.loads(answer.strip().removeprefix("```json").removesuffix("```"))


def test_the_sdk_gets_the_triage_of_a_message(url: str) -> None:
    with openai.OpenAI(base_url=url, api_key="any") as client:
        for message in messages(10, SEED):
            answer = client.chat.completions.create(**app_request(message))  # type: ignore[call-overload]
            assert isinstance(_parsed(answer.choices[0].message.content), dict)
            assert answer.choices[0].finish_reason == "stop"
            assert answer.id.startswith("chatcmpl-")
            assert answer.system_fingerprint == "fp_simulated"
            assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
            assert answer.usage.prompt_tokens > 500


def test_a_stream_says_the_same_as_a_whole_answer(url: str) -> None:
    with openai.OpenAI(base_url=url, api_key="any") as client:
        for message in messages(20, SEED):
            request = app_request(message)
            whole = client.chat.completions.create(**request)  # type: ignore[call-overload]
            options = {"include_usage": True}
            stream = client.chat.completions.create(**request, stream=True, stream_options=options)  # type: ignore[call-overload]
            parts = list(stream)
            text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
            assert text == whole.choices[0].message.content
            assert parts[-1].choices == []
            assert parts[-1].usage == whole.usage
            assert all(part.usage is None for part in parts[:-1])
            assert parts[0].choices[0].delta.role == "assistant"
            assert parts[-2].choices[0].finish_reason == "stop"


def test_a_stream_without_the_usage_option_has_no_usage(url: str) -> None:
    body = {**app_request(next(messages(1, SEED))), "stream": True}
    answer = httpx.post(f"{url}/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    assert all("usage" not in json.loads(event) for event in events[:-1])


def test_every_answer_says_that_it_is_simulated(url: str) -> None:
    for answer in (
        httpx.post(f"{url}/chat/completions", json=app_request(next(messages(1, SEED)))),
        httpx.post(f"{url}/chat/completions", content=b"{"),
        httpx.get(f"{url}/models"),
        httpx.get(f"{url}/nothing"),
    ):
        assert answer.headers["x-simulated-provider"] == "freehold-demo"
        assert answer.headers["x-request-id"].startswith("req_")
        assert int(answer.headers["x-ratelimit-limit-requests"]) > 0
    listed = httpx.get(f"{url}/models").json()
    assert [(m["id"], m["owned_by"]) for m in listed["data"]] == [("rented-large-1", "simulated")]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{not json", 400, None),
        (b"[]", 400, None),
        (b'{"messages":[{"role":"user","content":"hi"}]}', 400, "model"),
        (b'{"model":"rented-large-9","messages":[{"role":"user","content":"hi"}]}', 404, "model"),
        (b'{"model":"rented-large-1"}', 400, "messages"),
        (b'{"model":"rented-large-1","messages":[]}', 400, "messages"),
        (b'{"model":"rented-large-1","messages":[{"role":"system","content":"hi"}]}', 400, "messages"),
        (b'{"model":"rented-large-1","messages":[{"role":"user","content":7}]}', 400, "messages"),
        (b'{"model":"rented-large-1","n":2,"messages":[{"role":"user","content":"hi"}]}', 400, "n"),
        (b"\xff\xfe", 400, None),
        (b'{"model":' + b"[" * 100_000, 400, None),
    ],
)
def test_bad_requests_get_errors_in_the_shape_of_openai(url: str, body: bytes, status: int, param: str | None) -> None:
    answer = httpx.post(f"{url}/chat/completions", content=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert error["message"]


def test_half_a_surrogate_pair_is_answered_as_any_text(url: str) -> None:
    body = b'{"model":"rented-large-1","messages":[{"role":"user","content":"half \\ud83d"}]}'
    answer = httpx.post(f"{url}/chat/completions", content=body)
    assert answer.status_code == 200


def test_unknown_paths_and_wrong_methods_get_errors_too(url: str) -> None:
    assert httpx.get(f"{url}/embeddings").status_code == 404
    assert httpx.get(f"{url}/chat/completions").status_code == 405
    assert httpx.get(f"{url}/embeddings").json()["error"]["code"] == "unknown_url"


def test_the_sdk_raises_its_own_error_for_an_unknown_model(url: str) -> None:
    with openai.OpenAI(base_url=url, api_key="any") as client, pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such", messages=[{"role": "user", "content": "hi"}])


def test_a_key_is_checked_when_one_is_set(desk: DeskAnswers) -> None:
    with serving(Provider(desk, seed=SEED, pace=NO_WAIT, key="secret")) as base_url:
        assert httpx.get(f"{base_url}/models").status_code == 401
        assert httpx.get(f"{base_url}/models", headers={"authorization": "Bearer secret"}).status_code == 200


def test_wrong_and_reworded_answers_come_at_their_rates(desk: DeskAnswers) -> None:
    traffic = list(messages(4_000, SEED))
    answers = [desk.answer(message.text) for message in traffic]
    wrong = sum(_parsed(a) != m.gold for a, m in zip(answers, traffic, strict=True)) / len(traffic)
    worded = sum(a != compact(_parsed(a)) or list(json.loads(a)) != list(UNKNOWN) for a in answers) / len(traffic)
    assert wrong == pytest.approx(0.025, abs=0.008)
    assert worded == pytest.approx(0.10, abs=0.015)


def test_the_same_seed_and_text_give_the_same_answer(desk: DeskAnswers) -> None:
    texts = [message.text for message in messages(200, SEED)]
    again = DeskAnswers(SEED, known=200)
    assert [again.answer(text) for text in reversed(texts)] == [desk.answer(text) for text in reversed(texts)]


def test_an_unknown_text_gets_the_triage_other() -> None:
    exact = DeskAnswers(SEED, known=10, habits=Habits(wrong_share=0, reworded_share=0))
    assert json.loads(exact.answer("Tell me a story about a lighthouse.")) == UNKNOWN


def test_a_mistake_is_always_wrong_and_a_rewording_never() -> None:
    rng = random.Random(1)
    for message in messages(1_500, SEED):
        assert mistake(message.gold, rng) != message.gold
        assert list(mistake(message.gold, rng)) == list(message.gold)
        text = reworded(message.gold, rng)
        assert _parsed(text) == message.gold
        assert text != compact(message.gold)


def test_faults_come_at_their_rate_and_the_sdk_gets_over_them(desk: DeskAnswers) -> None:
    request = app_request(next(messages(1, SEED)))
    with serving(Provider(desk, seed=SEED, pace=NO_WAIT, fault_share=0.2)) as base_url, httpx.Client() as client:
        answers = [client.post(f"{base_url}/chat/completions", json=request) for _ in range(400)]
    failed = [answer for answer in answers if answer.status_code != 200]
    assert {answer.status_code for answer in failed} == {429, 500}
    assert len(failed) / len(answers) == pytest.approx(0.2, abs=0.06)
    assert all(answer.headers["retry-after"] for answer in failed if answer.status_code == 429)


def test_the_pace_is_seeded_and_divided_by_the_speed() -> None:
    draws = [Pace().times_s(random.Random(seed)) for seed in range(2_000)]
    firsts = sorted(first for first, _ in draws)
    tokens = sorted(token for _, token in draws)
    assert firsts[1_000] == pytest.approx(0.450, rel=0.05)
    assert tokens[1_000] == pytest.approx(0.012, rel=0.05)
    assert Pace(10).times_s(random.Random(3)) == pytest.approx([t / 10 for t in Pace().times_s(random.Random(3))])
    assert NO_WAIT.times_s(random.Random(3)) == (0, 0)


@given(st.text())
def test_pieces_of_an_answer_make_the_answer(text: str) -> None:
    assert "".join(chat.pieces(text)) == text


def test_answers_from_a_file_match_exactly_and_inside_a_prompt(tmp_path: Path) -> None:
    rows = [
        {"input": "play some jazz", "gold": {"intent": "PlayMusic", "slots": {"genre": ["jazz"]}}},
        {"input": "play some jazz from the fifties", "gold": "label-b", "teacher": {"big": "from the teacher"}},
        {"input": "hi", "gold": "short"},
    ]
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(json.dumps({"teacher": {"big": "?"}, **row}) for row in rows) + "\n", encoding="utf-8")
    answers = FileAnswers.read(file)
    assert answers.answer("play some jazz") == '{"intent":"PlayMusic","slots":{"genre":["jazz"]}}'
    assert answers.answer("Sort this:\nplay some jazz from the fifties\nOne label.") == "label-b"
    assert answers.answer("Oh hi") == "short"
    assert answers.answer("nothing known") is None
    assert FileAnswers.read(file, teacher="big").answer("play some jazz from the fifties") == "from the teacher"


def test_answers_are_found_fast_inside_long_prompts() -> None:
    known = [f"sentence number {at} about a thing" for at in range(10_000)]
    answers = FileAnswers((text, text.upper()) for text in known)
    prompt = "Some instructions that are long. " * 60
    began = time.perf_counter()
    for text in known[::100]:
        assert answers.answer(prompt + text + "\nAnswer:") == text.upper()
    assert time.perf_counter() - began < 5


def test_an_unknown_input_of_a_file_is_a_404() -> None:
    with serving(Provider(FileAnswers([("a", "b")]), seed=SEED, pace=NO_WAIT)) as base_url:
        body = {"model": chat.MODEL, "messages": [{"role": "user", "content": [{"type": "text", "text": "?"}]}]}
        answer = httpx.post(f"{base_url}/chat/completions", json=body)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "answer_not_found"


@pytest.mark.parametrize("line", ["{", '{"input": "x"}', "[]", '{"input": "x", "teacher": null}'])
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"input": "a", "gold": "b"}\n' + line, encoding="utf-8")
    with pytest.raises(DataError, match="Line 2 of"):
        FileAnswers.read(file)


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["--answers", "no/such/file.jsonl"], 1),
        (["--speed", "0"], 2),
        (["--fault-share", "1.5"], 2),
        (["--teacher", "big"], 2),
        (["--answers", "x", "--wrong-share", "0.1"], 2),
    ],
)
def test_the_command_line_refuses_what_makes_no_sense(
    argv: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_a_port_in_use_is_one_clear_error() -> None:
    with _listen(0) as taken:
        taken.listen()
        with pytest.raises(BusyError, match=str(taken.getsockname()[1])):
            _listen(taken.getsockname()[1])
