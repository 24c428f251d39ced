"""How routes fare: who answered, how often audits agree, what was saved, and how the evidence stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from freehold import route as routing
from freehold.model import Call, Route
from freehold.model.task import Task
from freehold.pipeline.workspace import Workspace
from freehold.route import LiveCall, LiveFigures
from freehold.store import CallFilter
from freehold.text.read_call import read_call
from freehold.text.target import Habits, why_no_target
from freehold.watch.run.monitor_status import MonitorStatus, monitor_status_of, remarks, route_words
from freehold.watch.run.prompt_news import PromptNews, prompt_news


@dataclass(frozen=True, slots=True)
class RouteStatus:
    """A task's route and its live metrics since it was set; `standing` is None while nothing is watched."""

    task: str
    placed: Route
    figures: LiveFigures
    standing: MonitorStatus | None = None
    prompt: PromptNews | None = None

    @property
    def route(self) -> str:
        """The kind of the route."""
        return self.placed.kind

    @property
    def version(self) -> int:
        """The version of the route."""
        return self.placed.version

    @property
    def route_text(self) -> str:
        """The route as it is now, in two words."""
        return route_words(self.placed, self.standing)

    @property
    def remarks(self) -> list[str]:
        """What there is to say beside the figures."""
        failed, calls = self.figures.engine_failed, self.figures.calls
        why = ", ".join(f"{reason} {count:,}" for reason, count in self.figures.engine_reasons.items())
        own = [f"the owned model gave no answer to {failed:,} of {calls:,} calls; the provider did ({why})"]
        news = [self.prompt.words] if self.prompt else []
        return [*news, *remarks(self.placed, self.standing), *(own if failed else [])]

    @property
    def agreement_text(self) -> str:
        """The share of audits that agree with the provider, with interval and n."""
        f = self.figures
        if f.agreement is None or f.agreement_low is None or f.agreement_high is None:
            return "none yet"
        return f"{f.agreement:.0%} [{f.agreement_low:.0%}, {f.agreement_high:.0%}], n={f.audits}"

    def plain(self) -> dict[str, object]:
        """The view as JSON-able values."""
        route = self.placed
        return {
            "task": self.task,
            "route": route.kind,
            "version": route.version,
            "decided_by": route.decided_by,
            "decided_at": route.created_at or None,
            "reason": route.reason,
            "risk": route.risk,
            "contract": route.contract,
            "prompt": self.prompt.plain() if self.prompt else None,
            "watch": self.standing.plain() if self.standing else None,
            **asdict(self.figures),
        }


def route_statuses(workspace: Workspace) -> list[RouteStatus]:
    """Each task's route with its live figures."""
    return [route_status(workspace, task) for task in workspace.store.registry.tasks()]


def route_status(workspace: Workspace, task: Task) -> RouteStatus:
    """One task's route with its live figures, since that route was put in place."""
    route = workspace.store.registry.route(task.id)
    since = route.created_at or None
    calls = workspace.store.calls.stream(CallFilter(task_id=task.id, since=since, is_failed=False))
    rows = list(_live_calls(calls, Habits.of_names(route.baseline.habits)))
    figures = routing.live_figures(rows, output_kind=route.output_kind if route.model_id else task.kind)
    news = prompt_news(workspace, task, route)
    return RouteStatus(task.name, route, figures, monitor_status_of(workspace, route), news)


def _live_calls(calls: Iterator[Call], habits: Habits) -> Iterator[LiveCall]:
    local: dict[str, Call] = {}
    audits: list[Call] = []
    for call in calls:
        if call.arm == "audit":
            audits.append(call)
        else:
            if call.arm == "owned":
                local[call.id] = call
            yield LiveCall(
                arm=call.arm,
                latency_ms=call.latency_ms,
                cost_usd=call.cost_usd,
                engine=call.coins.engine,
            )
    for audit in audits:
        audited = local.get(audit.parent_id or "")
        is_readable = audited is not None and "deleted" not in (audit.redaction, audited.redaction)
        owned = read_call(audited) if audited and is_readable else None
        rented = read_call(audit) if is_readable else None
        reason = why_no_target(rented.asked, rented.answer, habits) if rented and rented.asked else None
        yield LiveCall(
            arm="audit",
            latency_ms=audit.latency_ms,
            cost_usd=audit.cost_usd,
            owned_text=owned.answer_text if owned else None,
            rented_text=rented.answer_text if rented and reason != "error" else None,
            is_aside=reason is not None,
        )
