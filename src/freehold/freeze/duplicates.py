"""Calls with the same input: what one of them tells of the others, and one example of them to learn from.

`agreed` lets what people said of one call count for all with the same input: the newest correction is what was wanted
of each of them, also of one whose answer could be no target, and an answer that was rated bad is bad wherever it was
given. Apart from that each call keeps its own answer as its target, as a proof asks what that call would have got.

`one_per_input` is for training. Of calls with the same input the newest correction counts; without one, the answer most
of them got, and of those calls the newest. The others are dropped as `exact_duplicate`, or `conflicting` when they got
another answer; the one that is kept names them, so that from each of these calls one finds what learned from it. Of
inputs that are nearly the same and got the same answer the newest stays, and the others are in no dataset; nearly the
same with another answer both stay, since the difference is what a model has to learn. Not covered: near duplicates in
two splits (`split`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from freehold.freeze.near import Likeness
from freehold.freeze.select import Candidate

if TYPE_CHECKING:
    from freehold.freeze.near import Flags, Positions


def agreed(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, in their order, with what was said of any call with the same input."""
    said: dict[object, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if candidate.messages and (candidate.source == "correction" or candidate.is_rejected) and not candidate.aside:
            said[candidate.input_key].append(candidate)
    if not said:
        return list(candidates)
    of_all = ((candidate, said.get(candidate.input_key) if candidate.messages else None) for candidate in candidates)
    return [_told(candidate, of_same) if of_same else candidate for candidate, of_same in of_all]


def _told(candidate: Candidate, said: Sequence[Candidate]) -> Candidate:
    corrected = max((c for c in said if c.source == "correction"), key=by_time, default=None)
    if corrected is not None:
        if candidate.call_id == corrected.call_id:
            return candidate
        return replace(
            candidate, target=corrected.target, source="correction", aside="", also=_also(candidate, [corrected])
        )
    rejected = [c for c in said if c.target == candidate.target and c.call_id != candidate.call_id]
    if candidate.aside or candidate.is_rejected or not rejected:
        return candidate
    return replace(candidate, source="rejected", also=_also(candidate, rejected))


def _also(candidate: Candidate, others: Iterable[Candidate]) -> tuple[str, ...]:
    return tuple(sorted({*candidate.also, *(other.call_id for other in others)}))


def one_per_input(candidates: Sequence[Candidate]) -> tuple[list[Candidate], Counter[str]]:
    """The candidates, in time order, without exact duplicates, and a count of what was dropped."""
    by_input: dict[tuple[tuple[str, str], ...], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_input[candidate.input_key].append(candidate)
    dropped: Counter[str] = Counter()
    kept = []
    for same in by_input.values():
        chosen = _choose(same)
        others = [other for other in same if other is not chosen]
        kept.append(replace(chosen, also=_also(chosen, others)))
        dropped.update("exact_duplicate" if other.target == chosen.target else "conflicting" for other in others)
    return sorted(kept, key=by_time), dropped


def without_near(candidates: Sequence[Candidate], threshold: float) -> tuple[list[Candidate], Counter[str]]:
    """The candidates, in time order, without those that are nearly a newer one with the same answer."""
    import numpy as np

    if not candidates:
        return [], Counter()
    likeness = Likeness([candidate.text for candidate in candidates], threshold)
    _, answers = np.unique([candidate.target for candidate in candidates], return_inverse=True)
    is_kept = np.zeros(len(candidates), dtype=np.bool_)
    for position in range(len(candidates) - 1, -1, -1):
        own = answers[position]

        def is_same(near: Positions, own: int = own) -> Flags:
            flags: Flags = is_kept[near] & (answers[near] == own)
            return flags

        is_kept[position] = likeness.find(position, is_same) is None
    kept = [candidate for candidate, stays in zip(candidates, is_kept, strict=True) if stays]
    return kept, Counter({"near_duplicate": len(candidates) - len(kept)})


def by_time(candidate: Candidate) -> tuple[float, str]:
    """The order of candidates: oldest first."""
    return candidate.created_at, candidate.call_id


def _choose(same: Sequence[Candidate]) -> Candidate:
    corrected = [candidate for candidate in same if candidate.source == "correction"]
    if corrected:
        return max(corrected, key=by_time)
    usable = [candidate for candidate in same if not candidate.is_rejected] or same
    counts = Counter(candidate.target for candidate in usable)
    most = max(counts.values())
    return max((candidate for candidate in usable if counts[candidate.target] == most), key=by_time)
