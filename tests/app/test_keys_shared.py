"""Keys in a running gateway: required or not, refused in the caller's dialect, limits shared by two gateways."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from living import WAIT_S, Town, running

from freehold.store import Store

CHAT = "/v1/chat/completions"


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _key(town: Town, *options: str) -> tuple[str, str]:
    made = json.loads(town.freehold("keys", "add", "app", "--json", *options))
    return made["id"], made["key"]


@pytest.mark.slow
def test_a_gateway_that_asks_for_keys_lets_in_who_has_one(town: Town) -> None:
    town.settings["FREEHOLD_GATEWAY_REQUIRE_KEY"] = "true"
    _, key = _key(town, "--model", "w*")
    with running(town):
        status, told, body = town.call(CHAT, "well", authorization="Bearer sk-own")
        assert (status, told["freehold-error"]) == (401, "missing_gateway_key")
        assert json.loads(body)["error"]["code"] == "missing_gateway_key"
        status, _, body = town.call("/v1/messages", "well", x_api_key=key[:-1], anthropic_version="2023-06-01")
        assert (status, json.loads(body)["type"]) == (401, "error")
        assert town.call(CHAT, "well", authorization=f"Bearer {key}")[0] == 200
        assert town.call(CHAT, "other", authorization=f"Bearer {key}")[1]["freehold-error"] == "model_not_allowed"
        town.freehold("keys", "revoke", "app")
        _until(lambda: town.call(CHAT, "well", authorization=f"Bearer {key}")[0] == 401)
    assert all(headers["authorization"] == f"Bearer {town.lent}" for _, headers in town.seen)


@pytest.mark.slow
def test_others_are_not_listened_to_without_a_key(town: Town) -> None:
    town.settings["FREEHOLD_GATEWAY_HOST"] = "0.0.0.0"
    with pytest.raises(AssertionError, match="there is no valid gateway key"), running(town):
        pass
    _, key = _key(town)
    with running(town):
        assert town.call(CHAT, "well")[0] == 401
        assert town.call(CHAT, "well", x_api_key=key)[0] == 200


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_two_gateways_share_keys_and_limits(town: Town, second_town: Town, url: str) -> None:
    town.settings["FREEHOLD_DATABASE_URL"] = second_town.settings["FREEHOLD_DATABASE_URL"] = url
    key_id, key = _key(town, "--requests-per-minute", "10")
    store = Store(url)

    def admitted() -> int:
        return sum(sum(usage.admitted.values()) for usage in store.keys.usage().values())

    with running(town), running(second_town):
        _until(lambda: time.time() % 60 < 40)  # what follows takes place in one minute
        first = [town.call(CHAT, "well", x_api_key=key)[0] for _ in range(5)]
        _until(lambda: admitted() == 5)
        first.append(second_town.call(CHAT, "well", x_api_key=key)[0])
        _until(lambda: admitted() == 6)
        rest = [second_town.call(CHAT, "well", x_api_key=key) for _ in range(10)]
        assert first == [200] * 6
        assert [status for status, _, _ in rest] == [200] * 4 + [429] * 6
        assert all(1 <= int(told["retry-after"]) <= 120 for status, told, _ in rest if status == 429)
        _until(lambda: admitted() == 10)
        over = 0
        while town.call(CHAT, "well", x_api_key=key)[0] == 200:  # until it learns what the other one let in
            over += 1
            assert over <= 5
    assert json.loads(town.freehold("keys", "show", key_id, "--json"))["requests_today"] == 10 + over
    assert len(town.seen) + len(second_town.seen) == 10 + over
    store.close()
