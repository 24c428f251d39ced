"""Prove: ask the owned model about held-out calls, keep every answer, and let the proof decide.

Answers are kept as they come (`prove.run.kept_answers`), so that a proof that was killed asks only what is missing. The
verdict names the file that was asked, by its SHA-256, and the seal that the kept answers ended with.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec

from freehold.errors import ParityError
from freehold.freeze import load
from freehold.model import Example, ModelCard, OwnedAnswer, Verdict
from freehold.model.ids import canonical_json, sha256_hex
from freehold.model.model_card import DEFAULT_ENGINE
from freehold.model.task import Task
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.students import asking_student
from freehold.pipeline.workspace import Workspace
from freehold.prove import Opinions, ProofFacts, ProofSettings, metric_sources, prove
from freehold.prove.run.eligibility import entry_of
from freehold.prove.run.kept_answers import KeptAnswers, answers_path, input_key
from freehold.prove.run.live_baseline import expect
from freehold.prove.run.provider_answers import UNKNOWN, provider_answers
from freehold.store import DatasetRow
from freehold.train.run.train import training_facts

Answering = Callable[[Sequence[Example]], list[OwnedAnswer]]
_SIMULATED = "simulated"
_DAY_S = 86400.0


def prove_model(
    workspace: Workspace,
    task: Task,
    dataset: DatasetRow,
    card: ModelCard,
    report: Reporter,
    opinions: Opinions | None = None,
    mark: str = "",
) -> Verdict:
    """Prove one model on one dataset and write the verdict down; ParityError when the served model is another one.

    `opinions` are those of people and a judge, where there are any. `mark` tells one state of them from another:
    however often people say more, it is the same attempt, and another verdict.
    """
    if not card.parity.get("is_ok"):
        reason = card.parity.get("reason") or "parity was never checked"
        raise ParityError(f"Model {card.id} cannot be proven: {reason}.", hint=f"Run: freehold train {task.name}")
    name = workspace.settings.text("serve.engine")
    if card.engine != name:
        raise ParityError(
            f"Model {card.id} was checked with the engine {card.engine!r}, and serve.engine is {name!r}.",
            hint=f"Run: freehold train {task.name}; it checks the model with that engine.",
        )
    settings = proof_settings(workspace)
    attempt_id = proof_id(card, dataset, settings, is_compared=opinions is not None)
    verdict_id = sha256_hex(canonical_json([attempt_id, mark]))[:16] if mark else attempt_id
    kept = kept_of(workspace, card)
    if kept.unsealed:
        note = f"{kept.unsealed:,} kept answers do not bear their seal and are asked for again"
        report(Progress(stage="prove", note=note))
    with asking(workspace, task, card, kept) as answer:
        verdict = prove(
            Path(dataset.path),
            answer=answer,
            settings=settings,
            facts=_facts(workspace, task, dataset, card, verdict_id),
            out_dir=workspace.folder("proofs") / verdict_id,
            opinions=opinions,
            entry=entry_of(workspace, task, dataset, card, proof_id=attempt_id, is_fresh=settings.is_fresh),
            on_progress=lambda step, done, total: report(Progress(stage="prove", done=done, total=total, note=step)),
        )
        verdict = replace(verdict, expected=expect(workspace, dataset, answer, verdict).to_json())
    verdict = replace(verdict, model_sha256=card.served_sha256, answers=asdict(kept.sealed))
    workspace.store.registry.put_verdict(verdict)
    return verdict


def ask_model(
    workspace: Workspace, task: Task, card: ModelCard, examples: Sequence[Example], report: Reporter
) -> list[OwnedAnswer]:
    """What the model answers to the examples, outside any proof."""
    done = 0
    answers: list[OwnedAnswer] = []
    with asking(workspace, task, card, kept_of(workspace, card)) as answer:
        while done < len(examples):
            answers += answer(examples[done : done + 64])
            done = len(answers)
            report(Progress(stage="ask", done=done, total=len(examples), note="owned answers"))
    return answers


def proof_id(card: ModelCard, dataset: DatasetRow, settings: ProofSettings, *, is_compared: bool) -> str:
    """What names one attempt: the same model, engine, calls and promise, decided with comparisons or without."""
    compared = ["compared"] if is_compared else []
    engine = [] if card.engine == DEFAULT_ENGINE else [card.engine]
    return sha256_hex(canonical_json([card.id, dataset.id, asdict(settings), *compared, *engine]))[:16]


def owned_answers(
    workspace: Workspace, task: Task, card: ModelCard, examples: Sequence[Example], report: Reporter
) -> list[OwnedAnswer]:
    """What the model answers to the examples; it is served only where an answer is not kept yet."""
    kept = kept_of(workspace, card)
    if all(kept.get(example) is not None for example in examples):
        return [kept.answer(example) for example in examples]
    return ask_model(workspace, task, card, examples, report)


@contextmanager
def asking(workspace: Workspace, task: Task, card: ModelCard, kept: KeptAnswers) -> Iterator[Answering]:
    """Have a model answer, and ask it what is not kept yet."""
    with asking_student(workspace, task, card) as ask:

        def answer(examples: Sequence[Example]) -> list[OwnedAnswer]:
            missing = list({input_key(one): one for one in examples if kept.get(one) is None}.values())
            ask([example.prompt for example in missing], lambda index, given: kept.put(missing[index], given))
            return [kept.answer(example) for example in examples]

        yield answer


def noise_path(workspace: Workspace, task: Task) -> Path:
    """Where the provider's agreement with itself is kept."""
    return workspace.folder("proofs") / f"{task.id}.noise.json"


