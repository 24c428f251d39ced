"""What a key may be used for holds for every way to say it: twice, in another case, in the path, at another path."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fidelity.upstream import End, Seen, plain
from gateway.budget_ledger import Ledger, a_key, gateway, kept
from made import Run
from wired import PRICES, Wired, wired

from freehold.dialects import BadBodyError
from freehold.dialects.once import named_models, read_once
from freehold.gateway.config import Fallback, Provider, Resilience
from freehold.gateway.keys.admission import Admission
from freehold.gateway.oversight import Oversight
from freehold.model.key import Key
from freehold.text.likely_cost import FILE_TOKENS, likely_usage, most_usd

CHAT = "/v1/chat/completions"
MESSAGES: list[object] = [{"role": "user", "content": "hello"}]


async def provider(seen: Seen) -> AsyncIterator[bytes | End]:
    usage = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}
    choices = [{"message": {"content": "hi"}, "finish_reason": "stop"}]
    yield plain(json.dumps({"model": "small", "choices": choices, "usage": usage}).encode())


@contextmanager
def guarded(*providers: Any, **limits: Any) -> Iterator[tuple[Wired, Key, dict[str, str]]]:
    """A gateway with one key, and the headers that bring it."""
    key, text = a_key(**limits)
    admission, ledger = Admission(is_required=True), Ledger(key)
    admission.load([key], {})
    budgets = gateway(ledger)
    oversight = Oversight(admission=admission, budgets=budgets)
    with kept(budgets, ledger), wired(provider, *providers, oversight=oversight) as town:
        yield town, key, {"authorization": f"Bearer {text}"}


def refused(town: Wired, target: str, raw: bytes | None, headers: dict[str, str], method: str = "POST") -> str:
    """The code of the gateway's own error; empty where the call passed."""
    _, told, _ = town.send(method, target, raw, headers)
    return told.get("freehold-error", "")


TWICE = [
    b'{"model": "large", "messages": [], "model": "small"}',
    b'{"model": "small", "messages": [], "model": "large"}',
    b'{"model": "small", "Model": "large", "messages": []}',
    b'{"MODEL": "large", "model": "small", "messages": []}',
    b'{"model": "small", "mod\\u0065l": "large", "messages": []}',
    '{"model": "small", "MODE\u2113": 1, "model\u017f": [], "mode\u006c": "large"}'.encode(),
    b'{"model": "small", "messages": [], "max_tokens": 1, "max_tokens": 100000}',
    b'{"model": "small", "messages": [], "MAX_TOKENS": 100000}',
    b'{"model": "small", "messages": [], "N": 100}',
]


@pytest.mark.parametrize("body", TWICE)
@pytest.mark.parametrize("limits", [{"models": ("small",)}, {"usd_per_day": 1.0}, {"tokens_per_minute": 10_000}])
def test_a_body_that_can_be_read_in_two_ways_is_refused(limits: dict[str, Any], body: bytes) -> None:
    with guarded(**limits) as (town, _, headers):
        assert refused(town, CHAT, body, headers) == "bad_body"
        assert town.upstream.seen == []


def test_a_key_without_limits_passes_what_the_provider_may_make_of_it() -> None:
    with guarded() as (town, _, headers):
        assert refused(town, CHAT, TWICE[0], headers) == ""
        assert town.upstream.seen[0].body == TWICE[0]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, ""),
        ({"model": "LARGE"}, "model_not_allowed"),
        ({"model": "Small"}, "model_not_allowed"),
        ({"models": ["small", "large"]}, "model_not_allowed"),
        ({"fallbacks": [{"model": "large"}]}, "model_not_allowed"),
        ({"models": ["small"]}, ""),
    ],
)
def test_every_model_that_a_body_names_must_be_allowed(more: dict[str, Any], code: str) -> None:
    with guarded(models=("small",)) as (town, _, headers):
        body = json.dumps({"model": "small", "messages": MESSAGES, **more}).encode()
        assert refused(town, CHAT, body, headers) == code
        assert len(town.upstream.seen) == (code == "")


