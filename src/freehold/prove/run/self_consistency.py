"""Asking the provider the same again: recorded requests, byte for byte, outside the gateway, on a budget.

Second answers are kept by call under `proofs/`: no call is ever asked a second time. Not covered: what follows from
them (`freehold.prove.self_consistency`).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from freehold.errors import DataError, NotFoundError
from freehold.freeze import load
from freehold.model import Call, ModelCard
from freehold.model.example import Example
from freehold.model.task import Task
from freehold.net.provider_client import Asking, Reply, Request
from freehold.pipeline.locks import locked
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.workspace import Workspace
from freehold.prove import Noise, measure_noise
from freehold.prove.run.budgeted_batch import Asked, Budget, Replies, ask_all, total_usd
from freehold.prove.run.prove import noise_path, owned_answers, proof_settings
from freehold.settings import ProviderSettings
from freehold.system.files import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class NoisePlan:
    """The calls that are asked again, with what is left to ask; `expected_usd` is None where no cost was recorded.

    `on_dev` are the dev calls: on those alone the owned model is looked at before its proof. `left_out` counts the
    calls of the draw that cannot be asked again, by reason. `models` are those that answered the first time, by call.
    `is_corrected`: people said of some call what was wanted, or that its answer was bad, so that a margin can decide.
    """

    task: Task
    kind: str
    dataset_hash: str
    examples: tuple[Example, ...]
    on_dev: frozenset[str]
    models: dict[str, str | None]
    is_corrected: bool
    requests: tuple[Request, ...]
    left_out: dict[str, int]
    expected_usd: float | None

    @property
    def provider_names(self) -> str:
        """Whom it asks."""
        return ", ".join(sorted({request.provider.name for request in self.requests})) or "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseFound:
    """The figures, and how far asking got; `document` is what is kept of them."""

    noise: Noise
    asked: Asked
    document: dict[str, object]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Each side as it is shown: name, agreement with the first answer, its interval, n, graded agreement."""
        sides = [self.noise.itself, *([self.noise.owned] if self.noise.owned else [])]
        return [
            (s.name, f"{s.share:.1%}", f"[{100 * s.low:.1f}, {100 * s.high:.1f}]", f"{s.n:,}", f"{s.graded:.1%}")
            for s in sides
        ]


def plan_noise(workspace: Workspace, name: str, count: int, model_id: str | None = None) -> NoisePlan:
    """Draw `count` of a task's calls by the proof's seed, of its dev split first and then of its proof split.

    More are drawn by asking for more, never others.
    """
    task = workspace.task(name)
    frozen = load(Path(workspace.dataset_of(task, _dataset_hash(workspace, task, model_id)).path))
    drawn = [*_shuffled(_comparable(frozen.dev), workspace), *_shuffled(_comparable(frozen.proof), workspace)]
    examples, calls, left_out = _askable(workspace, drawn, count)
    if not examples:
        why = ", ".join(f"{n:,} {reason}" for reason, n in left_out.items())
        raise DataError(f"None of the held-out calls of {name!r} can be asked again: {why}.", hint="Freeze it again.")
    providers = {provider.name: provider for provider in workspace.settings.providers}
    replies = Replies(again_path(workspace, task))
    waiting = [_request(call, providers[call.provider]) for call in calls if call.id not in replies]
    known = [request.expected_usd for request in waiting if request.expected_usd is not None]
    usual = sum(known) / len(known) if known else None
    requests = [r if r.expected_usd is not None else replace(r, expected_usd=usual) for r in waiting]
    return NoisePlan(
        task=task,
        kind=frozen.manifest.kind,
        dataset_hash=frozen.manifest.hash,
        examples=tuple(examples),
        on_dev=frozenset(example.id for example in frozen.dev),
        models={call.id: call.model_answered for call in calls},
        is_corrected=any(example.is_known or example.is_rejected for example in frozen.proof),
        requests=tuple(requests),
        left_out=dict(left_out),
        expected_usd=total_usd(requests),
    )


def _comparable(examples: Sequence[Example]) -> list[Example]:
    """The calls whose first answer can be compared with a second one."""
    return [example for example in examples if not example.is_aside]


def ask_again(
    workspace: Workspace, plan: NoisePlan, budget: Budget, asking: Asking, report: Reporter, model_id: str | None = None
) -> NoiseFound:
    """Ask what is left to ask, compare, and write the figures down for the next report; DataError without an answer."""
    path, total = again_path(workspace, plan.task), len(plan.requests)
    with locked(path.with_suffix(".lock"), f"Asking the provider of task {plan.task.name!r} again"):
        replies = Replies(path)
        asked = ask_all(
            plan.requests,
            replies,
            budget,
            asking,
            lambda done: report(Progress(stage="noise", done=done, total=total, note=plan.provider_names)),
        )
        return _compared(workspace, plan, replies, asked, report, model_id)


