"""Paths of calls: dialect, model, where they are at a provider, and what is wrong with those that are none."""

from __future__ import annotations

import pytest

from freehold.dialects.address import (
    KEY_HEADERS,
    MODELS_PATH,
    ProviderDialect,
    key_header,
    provider_target,
    speaks_azure,
    version_headers,
)
from freehold.dialects.paths import call_fault, dialect_of, path_model, path_of
from freehold.model import Dialect

DIALECTS: list[tuple[str, Dialect]] = [
    ("/v1/chat/completions", "openai-chat"),
    ("/v1/chat/completions/", "openai-chat"),
    ("/v1/responses?x=1", "openai-responses"),
    ("/v1/messages", "anthropic-messages"),
    ("/v1/messages/count_tokens", "other"),
    ("/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21", "openai-chat"),
    ("/openai/deployments/my-gpt/extensions/chat/completions", "openai-chat"),
    ("/openai/deployments/my-gpt/completions", "openai-completions"),
    ("/openai/deployments/my-gpt/embeddings", "openai-embeddings"),
    ("/openai/deployments/my-gpt/audio/transcriptions", "other"),
    ("/openai/deployments/my-gpt", "other"),
    ("/openai/responses?api-version=2025-04-01-preview", "openai-responses"),
    ("/openai/v1/responses", "openai-responses"),
    ("/openai/v1/chat/completions", "openai-chat"),
    ("/openai/models", "other"),
    ("/chat/completions", "other"),
    ("/", "other"),
]


@pytest.mark.parametrize(("path", "dialect"), DIALECTS)
def test_dialects(path: str, dialect: Dialect) -> None:
    assert dialect_of(path) == dialect


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "openai-completions", "anthropic-messages"])
def test_a_dialect_is_spoken_at_its_own_path(dialect: Dialect) -> None:
    assert dialect_of(path_of(dialect)) == dialect
    assert path_of(dialect).count("/") <= 3


def test_models() -> None:
    assert path_model("/openai/deployments/my-gpt/chat/completions") == "my-gpt"
    assert path_model("/openai/deployments/my%20gpt/chat/completions") == "my gpt"
    assert path_model("/openai/deployments/") is None
    assert path_model("/v1/models/meta/llama") == "meta/llama"
    assert path_model("/v1/chat/completions") is None


AZURE_CHAT = "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21&x=1"
TARGETS = [
    # base URL, target here, target there
    ("https://api.openai.com/v1", "/v1/models?a=%20", "/v1/models?a=%20"),
    ("http://localhost:8000", "/v1/models", "/v1/models"),
    ("https://host/v1beta/openai", "/v1/models", "/v1beta/openai/models"),
    ("https://me.openai.azure.com", AZURE_CHAT, AZURE_CHAT),
    ("https://me.openai.azure.com/openai", AZURE_CHAT, AZURE_CHAT),
    ("https://me.openai.azure.com/openai/v1", AZURE_CHAT, AZURE_CHAT),
    ("https://me.openai.azure.com/openai/v1/", "/openai/v1/responses", "/openai/v1/responses"),
    ("https://me.openai.azure.com", "/openai/v1/responses", "/openai/v1/responses"),
    ("https://me.openai.azure.com", "/v1/chat/completions", "/openai/v1/chat/completions"),
    ("https://me.openai.azure.com/openai", "/v1/chat/completions", "/openai/v1/chat/completions"),
    ("https://me.openai.azure.com/openai/v1", "/v1/chat/completions", "/openai/v1/chat/completions"),
    (
        "https://me.openai.azure.com/openai/deployments/d",
        "/v1/chat/completions",
        "/openai/deployments/d/chat/completions",
    ),
    ("https://me.services.ai.azure.com/models", "/v1/chat/completions", "/models/chat/completions"),
    ("http://proxy/azure/openai", AZURE_CHAT, "/azure" + AZURE_CHAT),
    ("http://127.0.0.1:9/openai", AZURE_CHAT, AZURE_CHAT),
    ("http://127.0.0.1:9/v1", AZURE_CHAT, "/v1/chat/completions?x=1"),
    ("http://127.0.0.1:9", AZURE_CHAT, "/v1/chat/completions?x=1"),
    ("http://127.0.0.1:9/v1", "/openai/v1/responses", "/v1/responses"),
    ("http://127.0.0.1:9/v1", "/openai/responses?api-version=x", "/v1/responses"),
    ("http://127.0.0.1:9/v1", "/openai/files/f1/content", "/v1/files/f1/content"),
    ("https://generativelanguage.googleapis.com/v1beta/openai", AZURE_CHAT, "/v1beta/openai/chat/completions?x=1"),
]


