"""The proof of a task: the owned model against the provider on calls that neither training nor tuning has seen.

    dev    fits the confidence head, then fixes the slices, what is withheld, and the order of contract B's thresholds
    proof  gives every figure, for the owned model and for each baseline alike

The head scores the dev answers that it was fitted on a little too well. What is fixed there may therefore be chosen
less well, which costs coverage; what is proven rests on the proof split alone.

The held-out part is the traffic of its time with all of its answered calls. About some of them no owned model would be
asked; those are not asked here either, and stay in every n. Kinds of requests that hardly any held-out call was of are
left to the provider (`text.traits`): nothing would be shown of them.

All answers are scored first; then the proof takes its place among the task's attempts, which says what it may spend of
alpha and delta; only then is anything tested.

Not covered: serving the model and checking its parity (handed in), acting on the verdict (`freehold.route`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from freehold.errors import DataError
from freehold.model.dataset_folder import Dataset, read_dataset, read_split
from freehold.model.engine import NOT_ASKED, OwnedAnswer
from freehold.model.example import Example
from freehold.model.ids import canonical_json, sha256_hex
from freehold.model.verdict import Verdict
from freehold.prove.attempts import Attempt, ProofBudget, call_mark, level
from freehold.prove.baselines.baseline import baselines
from freehold.prove.calibrator import features_for, fit_head
from freehold.prove.evaluate import Evaluation, tune_on, weigh
from freehold.prove.evidence import gather
from freehold.prove.labels.judge import Opinions, settled
from freehold.prove.measure import Guess, Scored, ScoredSplit, hold_out, score_guesses
from freehold.prove.metrics import Metric, judge, read_metrics
from freehold.prove.policy import Tuning
from freehold.prove.report.report import write_reports
from freehold.prove.sensitivity import sensitivity
from freehold.prove.settings import ProofFacts, ProofSettings
from freehold.text.confidence import Calibrator
from freehold.text.traits import LEAST_SEEN, kind_of

Answering = Callable[[Sequence[Example]], Sequence[OwnedAnswer]]
Progress = Callable[[str, int, int], None]
_ASKED_AT_ONCE = 128


def silent(step: str, done: int, total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """One set of answers on the dev split, which tunes, and on the proof split, which decides."""

    dev: Scored
    proof: Scored


@dataclass(frozen=True, slots=True)
class _Answered:
    """Everything that was asked and scored, before any test."""

    frozen: Dataset
    dev: ScoredSplit
    held: ScoredSplit
    head: Calibrator
    answers: Sequence[OwnedAnswer]
    ours: _Pair
    theirs: Sequence[_Pair]
    opinions: Opinions | None


def prove(
    dataset: Path,
    *,
    answer: Answering,
    settings: ProofSettings,
    facts: ProofFacts,
    out_dir: Path,
    entry: ProofBudget | None = None,
    opinions: Opinions | None = None,
    on_progress: Progress = silent,
) -> Verdict:
    """Prove the model behind `answer` on the dataset in this folder; the three reports are written to `out_dir`.

    `answer` gives one owned answer per example, in order. `entry` says which held-out calls may enter and what this
    attempt may spend: all of them, as a task's first, where it is not given. `opinions` say whose answers people or a
    judge preferred. `on_progress` is told the step, what is done and of how much.
    """
    entry = entry or ProofBudget()
    metrics = read_metrics(settings.metrics)
    frozen = _entering(read_dataset(dataset), entry)
    tuning = _ask(answer, frozen.dev, "dev", on_progress)
    answers = _ask(answer, frozen.proof, "proof", on_progress)
    given = [answer for answer in (*tuning, *answers) if answer is not NOT_ASKED]
    features = features_for(frozen.manifest.kind, [e.target for e in frozen.dev if not e.is_aside], given)
    head = _fit(frozen, tuning, metrics, features)
    unproven = _unproven(frozen)
    dev, held = (
        hold_out(frozen.manifest.kind, split, metrics, unproven=unproven) for split in (frozen.dev, frozen.proof)
    )
    ours = _Pair(
        score_guesses("owned model", dev, _guesses(head, tuning)),
        score_guesses("owned model", held, _guesses(head, answers)),
    )
    theirs = _score_baselines(frozen, dev, held, on_progress)
    weighed = None if opinions is None else replace(opinions, differing=_differing(frozen, tuning))
    answered = _Answered(frozen, dev, held, head, answers, ours, theirs, weighed)
    return _decided(answered, entry, settings, facts, out_dir)


def _decided(
    given: _Answered, entry: ProofBudget, settings: ProofSettings, facts: ProofFacts, out_dir: Path
) -> Verdict:
    """Take the proof's place among the task's attempts, then test, and write down what came of it."""
    frozen, held = given.frozen, given.held
    attempt = entry.claim(frozen.proof)
    evaluator = _Evaluator(dev=given.dev, held=held, number=attempt.number)
    owned = evaluator.decide(given.ours, settings, given.opinions)
    others = [evaluator.decide(pair, settings) for pair in given.theirs]
    shape = evaluator.tuning(given.ours, settings).shape
    head = shape.beside_head(given.head.to_json())
    verdict = _verdict(frozen, owned, head, settings, facts, out_dir, attempt=attempt, entry=entry)
    evidence = gather(
        frozen.manifest,
        held,
        owned,
        others,
        given.answers,
        verdict=verdict,
        settings=settings,
        facts=facts,
        shape=shape,
        readings=sensitivity(lambda asked: evaluator.decide(given.ours, asked, given.opinions), settings),
    )
    return write_reports(replace(verdict, evidence=evidence.to_json()), out_dir)


def _entering(frozen: Dataset, entry: ProofBudget) -> Dataset:
    """The dataset as the proof may use it; DataError where no held-out call is left."""
    proof = tuple(example for example in frozen.proof if example.id not in entry.left_out)
    if all(example.is_aside for example in proof):
        task = frozen.manifest.task
        reasons = Counter(entry.left_out.get(example.id, example.aside) for example in frozen.proof)
        told = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
        raise DataError(
            f"Task {task!r} has no held-out call with a known answer left to prove on: {told or 'none came'}.",
            hint=f"Record newer calls, then: freehold freeze {task}",
        )
    dev = read_split(entry.tuned_on, "dev") if entry.tuned_on else frozen.dev
    return replace(frozen, dev=dev, proof=proof)


def _ask(answer: Answering, examples: Sequence[Example], step: str, on_progress: Progress) -> list[OwnedAnswer]:
    answers: list[OwnedAnswer] = []
    on_progress(step, 0, len(examples))
    for start in range(0, len(examples), _ASKED_AT_ONCE):
        some = examples[start : start + _ASKED_AT_ONCE]
        asked = [example for example in some if example.is_askable]
        got = answer(asked) if asked else []
        if len(got) != len(asked):
            raise ValueError(f"{len(asked)} examples were asked and {len(got)} answers came")
        rest = iter(got)
        answers.extend(next(rest) if example.is_askable else NOT_ASKED for example in some)
        on_progress(step, len(answers), len(examples))
    return answers


def _fit(
    frozen: Dataset, answers: Sequence[OwnedAnswer], metrics: Sequence[Metric], features: tuple[str, ...]
) -> Calibrator:
    """Fit the head on the dev answers that the gateway could use; where it should use none, each is wrong."""
    pairs = [
        (given, not example.is_aside and judge(frozen.manifest.kind, metrics, example, given.text).score.is_exact)
        for example, given in zip(frozen.dev, answers, strict=True)
        if example.is_askable and example.takes(frozen.manifest.kind, given.text)
    ]
    return fit_head([given for given, _ in pairs], [is_right for _, is_right in pairs], features)


def _differing(frozen: Dataset, answers: Sequence[OwnedAnswer]) -> float:
    """The share of dev calls that people would have to compare; 1 where there is no dev call to tell."""
    pairs = zip(frozen.dev, answers, strict=True)
    differ = [settled(frozen.manifest.kind, example, given.text) is None for example, given in pairs]
    return sum(differ) / len(differ) if differ else 1.0


def _unproven(frozen: Dataset) -> frozenset[str]:
    """The kinds of requests of which too few were held out; none of a dataset that does not say."""
    if not frozen.manifest.kinds:
        return frozenset()
    kinds = Counter(kind_of(example.traits) for example in frozen.proof if example.is_askable)
    seen = {kind for kind, count in kinds.items() if count >= LEAST_SEEN}
    return frozenset(kind_of(example.traits) for example in (*frozen.dev, *frozen.proof)) - seen


def _guesses(head: Calibrator, answers: Sequence[OwnedAnswer]) -> list[Guess]:
    return [Guess(text=given.text, confidence=head.score(given)) for given in answers]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evaluator:
    """Decides on answers as attempt `number` of the task would for what is asked."""

    dev: ScoredSplit
    held: ScoredSplit
    number: int

    def tuning(self, answered: _Pair, asked: ProofSettings) -> Tuning:
        return tune_on(self.dev, answered.dev, asked.spending(level(self.number)))

    def decide(self, answered: _Pair, asked: ProofSettings, opinions: Opinions | None = None) -> Evaluation:
        spent, planned = (asked.spending(level(number)) for number in (self.number, self.number + 1))
        return weigh(answered.proof, self.held, spent, self.tuning(answered, asked), planned, opinions)


def _score_baselines(frozen: Dataset, dev: ScoredSplit, held: ScoredSplit, on_progress: Progress) -> list[_Pair]:
    on_progress("baselines", 0, 1)
    cut = len(frozen.dev)
    scored = [
        _Pair(
            score_guesses(baseline.name, dev, baseline.guesses[:cut]),
            score_guesses(baseline.name, held, baseline.guesses[cut:]),
        )
        for baseline in baselines(frozen.manifest.kind, frozen.train, [*frozen.dev, *frozen.proof])
    ]
    on_progress("baselines", 1, 1)
    return scored


def _verdict(
    frozen: Dataset,
    owned: Evaluation,
    head: dict[str, Any],
    settings: ProofSettings,
    facts: ProofFacts,
    out_dir: Path,
    *,
    attempt: Attempt,
    entry: ProofBudget,
) -> Verdict:
    outcome = owned.outcome
    return Verdict(
        id=facts.verdict_id,
        task_id=frozen.manifest.task_id,
        model_id=facts.model_id,
        dataset_hash=frozen.manifest.hash,
        decision=outcome.decision,
        need=outcome.need,
        need_of=outcome.need_of,
        threshold=outcome.threshold,
        coverage=outcome.coverage,
        margin=settings.margin,
        risk=settings.risk,
        contract=settings.contract,
        withheld=owned.withheld,
        attempt=attempt.number,
        level=attempt.level,
        used=_used(frozen, attempt, entry),
        head=head,
        report_path=str(out_dir / "report.html"),
        created_at=facts.created_at,
    )


def _used(frozen: Dataset, attempt: Attempt, entry: ProofBudget) -> dict[str, Any]:
    """What names the calls that the proof used up, and what is known of where they stand."""
    times = [example.created_at for example in frozen.proof]
    learnt_until = max((example.created_at for example in (*frozen.train, *frozen.dev)), default=-math.inf)
    return {
        "calls": len(frozen.proof),
        "digest": sha256_hex(canonical_json(sorted(call_mark(example.id) for example in frozen.proof))),
        "first_at": min(times),
        "last_at": max(times),
        "is_newer": min(times) > learnt_until,
        "looked_at_before": attempt.looked_at_before,
        "left_out": dict(sorted(Counter(entry.left_out.values()).items())),
        **entry.notes,
    }
