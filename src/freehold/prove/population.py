"""What the held-out calls were, and of which calls of their time the proof cannot speak.

    scored      what was wanted is known: both sides are held against it
    aside       the provider gave no answer that could be wanted; an owned answer that would be used there is wrong
    left alone  no owned model is asked: the request is not plain text, does not fit the prompt, or is of a kind that
                hardly any held-out call was of
    unspoken    calls of the same time that are not among the held-out ones: they failed, their users were learnt from,
                or an earlier proof used them up

All but the last are in every n of the proof. Not covered: how calls were held out (`freehold.freeze`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from freehold.model.dataset import Manifest
from freehold.model.evidence.calls import ReasonFigures, UsedCalls
from freehold.model.evidence.lenient import read
from freehold.model.example import Example
from freehold.prove.evaluate import Evaluation
from freehold.prove.measure import ScoredSplit
from freehold.text.traits import kind_of

UNPROVEN = "unproven_kind"


def population(manifest: Manifest, held: ScoredSplit, owned: Evaluation, used: Mapping[str, object]) -> dict[str, Any]:
    """Fields of the evidence; `used` says which held-out calls did not enter, and how many ask what was learnt."""
    entered = read(UsedCalls, used)
    learnt = manifest.learnt_inputs if entered.of_learnt_inputs is None else entered.of_learnt_inputs
    n = len(held.examples)
    unspoken = Counter(manifest.unspoken) + Counter(entered.left_out)
    rows = list(zip(held.examples, held.asked, owned.is_local, strict=True))
    aside = [(_reason(example, is_asked), is_asked, is_local) for example, is_asked, is_local in rows]
    return {
        "asked_calls": sum(held.asked),
        "scored_calls": sum(held.known),
        "aside": _rows((reason, is_local) for reason, is_asked, is_local in aside if reason and is_asked),
        "left_alone": _rows((reason, False) for reason, is_asked, _ in aside if reason and not is_asked),
        "unspoken": _rows((reason, False) for reason in unspoken.elements()),
        "unspoken_share": unspoken.total() / (n + unspoken.total()) if n else None,
        "kinds": _kinds(held) if manifest.kinds else {},
        "learnt_inputs": learnt,
    }


def _reason(example: Example, is_asked: bool) -> str:
    """Why a call is not like the others; empty for one that is asked and whose answer is known."""
    return example.aside or ("" if is_asked else UNPROVEN)


def _rows(found: Iterable[tuple[str, bool]]) -> tuple[ReasonFigures, ...]:
    """How often there was each reason, and how often the owned answer would be used all the same."""
    calls: Counter[str] = Counter()
    local: Counter[str] = Counter()
    for reason, is_local in found:
        calls[reason] += 1
        local[reason] += is_local
    order = sorted(calls, key=lambda reason: (-calls[reason], reason))
    return tuple(ReasonFigures(name=reason, calls=calls[reason], local=local[reason]) for reason in order)


def _kinds(held: ScoredSplit) -> dict[str, int]:
    """How many of the held-out calls that a model may be asked about were of each kind of request."""
    counts = Counter(kind_of(example.traits) for example in held.examples if example.is_askable)
    return {kind: counts[kind] for kind in sorted(counts)}
