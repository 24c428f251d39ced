"""The paired test on comparisons: people, and a judge whom people correct, say whose answer is better.

Where an exact match says little (free text), or where nothing was corrected, so that the provider is right by
definition, D of a pair is what people prefer: 1 the owned answer, -1 the provider's, 0 neither. Nobody is asked about a
pair that is settled: two answers that are the same are 0, a call about which no owned model is asked is 0, and where
the provider gave no answer that could be wanted (a tool call, a refusal), an owned answer that would be used is -1.

One call of each user is drawn, users in an order that the seed draws; neither people nor the judge choose. People go
through that order from its beginning. The test runs as far as it is known without a gap, so that a pair that nobody
wanted to decide can stop the evidence and never add to it. It is planned for a number of pairs before the first label.

The judge's scores enter the bets (`prove.stats.ppi`) where both of this holds, none of which looks at a label: at least
one pair beside the planned ones falls to each label, and at the share of dev calls on which both sides differ the plan
holds `least_labels` labels. Evidence that they entered counts once people have given `least_labels` labels, and once
the judge has scored all pairs it was to score: to bet on people alone until then would be a second test of the same
labels. In every other case people alone are bet on. So a judge alone certifies nothing.

Not covered: who asks (`freehold.pipeline`), what follows (`prove.decide`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from freehold.model.example import Example
from freehold.prove.settings import ProofSettings
from freehold.prove.stats.betting import user_order
from freehold.prove.stats.ppi import Powered, powered_log_wealth, powered_mean
from freehold.prove.stats.tango import tango_interval
from freehold.text.intervals import Z95
from freehold.text.scoring import score

TEXT_PAIRS = 300
"""How many pairs of free text the test is planned for where no number is set: about an afternoon of one person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinions:
    """What is known about pairs of one model, by example id: 1 the owned answer is better, -1 the provider's.

    `labels` are people's, the first of each pair. `scores` are the judge's; None where its reply was no opinion,
    not there where it was not asked. `differing` is the share of dev calls on which both sides differ.
    """

    labels: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float | None] = field(default_factory=dict)
    differing: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Pairs in their drawn order; `planned` of them are for people, `to_judge` for the judge, both from the beginning.

    `outcomes` are D, None where it is not known; `scores` the judge's, None where it was not asked; `settled` marks
    pairs about which nobody is asked. ValueError for an opinion outside [-1, 1].
    """

    outcomes: Sequence[float | None]
    scores: Sequence[float | None]
    settled: Sequence[bool]
    planned: int
    to_judge: int = 0
    unreadable: int = 0

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) and abs(v) <= 1 for v in (*self.outcomes, *self.scores) if v is not None):
            raise ValueError("an opinion lies outside [-1, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How the test on comparisons stands.

    `n` pairs are known in the drawn order without a gap: `by_people` labelled, the others settled without them.
    `to_label` are those of the `planned` pairs that people still have to decide, `behind_gap` labels that wait for one
    before them. `judged` pairs have the judge's score, `unreadable` of them in name only, and `to_judge` it has still
    to compare. `is_aided`: its scores entered the bets; `why_alone` says why not, where there is a judge. `powered` is
    shown and decides nothing, as is the judge's own mean, `judge_mean`.
    """

    planned: int
    n: int
    by_people: int
    to_label: int
    behind_gap: int
    owned_better: int
    provider_better: int
    difference: float | None
    low: float
    high: float
    judge: str
    judged: int
    unreadable: int
    to_judge: int
    judge_mean: float | None
    judge_low: float
    judge_high: float
    is_aided: bool
    why_alone: str
    powered: Powered | None
    least_labels: int
    margin: float
    decided_at: int | None
    log_wealth: tuple[float, ...]
    log_goal: float

    @property
    def is_certified(self) -> bool:
        """Whether it is shown that the owned model is no worse by more than the margin."""
        return self.decided_at is not None

    @property
    def is_open(self) -> bool:
        """Whether pairs are left to decide, and what is decided leaves it possible that they show it."""
        return self.to_label > 0 and self.high > -self.margin


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    decided_at: int | None
    log_wealth: tuple[float, ...]
    log_goal: float


