"""What live traffic is compared with: figures of the answers that a verdict rests on, as verdicts and routes keep them.

Not covered: computing them (`prove.live_baseline`, `prove.run.live_baseline`), the comparison (`watch`).
"""

from __future__ import annotations

import msgspec

from freehold.model.evidence.lenient import as_json, read

_SHARE = ("differing_share",)


class LiveBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the proof's owned answers; None and empty where a verdict of an earlier version does not say.

    Shares are of answers, `owned_p95_ms` is the 95th percentile of their latency. `models` and `fingerprints` are those
    of the provider's answers. `kinds` counts the kinds of requests that were held out; where it is empty, the proof was
    not of all answered calls. `habits` are those of the task's answers. `differing_share` is what may differ from the
    provider's answer and be no worse. `inputs` is a sketch of the inputs (`watch.inputs`). `slices` are the shares of
    each slice's local answers that may look wrong. Times are Unix seconds: when the figures were made, and when the
    newest call came.
    """

    answers: int | None = None
    invalid_share: float | None = None
    refusal_share: float | None = None
    owned_p95_ms: float | None = None
    models: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    created_at: float | None = None
    kinds: dict[str, int] = {}
    habits: tuple[str, ...] = ()
    newest_call_at: float | None = None
    differing_share: float | None = None
    inputs: dict[str, object] | None = None
    slices: dict[str, float] = {}

    @classmethod
    def from_json(cls, document: object) -> LiveBaseline:
        """The figures in a document of any version (`model.evidence.lenient`)."""
        return read(cls, document)

    def to_json(self) -> dict[str, object]:
        """The JSON document: without kinds and habits where nothing was said of kinds, and without an unknown share."""
        unsaid = (*(() if self.kinds else ("kinds", "habits")), *(() if self.differing_share is not None else _SHARE))
        return {name: value for name, value in as_json(self).items() if name not in unsaid}
