"""What the dev split tells of a proof to come: how often both sides differ, and what each threshold would leave.

Dev is there to tune on, so looking at it costs no attempt. It is seen in part where only some answers are kept. Not
covered: proving anything; shares on dev are a little too good where a checkpoint was chosen on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from freehold.model.dataset_folder import read_dataset
from freehold.model.engine import OwnedAnswer
from freehold.model.example import Example
from freehold.prove.measure import Guess, compare, hold_out, score_guesses
from freehold.prove.metrics import read_metrics
from freehold.prove.plan import Seen
from freehold.prove.settings import ProofSettings
from freehold.text.confidence import untrained_head

LEAST_ANSWERS = 20
_POINTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What was seen on dev; `points` are (local, wrong) from the surest answers down."""

    seen: Seen
    points: tuple[tuple[int, int], ...]
    can_provider_err: bool


def rehearse(dataset: Path, kept: Callable[[Example], OwnedAnswer | None], settings: ProofSettings) -> Rehearsal | None:
    """Look at the dev answers that are kept; None where there are under LEAST_ANSWERS of them."""
    frozen = read_dataset(dataset)
    found = [(example, answer) for example in frozen.dev if (answer := kept(example)) is not None]
    if sum(example.is_askable for example, _ in found) < LEAST_ANSWERS:
        return None
    head = untrained_head()
    held = hold_out(frozen.manifest.kind, [example for example, _ in found], read_metrics(settings.metrics))
    guesses = [Guess(text=answer.text, confidence=head.score(answer)) for _, answer in found]
    scored = score_guesses("owned model", held, guesses)
    paired = [compare(held, scored.judged, place, settings)[1] for place in range(len(held.metrics))]
    worst = min(paired, key=lambda pair: pair.difference)
    seen = Seen(
        calls=worst.n,
        users=worst.users,
        discordance=worst.discordance,
        difference=worst.difference,
        metrics=worst.metrics,
    )
    usable = [(g.confidence, j.score.is_exact) for g, j in zip(scored.guesses, scored.judged, strict=True)]
    return Rehearsal(seen=seen, points=_points(usable), can_provider_err=held.can_provider_err)


def _points(answers: Sequence[tuple[float, bool]]) -> tuple[tuple[int, int], ...]:
    ordered = sorted((answer for answer in answers if answer[0] > 0), key=lambda answer: -answer[0])
    step = max(1, math.ceil(len(ordered) / _POINTS))
    ends = sorted({*range(step, len(ordered) + 1, step), len(ordered)} - {0})
    return tuple((end, sum(not is_right for _, is_right in ordered[:end])) for end in ends)
