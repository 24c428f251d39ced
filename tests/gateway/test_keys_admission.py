"""Letting in: the right refusal for each key, limits that hold in every minute, and a `retry-after` that is true."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from gateway.lending import NOON, a_key, bringing
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.errors import SettingError
from freehold.gateway.errors import RefusedError
from freehold.gateway.keys.admission import Admission, needs_key
from freehold.model import Key, KeyUsage


def _admission(*keys: Key, usage: Mapping[str, KeyUsage] | None = None, is_required: bool = False) -> Admission:
    admission = Admission(is_required=is_required, clock=lambda: NOON)
    admission.load(keys, usage or {})
    return admission


def _refusal(admission: Admission, now: float = NOON, **headers: str) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        admission.admit(bringing(**headers), now=now)
    return caught.value


def _refused(admission: Admission, text: str, now: float) -> RefusedError | None:
    try:
        admission.admit(bringing(x_api_key=text), now=now)
    except RefusedError as refusal:
        return refusal
    return None


def _is_admitted(admission: Admission, text: str, now: float) -> bool:
    return _refused(admission, text, now) is None


@dataclass
class Shared:
    """The counts of all gateways, as a database would keep them."""

    key: Key
    admitted: Counter[int] = field(default_factory=Counter)

    def sync(self, admitted: Mapping[tuple[str, int], int]) -> tuple[list[Key], dict[str, KeyUsage]]:
        for (_, minute), count in admitted.items():
            self.admitted[minute] += count
        return [self.key], {self.key.id: KeyUsage(admitted=dict(self.admitted))}


def test_a_key_is_taken_from_wherever_the_sdks_put_it() -> None:
    key, text = a_key()
    admission = _admission(key, is_required=True)
    brought = (
        {"authorization": f"Bearer {text}"},
        {"x_api_key": text},
        {"api_key": text},
        {"freehold_key": text},
        {"freehold_key": text, "authorization": "Bearer sk-of-the-caller"},
        {"authorization": "Bearer sk-of-the-caller", "x_api_key": text},
    )
    for headers in brought:
        admitted = admission.admit(bringing(**headers))
        assert admitted is not None
        assert admitted.key_id == key.id


def test_who_is_not_let_in_is_told_why_and_no_secret() -> None:
    key, text = a_key()
    late, late_text = a_key(name="late", expires_at=NOON)
    gone, gone_text = a_key(name="gone", revoked_at=NOON - 1)
    _, foreign = a_key()
    admission = _admission(key, late, gone, is_required=True)
    told = {
        "missing_gateway_key": {"authorization": "Bearer sk-of-the-caller"},
        "malformed_gateway_key": {"authorization": f"Bearer {text[:-1]}"},
        "unknown_gateway_key": {"x_api_key": foreign},
        "expired_gateway_key": {"api_key": late_text},
        "revoked_gateway_key": {"freehold_key": gone_text},
    }
    for code, headers in told.items():
        refusal = _refusal(admission, **headers)
        assert (refusal.status, refusal.code) == (401, code)
        assert refusal.hint
        assert not any(sent[13:] in str(refusal) for sent in (text, foreign, late_text, gone_text))
    assert _refusal(admission, freehold_key="sk-something-else").code == "malformed_gateway_key"


def test_without_a_key_the_caller_passes_only_where_none_is_required() -> None:
    key, text = a_key(revoked_at=NOON)
    admission = _admission(key)
    assert admission.admit(bringing()) is None
    assert admission.admit(bringing(authorization="Bearer sk-own")) is None
    assert _refusal(admission, x_api_key=text).status == 401


def test_before_the_keys_are_read_a_key_is_not_called_unknown() -> None:
    _, text = a_key()
    admission = Admission(is_required=True)
    refusal = _refusal(admission, x_api_key=text)
    assert (refusal.status, refusal.code, refusal.retry_after_s) == (503, "keys_unavailable", 1)


def test_a_key_is_for_its_tasks_and_models() -> None:
    key, text = a_key(models=("gpt-*",), tasks=("support-triage",), task_keys=("chat:1",))
    admitted = _admission(key).admit(bringing(x_api_key=text))
    assert admitted is not None
    admitted.allows_task(task_key="chat:1", task_name=None)
    admitted.allows_task(task_key=None, task_name="Support Triage")
    for task_key in ("chat:2", None):
        with pytest.raises(RefusedError) as caught:
            admitted.allows_task(task_key=task_key, task_name=None)
        assert (caught.value.status, caught.value.code) == (403, "task_not_allowed")
    assert key.allows_model("gpt-4o")
    assert not key.allows_model("o3")
    assert not key.allows_model(None)


@settings(max_examples=200, deadline=None)
@given(
    limit=st.integers(1, 30),
    gaps=st.lists(st.floats(0, 20), min_size=1, max_size=150),
    start=st.floats(0, 60),
    refresh_every=st.integers(1, 40),
)
def test_no_minute_of_the_clock_sees_more_than_the_limit(
    limit: int, gaps: list[float], start: float, refresh_every: int
) -> None:
    key, text = a_key(requests_per_minute=limit)
    shared, admission, now = Shared(key), _admission(key), NOON + start
    admitted: Counter[int] = Counter()
    for number, gap in enumerate(gaps):
        now += gap
        if number % refresh_every == 0:
            admission.refresh(shared.sync)
        if _is_admitted(admission, text, now):
            admitted[int(now // 60)] += 1
    assert max(admitted.values()) <= limit
    admission.refresh(shared.sync)
    assert +shared.admitted == admitted


@settings(max_examples=200, deadline=None)
@given(limit=st.integers(1, 40), rate=st.floats(0.05, 5), start=st.floats(0, 60), seed=st.integers(0, 99))
def test_after_the_told_wait_a_request_passes(limit: int, rate: float, start: float, seed: int) -> None:
    rng = random.Random(seed)
    key, text = a_key(requests_per_minute=limit)
    admission, now = _admission(key), NOON + start
    for _ in range(150):
        now += rng.expovariate(rate)
        refusal = _refused(admission, text, now)
        if refusal is not None:
            assert (refusal.status, refusal.code) == (429, "too_many_requests")
            assert refusal.retry_after_s is not None
            assert 1 <= refusal.retry_after_s <= 120
            now += refusal.retry_after_s
            assert _is_admitted(admission, text, now)


@settings(max_examples=100, deadline=None)
@given(
    limit=st.integers(1, 500), used=st.lists(st.integers(0, 5000), min_size=2, max_size=2), into_s=st.floats(0, 59.9)
)
def test_tokens_are_refused_at_the_limit_and_pass_after_the_told_wait(
    limit: int, used: list[int], into_s: float
) -> None:
    key, text = a_key(tokens_per_minute=limit)
    minute = int(NOON // 60)
    usage = {key.id: KeyUsage(tokens={minute - 1: used[0], minute: used[1]})}
    admission, now = _admission(key, usage=usage), NOON + into_s
    if _is_admitted(admission, text, now):
        assert used[0] * (1 - into_s / 60) + used[1] < limit + 1e-6
        return
    refusal = _refusal(admission, now, x_api_key=text)
    assert (refusal.status, refusal.code) == (429, "too_many_tokens")
    assert refusal.retry_after_s is not None
    assert used[0] * (1 - into_s / 60) + used[1] > limit - 1e-6
    assert _is_admitted(admission, text, now + refusal.retry_after_s)


def test_a_spent_budget_comes_back_at_midnight_utc() -> None:
    key, text = a_key(usd_per_day=1.5)
    day = int(NOON // 86_400)
    almost = _admission(key, usage={key.id: KeyUsage(day=day, cost_usd=1.49)})
    assert _is_admitted(almost, text, NOON)
    spent = _admission(key, usage={key.id: KeyUsage(day=day, cost_usd=1.5)})
    refusal = _refusal(spent, NOON + 0.5, x_api_key=text)
    assert (refusal.status, refusal.code) == (429, "budget_spent")
    assert "$1.50" in str(refusal)
    assert refusal.retry_after_s == 12 * 3600
    assert _is_admitted(spent, text, NOON + 0.5 + refusal.retry_after_s)


def test_a_refused_request_counts_nothing() -> None:
    day = int(NOON // 86_400)
    key, text = a_key(usd_per_day=1.0, requests_per_minute=5)
    admission = _admission(key, usage={key.id: KeyUsage(day=day, cost_usd=2.0)})
    for _ in range(9):
        assert not _is_admitted(admission, text, NOON)
    assert admission.uncounted() == {}


def _let_in_by_two(*, is_synced: bool) -> tuple[int, int]:
    """How many two gateways let in within a minute under a limit of 100, and the most that one did in a refresh."""
    key, text = a_key(requests_per_minute=100)
    shared, pair = Shared(key), [_admission(key), _admission(key)]
    total, most, recent = 0, 0, [0, 0]
    for step in range(6000):
        now = NOON + step * 0.01
        if is_synced and step % 25 == 0:
            recent = [0, 0]
            for gateway in pair:
                gateway.refresh(shared.sync)
        for place, gateway in enumerate(pair):
            if _is_admitted(gateway, text, now):
                total, recent[place] = total + 1, recent[place] + 1
                most = max(most, recent[place])
    return total, most


def test_gateways_share_a_limit_up_to_what_was_let_in_between_refreshes() -> None:
    total, most = _let_in_by_two(is_synced=True)
    assert 100 <= total <= 100 + 2 * most
    assert most <= 25
    apart, _ = _let_in_by_two(is_synced=False)
    assert apart == 200


def test_counts_survive_a_database_that_is_away_and_are_told_once_it_is_back() -> None:
    key, text = a_key(requests_per_minute=10)
    shared, admission = Shared(key), _admission(key)

    def away(admitted: object) -> tuple[list[Key], dict[str, KeyUsage]]:
        raise ConnectionError("the database is away")

    let_in = 0
    for _ in range(15):
        let_in += _is_admitted(admission, text, NOON)
        with pytest.raises(ConnectionError):
            admission.refresh(away)
    assert let_in == 10
    admission.refresh(shared.sync)
    assert sum(shared.admitted.values()) == 10
    assert not _is_admitted(admission, text, NOON + 1)


def test_what_is_let_in_while_counts_are_told_is_not_forgotten() -> None:
    key, text = a_key(requests_per_minute=10)
    shared, admission = Shared(key), _admission(key)

    def slow(admitted: Mapping[tuple[str, int], int]) -> tuple[list[Key], dict[str, KeyUsage]]:
        known = shared.sync(admitted)
        assert _is_admitted(admission, text, NOON)
        return known

    for _ in range(4):
        assert _is_admitted(admission, text, NOON)
        admission.refresh(slow)
    assert sum(shared.admitted.values()) + sum(admission.uncounted().values()) == 8
    assert sum(_is_admitted(admission, text, NOON) for _ in range(5)) == 2


def test_a_revoked_key_is_out_with_the_next_refresh() -> None:
    key, text = a_key()
    admission = _admission(key)
    assert _is_admitted(admission, text, NOON)
    admission.load([Key(**{name: getattr(key, name) for name in Key.__slots__} | {"revoked_at": NOON})], {})
    assert not _is_admitted(admission, text, NOON)


def test_others_are_listened_to_only_with_a_valid_key() -> None:
    valid, _ = a_key()
    spent = [a_key(expires_at=NOON)[0], a_key(revoked_at=NOON)[0]]
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        assert not needs_key(host, [], is_wanted=False, now=NOON)
        assert needs_key(host, [], is_wanted=True, now=NOON)
    for host in ("0.0.0.0", "::", "192.168.1.5", "gateway.example", ""):
        assert needs_key(host, [*spent, valid], is_wanted=False, now=NOON)
        with pytest.raises(SettingError, match="freehold keys add") as caught:
            needs_key(host, spent, is_wanted=False, now=NOON)
        assert repr(host) in str(caught.value)
