"""Split by time and by group, so that a proof is about calls to come and about people not seen.

The newest calls are the proof, all of them later than any other. A group (a user; without one, a session; without
either, a conversation, or the call itself) is on one side only. A group that has calls on both sides of the cut goes to
the side where that loses least, and its calls on the other side are dropped as `group_crosses_split`. Where everyone
calls all the time this costs up to half of the calls; the cut and the size of the proof are then chosen so that it
costs least. Where it would cost more (few users make most calls), the next finer group is used instead: sessions,
then conversations. The manifest's `grouped_by` names the coarsest group that there is. A conversation is never parted:
its later turns hold the questions and answers of its earlier ones.

Dev is made of the groups that were seen last before the cut. Shares are of all answered calls, and all of the proof's
period is in the proof, but for groups on its other side: also calls whose answer can be no target, and calls with an
input that came before, as often as it came.

Lastly whatever is nearly the input of a later split is dropped from the earlier one, as `near_across_splits`: whatever
its answer, except that inputs which differ in a number or an id and in their answer are not the same input (order A-1
is not order A-2). Where that would take more than half of a split, the task's traffic repeats itself: tomorrow's inputs
are those of today, and a model that may not learn them is another one than would answer them. Then they stay, and are
counted: what is proven of them is proven of inputs that were learnt.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freehold.freeze.groups import LEVELS, groups_at, level_of
from freehold.freeze.near import Likeness
from freehold.freeze.select import Candidate
from freehold.freeze.settings import FreezeSettings
from freehold.model.dataset import SPLITS, Split
from freehold.model.example import Example
from freehold.model.exchange import input_text

if TYPE_CHECKING:
    from freehold.freeze.near import Flags, Positions

LEAST_KEPT = 0.4
LEAST_KEPT_INPUTS = 0.5
"""The share of a split that stays when what is nearly in a later one is dropped; else all of it stays."""
_CUTS = (0.3, 0.4, 0.5)
_TARGETS = (1.0, 0.75, 0.5)
_NUMBER = re.compile(r"\w*\d\w*")
_ORDER = {split: rank for rank, split in enumerate(SPLITS)}


@dataclass(frozen=True, slots=True)
class Parted:
    """The splits, each in time order, with each example's group; `grouped_by` is the level of groups that held.

    `crossing` are the candidates in no split, as others of their group are on the other side.
    """

    splits: dict[Split, list[Candidate]]
    groups: dict[str, str]
    grouped_by: str
    crossing: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Parting:
    """Splits without what leaks from one into a later one; `repeats` counts by split what leaks and stays."""

    splits: dict[Split, list[Candidate]]
    dropped: int
    repeats: dict[Split, int]


def part(candidates: Sequence[Candidate], settings: FreezeSettings) -> Parted | None:
    """Split candidates, given in time order; None where there are too few conversations to keep each on one side."""
    for level in LEVELS:
        groups = groups_at(level, candidates)
        sides = _sides(groups, settings)
        if sides is not None or level == LEVELS[-1]:
            break
        if level == "conversation" and level_of(groups) == level:
            return None
    sides = sides or ["train"] * len(candidates)
    splits: dict[Split, list[Candidate]] = {split: [] for split in SPLITS}
    crossing = []
    for candidate, side in zip(candidates, sides, strict=True):
        if side is None:
            crossing.append(candidate)
        else:
            splits[side].append(candidate)
    return Parted(
        splits=splits,
        groups={candidate.call_id: group for candidate, group in zip(candidates, groups, strict=True)},
        grouped_by=level_of(groups),
        crossing=tuple(crossing),
    )


def leaks(rows: Sequence[tuple[Split, str, str]], threshold: float) -> list[int]:
    """Positions of rows (split, input, target) whose input is nearly that of a row in a later split."""
    import numpy as np

    if not rows:
        return []
    likeness = Likeness([text for _, text, _ in rows], threshold)
    ranks = np.array([_ORDER[split] for split, _, _ in rows])
    _, targets = np.unique([target for _, _, target in rows], return_inverse=True)
    _, numbers = np.unique([" ".join(_NUMBER.findall(text)) for _, text, _ in rows], return_inverse=True)

    def is_leaking(i: int) -> bool:
        def is_later(near: Positions) -> Flags:
            flags: Flags = (ranks[near] > ranks[i]) & ((targets[near] == targets[i]) | (numbers[near] == numbers[i]))
            return flags

        return likeness.find(i, is_later) is not None

    return [i for i in range(len(rows)) if ranks[i] < max(_ORDER.values()) and is_leaking(i)]


def near_repeats(examples: Sequence[Example], learnt: Sequence[Example], threshold: float) -> list[str]:
    """Ids of the examples whose input is nearly that of one in `learnt`; of those that a model is asked about."""
    asked = [example for example in examples if example.is_askable]
    inputs, known = (
        [(input_text(e.messages), e.target) for e in of] for of in (asked, [e for e in learnt if e.is_askable])
    )
    return [asked[place].id for place in near_inputs(inputs, known, threshold)]


def near_inputs(inputs: Sequence[tuple[str, str]], learnt: Sequence[tuple[str, str]], threshold: float) -> list[int]:
    """Positions of those (input, target) whose input is nearly that of one in `learnt`."""
    different = list(dict.fromkeys(inputs))
    rows: list[tuple[Split, str, str]] = [("train", text, target) for text, target in different]
    rows += [("proof", text, target) for text, target in dict.fromkeys(learnt)]
    found = {different[place] for place in leaks(rows, threshold)}
    return [place for place, one in enumerate(inputs) if one in found]


def without_leaks(splits: dict[Split, list[Candidate]], threshold: float) -> Parting:
    """The splits without what leaks; looked for again and again, for likeness depends on what is compared."""
    first = {split: len(splits[split]) for split in SPLITS}
    repeats: Counter[Split] = Counter()
    dropped = 0
    while True:
        rows = [(split, candidate) for split in SPLITS for candidate in splits[split] if candidate.messages]
        found = _leaking(rows, threshold)
        for split in SPLITS:
            leaking = sum(own == split for own, _ in found)
            if leaking > (1 - LEAST_KEPT_INPUTS) * first[split] or repeats[split]:
                repeats[split] = leaking
        ids = {candidate.call_id for split, candidate in found if not repeats[split]}
        if not ids:
            return Parting(splits, dropped, dict(+repeats))
        dropped += len(ids)
        splits = {split: [c for c in splits[split] if c.call_id not in ids] for split in SPLITS}


def _leaking(rows: Sequence[tuple[Split, Candidate]], threshold: float) -> list[tuple[Split, Candidate]]:
    """The rows whose input is nearly that of a later split; each input of a split is looked at once."""
    told = [(split, candidate.text, candidate.target) for split, candidate in rows]
    different = list(dict.fromkeys(told))
    found = {different[place] for place in leaks(different, threshold)}
    return [row for row, own in zip(rows, told, strict=True) if own in found]


def _sides(groups: Sequence[str], settings: FreezeSettings) -> list[Split | None] | None:
    """A side for each position in time order (None: dropped), or None when too much would be lost.

    Of several cuts the one that keeps most; an example of the proof, up to its wanted size, is worth two to train on.
    """
    count = len(groups)
    wanted = max(1, min(settings.proof_max, round(count * settings.proof_share)))
    cuts = [count - wanted, *(count - round(count * share) for share in _CUTS if count * share > wanted)]
    best: list[Split | None] | None = None
    best_worth = 0
    for cut in cuts:
        for target in _TARGETS:
            sides = _cut_at(groups, cut, max(1, round(wanted * target)))
            proof, train = sides.count("proof"), sides.count("train")
            is_usable = 0.45 * wanted <= proof <= min(1.5 * wanted, settings.proof_max) and train >= proof / 2
            worth = train + 2 * min(proof, wanted)
            if is_usable and train + proof >= LEAST_KEPT * count and worth > best_worth:
                best, best_worth = sides, worth
    return _with_dev(groups, best, settings) if best else None


def _cut_at(groups: Sequence[str], cut: int, target: int) -> list[Split | None]:
    """Cut at a position; groups on both sides go to the proof, those that lose least first, until it has its size."""
    before, after = Counter(groups[:cut]), Counter(groups[cut:])
    proof = {group for group in after if group not in before}
    size = sum(after[group] for group in proof)
    for group in sorted(after.keys() & before.keys(), key=lambda group: (before[group] / after[group], group)):
        if size >= target:
            break
        proof.add(group)
        size += after[group]
    sides: list[Split | None] = []
    for position, group in enumerate(groups):
        is_late = position >= cut
        sides.append(("proof" if is_late else "train") if (group in proof) == is_late else None)
    return sides


def _with_dev(
    groups: Sequence[str], sides: Sequence[Split | None], settings: FreezeSettings
) -> list[Split | None] | None:
    """Move the groups seen last from train to dev; None when no group is small enough."""
    wanted = max(1, min(settings.dev_max, round(len(groups) * settings.dev_share)))
    places: dict[str, list[int]] = defaultdict(list)
    for position, side in enumerate(sides):
        if side == "train":
            places[groups[position]].append(position)
    room = len(groups) - sides.count(None) - sides.count("proof")
    moved: list[int] = []
    for own in sorted(places.values(), key=lambda own: -own[-1]):
        if len(moved) < wanted and len(own) <= 2 * (wanted - len(moved)) and len(moved) + len(own) <= room / 2:
            moved.extend(own)
    if len(moved) < wanted / 3:
        return None
    newest = sorted(moved)[-wanted:]
    moves: dict[int, Split | None] = {**dict.fromkeys(moved), **dict.fromkeys(newest, "dev")}
    return [moves.get(position, side) for position, side in enumerate(sides)]
