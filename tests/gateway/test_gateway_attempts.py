"""When a provider fails: timeouts, retries, fallbacks, hedges, breakers; and nothing of it unless it is configured."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from typing import Any

import pytest
from gateway.scripted import CHAT, served
from gateway.scripted_town import Build, Town
from hypothesis import given
from hypothesis import strategies as st
from test_gateway_bytes import CHAT_PATH, asking, send

from freehold.gateway.config import Fallback, Provider, Resilience
from freehold.gateway.provider.breaker import Breakers
from freehold.httpd.client import Timeouts
from freehold.model import Call

BACKUP_TEXT = "from the backup"


class Failing:
    """A provider that answers a model `a,b,c` with these statuses, one after the other; the last one stays.

    200 is an answer, `hang` is none, `cut` breaks off in the middle.
    """

    def __init__(self, text: str = "refund") -> None:
        self.asked: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()
        self.hung_up = threading.Event()
        self._text = text

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        data = json.loads(body)
        self.asked.append({"headers": dict(scope["headers"]), **data})
        script = data["model"].split(",")
        step = script[min(self.counts[data["model"]], len(script) - 1)]
        self.counts[data["model"]] += 1
        if step == "hang":
            while (await receive())["type"] != "http.disconnect":
                await asyncio.sleep(0)
            self.hung_up.set()
            return
        status = 200 if step in ("200", "cut") else int(step)
        said = json.dumps({**CHAT, "model": self._text} if status == 200 else {"error": {"message": step}}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
        if status == 429:
            headers.append((b"retry-after", b"0.01"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": said[:20] if step == "cut" else said, "more_body": False})


@pytest.fixture
def failing() -> Any:
    first, backup = Failing(), Failing(BACKUP_TEXT)
    with served(first) as first_port, served(backup) as backup_port:
        first.port, backup.port = first_port, backup_port  # type: ignore[attr-defined]
        yield first, backup


def town_of(build: Build, failing: Any, timeouts: Timeouts | None = None, **plan: Any) -> Town:
    """A gateway before a failing provider, with another one that takes only what it is asked for by name."""
    first, backup = failing
    resilience = Resilience(backoff_s=0.001, **plan)
    return build(
        lambda _: Provider(
            name="first",
            base_url=f"http://127.0.0.1:{first.port}",
            timeouts=timeouts or Timeouts(first_byte_s=5),
            resilience=resilience,
        ),
        lambda _: Provider(name="backup", base_url=f"http://127.0.0.1:{backup.port}", models=("only-by-name",)),
    )


def ask(town: Town, model: str) -> tuple[int, dict[str, str], dict[str, Any], Call]:
    status, headers, body = send(town.port, "POST", CHAT_PATH, asking(model))
    by_name = {name.lower(): value for name, value in headers}
    return status, by_name, json.loads(body), town.shelf.by_id(by_name["freehold-call-id"])


def attempts_of(town: Town, call: Call) -> list[Call]:
    return [other for other in town.shelf.calls if other.parent_id == call.id]


@pytest.mark.parametrize("step", ["429", "500", "503"])
def test_nothing_is_repeated_unless_configured(build: Build, failing: Any, step: str) -> None:
    town = town_of(build, failing)
    status, headers, said, call = ask(town, f"{step},200")
    assert (status, said["error"]["message"], call.error) == (int(step), step, None)
    assert headers.get("retry-after") == ("0.01" if step == "429" else None)
    assert len(failing[0].asked) == 1
    assert "attempts" not in call.tags


def test_retries_until_an_answer_comes(build: Build, failing: Any) -> None:
    town = town_of(build, failing, retries=3)
    status, _, said, call = ask(town, "503,429,200")
    assert (status, said["choices"][0]["finish_reason"]) == (200, "stop")
    assert call.tags["attempts"] == "3"
    tried = attempts_of(town, call)
    assert [(one.status, one.provider, one.tags["attempt"]) for one in tried] == [
        (503, "first", "failed"),
        (429, "first", "failed"),
    ]
    assert json.loads(tried[0].response_body) == {"error": {"message": "503"}}


def test_a_client_error_is_not_repeated(build: Build, failing: Any) -> None:
    town = town_of(build, failing, retries=3, fallbacks=(Fallback("backup"),))
    assert ask(town, "400,200")[0] == 400
    assert len(failing[0].asked) == 1


def test_the_providers_own_words_when_nobody_answers(build: Build, failing: Any) -> None:
    town = town_of(build, failing, retries=1, fallbacks=(Fallback("backup", "500"),))
    status, headers, said, call = ask(town, "429")
    assert (status, headers["retry-after"], said) == (429, "0.01", {"error": {"message": "429"}})
    assert call.tags["attempts"] == "3"
    assert [one.status for one in attempts_of(town, call)] == [429, 500]


def test_fallback_with_another_model_and_without_the_callers_key(build: Build, failing: Any) -> None:
    town = town_of(build, failing, fallbacks=(Fallback("backup", "200"),))
    headers = {"authorization": "Bearer sk-mine", "content-type": "application/json"}
    status, got, body = send(town.port, "POST", CHAT_PATH, asking("503"), headers)
    assert (status, json.loads(body)["model"]) == (200, BACKUP_TEXT)
    call = town.shelf.by_id(dict(got)["freehold-call-id"])
    assert (call.provider, call.tags["fallback_from"], call.tags["attempts"]) == ("backup", "first", "2")
    assert failing[0].asked[0]["headers"][b"authorization"] == b"Bearer sk-mine"
    assert b"authorization" not in failing[1].asked[0]["headers"]
    assert failing[1].asked[0]["model"] == "200"
    assert json.loads(call.request_body)["model"] == "503", "the record keeps what the client asked"


def test_fallback_when_the_first_does_not_answer(build: Build, failing: Any) -> None:
    town = town_of(build, failing, timeouts=Timeouts(first_byte_s=0.05), fallbacks=(Fallback("backup", "200"),))
    status, _, said, call = ask(town, "hang")
    assert (status, said["model"]) == (200, BACKUP_TEXT)
    assert [one.error for one in attempts_of(town, call)] == ["upstream_timeout"]
    assert failing[0].hung_up.wait(20)


def test_hedge(build: Build, failing: Any) -> None:
    town = town_of(build, failing, hedge_after_s=0.05, fallbacks=(Fallback("backup", "200"),))
    status, _, said, call = ask(town, "hang")
    assert (status, said["model"], call.provider, call.tags["hedge"]) == (200, BACKUP_TEXT, "backup", "won")
    assert failing[0].hung_up.wait(20), "the one that was too slow is left"
    assert [one.error for one in attempts_of(town, call)] == ["hedge_lost"]
    assert ask(town, "200")[3].tags.get("hedge") is None, "a quick answer needs none"


def test_total_timeout_in_the_middle_of_a_hanging_answer(build: Build, failing: Any) -> None:
    town = town_of(build, failing, timeouts=Timeouts(total_s=0.05, first_byte_s=0))
    status, _, said, call = ask(town, "hang")
    assert (status, said["error"]["code"], call.error) == (504, "upstream_timeout", "upstream_timeout")


def test_breaker_leaves_a_failing_provider_alone(build: Build, failing: Any) -> None:
    town = town_of(build, failing, breaker_failures=2, breaker_s=60)
    assert [ask(town, "503")[0] for _ in range(3)] == [503, 503, 503]
    assert len(failing[0].asked) == 2
    status, headers, said, call = ask(town, "503")
    assert (status, said["error"]["code"], call.error) == (503, "upstream_unavailable", "upstream_unavailable")
    assert 1 <= int(headers["retry-after"]) <= 60


def test_breaker_with_a_fallback(build: Build, failing: Any) -> None:
    town = town_of(build, failing, breaker_failures=1, breaker_s=60, fallbacks=(Fallback("backup", "200"),))
    assert ask(town, "503")[0] == 200
    call = ask(town, "503")[3]
    assert (call.provider, call.tags["breaker_open"], call.tags["fallback_from"]) == ("backup", "first", "first")
    assert len(failing[0].asked) == 1


@given(st.lists(st.sampled_from(["ok", "fail", "wait", "gone"]), max_size=40), st.integers(1, 4))
def test_breaker_properties(events: list[str], most: int) -> None:
    """Open only after `most` failures in a row; open means closed to all but one request per pause."""
    now = [0.0]
    breakers = Breakers(lambda: now[0])
    provider = Provider(name="p", base_url="http://h", resilience=Resilience(breaker_failures=most, breaker_s=10))
    in_a_row = 0
    for event in events:
        if event == "wait":
            now[0] += 10
            continue
        if not breakers.lets_through(provider):
            assert in_a_row >= most
            assert breakers.opens_again_in_s(provider) > 0
            continue
        if in_a_row >= most:
            assert not breakers.lets_through(provider), "one probe at a time"
        match event:
            case "ok":
                breakers.succeeded(provider)
                in_a_row = 0
            case "fail":
                breakers.failed(provider)
                in_a_row += 1
            case "gone":
                breakers.left_open(provider)
    assert bool(breakers.open_providers()) == (in_a_row >= most)
