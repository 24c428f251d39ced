"""What a verdict expects of live traffic: figures of the proof's answers, the rented models seen, a sketch of inputs,
what each slice may bear.

Not covered: the figures themselves (`prove.live_baseline`, `watch.inputs`), what is done with them
(`watch.run.monitor`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from freehold.freeze import load
from freehold.model import Example, OwnedAnswer
from freehold.model.evidence.outlook import BorneFigures
from freehold.model.exchange import input_text
from freehold.model.live_baseline import LiveBaseline
from freehold.model.verdict import Verdict
from freehold.pipeline.workspace import Workspace
from freehold.prove.live_baseline import expected
from freehold.store import DatasetRow
from freehold.watch import make_sketch

LIVE_KINDS = ("label", "length", "language")
MOST_SLICES = 20
_PRIOR_CALLS = 5.0
"""A slice of few calls is taken to be as local as all calls are."""
_MOST_TOLERATED = 0.9
Answering = Callable[[Sequence[Example]], Sequence[OwnedAnswer]]


def expect(workspace: Workspace, dataset: DatasetRow, answer: Answering, verdict: Verdict) -> LiveBaseline:
    """What live traffic is compared with; `answer` gives the owned answers to the proof's examples, which it has.

    `kinds` are the kinds of requests that were held out, and how many of each: also a sign that the proof's n are all
    answered calls, which verdicts of earlier versions do not say. `habits` are those of the task's answers.
    """
    frozen = load(Path(dataset.path))
    rented = workspace.store.call_stream.rented_models([example.id for example in frozen.proof])
    now = time.time()
    asked = [example for example in frozen.proof if example.is_askable]
    answered = list(zip(asked, answer(asked), strict=True))
    kinds, borne = verdict.figures.kinds, verdict.figures.borne
    return msgspec.structs.replace(
        expected(dataset.manifest.kind, answered, rented=rented, created_at=now),
        kinds=kinds,
        habits=tuple(dataset.manifest.habits) if kinds else (),
        newest_call_at=max((one.created_at for one in frozen.proof if one.created_at <= now), default=now),
        differing_share=None if borne is None else borne.upper,
        inputs=make_sketch(_inputs(frozen.train), _inputs(asked)),
        slices=tolerated_slices(verdict),
    )


def tolerated_slices(verdict: Verdict) -> dict[str, float]:
    """For each slice that a verdict lets be answered locally: the share of its local answers that may look wrong.

    The proof bounds the share of *all* calls of a slice that is local and wrong; live, local answers alone are
    audited. So the bound is divided by the share of the slice that was local. What was unlike the provider's and no
    worse is tolerated as well (`prove.tolerated_disagreement`). The largest MOST_SLICES are watched, but for those
    where audits can tell nothing.
    """
    figures, coverage = verdict.figures, verdict.coverage
    limit, bears = figures.slice_limit, figures.borne or BorneFigures()
    if not limit or not coverage or not 0 < limit < 1:
        return {}
    rows = [row for row in figures.slices if row.kind in LIVE_KINDS and row.n and row.name not in verdict.withheld]
    rows.sort(key=lambda row: (-row.local, row.name))
    usual = bears.count / max(1.0, coverage * (figures.calls or 0))
    found = {}
    for row in rows[:MOST_SLICES]:
        local = (row.local + _PRIOR_CALLS * coverage) / ((row.n or 0) + _PRIOR_CALLS)
        unlike = (bears.by_slice.get(row.name, 0) + _PRIOR_CALLS * usual) / (row.local + _PRIOR_CALLS)
        found[row.name] = min(_MOST_TOLERATED, limit / local) + unlike
    return {name: share for name, share in found.items() if share < 1}


def _inputs(examples: Sequence[Example]) -> list[str]:
    return [input_text(example.messages) for example in examples]
