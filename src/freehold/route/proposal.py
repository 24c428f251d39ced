"""Makes routes from verdicts, returns them, and says what a change would do.

All functions are pure: they give a new route with the next version, and the driver stores it. Not covered: canaries and
shadows (`route.ramp`), what takes a route back by itself (`freehold.watch`), asking the engine (`freehold.gateway`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from freehold.errors import DataError, StateError, UsageError
from freehold.model.engine import OwnedAnswer
from freehold.model.exchange import Message
from freehold.model.model_card import ModelCard
from freehold.model.route import Route, rented_route
from freehold.model.verdict import Verdict
from freehold.text import scoring
from freehold.text.confidence import Calibrator
from freehold.text.slices import SliceShape


def propose(
    verdict: Verdict,
    *,
    model: ModelCard,
    old: Route,
    output_kind: str,
    template: Mapping[str, Any],
    audit_rate: float,
    created_at: float,
    max_output_tokens: int = 512,
) -> Route:
    """The cascade that the verdict proves, as the version after `old`.

    DataError unless the verdict is `move` and was given for this task and this model.
    """
    if verdict.decision != "move" or verdict.threshold is None:
        raise DataError(
            f"The newest verdict, {verdict.id}, is {verdict.words!r}, not 'move'.", hint=_instead_of_moving(verdict)
        )
    _check_is_on(verdict, model, old)
    return Route(
        task_id=old.task_id,
        version=old.version + 1,
        kind="cascade",
        model_id=model.id,
        model_path=model.path,
        model_sha256=model.served_sha256,
        verdict_id=verdict.id,
        threshold=verdict.threshold,
        audit_rate=as_share("audit rate", audit_rate),
        output_kind=output_kind,
        head=dict(verdict.head),
        template=dict(template),
        risk=verdict.risk,
        contract=verdict.contract,
        withheld=verdict.withheld,
        expected=dict(verdict.expected),
        max_output_tokens=max_output_tokens,
        reason=f"verdict {verdict.id}",
        created_at=created_at,
    )


def _check_is_on(verdict: Verdict, model: ModelCard, old: Route) -> None:
    """DataError unless the verdict was given for this task, this model and its file."""
    if (verdict.task_id, verdict.model_id) != (old.task_id, model.id):
        raise DataError(
            f"The verdict {verdict.id!r} is on model {verdict.model_id!r} of task {verdict.task_id!r}, not on model"
            f" {model.id!r} of task {old.task_id!r}.",
            hint="Prove this model on this task first.",
        )
    if verdict.model_sha256 not in ("", model.served_sha256):
        raise DataError(
            f"The verdict {verdict.id!r} is on another file of model {model.id!r} than the one that is here.",
            hint="Prove it again: freehold prove TASK",
        )


def as_share(name: str, value: float) -> float:
    """The value, if it is a share; UsageError where it is none."""
    if not 0.0 <= value <= 1.0:
        raise UsageError(f"The {name} is {value!r}, which is not a share.", hint="0.05 is 5 in 100.")
    return value


def back(route: Route, *, created_at: float, reason: str = "returned by hand") -> Route:
    """The route that sends everything to the provider, as the next version."""
    return rented_route(route.task_id, version=route.version + 1, reason=reason, created_at=created_at)


def plan_text(
    old: Route, new: Route, *, coverage: float | None = None, stale: Sequence[str] = (), slow: str | None = None
) -> str:
    """What replacing `old` by `new` does, in lines.

    `coverage` is the share of calls expected to stay local, `stale` why its evidence is no longer what it was, `slow`
    why the engine may be too slow for it.
    """
    lines = [f"task     {new.task_id}", f"now      {words(old)}", f"then     {words(new)}"]
    match new.kind:
        case "rented":
            return "\n".join([*lines, "effect   every call goes to the provider, from the next one on"])
        case "shadow":
            lines.append(f"effect   none for clients; {new.shadow_rate:.0%} of calls are also asked of the owned model")
        case _:
            if coverage is not None:
                lines.append(f"effect   about {coverage:.0%} of calls are answered locally, the rest by the provider")
            if new.withheld:
                lines.append(f"withheld {', '.join(new.withheld)}: the provider answers")
            lines.append(f"audits   {new.audit_rate:.1%} of local answers are also asked of the provider")
    if new.kind == "canary":
        lines.insert(
            -1, f"ramp     as evidence grows, with at most {new.harm:.2%} more failures per call on average than now"
        )
        lines[-1] += "; while it ramps, half of them at least"
    if slow is not None:
        lines.append(f"slow     {slow}")
    lines += [f"stale    {reason}; audits are raised" for reason in stale]
    return "\n".join([*lines, f"undo     freehold back {new.task_id}"])


def is_acceptable(route: Route, text: str, response_format: str | None = None) -> bool:
    """Whether a client of this route that asked for this format could read the answer; if not, the provider answers."""
    return scoring.is_acceptable(route.output_kind, text, response_format)


def confidence(route: Route, answer: OwnedAnswer) -> float:
    """The calibrated confidence in an owned answer; 0.0 for one not to be used, or where the route has no head.

    A head of an older version scores as it was proven; StateError for one that cannot be read.
    """
    if not route.head:
        return 0.0
    try:
        head = Calibrator.from_json(route.head)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(route, error) from error
    return head.score(answer)


def withheld(route: Route, messages: Sequence[Message], text: str) -> str:
    """The withheld slice that a call with this input and this owned answer lies in; empty for a call in none.

    StateError where the route withholds slices and does not say how calls are cut.
    """
    if not route.withheld:
        return ""
    try:
        names = SliceShape.of_head(route.head).names(messages, text)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(route, error) from error
    return next((name for name in names if name in route.withheld), "")


def _unreadable(route: Route, error: Exception) -> StateError:
    return StateError(
        f"Version {route.version} of the route of {route.task_id!r} cannot judge answers: {error!r}.",
        hint="Prove the task again with this version of Freehold, then move it.",
    )


def _instead_of_moving(verdict: Verdict) -> str:
    if verdict.decision == "need":
        return f"Record {verdict.need} more calls that can be held out, freeze, and prove again."
    return f"The reasons are in {verdict.report_path or 'its report'}."


def words(route: Route) -> str:
    """What a route does, in one line."""
    match route.kind:
        case "rented":
            return f"rented: the provider answers everything (version {route.version})"
        case "shadow":
            return f"shadow: the provider answers, model {route.model_id} is compared (version {route.version})"
    threshold = "" if route.threshold is None else f" at confidence {route.threshold:.3g} or more"
    return f"{route.kind}: model {route.model_id}{threshold}, otherwise the provider (version {route.version})"