def draw_pairs(examples: Sequence[Example], seed: int) -> tuple[int, ...]:
    """The positions of the drawn calls, one of each user, in the order in which they are decided."""
    calls: dict[str, list[int]] = {}
    for position, example in enumerate(examples):
        calls.setdefault(example.group, []).append(position)
    rng = random.Random(f"pairs {seed}")  # noqa: S311 - a draw to be repeated, not a secret
    chosen = {user: rng.choice(calls[user]) for user in sorted(calls)}
    return tuple(chosen[user] for user in user_order([example.group for example in examples], seed=seed))


def is_same(kind: str, owned: str, incumbent: str) -> bool:
    """Whether both answers are the same as answers of this kind are compared."""
    return score(kind, incumbent, owned).is_exact


def settled(kind: str, example: Example, owned: str) -> float | None:
    """D of a pair about which nobody has to be asked; None where people have to compare."""
    if not example.is_askable:
        return 0.0
    if example.is_aside:
        return -1.0 if example.takes(kind, owned) else 0.0
    return 0.0 if is_same(kind, owned, example.incumbent) else None


def planned_pairs(kind: str, users: int, settings: ProofSettings) -> int:
    """How many pairs the test is planned for; it depends on nothing that labels could tell."""
    wanted = settings.labels or (TEXT_PAIRS if kind == "text" else users)
    return min(wanted, users)


def judged_pairs(users: int, settings: ProofSettings) -> int:
    """How many of the drawn pairs the judge is to score."""
    return min(users, settings.judge_calls or users)


def compare_pairs(drawn: Drawn, settings: ProofSettings, *, differing: float = 1.0) -> Compared:
    """The test on drawn pairs; `differing` is the share of dev calls on which both sides differ."""
    outcomes, known_before, planned = drawn.outcomes, drawn.settled, drawn.planned
    n = next((i for i, outcome in enumerate(outcomes[:planned]) if outcome is None), planned)
    known = [outcome for outcome in outcomes[:n] if outcome is not None]
    by_people = sum(not is_settled for is_settled in known_before[:n])
    per_label, why_alone = _aid(drawn, settings, differing) if settings.judge else (0, "")
    missing = sum(value is None for value in drawn.scores[: drawn.to_judge]) if per_label else 0
    is_aided = per_label > 0 and not missing
    path = _bets(known, drawn.scores, per_label if is_aided else 0, planned, settings)
    is_too_early = per_label > 0 and (missing > 0 or by_people < settings.least_labels)
    low, high = _interval(known)
    own = [value for value in drawn.scores if value is not None] if settings.judge else []
    judge_low, judge_high = _normal(own)
    return Compared(
        planned=planned,
        n=n,
        by_people=by_people,
        to_label=sum(outcome is None for outcome in outcomes[:planned]),
        behind_gap=sum(
            outcome is not None and not is_settled
            for outcome, is_settled in zip(outcomes[n:planned], known_before[n:planned], strict=True)
        ),
        owned_better=sum(value > 0 for value in known),
        provider_better=sum(value < 0 for value in known),
        difference=math.fsum(known) / n if n else None,
        low=low,
        high=high,
        judge=settings.judge,
        judged=len(own),
        unreadable=drawn.unreadable,
        to_judge=missing,
        judge_mean=math.fsum(own) / len(own) if own else None,
        judge_low=judge_low,
        judge_high=judge_high,
        is_aided=is_aided,
        why_alone=f"It has not compared {missing:,} of its {drawn.to_judge:,} pairs yet" if missing else why_alone,
        powered=_powered(known, drawn.scores) if settings.judge and by_people else None,
        least_labels=settings.least_labels,
        margin=settings.margin,
        decided_at=None if is_too_early else path.decided_at,
        log_wealth=path.log_wealth,
        log_goal=path.log_goal,
    )


