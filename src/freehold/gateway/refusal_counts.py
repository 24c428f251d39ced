"""Refused requests: each is counted, and only the first few of a day and reason are kept as calls.

A request that the gateway refuses by itself has asked nobody and cost nothing; kept whole, a stranger could fill the
disk with it. It raises a counter (by UTC day, code and key; in the metrics by code) and has a line in the log. The
first `SAMPLES` of each day and code, by worker, are in the record as calls with the tag `freehold-refused`, so that one
can see what such requests look like; a body of theirs that is larger than `SAMPLE_BODY_BYTES` is left out.

A request whose provider failed is a call like any other and not counted here. Not covered: where counts are kept
(`freehold.store`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from freehold.gateway.errors import RefusedError
from freehold.model.key import DAY_S
from freehold.record import Exchange

SAMPLES = 5
SAMPLE_BODY_BYTES = 16 * 2**10
REFUSED_TAG, NOT_KEPT_TAG = "freehold-refused", "freehold-body"
_ABOUT_PROVIDERS = frozenset(
    ("upstream_unreachable", "upstream_timeout", "upstream_cut_off", "upstream_unavailable", "upstream_error")
)
_OWN_FAULTS = frozenset(("gateway_failed",))

Refusals = Mapping[tuple[int, str, str], int]
"""How many requests were refused, by day (days since 1970), code and key id."""


def is_refused(refusal: RefusedError) -> bool:
    """Whether a refusal is the gateway's own, with nobody asked: a failure of a provider's or a bug is a call."""
    return refusal.code not in _ABOUT_PROVIDERS | _OWN_FAULTS


class RefusedCounts:
    """What one gateway refused; counted by its event loop, brought to the store by another thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._untold: Counter[tuple[int, str, str]] = Counter()
        self._day = 0
        self._samples: Counter[str] = Counter()

    def count(self, code: str, key_id: str | None) -> bool:
        """Count a request; returns whether it is one of the few that the record keeps."""
        day = int(self._clock() // DAY_S)
        with self._lock:
            self._untold[day, code, key_id or ""] += 1
            if day != self._day:
                self._day = day
                self._samples.clear()
            self._samples[code] += 1
            return self._samples[code] <= SAMPLES

    def tell(self, add: Callable[[Refusals], None]) -> None:
        """Bring to the store what it does not have yet; whatever `add` raises, nothing is forgotten."""
        with self._lock:
            counts = dict(self._untold)
        if not counts:
            return
        add(counts)
        with self._lock:
            self._untold.subtract(counts)
            for where in [where for where, count in self._untold.items() if not count]:
                del self._untold[where]


def as_sample(kept: Exchange) -> Exchange:
    """A refused request as the record may keep it: marked, and without a body that is large."""
    request, tags = kept.request, {REFUSED_TAG: "sample"}
    if len(request.body) > SAMPLE_BODY_BYTES:
        request = replace(request, body=b"", content_encoding="")
        tags[NOT_KEPT_TAG] = f"{len(kept.request.body)} bytes left out"
    return Exchange(request, replace(kept.decision, tags={**kept.decision.tags, **tags}), kept.response)
