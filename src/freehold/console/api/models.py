"""The values of the admin API, as they stand in its requests, its responses and its OpenAPI document.

Times are Unix seconds; None is unknown, never zero. Not covered: where they come from (`console.api.operations`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from freehold.model.call import Arm, Dialect

LONGEST_TEXT = 200_000
MOST_CALLS = 200
MOST_TASKS = 200
Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT, pattern=r"\S")]
Word = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
Moment = Annotated[int, Meta(ge=0, le=10**11)]


class Failure(Struct):
    """What went wrong, in words, and what to do next."""

    code: str
    message: str
    hint: str


class Problem(Struct):
    """The body of every response that is no success."""

    error: Failure


class TaskView(Struct):
    """A task with its figures and the newest of all that was made for it."""

    id: str
    name: str
    kind: str
    calls: int
    cost_usd: float | None
    dataset: str | None
    model: str | None
    verdict_id: str | None
    verdict: str | None
    route: str
    route_version: int
    next: str


class Tasks(Struct):
    """A page of the tasks, those with the most calls first; `next` is the page after it, None on the last one."""

    tasks: list[TaskView]
    next: int | None


class RouteView(Struct):
    """One version of a task's route."""

    task: str
    version: int
    kind: str
    model: str | None
    verdict: str | None
    threshold: float | None
    audit_rate: float
    decided_by: str
    reason: str
    created_at: float


class Routes(Struct):
    """All versions of a task's route, newest first; none where the provider has always answered everything."""

    routes: list[RouteView]


class VerdictView(Struct):
    """A verdict; `report` is the path of its page on this gateway."""

    id: str
    task: str
    model: str
    dataset: str
    decision: Literal["move", "hold", "need"]
    words: str
    need: int | None
    threshold: float | None
    coverage: float | None
    risk: float
    margin: float
    created_at: float
    report: str


class Verdicts(Struct):
    """A task's verdicts, newest first."""

    verdicts: list[VerdictView]


class KeyView(Struct):
    """A gateway key with its limits and what was used of them, without its secret; empty lists mean any."""

    id: str
    name: str
    state: Literal["valid", "expired", "revoked"]
    created_at: float
    expires_at: float | None
    tasks: list[str]
    models: list[str]
    paths: list[str]
    methods: list[str]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    usd_per_day: float | None
    requests_this_minute: int
    tokens_this_minute: int
    requests_today: int
    tokens_today: int
    usd_today: float
    reserved_usd: float
    reserved_tokens: int
    refused_today: dict[str, int]


class Keys(Struct):
    """All gateway keys, oldest first."""

    keys: list[KeyView]


class CallSummary(Struct):
    """A recorded call without its bodies."""

    id: str
    created_at: float
    task: str | None
    parent_id: str | None
    dialect: Dialect
    path: str
    arm: Arm
    propensity: float
    confidence: float | None
    provider: str
    model_asked: str | None
    model_answered: str | None
    status: int
    finish_reason: str | None
    error: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    latency_ms: float
    is_stream: bool
    tags: dict[str, str]
    user_key: str | None
    session_key: str | None
    key_id: str | None
    route_version: int


class Calls(Struct):
    """A page of calls, newest first; `next` is the `before` of the page after it, None on the last one."""

    calls: list[CallSummary]
    next: str | None


class FeedbackView(Struct):
    """What somebody said about a call."""

    id: str
    created_at: float
    kind: str
    value: str


class CallDetail(Struct):
    """A call with its bodies as text, and its feedback, oldest first."""

    call: CallSummary
    request_body: str
    response_body: str
    feedback: list[FeedbackView]


class Correction(Struct, tag_field="kind", tag="correction", forbid_unknown_fields=True):
    """The answer that was wanted; it replaces the provider's in the next dataset."""

    value: Text


class Rating(Struct, tag_field="kind", tag="boolean", forbid_unknown_fields=True):
    """Whether the answer was good."""

    value: bool


class Number(Struct, tag_field="kind", tag="number", forbid_unknown_fields=True):
    """How good the answer was, or what came of it, on a scale of your own."""

    value: Annotated[float, Meta(ge=-1e15, le=1e15)]


class Comment(Struct, tag_field="kind", tag="comment", forbid_unknown_fields=True):
    """Words about the answer."""

    value: Text


NewFeedback = Correction | Rating | Number | Comment


class Kept(Struct):
    """The feedback that was kept."""

    id: str
    call_id: str


class Back(Struct, forbid_unknown_fields=True):
    """Why a task's traffic returns to the provider."""

    reason: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\S")] = "returned through the API"


class Health(Struct):
    """The version that answers."""

    version: str


class TasksAsked(Struct, forbid_unknown_fields=True):
    """Which page of the tasks, from 1, and how many are on one."""

    page: Annotated[int, Meta(ge=1, le=10**6)] = 1
    limit: Annotated[int, Meta(ge=1, le=MOST_TASKS)] = 100


class CallsAsked(Struct, forbid_unknown_fields=True):
    """Which calls; all that is given must hold."""

    task: Word | None = None
    arm: Arm | None = None
    model: Word | None = None
    provider: Word | None = None
    user: Word | None = None
    session: Word | None = None
    outcome: Literal["failed", "whole"] | None = None
    since: Moment | None = None
    before: Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{1,64}$")] | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_CALLS)] = 50


class Nothing(Struct, forbid_unknown_fields=True):
    """No parameters."""