def test_a_deployment_in_the_path_is_a_model_too() -> None:
    with guarded(models=("small",)) as (town, _, headers):
        body = json.dumps({"model": "small", "messages": MESSAGES}).encode()
        assert refused(town, "/openai/deployments/large/chat/completions", body, headers) == "model_not_allowed"
        assert refused(town, "/openai/deployments/small/chat/completions", body, headers) == ""


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("POST", CHAT, ""),
        ("POST", f"{CHAT}?x=/v1//files", ""),
        ("POST", "/v1/completions", "path_not_allowed"),
        ("GET", CHAT, "path_not_allowed"),
        ("GET", "/v1/models", "path_not_allowed"),
        ("POST", "/v1/chat//completions", "path_not_allowed"),
        ("POST", "/v1/chat/x/../../files", "path_not_allowed"),
        ("POST", "/v1/chat/%2e%2e/files", "path_not_allowed"),
        ("POST", "/v1/chat/..%2Ffiles", "path_not_allowed"),
        ("POST", "/v1/chat/..\\files", "path_not_allowed"),
    ],
)
def test_a_key_for_some_paths_and_methods(method: str, target: str, code: str) -> None:
    with guarded(paths=("/v1/chat/*",), methods=("POST",)) as (town, _, headers):
        body = json.dumps({"model": "m", "messages": MESSAGES}).encode() if method == "POST" else None
        assert refused(town, target, body, headers, method) == code
        assert len(town.upstream.seen) == (code == "")


