"""Who is let in: a request's gateway key is looked up, and its limits are held against what was used.

Nothing here reads or writes: `refresh`, called several times a second from a thread of its own, brings the keys and
what was used with each; a request meets what is in memory.

**Requests per minute** slide over two fixed minutes: those of this minute, and those of the minute before, weighted by
how much of it lies less than 60 seconds back. One gateway never lets in more than the limit in a minute of the clock.
It counts a request when it lets it in, and gateways tell each other their counts with each refresh. So W gateways (or
workers) that share a key exceed its limit by at most what W - 1 of them let in within two refreshes (one to tell, one
to learn), half a second; a gateway that is killed forgets what it let in since its last refresh.

**Tokens per minute** and **USD per day** (UTC) are reserved before a call is let in (`gateway.keys.budgets`). Here a
request is refused at once where what was used and settled has reached the limit, as far as the last refresh knows.

While the database is away, a gateway goes on with the keys that it knows and with its own counts of requests.

Secrets are compared by looking up their SHA-256: how long that takes says nothing about a key that exists.

Not covered: keeping keys (`freehold.store`); how a refusal is told (`gateway.app`).
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from freehold.errors import SettingError
from freehold.gateway.errors import RefusedError
from freehold.gateway.keys.scope import Admitted
from freehold.gateway.request_context import KEY_HEADERS
from freehold.model.budget import wait_s as sliding_wait_s
from freehold.model.key import DAY_S, MINUTE_S, Key, KeyUsage, key_hash, key_id, sent_key
from freehold.text.formatting import usd

ReadHeader = Callable[[bytes], str]
"""The value of a request's header by its lower-case name; empty where it has none."""
Admissions = Mapping[tuple[str, int], int]
"""How many requests were let in, by key id and Unix minute."""
Sync = Callable[[Admissions], tuple[Sequence[Key], Mapping[str, KeyUsage]]]
"""Adds a gateway's own counts to everybody's, and returns the keys and their usage (`store.keys.sync`)."""

OWN_HEADER = b"freehold-key"
_NO_USAGE = KeyUsage()


@dataclass(frozen=True, slots=True)
class _Known:
    """What was known at the last refresh."""

    by_hash: Mapping[str, Admitted] = field(default_factory=dict)
    usage: Mapping[str, KeyUsage] = field(default_factory=dict)
    is_loaded: bool = False


