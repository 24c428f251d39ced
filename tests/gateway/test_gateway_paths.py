"""Whatever base URL a client was given, its calls are passed on or it is told what to change; either is recorded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anthropic
import openai
import pytest
from fidelity.upstream import LAST_CHUNK, SSE_HEAD, End, Seen, chunk, plain
from wired import Wired, wired

from freehold.gateway.config import Provider

CHAT = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-x-2026",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "refund"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
}
RESPONSE = {
    "id": "r1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-x-2026",
    "status": "completed",
    "output": [
        {
            "id": "i",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "refund", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11},
}
EMBEDDINGS = {
    "object": "list",
    "model": "e",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}
ASK: Any = [{"role": "user", "content": "hi"}]


async def azure(seen: Seen) -> AsyncIterator[bytes | End]:
    """A provider that answers by the end of the path; a stream begins as Azure's does."""
    path = seen.target.partition(b"?")[0]
    if path.endswith(b"/models"):
        yield plain(json.dumps({"object": "list", "data": [{"id": "up-1", "object": "model"}]}).encode())
    elif path.endswith(b"/responses"):
        yield plain(json.dumps(RESPONSE).encode())
    elif path.endswith(b"/embeddings"):
        yield plain(json.dumps(EMBEDDINGS).encode())
    elif path.endswith(b"/speech"):
        yield plain(b"\x00sound", kind=b"audio/mpeg")
    elif path.endswith(b"/messages"):
        yield plain(
            json.dumps(
                {
                    "id": "m",
                    "type": "message",
                    "role": "assistant",
                    "model": "claude-x",
                    "content": [{"type": "text", "text": "hi"}],
                    "stop_reason": "end_turn",
                    "usage": {"input_tokens": 3, "output_tokens": 1},
                }
            ).encode()
        )
    elif seen.data.get("stream"):
        head = {"id": "", "object": "", "created": 0, "model": ""}
        known = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x-2026"}
        yield SSE_HEAD
        for event in (
            {**head, "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
            {
                **known,
                "choices": [{"index": 0, "delta": {"role": "assistant", "content": "refund"}, "finish_reason": None}],
            },
            {**head, "choices": [{"index": 0, "finish_reason": None, "content_filter_offsets": {}}]},
            {**known, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        ):
            yield chunk(b"data: %b\n\n" % json.dumps(event).encode())
        yield chunk(b"data: [DONE]\n\n")
        yield LAST_CHUNK
    else:
        yield plain(json.dumps(CHAT).encode())


Make = Callable[[str], Provider]
AT_AZURE: Make = lambda url: Provider(name="az", base_url=f"{url}/openai", key_env="AZ_KEY")  # noqa: E731
AT_OPENAI: Make = lambda url: Provider(name="oa", base_url=f"{url}/v1", key_env="OA_KEY")  # noqa: E731
KEY = "f3e1c0ffee0123456789abcdef012345"


def azure_client(town: Wired, key: str = KEY) -> openai.AzureOpenAI:
    return openai.AzureOpenAI(
        azure_endpoint=f"http://127.0.0.1:{town.port}", api_key=key, api_version="2024-10-21", max_retries=0
    )


def test_azures_client_and_an_azure_resource() -> None:
    with wired(azure, AT_AZURE) as town, azure_client(town) as client:
        said = client.chat.completions.create(model="my-gpt", messages=ASK)
        assert said.choices[0].message.content == "refund"
        seen = town.upstream.seen[-1]
        assert seen.target == b"/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
        assert (seen.header(b"api-key"), seen.header(b"authorization")) == (KEY.encode(), b"")
        call = town.shelf.calls[-1]
        assert (call.dialect, call.model_asked, call.model_answered) == ("openai-chat", "my-gpt", "gpt-x-2026")
        assert (call.path, call.api) == ("/openai/deployments/my-gpt/chat/completions", {"api-version": "2024-10-21"})
        assert KEY not in repr(town.shelf.calls)
        streamed = client.chat.completions.create(model="my-gpt", messages=ASK, stream=True)
        assert (
            "".join(c.choices[0].delta.content or "" for c in streamed if c.choices and c.choices[0].delta) == "refund"
        )
        call = town.shelf.wait_for(lambda call: call.is_stream)
        assert (call.model_answered, call.finish_reason) == ("gpt-x-2026", "stop")
        assert client.embeddings.create(model="emb", input="x", encoding_format="float").data[0].embedding == [0.5]
        assert town.shelf.calls[-1].dialect == "openai-embeddings"
        assert client.responses.create(model="my-gpt", input="x").output_text == "refund"
        assert (town.upstream.seen[-1].target, town.shelf.calls[-1].dialect) == (
            b"/openai/responses?api-version=2024-10-21",
            "openai-responses",
        )
        assert client.audio.speech.create(model="tts", voice="v", input="x").content == b"\x00sound"
        assert town.upstream.seen[-1].target.startswith(b"/openai/deployments/tts/audio/speech?")
        assert [model.id for model in client.models.list()] == ["up-1"]


def test_azures_client_and_any_other_provider() -> None:
    """The path becomes the plain one, the key a bearer key, and the model stands in the body."""
    with wired(azure, AT_OPENAI) as town:
        status, headers, _ = town.ask(
            "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21&x=1",
            {"messages": ASK},
            {"api-key": KEY},
        )
        seen = town.upstream.seen[-1]
        assert (status, seen.target) == (200, b"/v1/chat/completions?x=1")
        assert (seen.data["model"], seen.header(b"authorization"), seen.header(b"api-key")) == (
            "my-gpt",
            b"Bearer " + KEY.encode(),
            b"",
        )
        assert town.call(headers).model_asked == "my-gpt"
        assert town.call(headers).request_body == json.dumps({"messages": ASK}).encode(), "as the client sent it"
        with azure_client(town) as client:
            client.chat.completions.create(model="my-gpt", messages=ASK)
            assert json.loads(town.upstream.seen[-1].body)["model"] == "my-gpt"
            assert client.responses.create(model="my-gpt", input="x").output_text == "refund"
            assert town.upstream.seen[-1].target == b"/v1/responses"


def test_the_newer_client_of_azure() -> None:
    for make, there in ((AT_AZURE, b"/openai/v1/chat/completions"), (AT_OPENAI, b"/v1/chat/completions")):
        with (
            wired(azure, make) as town,
            openai.OpenAI(base_url=f"http://127.0.0.1:{town.port}/openai/v1/", api_key=KEY, max_retries=0) as client,
        ):
            assert client.chat.completions.create(model="my-gpt", messages=ASK).choices[0].message.content == "refund"
            assert town.upstream.seen[-1].target == there
            assert town.shelf.calls[-1].dialect == "openai-chat"


def test_a_key_is_lent_where_the_provider_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZ_KEY", "az-lent")
    monkeypatch.setenv("OA_KEY", "oa-lent")
    with wired(azure, AT_AZURE) as town, azure_client(town, key="none") as client:
        client.chat.completions.create(model="my-gpt", messages=ASK)
        seen = town.upstream.seen[-1]
        assert (seen.header(b"api-key"), seen.header(b"authorization")) == (b"az-lent", b"")
    with wired(azure, AT_OPENAI) as town, azure_client(town, key="freehold") as client:
        client.chat.completions.create(model="my-gpt", messages=ASK)
        seen = town.upstream.seen[-1]
        assert (seen.header(b"api-key"), seen.header(b"authorization")) == (b"", b"Bearer oa-lent")


def test_azures_paths_go_to_an_azure_resource_where_there_is_one() -> None:
    with wired(azure, AT_OPENAI, AT_AZURE) as town:
        town.ask("/openai/deployments/d/chat/completions?api-version=1", {"messages": ASK}, {"api-key": KEY})
        town.ask("/v1/chat/completions", {"model": "m", "messages": ASK}, {"authorization": "Bearer k"})
        assert [call.provider for call in town.shelf.calls] == ["az", "oa"]


# mistakes in base URLs


@pytest.mark.parametrize(
    ("path", "code", "meant"),
    [
        ("/chat/completions", "missing_v1", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "doubled_v1", "/v1/chat/completions"),
        ("/api/v1/chat/completions", "unknown_path", "/v1/chat/completions"),
        ("/responses", "missing_v1", "/v1/responses"),
        ("/messages?beta=true", "missing_v1", "/v1/messages"),
    ],
)
def test_a_mistaken_path_gets_a_hint_and_a_record(path: str, code: str, meant: str) -> None:
    with wired(azure) as town:
        status, headers, body = town.ask(path, {"model": "m", "messages": ASK})
        error = json.loads(body)["error"]
        assert (status, error["code"], headers["freehold-error"]) == (404, code, code)
        assert meant in error["message"]
        assert "base URL" in error["message"]
        assert headers["x-should-retry"] == "false"
        call = town.call(headers)
        assert (call.status, call.error, call.path, call.model_asked) == (404, code, path.partition("?")[0], "m")
        assert town.upstream.seen == []


def test_clients_with_a_forgotten_v1_say_so_at_once() -> None:
    with wired(azure) as town:
        url = f"http://127.0.0.1:{town.port}"
        with openai.OpenAI(base_url=url, api_key="k") as client:
            with pytest.raises(openai.NotFoundError, match="lacks /v1"):
                client.chat.completions.create(model="m", messages=ASK)
            with pytest.raises(openai.NotFoundError, match="lacks /v1"):
                client.models.list()
        with (
            anthropic.Anthropic(base_url=f"{url}/v1", api_key="k") as client,
            pytest.raises(anthropic.NotFoundError, match="/v1 twice"),
        ):
            client.messages.create(model="claude-x", max_tokens=9, messages=ASK)
        assert [call.error for call in town.shelf.calls] == ["missing_v1", "missing_v1", "doubled_v1"]
        assert [call.dialect for call in town.shelf.calls] == ["openai-chat", "other", "anthropic-messages"]


def test_other_pages_are_left_alone() -> None:
    with wired(azure) as town:
        for method, path in (
            ("GET", "/"),
            ("GET", "/chat/completions"),
            ("POST", "/tasks"),
            ("DELETE", "/models"),
            ("GET", "/api/tasks"),
        ):
            status, headers, _ = town.send(method, path)
            assert status == 404
            assert "freehold-call-id" not in headers
        assert town.shelf.calls == []


# models


def test_one_model() -> None:
    listed: Make = lambda url: Provider(name="l", base_url=f"{url}/v1", models=("gpt-a", "org/b"))  # noqa: E731
    with wired(azure, listed, AT_OPENAI) as town:
        for name in ("gpt-a", "org/b", "up-1"):
            status, headers, body = town.ask(f"/v1/models/{name}", headers={"authorization": "Bearer k"})
            assert (status, json.loads(body)["id"]) == (200, name)
            assert town.call(headers).status == 200
        status, headers, body = town.ask("/v1/models/nobody", headers={"authorization": "Bearer k"})
        assert (status, json.loads(body)["error"]["code"]) == (404, "unknown_model")
        shaped = town.ask(
            "/v1/models/nobody", headers={"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
        )[2]
        assert json.loads(shaped)["type"] == "error"
        with openai.OpenAI(base_url=f"http://127.0.0.1:{town.port}/v1", api_key="k", max_retries=0) as client:
            assert client.models.retrieve("gpt-a").id == "gpt-a"
            with pytest.raises(openai.NotFoundError):
                client.models.retrieve("nobody")
    with wired(azure, AT_OPENAI) as town:
        town.ask("/v1/models/gpt-x", headers={"authorization": "Bearer k"})
        assert town.upstream.seen[-1].target == b"/v1/models/gpt-x", "one provider answers for itself"


# API versions


def test_the_version_of_the_api_is_kept_and_passed_on() -> None:
    with wired(azure) as town:
        with anthropic.Anthropic(
            base_url=f"http://127.0.0.1:{town.port}", api_key="sk-ant-real", max_retries=0
        ) as client:
            client.messages.create(
                model="claude-x", max_tokens=9, messages=ASK, extra_headers={"anthropic-beta": "a,b"}
            )
        call, seen = town.shelf.calls[-1], town.upstream.seen[-1]
        assert call.api == {"anthropic-version": "2026-10-21", "anthropic-beta": "a,b"}
        assert (seen.header(b"anthropic-version"), seen.header(b"authorization")) == (
            b"2026-10-21",
            b"Bearer sk-ant-real",
        )
        assert call.provider == "anth"
        _, headers, _ = town.ask("/v1/chat/completions", {"model": "m", "messages": ASK}, {"openai-beta": "x=v2"})
        assert town.call(headers).api == {"openai-beta": "x=v2"}
        _, headers, _ = town.ask("/v1/chat/completions", {"model": "m", "messages": ASK})
        assert town.call(headers).api == {}
