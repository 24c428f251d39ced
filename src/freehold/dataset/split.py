"""Split by time and by group, so that a proof is about calls to come and about people not seen.

The newest calls are the proof, all of them later than any other. A group (a user; without one, a session; without
either, a conversation, or the call itself) is on one side only. A group that has calls on both sides of the cut goes to
the side where that loses least, and its calls on the other side are dropped as `group_crosses_split`. Where everyone
calls all the time this costs up to half of the calls; the cut and the size of the proof are then chosen so that it
costs least. Where it would cost more (few users make most calls), the next finer group is used instead: sessions,
conversations, then single calls. The manifest's `grouped_by` names the coarsest group that there is.

Dev is made of the groups that were seen last before the cut. Lastly whatever is nearly the input of a later
split is dropped from the earlier one, as `near_across_splits`: whatever its answer, except that inputs which differ in
a number or an id and in their answer are not the same input (order A-1 is not order A-2).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from freehold.core.dataset import SPLITS, Split
from freehold.core.example import Example
from freehold.dataset.groups import LEVELS, groups_at, level_of
from freehold.dataset.near import Likeness
from freehold.dataset.select import Candidate, input_text
from freehold.dataset.settings import FreezeSettings

LEAST_KEPT = 0.4
_CUTS = (0.3, 0.4, 0.5)
_TARGETS = (1.0, 0.75, 0.5)
_NUMBER = re.compile(r"\w*\d\w*")
_ORDER = {split: rank for rank, split in enumerate(SPLITS)}


@dataclass(frozen=True, slots=True)
class Parted:
    """The splits, each in time order, with each example's group; `grouped_by` is the level of groups that held."""

    splits: dict[Split, list[Candidate]]
    groups: dict[str, str]
    grouped_by: str
    crossing: int


def part(candidates: Sequence[Candidate], settings: FreezeSettings) -> Parted:
    """Split candidates, given in time order."""
    for level in LEVELS:
        groups = groups_at(level, candidates)
        sides = _sides(groups, settings)
        if sides is not None or level == LEVELS[-1]:
            break
    sides = sides or ["train"] * len(candidates)
    splits: dict[Split, list[Candidate]] = {split: [] for split in SPLITS}
    for candidate, side in zip(candidates, sides, strict=True):
        if side is not None:
            splits[side].append(candidate)
    return Parted(
        splits=splits,
        groups={candidate.call_id: group for candidate, group in zip(candidates, groups, strict=True)},
        grouped_by=level_of(groups),
        crossing=sides.count(None),
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
    return [
        i
        for i in range(len(rows))
        if likeness.find(i, (ranks > ranks[i]) & ((targets == targets[i]) | (numbers == numbers[i]))) is not None
    ]


def near_repeats(examples: Sequence[Example], learnt: Sequence[Example], threshold: float) -> list[str]:
    """Ids of the examples whose input is nearly that of one in `learnt`."""
    rows: list[tuple[Split, str, str]] = [("train", input_text(e.messages), e.target) for e in examples]
    rows += [("proof", input_text(e.messages), e.target) for e in learnt]
    return [examples[i].id for i in leaks(rows, threshold)]


def without_leaks(splits: dict[Split, list[Candidate]], threshold: float) -> tuple[dict[Split, list[Candidate]], int]:
    """The splits without what leaks, and how many that was; repeated, for likeness depends on what is compared."""
    dropped = 0
    while True:
        rows = [(split, candidate) for split in SPLITS for candidate in splits[split]]
        found = set(leaks([(split, candidate.text, candidate.target) for split, candidate in rows], threshold))
        if not found:
            return splits, dropped
        dropped += len(found)
        kept = [row for i, row in enumerate(rows) if i not in found]
        splits = {split: [candidate for own, candidate in kept if own == split] for split in SPLITS}


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
