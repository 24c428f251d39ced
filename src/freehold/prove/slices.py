"""Holds each slice of the traffic to its own limit, so that no small class is sacrificed for the average.

    share_s = P(answered locally and wrong | the call lies in slice s)
    kept    upper_s <= limit      shown to be within the limit
    broken  lower_s >  limit      shown to be beyond it
    open    too few calls to say

with Clopper and Pearson's bounds at delta / J for J slices (Bonferroni: slices overlap, no independence is needed). All
`kept` hold together with probability 1 - delta, and so do all `broken`. A threshold that was chosen on the same calls
changes neither: a slice's wrong local answers only grow as the threshold falls, so to go wrong, one bound must fail at
the one threshold where the slice's share crosses its limit (the argument of contract A). The bounds that are shown
beside a state hold at a threshold that was fixed before.

Where users make several calls each, a state must also be certified by betting on the users' means of
(limit - loss) * 1{s}, or of its negative, at delta / J; there the threshold is taken as given.

Where the provider is to be replaced wholly and can be wrong as well, a call's loss is what it loses by that: 1 where
the provider alone was right, -1 where the owned model alone was. Then the bounds are the difference of those for
either kind, each at half the level.

Beside what can be told before an answer is given out (`text.slices`) there are the slices by the wanted answer,
`wanted:refund`: a class that is always taken for another one shows there alone.

Checkable: 20 of 20 wrong have lower(.10 / 10) = .794; none of 90 has upper(.10 / 10) = .0499.

Not covered: what becomes of a broken slice (`prove.policy`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from freehold.model.example import Example
from freehold.model.exchange import input_text
from freehold.prove.stats.betting import log_wealth
from freehold.prove.stats.cascade import lower_bound, upper_bound, usable_scores
from freehold.prove.stats.cluster_means import user_means_of
from freehold.text.language import language_of
from freehold.text.slices import SliceShape, input_chars, label_of, top_fields

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_VALUES = 30
WANTED = "wanted"
_CALLS_PER_VALUE = 5
_HELD_SHARE = 0.9
SliceState = Literal["kept", "broken", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One slice: its calls, the local ones, the local and wrong ones, and simultaneous bounds on the latter's share.

    `right` counts its calls without a loss, local or not. `withheld` says on which split it was decided that its calls
    stay with the provider; empty where they do not. Such a slice shows what would have been. `because` names the slice
    of wanted answers for whose sake it was withheld. `better` counts the local calls that gain by the owned answer,
    where both sides can be wrong; there the bounds are of the share wrong less the share better.
    """

    name: str
    kind: str
    n: int
    right: int
    local: int
    wrong: int
    low: float
    high: float
    state: SliceState
    withheld: Literal["", "dev", "proof"] = ""
    because: str = ""
    better: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliced:
    """The calls of one split: for each slice, which calls lie in it.

    `losses` are 1 for a wrong answer and 0 for a right one; or, `is_paired`, what a call loses by the owned answer.
    """

    confidences: NDArray[np.float64]
    losses: NDArray[np.float64]
    groups: tuple[str, ...]
    members: dict[str, NDArray[np.bool_]]
    is_paired: bool = False

    @property
    def is_by_user(self) -> bool:
        """Whether some user made several calls."""
        return len(set(self.groups)) < len(self.groups)

    def only(self, kept: Sequence[bool]) -> Sliced:
        """Those calls alone."""
        import numpy as np

        mask = np.asarray(kept, dtype=bool)
        return replace(
            self,
            confidences=self.confidences[mask],
            losses=self.losses[mask],
            groups=tuple(group for group, is_kept in zip(self.groups, kept, strict=True) if is_kept),
            members={name: member[mask] for name, member in self.members.items()},
        )

    def paired(self, harms: Sequence[float]) -> Sliced:
        """The same calls with what each loses by the owned answer: 1, 0 or -1."""
        import numpy as np

        return replace(self, losses=np.asarray(harms, dtype=float), is_paired=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a slice is held to: at most this `share`, at level `delta` for all slices together; `seed` orders users."""

    share: float
    delta: float
    seed: int


def shape_slices(kind: str, examples: Sequence[Example], answers: Sequence[str]) -> SliceShape:
    """How to cut a task's calls, from its dev split and the owned answers there; kinds with one slice are left out.

    JSON is cut by the top-level field whose values are used most evenly (largest entropy) among those with at most
    MOST_VALUES values, each met 5 times on average, in 9 of 10 answers.
    """
    asked = [(example, answer) for example, answer in zip(examples, answers, strict=True) if example.is_askable]
    examples, answers = [example for example, _ in asked], [answer for _, answer in asked]
    if not examples:
        return SliceShape()
    targets = [example.target for example in examples if not example.is_aside]
    field = _label_field(targets) if kind in ("json", "tools") else None
    labels: tuple[str, ...] = ()
    if kind == "label" or field is not None:
        seen = Counter(label for text in (*targets, *answers) if (label := label_of(text, field)))
        labels = tuple(label for label, _ in seen.most_common(MOST_VALUES))
    lengths = sorted(input_chars(example.messages) for example in examples)
    thirds = (lengths[(len(lengths) - 1) // 3], lengths[2 * (len(lengths) - 1) // 3])
    languages = Counter(language_of(input_text(example.messages)) for example in examples)
    return SliceShape(
        field=field,
        labels=labels if len(labels) > 1 else (),
        lengths=thirds if thirds[0] < lengths[-1] else (),
        languages=tuple(sorted(languages)) if len(languages) > 1 else (),
    )


def slice_calls(
    shape: SliceShape,
    examples: Sequence[Example],
    answers: Sequence[str],
    *,
    confidences: Sequence[float],
    losses: Sequence[float],
    is_by_call: bool = False,
) -> Sliced:
    """Lay the calls of one split into the slices of `shape`, and into those by wanted answer where that is known.

    A call about which no model would be asked lies in none.
    `is_by_call` treats calls of one user as independent, where nothing is promised of the result.
    """
    import numpy as np

    names: list[tuple[str, ...]] = []
    for example, answer in zip(examples, answers, strict=True):
        wanted = (f"{WANTED}:{shape.label(example.target)}",) if shape.labels and not example.is_aside else ()
        names.append((*shape.names(example.messages, answer), *wanted) if example.is_askable else ())
    every = sorted({name for row in names for name in row})
    return Sliced(
        confidences=usable_scores(confidences),
        losses=np.asarray(losses, dtype=float),
        groups=() if is_by_call else tuple(example.group for example in examples),
        members={name: np.array([name in row for row in names], dtype=bool) for name in every},
    )


def describe(shape: SliceShape, *, is_proven: bool = True) -> str:
    """What the slices are, in a sentence; where no threshold is proven, they are judged as if all answers were used."""
    ways = []
    if shape.labels:
        owned = "the owned answer" if shape.field is None else f"the field {shape.field!r} of the owned answer"
        ways.append(f"label: {owned}; wanted: the same of the wanted answer")
    if shape.lengths:
        first, second = shape.lengths
        ways.append(f"length of the input: short up to {first:,} characters, middle up to {second:,}")
    if shape.languages:
        ways.append("language of the input, guessed from its script and its function words")
    told = "; ".join(ways) or "nothing to cut by"
    return told if is_proven else f"{told}. No threshold is proven: judged as if every usable answer were used"


def local_calls(calls: Sliced, threshold: float, withheld: Iterable[str]) -> NDArray[np.bool_]:
    """Which calls are answered locally at the threshold, those of withheld slices left out."""
    local: NDArray[np.bool_] = (calls.confidences >= threshold) & (calls.confidences > 0)
    for name in withheld:
        if name in calls.members:
            local = local & ~calls.members[name]
    return local


def answered_locally(calls: Sliced, threshold: float | None, withheld: Iterable[str]) -> tuple[bool, ...]:
    """Whether each call is answered locally; none is where nothing is proven."""
    if threshold is None:
        return (False,) * len(calls.losses)
    return tuple(local_calls(calls, threshold, withheld).tolist())


def judge(calls: Sliced, threshold: float, withheld: Iterable[str], limit: Limit) -> list[Slice]:
    """The figures of each slice under the policy; of a withheld one those that it would have if it alone were not."""
    import numpy as np

    level = limit.delta / max(1, len(calls.members))
    served = local_calls(calls, threshold, withheld)
    local = {name: member & served for name, member in calls.members.items()}
    for name in set(withheld) & set(local):
        local[name] = calls.members[name] & local_calls(calls, threshold, set(withheld) - {name})
    certified = _certified_by_user(calls, local, level, limit) if calls.is_by_user else {}
    found = []
    for name, member in calls.members.items():
        n, lost = int(member.sum()), calls.losses[local[name]]
        worse, better = int(np.sum(lost > 0)), int(np.sum(lost < 0))
        low, high = _bounds(worse, better, n, level, is_paired=calls.is_paired)
        state: SliceState = "kept" if high <= limit.share else "broken" if low > limit.share else "open"
        found.append(
            Slice(
                name=name,
                kind=name.split(":", 1)[0],
                n=n,
                right=int(np.sum(calls.losses[member] <= 0)),
                local=len(lost),
                wrong=worse,
                better=better,
                low=low,
                high=high,
                state="open" if calls.is_by_user and state not in certified[name] else state,
            )
        )
    return found


def _bounds(worse: int, better: int, n: int, level: float, *, is_paired: bool) -> tuple[float, float]:
    """Bounds on (worse - better) / n, each at `level`; without pairs nothing can be better."""
    if not is_paired:
        return lower_bound(worse, n, level), float(upper_bound([worse], n, level)[0])
    low, high = _bounds(worse, 0, n, level / 2, is_paired=False)
    gain_low, gain_high = _bounds(better, 0, n, level / 2, is_paired=False)
    return low - gain_high, high - gain_low


def _certified_by_user(
    calls: Sliced, local: dict[str, NDArray[np.bool_]], level: float, limit: Limit
) -> dict[str, set[SliceState]]:
    """The states that betting on users certifies for each slice."""
    import numpy as np

    if not local:
        return {}
    members = np.array(list(calls.members.values()))
    stakes = members * limit.share - np.array(list(local.values())) * calls.losses
    if calls.is_paired:  # a gain adds 1 to the limit: keep what is bet on within [-1, 1], from either side
        stakes = stakes / (1 + limit.share)
    units = user_means_of(stakes, calls.groups, seed=limit.seed)
    goal = math.log(1 / level)
    is_kept, is_broken = (
        log_wealth(side, 0.0, alpha=level, cap=units.shape[1]).max(axis=1) >= goal for side in (units, -units)
    )
    states: dict[str, set[SliceState]] = {name: {"open"} for name in local}
    for name, kept, broken in zip(local, is_kept, is_broken, strict=True):
        if kept:
            states[name].add("kept")
        if broken:
            states[name].add("broken")
    return states


def _label_field(targets: Sequence[str]) -> str | None:
    """The field to cut JSON by; None where there is none to cut by."""
    rows = [top_fields(target) for target in targets]
    columns = {name: Counter(row[name] for row in rows if name in row) for name in {k for row in rows for k in row}}
    most = min(MOST_VALUES, len(rows) // _CALLS_PER_VALUE)
    fitting = {
        name: _entropy(column)
        for name, column in columns.items()
        if 2 <= len(column) <= most and column.total() >= _HELD_SHARE * len(rows)
    }
    return max(sorted(fitting), key=lambda name: fitting[name]) if fitting else None


def _entropy(counts: Counter[str]) -> float:
    total = counts.total()
    return -math.fsum(count / total * math.log(count / total) for count in counts.values())