UNPRICED = [
    ("POST", "/v1//chat/completions"),
    ("POST", "/v1/chat//completions"),
    ("POST", "/v1/./chat/completions"),
    ("POST", "/v1/Chat/Completions"),
    ("POST", "/v1/chat/completions;x"),
    ("POST", "/v1/files"),
    ("POST", "/v1/batches"),
    ("GET", "/v1/files/f1/content"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/audio/speech"),
    ("PUT", CHAT),
    ("DELETE", "/v1/files/f1"),
    ("GET", "/v1/responses/..//files"),
]


@pytest.mark.parametrize(("method", "target"), UNPRICED)
@pytest.mark.parametrize("limits", [{"usd_per_day": 1.0}, {"tokens_per_minute": 10_000}])
def test_a_path_whose_cost_is_not_known_is_not_for_a_key_with_a_budget(
    limits: dict[str, Any], method: str, target: str
) -> None:
    with guarded(**limits) as (town, _, headers):
        raw = json.dumps({"model": "m", "messages": MESSAGES, "max_tokens": 5}).encode()
        assert refused(town, target, None if method == "GET" else raw, headers, method) == "cost_unknown"
        assert town.upstream.seen == []


def test_a_path_of_no_call_at_all_is_no_way_around() -> None:
    with guarded(usd_per_day=1.0) as (town, _, headers):
        raw = json.dumps({"model": "m", "messages": MESSAGES}).encode()
        assert refused(town, "//v1//chat/completions", raw, headers) == "unknown_path"
        assert town.upstream.seen == []


def test_a_model_without_a_price_is_not_for_a_key_with_a_budget_of_money() -> None:
    def cheap(url: str) -> Provider:
        return Provider(name="up", base_url=url, prices={"small": (1.0, 2.0)})

    for limits, code in (({"usd_per_day": 1.0}, "cost_unknown"), ({"tokens_per_minute": 10_000}, "")):
        with guarded(cheap, **limits) as (town, _, headers):
            body = json.dumps({"model": "SMALL", "messages": MESSAGES}).encode()
            assert refused(town, CHAT, body, headers) == code


def test_lists_of_models_and_kept_answers_are_free() -> None:
    with guarded(usd_per_day=1.0) as (town, _, headers):
        for target in ("/v1/models", "/v1/models/m", "/v1/responses/r1"):
            assert refused(town, target, None, headers, "GET") == "", target


def test_a_call_that_may_cost_more_than_is_left_is_told_what_to_do() -> None:
    with guarded(usd_per_day=0.01) as (town, _, headers):
        body = {"model": "m", "messages": MESSAGES, "max_tokens": 100_000}
        status, told, answer = town.ask(CHAT, body, headers)
        assert (status, told["freehold-error"], told["x-should-retry"]) == (429, "budget_short", "false")
        message = json.loads(answer)["error"]["message"]
        assert "$0.01000 left of its $0.01000" in message
        assert "may cost $0.20" in message
        assert "max_tokens" in message
        assert town.ask(CHAT, {**body, "max_tokens": 100}, headers)[0] == 200


def test_a_dearer_fallback_counts() -> None:
    def first(url: str) -> Provider:
        plan = Resilience(fallbacks=(Fallback("second"),))
        return Provider(name="up", base_url=url, prices=PRICES, resilience=plan)

    def second(url: str) -> Provider:
        return Provider(name="second", base_url=url, prices={"*": (1000.0, 2000.0)}, models=("none",))

    body = {"model": "m", "messages": MESSAGES, "max_tokens": 100}
    with guarded(first, second, usd_per_day=0.01) as (town, _, headers):
        assert town.ask(CHAT, body, headers)[0] == 429


# estimates


def test_the_estimate_takes_the_largest_limit_for_each_answer() -> None:
    def output(dialect: Any, **data: Any) -> int | None:
        return likely_usage(dialect, data, assumed_output=4096).output_tokens

    assert output("openai-chat") == 4096
    assert output("openai-chat", max_tokens=0) == 4096
    assert output("openai-chat", max_tokens=5, max_completion_tokens=50) == 50
    assert output("openai-chat", max_tokens=5, n=3) == 15
    assert output("openai-completions", max_tokens=5, best_of=4, prompt=["a", "b"]) == 40
    assert output("openai-completions", max_tokens=5, prompt=[[1, 2], [3]]) == 10
    assert output("openai-completions", max_tokens=5, prompt=[1, 2, 3]) == 5
    assert output("openai-responses", max_output_tokens=7) == 7
    assert output("openai-embeddings", input="x") == 0


def test_the_estimate_counts_text_numbers_and_files() -> None:
    def read(dialect: Any, **data: Any) -> int:
        return likely_usage(dialect, data, assumed_output=1).input_tokens or 0

    for text in ("four" * 1000, "word " * 800, "data:" + "x" * 3995):
        assert read("openai-chat", messages=[{"role": "user", "content": text}]) == pytest.approx(1255, abs=10)
    assert read("openai-embeddings", input=[[1] * 500, [2] * 300]) == pytest.approx(1010, abs=3)
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    assert FILE_TOKENS <= read("openai-chat", messages=[{"role": "user", "content": [picture]}]) < FILE_TOKENS + 100
    named = {"type": "input_image", "file_id": "f1"}
    assert read("openai-responses", input=[{"role": "user", "content": [named] * 2}]) - FILE_TOKENS >= FILE_TOKENS


@pytest.mark.parametrize("text", ["hello there " * 50, "ä" * 900, "日本語" * 300, "x"])
def test_the_length_of_a_small_body_bounds_its_tokens(text: str) -> None:
    data = {"model": "m", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": text}]}
    exact = likely_usage("openai-chat", data, assumed_output=1).input_tokens or 0
    for escaped in (True, False):
        body = json.dumps(data, ensure_ascii=escaped).encode()
        bound = likely_usage("openai-chat", data, assumed_output=1, body=body).input_tokens or 0
        assert exact <= bound <= 3 * exact + 60


@pytest.mark.parametrize("value", ["5", "many", -1, [5], True, 1e300])
def test_a_limit_that_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(BadBodyError, match="max_tokens"):
        likely_usage("openai-chat", {"max_tokens": value}, assumed_output=1)


def test_the_highest_price_of_input_counts() -> None:
    usage = likely_usage("openai-chat", {"max_tokens": 1_000_000}, assumed_output=1)
    assert most_usd("m", usage, {"m": (1.0, 2.0)}) == pytest.approx(2.0)
    more = likely_usage("openai-chat", {"prompt": [1] * 800_000, "max_tokens": 1}, assumed_output=1)
    assert most_usd("m", more, {"m": (1.0, 0.0, 0.1, 5.0)}) == pytest.approx(5.0)
    assert most_usd("other", usage, {"m": (1.0, 2.0)}) is None
    assert most_usd(None, usage, {"*": (1.0, 2.0)}) is None


def test_reading_once_reads_what_everybody_reads() -> None:
    body = {"model": "m", "messages": [{"model": "x", "Model": "y"}], "metadata": {"n": 1, "N": 2}}
    assert read_once(json.dumps(body).encode()) == body
    assert named_models({"model": "a", "models": ["b", 3, {"model": "c"}], "fallbacks": "d"}) == ["a", "b", "c"]
    for raw in (b"[]", b"no", b"", b'{"a": 1, "A": 2}'):
        with pytest.raises(BadBodyError):
            read_once(raw)


# the command line


def test_paths_and_methods_are_given_shown_and_checked(run: Run) -> None:
    made = run("keys", "add", "app", "--path", "/v1/chat/*", "--method", "post", "--json")
    assert made.exit_code == 0, made.output
    assert "path /v1/chat/*, POST" in run("keys").stdout
    shown = json.loads(run("keys", "show", "app", "--json").stdout)
    assert (shown["paths"], shown["methods"]) == (["/v1/chat/*"], ["POST"])
    assert "/v1/chat/*" in run("keys", "show", "app").stdout
    for wrong in (("--path", "chat"), ("--path", "/v1//chat"), ("--method", "FETCH")):
        refusal = run("keys", "add", "other", *wrong)
        assert refusal.exit_code == 2
        assert wrong[0] in refusal.output
