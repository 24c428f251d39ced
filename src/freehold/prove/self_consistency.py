"""How often the rented model agrees with itself, and the margin that follows.

A rented model that is asked the same twice does not always answer the same. With s its self-agreement on n held-out
calls, asked once more byte for byte, r = 1 - s is what an exact copy of it would lose by being held against one
recorded answer. Nothing can be shown to be within a margin below r of it that way, not the rented model itself.

    proposed margin = the upper 95% limit of r, up to the next tenth of a point

The upper limit and not r: the margin is set before the proof, so it has to be safe against having asked only n calls.
With every answer the same it is Wilson's limit, about 3.8 / (n + 3.8): asking more calls again allows a smaller margin.
It is a proposal of how much to tolerate and no statistical allowance for the model's own mistakes, which come on top.

Where answers were corrected, both sides are held against the corrections, a copy loses nothing in expectation, and this
margin is more than is needed. Free text is hardly ever the same twice; where r is above a fifth no margin is proposed,
since comparing texts letter by letter is no measure of the task: people or a judge have to compare them.

Intervals are for calls, cluster-robust where users made several (`prove.measure`). Assumes that the provider serves
the model now that it served when the calls were recorded; a change meanwhile counts as noise here, and shows.
Checkable: 200 of 200 the same gives [.981, 1], so the margin is .019.

Not covered: asking (`freehold.prove.run.self_consistency`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from freehold.model.example import Example
from freehold.prove.measure import Side, summarise
from freehold.prove.stats.intervals import mean_interval
from freehold.text.scoring import score

LEAST_CALLS = 30
MOST_DISAGREEMENT = 0.2
_STEP = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Self-agreement of the provider, and beside it the owned model's agreement with it, on calls of the dev split.

    `owned` is None where the owned model was not asked; `difference` is its agreement less the provider's own, with its
    95% interval. `margin` is None where none can be proposed, and `reason` says why in either case.
    """

    n: int
    users: int
    itself: Side
    owned: Side | None
    difference: float | None
    low: float
    high: float
    disagreement_high: float
    margin: float | None
    reason: str


def measure_noise(
    kind: str, examples: Sequence[Example], again: Sequence[str], owned: Sequence[str | None] | None = None
) -> Noise:
    """Compare the second answers, and the owned ones where there are any (None: not there), with the provider's first.

    ValueError where there is no example, or not one answer for each.
    """
    if not examples or len(again) != len(examples) or (owned is not None and len(owned) != len(examples)):
        raise ValueError("one second answer and one owned answer are needed for each of at least one example")
    groups = [example.group for example in examples]
    own = [score(kind, example.incumbent, text) for example, text in zip(examples, again, strict=True)]
    itself = summarise("provider, asked again", own, groups)
    difference, low, high, side = None, -1.0, 1.0, None
    shown = [i for i, text in enumerate(owned or ()) if text is not None]
    if owned and shown:
        scores = [score(kind, examples[i].incumbent, owned[i] or "") for i in shown]
        of_shown = [groups[i] for i in shown]
        side = summarise("owned model", scores, of_shown)
        differences = [float(a.is_exact) - float(own[i].is_exact) for i, a in zip(shown, scores, strict=True)]
        difference = math.fsum(differences) / len(differences)
        low, high = mean_interval(differences, of_shown)
    most = 1 - itself.low
    margin, reason = _propose(kind, itself, most)
    return Noise(
        n=len(examples),
        users=len(set(groups)),
        itself=itself,
        owned=side,
        difference=difference,
        low=low,
        high=high,
        disagreement_high=most,
        margin=margin,
        reason=reason,
    )


def _propose(kind: str, itself: Side, most: float) -> tuple[float | None, str]:
    if itself.n < LEAST_CALLS:
        return None, f"{itself.n} calls are too few to propose a margin from: ask at least {LEAST_CALLS} again."
    if most > MOST_DISAGREEMENT:
        cause = "texts are hardly ever the same twice" if kind == "text" else "the provider is this inconsistent"
        return None, (
            f"The provider may differ from itself in {most:.1%} of calls: {cause}, so agreement with one answer"
            " is no measure here. Let people compare answers: freehold label."
        )
    margin = math.ceil(most * _STEP - 1e-9) / _STEP
    return (
        margin,
        f"The provider differs from itself in at most {margin:.1%} of calls (95%), and so would a copy of it.",
    )