class Admission:
    """Lets requests in, or refuses them; used by one event loop, and refreshed by one thread."""

    def __init__(self, *, is_required: bool, clock: Callable[[], float] = time.time) -> None:
        self._is_required = is_required
        self._clock = clock
        self._known = _Known()
        self._lock = threading.Lock()
        self._uncounted: dict[tuple[str, int], int] = {}

    def may_look(self, key_id: str) -> bool:
        """Whether a key is valid now and for everything, so that it opens what shows the calls of everybody."""
        found = (admitted.key for admitted in self._known.by_hash.values() if admitted.key_id == key_id)
        return any(key.state(self._clock()) == "valid" and not key.tasks and not key.models for key in found)

    def refresh(self, sync: Sync) -> None:
        """Tell others what was let in here, and learn what they let in; whatever `sync` raises changes nothing."""
        admitted = self.uncounted()
        keys, usage = sync(admitted)
        self.load(keys, usage, admitted)

    def uncounted(self) -> dict[tuple[str, int], int]:
        """What was let in under a limit and is not yet in any usage that was loaded."""
        with self._lock:
            return dict(self._uncounted)

    def load(self, keys: Sequence[Key], usage: Mapping[str, KeyUsage], admitted: Admissions | None = None) -> None:
        """Take over keys and usage; `admitted` is what the usage counts of what was let in here."""
        known = _Known({key.sha256: Admitted(key) for key in keys}, usage, is_loaded=True)
        with self._lock:
            for where, count in (admitted or {}).items():
                left = self._uncounted[where] - count
                if left:
                    self._uncounted[where] = left
                else:
                    del self._uncounted[where]
            self._known = known

    def knows(self, header: ReadHeader) -> bool:
        """Whether a request brings a key that is valid now, or needs none; asked before its body is read."""
        if not self._is_required:
            return True
        text = _key_text(header)
        admitted = self._known.by_hash.get(key_hash(text)) if text else None
        return admitted is not None and admitted.key.state(self._clock()) == "valid"

    def admit(self, header: ReadHeader, *, now: float | None = None) -> Admitted | None:
        """Let a request in by its headers, and count it: `identify`, then `count`."""
        admitted = self.identify(header, now=now)
        if admitted is not None:
            self.count(admitted, now=now)
        return admitted

    def identify(self, header: ReadHeader, *, now: float | None = None) -> Admitted | None:
        """Whose request it is by its headers; None when it has no gateway key and needs none.

        RefusedError 401 for a key that is missing, unknown, expired or revoked, 503 while the keys have not been read.
        `now` is the request's Unix time.
        """
        text = _key_text(header)
        if not text:
            if self._is_required:
                raise _missing()
            return None
        moment = self._clock() if now is None else now
        known = self._known
        admitted = known.by_hash.get(key_hash(text))
        if admitted is None:
            raise _unknown(text, is_loaded=known.is_loaded)
        key = admitted.key
        if (state := key.state(moment)) != "valid":
            raise _over(key, state)
        return admitted

    def count(self, admitted: Admitted, *, now: float | None = None) -> None:
        """Count a request against the limits of its key; RefusedError 429 at one."""
        key, moment = admitted.key, self._clock() if now is None else now
        usage = self._known.usage.get(key.id, _NO_USAGE)
        _check_budget(key, usage, moment)
        _check_tokens(key, usage, moment)
        if key.requests_per_minute is not None:
            self._count(key, key.requests_per_minute, moment)

    def _count(self, key: Key, limit: int, moment: float) -> None:
        minute = int(moment // MINUTE_S)
        with self._lock:
            counted = self._known.usage.get(key.id, _NO_USAGE).admitted
            current = counted.get(minute, 0) + self._uncounted.get((key.id, minute), 0)
            before = counted.get(minute - 1, 0) + self._uncounted.get((key.id, minute - 1), 0)
            wait_s = sliding_wait_s(before, current, limit, moment % MINUTE_S)
            if not wait_s:
                self._uncounted[key.id, minute] = self._uncounted.get((key.id, minute), 0) + 1
                return
        raise RefusedError(
            429,
            "too_many_requests",
            f"The gateway key {key.name!r} has reached its limit of {limit:,} requests per minute.",
            hint=f"Try again in {wait_s} s.",
            retry_after_s=wait_s,
        )


def needs_key(host: str, keys: Sequence[Key], *, is_wanted: bool, now: float) -> bool:
    """Whether callers need a gateway key at this address; `is_wanted` says so for loopback.

    SettingError when others than this machine can reach the address and there is no valid key that could let them in.
    """
    if is_loopback(host):
        return is_wanted
    if not any(key.state(now) == "valid" for key in keys):
        raise SettingError(
            f"gateway.host is {host!r}, which others can reach, and there is no valid gateway key.",
            hint="Make one first: freehold keys add NAME. Or listen on 127.0.0.1.",
        )
    return True


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key_text(header: ReadHeader) -> str:
    """The gateway key of a request: in a header of its own, or where the SDKs put the provider's."""
    if own := header(OWN_HEADER).strip():
        return own
    for name in KEY_HEADERS:
        value = header(name)
        if value and (text := sent_key(value)):
            return text
    return ""


def _check_tokens(key: Key, usage: KeyUsage, moment: float) -> None:
    if key.tokens_per_minute is None:
        return
    minute = int(moment // MINUTE_S)
    before, current = usage.tokens.get(minute - 1, 0), usage.tokens.get(minute, 0)
    if wait_s := sliding_wait_s(before, current, key.tokens_per_minute, moment % MINUTE_S):
        raise RefusedError(
            429,
            "too_many_tokens",
            f"The gateway key {key.name!r} has reached its limit of {key.tokens_per_minute:,} tokens per minute.",
            hint=f"Try again in {wait_s} s.",
            retry_after_s=wait_s,
        )


def _check_budget(key: Key, usage: KeyUsage, moment: float) -> None:
    if key.usd_per_day is None or usage.day != int(moment // DAY_S) or usage.cost_usd < key.usd_per_day:
        return
    wait_s = math.floor(DAY_S - moment % DAY_S) + 1
    raise RefusedError(
        429,
        "budget_spent",
        f"The gateway key {key.name!r} has spent its {usd(key.usd_per_day)} of this day (UTC).",
        hint=f"The next day begins in {wait_s} s.",
        retry_after_s=wait_s,
    )


def _missing() -> RefusedError:
    return RefusedError(
        401,
        "missing_gateway_key",
        "This gateway asks for a key of its own (fhk_...), and the request brings none.",
        hint="Send it as the SDK's API key, or in the header freehold-key beside the provider's own key.",
    )


def _unknown(text: str, *, is_loaded: bool) -> RefusedError:
    public = key_id(text)
    if public is None:
        return RefusedError(
            401,
            "malformed_gateway_key",
            "The gateway key is not whole or has a typo: its checksum does not fit.",
            hint="Copy it again from where it is kept; it is shown only once, when it is made.",
        )
    if not is_loaded:
        return RefusedError(
            503,
            "keys_unavailable",
            "The gateway has not been able to read its keys yet.",
            hint="Its database does not answer; see the gateway's log.",
            retry_after_s=1,
        )
    return RefusedError(
        401,
        "unknown_gateway_key",
        f"The gateway key fhk_{public}_... is not known here.",
        hint="freehold keys lists those that are.",
    )


def _over(key: Key, state: str) -> RefusedError:
    is_expired = state == "expired"
    return RefusedError(
        401,
        f"{state}_gateway_key",
        f"The gateway key {key.name!r} (fhk_{key.id}_...) {'has expired' if is_expired else 'was revoked'}.",
        hint="Ask whoever runs the gateway for a new one: freehold keys add NAME.",
    )