def _compared(
    workspace: Workspace, plan: NoisePlan, replies: Replies, asked: Asked, report: Reporter, model_id: str | None
) -> NoiseFound:
    """The figures of all second answers of the plan but those of another model: a change of the model is no noise."""
    found = [(example, reply) for example in plan.examples if (reply := replies.get(example.id)) is not None]
    same = [pair for pair in found if not pair[1].problem and _is_same_model(plan, pair[1])]
    if not same:
        raise _no_answer([reply for _, reply in found])
    refused = sum(bool(reply.problem) for _, reply in found)
    examples = [example for example, _ in same]
    card = _card(workspace, plan.task, model_id)
    owned = _owned(workspace, plan, card, examples, report)
    noise = measure_noise(plan.kind, examples, [reply.text for _, reply in same], owned)
    document = {
        **asdict(noise),
        **_told(noise),
        "model_id": card.id if card and owned is not None else None,
        "dataset_hash": plan.dataset_hash,
        "models": sorted({reply.model for _, reply in found if reply.model}),
        "refused": refused,
        "of_other_model": len(found) - refused - len(same),
        "left_out": plan.left_out,
        "asked_at": time.time(),
    }
    write_whole(noise_path(workspace, plan.task), msgspec.json.encode(document), is_synced=False)
    return NoiseFound(noise=noise, asked=asked, document=document)


def _is_same_model(plan: NoisePlan, reply: Reply) -> bool:
    """Whether, as far as both are known, the model that answered is the one that answered the first time."""
    return not reply.model or plan.models.get(reply.key) in (None, "", reply.model)


def _no_answer(replies: Sequence[Reply]) -> DataError:
    """Why no second answer can be compared with its first."""
    others = sorted({reply.model for reply in replies if reply.model and not reply.problem})
    problems = [reply.problem for reply in replies if reply.problem]
    if others:
        return DataError(
            f"Every second answer is another model's than the first: {', '.join(map(repr, others))}.",
            hint="The provider has changed its model: record new calls, then freeze and prove again.",
        )
    if problems:
        text = f"The provider gave no second answer: {problems[0]}."
        return DataError(text, hint="Look at these calls: freehold calls.")
    return DataError("No request was sent: the budget is smaller than the cost of one.", hint="Give a larger --budget.")


def _told(noise: Noise) -> dict[str, object]:
    """The figures by the names under which a report shows them."""
    owned = noise.owned
    return {
        "agreement": noise.itself.share,
        "low": noise.itself.low,
        "high": noise.itself.high,
        "owned_agreement": owned.share if owned else None,
        "owned_low": owned.low if owned else None,
        "owned_high": owned.high if owned else None,
        "owned_n": owned.n if owned else None,
        "proposed_margin": noise.margin,
        "difference_low": noise.low,
        "difference_high": noise.high,
    }


def _shuffled(examples: Sequence[Example], workspace: Workspace) -> list[Example]:
    drawn = list(examples)
    random.Random(f"noise {proof_settings(workspace).seed}").shuffle(drawn)  # noqa: S311 - a draw to be repeated
    return drawn


def _dataset_hash(workspace: Workspace, task: Task, model_id: str | None) -> str:
    """The dataset of the model that is looked at; the newest one while there is no model."""
    card = _card(workspace, task, model_id)
    return card.dataset_hash if card else workspace.dataset(task).id


def _card(workspace: Workspace, task: Task, model_id: str | None) -> ModelCard | None:
    if model_id is not None:
        return workspace.model(task, model_id)
    try:
        return workspace.model(task)
    except NotFoundError:
        return None  # there is none yet: the provider is compared with itself alone


def _owned(
    workspace: Workspace, plan: NoisePlan, card: ModelCard | None, examples: Sequence[Example], report: Reporter
) -> list[str | None] | None:
    """The owned answers to the dev calls; None for the others, which a proof must be the first to look at."""
    shown = [example for example in examples if example.id in plan.on_dev]
    if card is None or not shown:
        return None
    answers = zip(shown, owned_answers(workspace, plan.task, card, shown, report), strict=True)
    texts = {example.id: answer.text for example, answer in answers}
    return [texts.get(example.id) for example in examples]


def _askable(
    workspace: Workspace, drawn: Sequence[Example], count: int
) -> tuple[list[Example], list[Call], Counter[str]]:
    """The first `count` examples whose calls can be asked again, those calls, and a count of the others by reason."""
    providers = {provider.name for provider in workspace.settings.providers}
    examples: list[Example] = []
    calls: list[Call] = []
    left_out: Counter[str] = Counter()
    for example in drawn:
        if len(examples) == count:
            break
        call = workspace.store.calls.get(example.id)
        reason = _why_not(call, providers)
        if call is None or reason:
            left_out[reason] += 1
        else:
            examples.append(example)
            calls.append(call)
    return examples, calls, left_out


def _why_not(call: Call | None, providers: Set[str]) -> str:
    """Why a call cannot be asked again; empty where it can."""
    if call is None:
        return "not in the record"
    if call.redaction != "none" or not call.request_body:
        return "without their request"
    if call.provider not in providers:
        return f"of a provider {call.provider!r} that is not configured"
    return ""


def request_of(workspace: Workspace, call_id: str) -> Request | None:
    """The recorded request of a call, to be asked again; None where it cannot be."""
    providers = {provider.name: provider for provider in workspace.settings.providers}
    call = workspace.store.calls.get(call_id)
    if call is None or _why_not(call, providers.keys()):
        return None
    return _request(call, providers[call.provider])


def _request(call: Call, provider: ProviderSettings) -> Request:
    return Request(
        key=call.id,
        provider=provider,
        dialect=call.dialect,
        target=call.path,
        body=call.request_body,
        expected_usd=call.cost_usd,
        api=call.api,
    )


def again_path(workspace: Workspace, task: Task) -> Path:
    """Where the second answers of a task's calls are kept."""
    return workspace.folder("proofs") / f"{task.id}.again.jsonl"
