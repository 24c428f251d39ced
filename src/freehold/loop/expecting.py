"""What a verdict expects of live traffic: figures of the proof's answers, the rented models seen, a sketch of inputs,
what each slice may bear.

Not covered: the figures themselves (`prove.expected`, `watch.inputs`), what is done with them (`loop.watching`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from freehold.core import Example, OwnedAnswer
from freehold.core.exchange import Message
from freehold.core.scoring import is_acceptable, score
from freehold.core.verdict import Verdict
from freehold.dataset import load
from freehold.loop.estate import Estate
from freehold.prove.expected import expected
from freehold.store import DatasetRow
from freehold.watch import make_sketch

LIVE_KINDS = ("label", "length", "language")
MOST_SLICES = 20
_PRIOR_CALLS = 5.0
"""A slice of few calls is taken to be as local as all calls are."""
_MOST_TOLERATED = 0.9
Answering = Callable[[Sequence[Example]], Sequence[OwnedAnswer]]


def expect(estate: Estate, dataset: DatasetRow, answer: Answering, *, is_whole: bool = False) -> dict[str, Any]:
    """What live traffic is compared with; `answer` gives the owned answers to the proof's examples, which it has.

    A whole replacement may differ from the provider and be no worse: then audits, which see that it differs, are
    compared with the share of answers that did so in the proof.
    """
    frozen = load(Path(dataset.path))
    answers = answer(frozen.proof)
    rented = estate.store.following.rented_models([example.id for example in frozen.proof])
    kind = dataset.manifest.kind
    found = expected(kind, answers, rented=rented, created_at=time.time())
    if is_whole:
        differ = [
            not score(kind, one.incumbent, given.text).is_exact
            for one, given in zip(frozen.proof, answers, strict=True)
            if is_acceptable(kind, given.text)
        ]
        found["differing_share"] = sum(differ) / max(len(differ), 1)
    return found | {"inputs": make_sketch(_inputs(frozen.train), _inputs(frozen.proof))}


def tolerated_slices(verdict: Verdict) -> dict[str, float]:
    """For each slice that a verdict lets be answered locally: the share of its local answers that may be wrong.

    The proof bounds the share of *all* calls of a slice that is local and wrong; live, local answers alone are audited.
    So the bound is divided by the share of the slice that was local. The largest MOST_SLICES are watched.
    """
    limit, coverage = verdict.evidence.get("slice_limit"), verdict.coverage
    if not isinstance(limit, float) or not coverage or not 0 < limit < 1:
        return {}
    rows = [
        row
        for row in verdict.evidence.get("slices") or ()
        if row.get("kind") in LIVE_KINDS and row.get("n") and row["name"] not in verdict.withheld
    ]
    rows.sort(key=lambda row: (-row["local"], row["name"]))
    shares = {row["name"]: (row["local"] + _PRIOR_CALLS * coverage) / (row["n"] + _PRIOR_CALLS) for row in rows}
    return {name: min(_MOST_TOLERATED, limit / share) for name, share in list(shares.items())[:MOST_SLICES]}


def input_text(messages: Sequence[Message]) -> str:
    """What the owned model is asked, as one text; the same in the proof and live."""
    return "\n".join(message.content for message in messages)


def _inputs(examples: Sequence[Example]) -> list[str]:
    return [input_text(example.messages) for example in examples]
