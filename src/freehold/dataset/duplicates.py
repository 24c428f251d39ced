"""One example per input: exact duplicates, answers that contradict each other, near duplicates.

Of calls with the same input the newest correction counts; without one, the answer most of them got, and of those calls
the newest. The others are dropped as `exact_duplicate`, or `conflicting` when they got another answer; the one that is
kept names them, so that from each of these calls one finds what learned from it. Of inputs that are nearly the same and
got the same answer the newest stays, and the others are in no dataset; nearly the same with another answer both stay,
since the difference is what a model has to learn. Not covered: near duplicates in two splits (`split`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from freehold.dataset.near import Likeness
from freehold.dataset.select import Candidate


def one_per_input(candidates: Sequence[Candidate]) -> tuple[list[Candidate], Counter[str]]:
    """The candidates, in time order, without exact duplicates, and a count of what was dropped."""
    by_input: dict[tuple[tuple[str, str], ...], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        by_input[candidate.input_key].append(candidate)
    dropped: Counter[str] = Counter()
    kept = []
    for same in by_input.values():
        chosen = _choose(same)
        kept.append(replace(chosen, also=tuple(sorted(other.call_id for other in same if other is not chosen))))
        for other in same:
            if other is not chosen:
                dropped["exact_duplicate" if other.target == chosen.target else "conflicting"] += 1
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
        is_kept[position] = likeness.find(position, is_kept & (answers == answers[position])) is None
    kept = [candidate for candidate, stays in zip(candidates, is_kept, strict=True) if stays]
    return kept, Counter({"near_duplicate": len(candidates) - len(kept)})


def by_time(candidate: Candidate) -> tuple[float, str]:
    """The order of candidates: oldest first."""
    return candidate.created_at, candidate.call_id


def _choose(same: Sequence[Candidate]) -> Candidate:
    corrected = [candidate for candidate in same if candidate.source == "correction"]
    if corrected:
        return max(corrected, key=by_time)
    counts = Counter(candidate.target for candidate in same)
    most = max(counts.values())
    return max((candidate for candidate in same if counts[candidate.target] == most), key=by_time)