def kept_noise(workspace: Workspace, task: Task, card: ModelCard) -> dict[str, Any]:
    """How often the provider agrees with itself, and this model with it; empty where it was never asked again."""
    try:
        noise = msgspec.json.decode(noise_path(workspace, task).read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return {}  # a file that cannot be read is as good as none: asking again writes it anew
    if not isinstance(noise, dict):
        return {}
    of_model = () if noise.get("model_id") == card.id else ("owned", "difference")
    return {name: None if name.startswith(of_model) else value for name, value in noise.items()}


def kept_answers(workspace: Workspace, card: ModelCard) -> Callable[[Example], OwnedAnswer | None]:
    """What the model answered so far, by example; None for what it was never asked."""
    return kept_of(workspace, card).get


def kept_of(workspace: Workspace, card: ModelCard) -> KeptAnswers:
    """What a model answered so far; nothing where the file that it was asked of, or the engine, was another one."""
    engine = "" if card.engine == DEFAULT_ENGINE else f" {card.engine}"
    return KeptAnswers(answers_path(workspace, card.id), card.served_sha256 + engine)


def proof_settings(workspace: Workspace) -> ProofSettings:
    """The promise that the settings ask for."""
    s = workspace.settings
    return ProofSettings(
        margin=s.number("prove.margin"),
        alpha=s.number("prove.alpha"),
        risk=s.number("prove.risk"),
        delta=s.number("prove.delta"),
        min_coverage=s.number("prove.min_coverage"),
        seed=s.whole("prove.seed"),
        judge=s.text("prove.judge"),
        judge_calls=s.whole("prove.judge_calls"),
        labels=s.whole("prove.labels"),
        least_labels=s.whole("prove.least_labels"),
        metrics=s.text("prove.metrics"),
        sources=metric_sources(s.text("prove.metrics")),
        is_fresh=s.flag("prove.fresh"),
        contract="B" if s.text("prove.contract") == "B" else "A",
        slice_risk=s.number("prove.slice_risk"),
    )


def _facts(workspace: Workspace, task: Task, dataset: DatasetRow, card: ModelCard, verdict_id: str) -> ProofFacts:
    figures = workspace.store.registry.figures(task.id)
    providers = provider_answers(workspace, dataset)
    span_s = (figures.last_at or 0.0) - (figures.first_at or 0.0)
    return ProofFacts(
        verdict_id=verdict_id,
        model_id=card.id,
        created_at=time.time(),
        base=card.base,
        provider=", ".join(providers) or UNKNOWN,
        is_provider_simulated=_SIMULATED in providers,
        calls_per_day=(figures.calls - figures.failed) * _DAY_S / span_s if span_s > _DAY_S else None,
        provider_cost_per_call_usd=figures.rented_cost_usd,
        relative_cost=_relative_cost(workspace, dataset),
        provider_latency_ms=figures.rented_p50_ms,
        provider_input_tokens=figures.rented_input_tokens,
        provider_output_tokens=figures.rented_output_tokens,
        audit_rate=workspace.settings.number("route.audit_rate"),
        harm=workspace.settings.number("route.harm"),
        patience=workspace.settings.number("watch.patience"),
        machine=platform.platform(terse=True),
        noise=kept_noise(workspace, task, card),
        parity=card.parity,
        engine="llama.cpp" if card.engine == DEFAULT_ENGINE else card.engine,
        recipe=card.recipe,
        training=training_facts(card, task),
    )


def _relative_cost(workspace: Workspace, dataset: DatasetRow) -> float:
    """What a held-out call that an owned model is asked about costs, as a part of what any of them does; 1 if unknown.

    Calls with images, say, stay with the provider and cost more than the others do.
    """
    proof = load(Path(dataset.path)).proof
    costs = workspace.store.call_stream.costs([example.id for example in proof])
    asked = [costs[example.id] for example in proof if example.is_askable and example.id in costs]
    mean = sum(costs.values()) / len(costs) if costs else 0.0
    return sum(asked) / len(asked) / mean if asked and mean > 0 else 1.0
