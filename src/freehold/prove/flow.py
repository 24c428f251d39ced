"""The proof of a task: the owned model against the provider on calls that neither training nor tuning has seen.

    dev    fits the confidence head, then fixes the slices, what is withheld, and the order of contract B's thresholds
    proof  gives every figure, for the owned model and for each baseline alike

The head scores the dev answers that it was fitted on a little too well. What is fixed there may therefore be chosen
less well, which costs coverage; what is proven rests on the proof split alone.

Not covered: serving the model and checking its parity (handed in), acting on the verdict (`freehold.route`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from freehold.core.confidence import ConfidenceHead
from freehold.core.engine import OwnedAnswer
from freehold.core.example import Example
from freehold.core.scoring import is_acceptable, score
from freehold.core.verdict import Verdict
from freehold.prove.baseline import baselines
from freehold.prove.evidence import gather
from freehold.prove.folder import Frozen, read_folder
from freehold.prove.head import features_for, fit_head
from freehold.prove.measure import Examined, Guess, Held, examine, hold_out, tune_on
from freehold.prove.plot import cascade_plot, evidence_plot
from freehold.prove.report import write_reports
from freehold.prove.settings import ProofFacts, ProofSettings
from freehold.prove.story import Told, tell
from freehold.prove.tables import savings, speed

Answering = Callable[[Sequence[Example]], Sequence[OwnedAnswer]]
Progress = Callable[[str, int, int], None]
_ASKED_AT_ONCE = 128


def silent(step: str, done: int, total: int) -> None:
    """Report progress to nobody."""


def prove(
    dataset: Path,
    *,
    answer: Answering,
    settings: ProofSettings,
    facts: ProofFacts,
    out_dir: Path,
    on_progress: Progress = silent,
) -> Verdict:
    """Prove the model behind `answer` on the dataset in this folder; the three reports are written to `out_dir`.

    `answer` gives one owned answer per example, in order. `on_progress` is told the step, what is done and of how much.
    """
    frozen = read_folder(dataset)
    tuning = _ask(answer, frozen.dev, "dev", on_progress)
    answers = _ask(answer, frozen.proof, "proof", on_progress)
    head = _fit(frozen, tuning, features_for(frozen.kind, [e.target for e in frozen.dev], [*tuning, *answers]))
    dev, held = hold_out(frozen.kind, frozen.dev), hold_out(frozen.kind, frozen.proof)
    tuned = tune_on(dev, _guesses(head, tuning), settings)
    owned = examine("owned model", held, _guesses(head, answers), settings, tuned)
    others = _examine_baselines(frozen, dev, held, settings, on_progress)
    verdict = _verdict(frozen, owned, {**head.to_json(), "slices": tuned.shape.to_json()}, settings, facts, out_dir)
    evidence = gather(frozen, held, owned, others, answers, settings=settings, facts=facts, shape=tuned.shape)
    story = tell(
        Told(
            task=frozen.task,
            verdict=verdict,
            held=held,
            owned=owned,
            others=tuple(others),
            savings=savings(owned, facts),
            speed=speed(answers),
            settings=settings,
            facts=facts,
        )
    )
    plots = {"cascade": cascade_plot(owned.cascade, risk=settings.risk), "evidence": evidence_plot(owned.paired)}
    return write_reports(verdict, evidence, story, plots, out_dir)


def _ask(answer: Answering, examples: Sequence[Example], step: str, on_progress: Progress) -> list[OwnedAnswer]:
    answers: list[OwnedAnswer] = []
    on_progress(step, 0, len(examples))
    for start in range(0, len(examples), _ASKED_AT_ONCE):
        asked = examples[start : start + _ASKED_AT_ONCE]
        got = answer(asked)
        if len(got) != len(asked):
            raise ValueError(f"{len(asked)} examples were asked and {len(got)} answers came")
        answers.extend(got)
        on_progress(step, len(answers), len(examples))
    return answers


def _fit(frozen: Frozen, answers: Sequence[OwnedAnswer], features: tuple[str, ...]) -> ConfidenceHead:
    """Fit the head on the dev answers that the gateway could use."""
    pairs = [
        (given, score(frozen.kind, example.target, given.text).is_exact)
        for example, given in zip(frozen.dev, answers, strict=True)
        if is_acceptable(frozen.kind, given.text)
    ]
    return fit_head([given for given, _ in pairs], [is_right for _, is_right in pairs], features)


def _guesses(head: ConfidenceHead, answers: Sequence[OwnedAnswer]) -> list[Guess]:
    return [Guess(text=given.text, confidence=head.score(given)) for given in answers]


def _examine_baselines(
    frozen: Frozen, dev: Held, held: Held, settings: ProofSettings, on_progress: Progress
) -> list[Examined]:
    on_progress("baselines", 0, 1)
    examined = []
    for baseline in baselines(frozen.kind, frozen.train, [*frozen.dev, *frozen.proof]):
        tuned = tune_on(dev, baseline.guesses[: len(frozen.dev)], settings)
        examined.append(examine(baseline.name, held, baseline.guesses[len(frozen.dev) :], settings, tuned))
    on_progress("baselines", 1, 1)
    return examined


def _verdict(
    frozen: Frozen,
    owned: Examined,
    head: dict[str, Any],
    settings: ProofSettings,
    facts: ProofFacts,
    out_dir: Path,
) -> Verdict:
    outcome = owned.outcome
    return Verdict(
        id=facts.verdict_id,
        task_id=frozen.task_id,
        model_id=facts.model_id,
        dataset_hash=frozen.hash,
        decision=outcome.decision,
        need=outcome.need,
        threshold=outcome.threshold,
        coverage=outcome.coverage,
        margin=settings.margin,
        risk=settings.risk,
        contract=settings.contract,
        withheld=owned.withheld,
        head=head,
        report_path=str(out_dir / "report.html"),
        created_at=facts.created_at,
    )
