"""Refused requests leave counters, and a few samples; calls whose provider failed are recorded like any other."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from fidelity.upstream import End, Seen, plain
from made import Run, a_call, a_workspace
from msgspec import structs
from wired import wired

from freehold.gateway.config import Provider
from freehold.gateway.keys.admission import Admission
from freehold.gateway.oversight import Oversight
from freehold.gateway.refusal_counts import REFUSED_TAG, SAMPLE_BODY_BYTES, SAMPLES, RefusedCounts
from freehold.gateway.telemetry.access import Accessed, AccessLog
from freehold.model.key import DAY_S, Key, key_hash, key_id, new_key_text
from freehold.store import Store

CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "x" * 2 * SAMPLE_BODY_BYTES}]}
DAY = 20_000


async def provider(seen: Seen) -> AsyncIterator[bytes | End]:
    yield plain(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')


def a_key(**limits: object) -> tuple[Key, str]:
    text = new_key_text()
    key = Key(id=key_id(text) or "", name="app", sha256=key_hash(text), created_at=time.time())
    return replace(key, **limits), text  # type: ignore[arg-type]


def told(counts: RefusedCounts) -> dict[tuple[str, str], int]:
    """What a gateway tells the store, by code and key."""
    found: Counter[tuple[str, str]] = Counter()

    def add(refusals: Mapping[tuple[int, str, str], int]) -> None:
        for (_, code, key), count in refusals.items():
            found[code, key] += count

    counts.tell(add)
    return dict(found)


def test_refused_requests_are_counted_and_a_few_are_kept_without_their_bodies() -> None:
    key, text = a_key(models=("other",))
    admission = Admission(is_required=True)
    admission.load([key], {})
    oversight = Oversight(admission=admission)
    with wired(provider, oversight=oversight) as town:
        for _ in range(4 * SAMPLES):
            assert town.ask(CHAT, BODY)[0] == 401
            assert town.ask(CHAT, BODY, {"authorization": f"Bearer {text}"})[0] == 403
        kept = town.shelf.calls
        assert Counter(call.error for call in kept) == {"missing_gateway_key": SAMPLES, "model_not_allowed": SAMPLES}
        assert {call.request_body for call in kept} == {b""}
        assert {call.tags[REFUSED_TAG] for call in kept} == {"sample"}
        assert town.upstream.seen == []
    assert told(oversight.refused) == {
        ("missing_gateway_key", ""): 4 * SAMPLES,
        ("model_not_allowed", key.id): 4 * SAMPLES,
    }
    assert told(oversight.refused) == {}, "what was told is not told again"


def test_a_small_sample_has_its_body() -> None:
    with wired(provider) as town:
        _, headers, _ = town.ask(CHAT, b"no json")
        assert town.call(headers).request_body == b"no json"


def test_a_call_whose_provider_failed_is_no_refused_request() -> None:
    oversight = Oversight()
    with wired(provider, lambda _: Provider(name="off", base_url="http://127.0.0.1:9/v1"), oversight=oversight) as town:
        for _ in range(2 * SAMPLES):
            assert town.ask(CHAT, {"model": "m", "messages": []})[0] == 502
        assert len(town.shelf.calls) == 2 * SAMPLES
    assert told(oversight.refused) == {}


def test_counts_wait_for_a_store_that_fails_and_a_new_day_has_new_samples() -> None:
    clock = [DAY * DAY_S]
    counts = RefusedCounts(lambda: clock[0])
    assert [counts.count("bad_body", None) for _ in range(SAMPLES + 1)] == [True] * SAMPLES + [False]

    def fail(_: object) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        counts.tell(fail)
    clock[0] += DAY_S
    assert counts.count("bad_body", "k1")
    found: dict[tuple[int, str, str], int] = {}
    counts.tell(found.update)
    assert found == {(DAY, "bad_body", ""): SAMPLES + 1, (DAY + 1, "bad_body", "k1"): 1}


def test_the_store_adds_up_what_gateways_tell(url: str) -> None:
    store = Store(url)
    store.refusal_counts.add({(DAY, "bad_body", ""): 3, (DAY, "too_many_tokens", "k1"): 4})
    store.refusal_counts.add({(DAY, "bad_body", ""): 2, (DAY + 1, "bad_body", ""): 7})
    store.refusal_counts.add({})
    assert store.refusal_counts.of_day(DAY) == {"bad_body": 5, "too_many_tokens": 4}
    assert store.refusal_counts.of_day(DAY, key_id="k1") == {"too_many_tokens": 4}
    assert store.refusal_counts.of_day(DAY + 2) == {}
    store.close()


def test_a_sample_does_not_count_as_a_request_of_its_key(url: str) -> None:
    store = Store(url)
    refused = a_call(key_id="k1", status=403, error="model_not_allowed", tags={REFUSED_TAG: "sample"}, cost_usd=None)
    store.calls.add([refused, structs.replace(a_call(key_id="k1"), tags={})])
    assert store.keys.usage(refused.created_at)["k1"].requests_today == 1
    store.close()


def test_the_log_of_refused_requests_is_bounded_and_says_what_it_leaves_out() -> None:
    lines: list[bytes] = []
    log = AccessLog("errors", lines.append)
    one = Accessed(
        at=0.0, id="1", task=None, provider="", arm="rented", model=None, status=401, latency_ms=1, error="bad_body"
    )
    for _ in range(1000):
        log.log(one, is_refused=True)
    log.log(replace(one, at=60.0), is_refused=True)
    log.log(replace(one, at=60.0, status=502))
    log.close()
    said = [json.loads(line) for line in b"".join(lines).splitlines()]
    assert len([line for line in said if "id" in line]) == 62
    assert sum(line.get("left_out_lines", 0) for line in said) == 940


def test_status_and_the_key_say_what_was_refused_today(run: Run, tmp_path: Path) -> None:
    made = json.loads(run("keys", "add", "app", "--json").stdout)
    workspace = a_workspace(tmp_path / ".freehold")
    workspace.store.refusal_counts.add({(int(time.time() // DAY_S), "too_many_tokens", made["id"]): 12})
    workspace.store.close()
    assert "refused today (UTC): 12 requests (too_many_tokens 12)" in run("status").stdout
    assert "12 requests (too_many_tokens 12) refused" in run("keys", "show", "app").stdout
    assert json.loads(run("keys", "show", "app", "--json").stdout)["refused_today"] == {"too_many_tokens": 12}