@pytest.mark.parametrize(("base", "here", "there"), TARGETS)
def test_targets(base: str, here: str, there: str) -> None:
    assert provider_target(base, here, "openai") == there


def test_anthropics_targets() -> None:
    for base, there in (("https://host", "/v1/messages"), ("https://host/claude", "/claude/v1/messages")):
        assert provider_target(base, "/v1/messages", "anthropic") == there
    on_azure = "https://me.services.ai.azure.com/anthropic"
    assert provider_target(on_azure, "/v1/messages", "anthropic") == "/anthropic/v1/messages"


def test_another_model_takes_the_deployments_place() -> None:
    there = provider_target("https://me.openai.azure.com", AZURE_CHAT, "openai", model="other/gpt")
    assert there == AZURE_CHAT.replace("my-gpt", "other%2Fgpt")


def test_whose_keys_go_where() -> None:
    azure, plain = "https://me.openai.azure.com", "https://api.openai.com/v1"
    assert key_header(azure, "k", "/v1/responses", "openai") == ("api-key", "k")
    assert key_header("http://proxy/openai", "k", AZURE_CHAT, "openai") == ("api-key", "k")
    assert key_header("http://proxy/openai", "k", "/v1/responses", "openai") == ("authorization", "Bearer k")
    assert key_header(plain, "k", AZURE_CHAT, "openai") == ("authorization", "Bearer k")
    assert key_header("https://api.anthropic.com", "k", "/v1/messages", "anthropic") == ("x-api-key", "k")
    assert speaks_azure(azure)
    assert not speaks_azure(plain)


def test_a_list_of_models_is_asked_where_calls_go() -> None:
    """As the doctor does: it used to ask Azure as if it were OpenAI."""
    azure = "https://me.openai.azure.com"
    assert provider_target(azure, MODELS_PATH, "openai") == "/openai/v1/models"
    assert key_header(azure, "k", MODELS_PATH, "openai") == ("api-key", "k")
    assert provider_target("https://host/claude", MODELS_PATH, "anthropic") == "/claude/v1/models"
    assert version_headers("openai") == {}
    assert set(version_headers("anthropic")) == {"anthropic-version"}


def test_every_header_that_a_key_may_stand_in_is_known() -> None:
    cases: list[tuple[str, ProviderDialect]] = [
        ("https://me.openai.azure.com", "openai"),
        ("https://api.openai.com/v1", "openai"),
        ("https://api.anthropic.com", "anthropic"),
    ]
    assert {key_header(base, "k", MODELS_PATH, speaks)[0] for base, speaks in cases} == set(KEY_HEADERS)


FAULTS = [
    ("/chat/completions", ("missing_v1", "/v1/chat/completions")),
    ("/chat/completions?x=1", ("missing_v1", "/v1/chat/completions")),
    ("/responses", ("missing_v1", "/v1/responses")),
    ("/messages", ("missing_v1", "/v1/messages")),
    ("/messages/count_tokens", ("missing_v1", "/v1/messages/count_tokens")),
    ("/completions", ("missing_v1", "/v1/completions")),
    ("/embeddings/", ("missing_v1", "/v1/embeddings")),
    ("/models", ("missing_v1", "/v1/models")),
    ("/models/gpt-x", ("missing_v1", "/v1/models/gpt-x")),
    ("/v1/v1/messages", ("doubled_v1", "/v1/messages")),
    ("/v1/v1/v1/chat/completions", ("doubled_v1", "/v1/chat/completions")),
    ("/api/v1/chat/completions", ("unknown_path", "/v1/chat/completions")),
    ("/v1beta/openai/chat/completions", ("unknown_path", "/v1/chat/completions")),
    ("/anthropic/v1/messages", ("unknown_path", "/v1/messages")),
]


@pytest.mark.parametrize(("path", "fault"), FAULTS)
def test_faults(path: str, fault: tuple[str, str]) -> None:
    assert call_fault(path) == fault


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/", "/v1/chat/completions", "/openai/v1/responses", "/tasks/messages-1", "/api/tasks", "/x" * 99],
)
def test_paths_without_fault(path: str) -> None:
    assert call_fault(path) is None
