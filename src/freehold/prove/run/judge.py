"""Asking a judge: every drawn pair of a proof is shown to a model twice, with the sides swapped.

What it says is kept in a file under `proofs/`, by the judge's name and the pair's answers, so that it is asked once.
The order of asking is drawn anew: in the order of the pairs, those that people compare would be asked first, and a
judge that changes while it is asked, or that guesses which they are, would not be corrected by what they said.

Not covered: what it is asked (`freehold.prove.labels.judge_prompt`), what its scores are worth
(`freehold.prove.stats.ppi`).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from freehold.dialects.address import CHAT_DIALECTS
from freehold.dialects.paths import path_of
from freehold.errors import UpstreamError
from freehold.model import ModelCard
from freehold.model.exchange import Usage
from freehold.model.ids import sha256_hex
from freehold.model.price import cost_usd
from freehold.net.provider_client import Asking, Reply, Request, choose_judge
from freehold.pipeline.locks import locked
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.workspace import Workspace
from freehold.prove import Question, judge_body, judged_pairs, preference, read_reply
from freehold.prove.run.budgeted_batch import Asked, Budget, Replies, ask_all, total_usd
from freehold.prove.run.label import Comparison, Pair
from freehold.prove.run.prove import proof_settings
from freehold.settings import ProviderSettings

_CHARS_PER_TOKEN = 4
_TRIED = 10
"""So many replies are looked at before all others are asked for."""
_REPLY_TOKENS = 60
"""How long a reply is taken to be when its cost is estimated; the budget sees it where a judge reasons longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgePlan:
    """What is still to be asked; `expected_usd` is None where the price is not known."""

    provider: str
    model: str
    pairs: int
    requests: tuple[Request, ...]
    expected_usd: float | None


def plan_judge(workspace: Workspace, comparison: Comparison) -> JudgePlan:
    """What asking the judge of the settings would take."""
    settings = proof_settings(workspace)
    provider, model = choose_judge(workspace.settings.providers, settings.judge)
    asked = [p for p in comparison.pairs[: judged_pairs(len(comparison.pairs), settings)] if not p.is_same]
    replies = Replies(_path(workspace, comparison.model_id, settings.judge))
    both = [(pair, is_swapped) for pair in asked for is_swapped in (False, True)]
    requests = [
        _request(pair, provider, model, is_swapped=is_swapped)
        for pair, is_swapped in both
        if _key(pair.example_id, pair.digest, is_swapped=is_swapped) not in replies
    ]
    secrets.SystemRandom().shuffle(requests)
    return JudgePlan(
        provider=provider.name,
        model=model,
        pairs=len(asked),
        requests=tuple(requests),
        expected_usd=total_usd(requests),
    )


def ask_judge(
    workspace: Workspace, comparison: Comparison, plan: JudgePlan, budget: Budget, asking: Asking, report: Reporter
) -> Asked:
    """Ask what the plan leaves to ask; UpstreamError where its first replies are no opinions at all."""
    path, total = _path(workspace, comparison.model_id, proof_settings(workspace).judge), len(plan.requests)
    tried = plan.requests[:_TRIED]
    with locked(path.with_suffix(".lock"), f"Asking the judge {plan.model!r}"):
        replies = Replies(path)

        def ask(requests: Sequence[Request], before: int) -> Asked:
            told = Progress(stage="judge", total=total, note=plan.model)
            return ask_all(requests, replies, budget, asking, lambda done: report(replace(told, done=before + done)))

        first = ask(tried, 0)
        _check_sense(plan, [reply for one in tried if (reply := replies.get(one.key)) is not None])
        rest = ask(plan.requests[_TRIED:], first.asked)
    return Asked(
        asked=first.asked + rest.asked,
        left=first.left + rest.left,
        spent_usd=budget.spent_usd,
        is_spent=first.is_spent or rest.is_spent,
    )


def _check_sense(plan: JudgePlan, replies: Sequence[Reply]) -> None:
    """UpstreamError for a judge of whose first replies none can be read: the others would cost as much for nothing."""
    if len(replies) < _TRIED or any(read_reply(reply.text) is not None for reply in replies):
        return
    raise UpstreamError(
        f"None of the first {len(replies):,} replies of {plan.model!r} is an opinion: {replies[0].text[:80]!r}.",
        hint="Name a model that answers in JSON when it is told to: --judge MODEL.",
    )


def scores_of(workspace: Workspace, model_id: str, answers: Sequence[tuple[str, str]]) -> dict[str, float | None]:
    """The judge's score of each pair that it was asked both ways, by example; `answers` are (example id, digest)."""
    judge = proof_settings(workspace).judge
    if not judge:
        return {}
    replies = Replies(_path(workspace, model_id, judge))
    scores: dict[str, float | None] = {}
    for example_id, digest in answers:
        first = replies.get(_key(example_id, digest, is_swapped=False))
        second = replies.get(_key(example_id, digest, is_swapped=True))
        if first is not None and second is not None:
            scores[example_id] = preference(read_reply(first.text), read_reply(second.text))
    return scores


def judge_state(workspace: Workspace, card: ModelCard) -> int:
    """How much the judge of the settings has said, in bytes: it changes whenever it says more."""
    judge = proof_settings(workspace).judge
    path = _path(workspace, card.id, judge)
    return path.stat().st_size if judge and path.exists() else 0


def _request(pair: Pair, provider: ProviderSettings, model: str, *, is_swapped: bool) -> Request:
    body = judge_body(
        _question(pair, is_swapped=is_swapped),
        model=model,
        dialect=provider.dialect,
        mark=secrets.token_hex(16),
    )
    usage = Usage(input_tokens=len(body) // _CHARS_PER_TOKEN, output_tokens=_REPLY_TOKENS)
    return Request(
        key=_key(pair.example_id, pair.digest, is_swapped=is_swapped),
        provider=provider,
        dialect=CHAT_DIALECTS[provider.dialect],
        target=path_of(CHAT_DIALECTS[provider.dialect]),
        body=body,
        expected_usd=cost_usd(model, usage, provider.prices),
    )


def _question(pair: Pair, *, is_swapped: bool) -> Question:
    """The owned answer first, or second where it is swapped."""
    first, second = (pair.rented, pair.owned) if is_swapped else (pair.owned, pair.rented)
    return Question(instructions=pair.instructions, request=pair.request, first=first, second=second)


def _key(example_id: str, digest: str, *, is_swapped: bool) -> str:
    return f"{example_id} {digest} {'owned second' if is_swapped else 'owned first'}"


def _path(workspace: Workspace, model_id: str, judge: str) -> Path:
    return workspace.folder("proofs") / f"{model_id}.judge-{sha256_hex(judge)[:12]}.jsonl"
