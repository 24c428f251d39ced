"""Whether what comes in still looks like what the proof was made on: a small sketch, compared with live inputs.

    surprise(x) = mean over words w of -ln( (n_w + 1) / (n + 1024) ),   n_w: training words in w's bucket of 1,024
    p = 2 min(U, 1 - U),   U = (#{scores above} + u #{scores equal}) / #{scores},  each with the new one itself

Two scores a text: its surprise, and its length; numbers are masked, so that a new order number is no news. Each is kept
on a grid (.05 nats; quarters of a doubling), which makes a reference of any size a few hundred counts. u is uniform,
drawn from a hash of the call's id: U is then exactly uniform, and independent of those before, if the inputs are
exchangeable (Vovk et al., conformal test martingales); `watch.drift` bets on it. The reference starts with the proof's
inputs and takes in every live one after its p: against a reference that stays as it is, small errors of the first 500
would add up to a sure alarm. It is frozen on alarm (arXiv 2602.13848), so that what drifted never becomes the norm.
Both tails count: inputs may become odd, and they may become all alike.

Assumes that inputs of one time do not hang together: days that differ, or one user in a loop, are drift here, rightly
or not. That costs audits, never traffic. Words are split at spaces and signs; a language without spaces is seen as
long words, each new, at the proof as later, so there the length tells more than the words.

Not covered: what to do about drift (`watch.staleness`), drift of answers (`watch.detector` by audits).
"""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from freehold.watch import state
from freehold.watch.drift import Drift, new_conformal_drift, observe_p

BUCKETS = 1024
MOST_WORDS = 512
MOST_PROOF_INPUTS = 500
KINDS = ("surprise", "length")
_PER_NAT = 20
_PER_DOUBLING = 4
_WORD = re.compile(r"[^\W_]+|[^\w\s]")
_DIGITS = re.compile(r"\d+")

Counts = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDrift:
    """The word model of the training inputs, the reference of scores so far, and the evidence of drift."""

    words: tuple[int, ...]
    surprise: Counts
    length: Counts
    drift: Drift

    @property
    def evidence(self) -> float:
        """The evidence that inputs are no longer as they were."""
        return self.drift.evidence

    @property
    def alarm(self) -> bool:
        """Whether the evidence ever reached the patience."""
        return self.drift.alarmed

    def to_json(self) -> dict[str, object]:
        """The state as a JSON object."""
        return {**_sketch(self.words, self.surprise, self.length), "drift": self.drift.to_json()}

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> InputDrift:
        """The state again, exactly; ValueError where it is none."""
        drift = Drift.from_json(state.part(document.get("drift"), "drift"))
        if drift.kinds != KINDS:
            raise ValueError(f"input drift watches {drift.kinds!r}, not {KINDS!r}")
        return replace(new_input_drift(document, patience=drift.patience), drift=drift)


def make_sketch(train_texts: Iterable[str], proof_texts: Iterable[str]) -> dict[str, object]:
    """The sketch of a task's inputs, under 10 kB of JSON; the newest 500 proof inputs are the first reference."""
    words = [0] * BUCKETS
    for text in train_texts:
        for bucket in _buckets(text):
            words[bucket] += 1
    surprise: Counts = ()
    length: Counts = ()
    for text in list(proof_texts)[-MOST_PROOF_INPUTS:]:
        odd, long = _scores(words, text)
        surprise, length = state.with_one_more(surprise, odd), state.with_one_more(length, long)
    return _sketch(words, surprise, length)


def new_input_drift(sketch: Mapping[str, object], *, patience: float) -> InputDrift:
    """Watches inputs against a sketch; ValueError where it is none."""
    words = state.numbers(sketch, "words")
    if len(words) != BUCKETS or any(count < 0 or count != int(count) for count in words):
        raise ValueError(f"a sketch holds {len(words)} word counts, not {BUCKETS} counts")
    surprise, length = state.counts(sketch, "surprise"), state.counts(sketch, "length")
    if sum(times for _, times in surprise) != sum(times for _, times in length):
        raise ValueError("a sketch's scores do not add up")
    return InputDrift(
        words=tuple(int(count) for count in words),
        surprise=surprise,
        length=length,
        drift=new_conformal_drift(patience=patience, kinds=KINDS),
    )


def observe_input(d: InputDrift, text: str, key: str) -> InputDrift:
    """One more live input; `key` names its call. Nothing changes after an alarm."""
    if d.alarm:
        return d
    odd, long = _scores(d.words, text)
    surprise, length = state.with_one_more(d.surprise, odd), state.with_one_more(d.length, long)
    p_values = (_p_value(surprise, odd, _uniform("surprise", key)), _p_value(length, long, _uniform("length", key)))
    drift = observe_p(d.drift, p_values)
    return replace(d, drift=drift) if drift.alarmed else replace(d, drift=drift, surprise=surprise, length=length)


def _sketch(words: Iterable[int], surprise: Counts, length: Counts) -> dict[str, object]:
    return {
        "words": list(words),
        "surprise": [list(pair) for pair in surprise],
        "length": [list(pair) for pair in length],
    }


def _buckets(text: str) -> list[int]:
    masked = _DIGITS.sub("0", text[: MOST_WORDS * 16].casefold())
    found = _WORD.findall(masked)[:MOST_WORDS]
    return [zlib.crc32(word.encode("utf-8", "surrogatepass")) % BUCKETS for word in found]


def _scores(words: list[int] | tuple[int, ...], text: str) -> tuple[int, int]:
    """Surprise and length on their grids; an empty text is no surprise and no length."""
    buckets = _buckets(text)
    length = round(math.log2(1 + len(text)) * _PER_DOUBLING)
    if not buckets:
        return 0, length
    whole = math.log(sum(words) + BUCKETS)
    mean = whole - math.fsum(math.log(words[bucket] + 1) for bucket in buckets) / len(buckets)
    return round(mean * _PER_NAT), length


def _p_value(reference: Counts, score: int, uniform: float) -> float:
    above = sum(times for value, times in reference if value > score)
    equal = sum(times for value, times in reference if value == score)
    rank = (above + uniform * equal) / sum(times for _, times in reference)
    return 2 * min(rank, 1 - rank)


def _uniform(kind: str, key: str) -> float:
    digest = hashlib.sha256(f"{kind}:{key}".encode("utf-8", "surrogatepass")).digest()
    return (int.from_bytes(digest[:8], "big") + 0.5) / 2**64