def weigh_opinions(
    kind: str, examples: Sequence[Example], owned: Sequence[str], opinions: Opinions, settings: ProofSettings
) -> Compared:
    """The test on one model's answers to the proof split, with what people and the judge said about them."""
    drawn = draw_pairs(examples, settings.seed)
    ids = [examples[position].id for position in drawn]
    known = [settled(kind, examples[position], owned[position]) for position in drawn]
    outcomes = _outcomes(ids, known, opinions)
    unreadable = {i for i in ids if i in opinions.scores and opinions.scores[i] is None}
    scores = [
        value if value is not None else 0.0 if i in unreadable else opinions.scores.get(i)
        for i, value in zip(ids, known, strict=True)
    ]
    pairs = Drawn(
        outcomes=outcomes,
        scores=scores,
        settled=[value is not None for value in known],
        planned=planned_pairs(kind, len(drawn), settings),
        to_judge=judged_pairs(len(drawn), settings),
        unreadable=len(unreadable),
    )
    return compare_pairs(pairs, settings, differing=opinions.differing)


def preferences(
    kind: str, examples: Sequence[Example], owned: Sequence[str], opinions: Opinions, settings: ProofSettings
) -> list[float | None]:
    """D of each call of the proof split, in its order; None for what was not drawn, or not decided without a gap."""
    drawn = draw_pairs(examples, settings.seed)
    drawn = drawn[: planned_pairs(kind, len(drawn), settings)]
    known = [settled(kind, examples[position], owned[position]) for position in drawn]
    preferred: list[float | None] = [None] * len(examples)
    for position, outcome in zip(drawn, _outcomes([examples[p].id for p in drawn], known, opinions), strict=True):
        if outcome is None:
            break
        preferred[position] = outcome
    return preferred


def _outcomes(ids: Sequence[str], known: Sequence[float | None], opinions: Opinions) -> list[float | None]:
    return [opinions.labels.get(i) if value is None else value for i, value in zip(ids, known, strict=True)]


def _aid(drawn: Drawn, settings: ProofSettings, differing: float) -> tuple[int, str]:
    """How many judged pairs each label has to itself; 0 where the judge's scores never enter, and why."""
    planned, asked = drawn.planned, drawn.to_judge
    if asked < max(1, 2 * planned):
        return 0, f"Its {asked:,} pairs are fewer than two for each of the {planned:,} planned for people"
    expected = math.floor(differing * planned)
    if expected < settings.least_labels:
        return 0, f"The plan holds about {expected:,} labels of people, and {settings.least_labels:,} are the least"
    return (asked - planned) // planned, ""


def _bets(
    known: Sequence[float], scores: Sequence[float | None], per_label: int, planned: int, settings: ProofSettings
) -> _Path:
    import numpy as np

    goal = math.log(1 / settings.alpha)
    if not known:
        return _Path(decided_at=None, log_wealth=(), log_goal=goal)
    n = len(known)
    rest = scores[planned : planned + n * per_label] if per_label else ()
    path = powered_log_wealth(
        np.asarray([known], dtype=float),
        np.asarray([scores[:n] if per_label else [0.0] * n], dtype=float),
        np.asarray(rest, dtype=float).reshape(1, n, per_label),
        settings.margin,
        alpha=settings.alpha,
        cap=planned,
    )[0]
    reached = np.flatnonzero(path >= goal)
    return _Path(
        decided_at=int(reached[0]) + 1 if len(reached) else None, log_wealth=tuple(path.tolist()), log_goal=goal
    )


def _powered(known: Sequence[float], scores: Sequence[float | None]) -> Powered | None:
    n = len(known)
    paired = [value for value in scores[:n] if value is not None]
    if len(paired) < n or n < 2:
        return None
    return powered_mean(known, paired, [value for value in scores[n:] if value is not None])


def _interval(known: Sequence[float]) -> tuple[float, float]:
    """A 95% interval for E[D], to be shown: Tango's for whole preferences, normal where several people disagreed."""
    if known and all(value in (-1.0, 0.0, 1.0) for value in known):
        return tango_interval(known.count(-1.0), known.count(1.0), len(known))
    return _normal(known)


def _normal(values: Sequence[float]) -> tuple[float, float]:
    n = len(values)
    if n < 2:
        return -1.0, 1.0
    mean = math.fsum(values) / n
    error = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1) / n)
    return max(-1.0, mean - Z95 * error), min(1.0, mean + Z95 * error)
