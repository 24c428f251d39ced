"""`freehold calls` and `freehold correct`: look at the record, and say what an answer should have been."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from freehold.cli.options import SORTING_S, open_workspace
from freehold.cli.spans import span_s
from freehold.errors import UsageError
from freehold.terminal import next_command, printable, say, say_json, say_rows, say_whole, shorten, tell
from freehold.text.formatting import age, ms, usd

if TYPE_CHECKING:
    from freehold.pipeline.workspace import Workspace
    from freehold.record.run.call_lookup import CallView

_ID_CHARS = 10
_TASK_CHARS = 16
_ESTIMATED = ("input_tokens", "output_tokens", "cost_usd")


@click.command()
@click.argument("call_id", required=False)
@click.option("--task", help="Calls of this task.")
@click.option("--arm", type=click.Choice(["rented", "owned", "shadow", "audit"]), help="Who answered, and why.")
@click.option("--model", help="Model asked for or that answered.")
@click.option("--provider", help="Provider that answered.")
@click.option("--user", help="Calls of this user.")
@click.option("--session", help="Calls of this session.")
@click.option("--status", type=int, help="HTTP status.")
@click.option("--failed/--whole", "is_failed", default=None, help="Only failed calls, or only whole ones.")
@click.option("--set-aside", is_flag=True, help="Only calls whose sorting took too long.")
@click.option("--since", help="Not older than this: 30s, 15m, 2h, 7d.")
@click.option("-n", "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Most calls; 0: all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line per call instead of text.")
def calls(call_id: str | None, *, as_json: bool, **chosen: Any) -> None:
    """List and filter recorded calls, newest first, or show one whole.

    CALL_ID is a call's id, or the end of it as the list shows it.
    """
    if call_id is not None:
        _check_no_filters(call_id)
    with open_workspace() as workspace:
        if call_id is not None:
            _show(workspace, call_id, as_json=as_json)
        else:
            _list(workspace, chosen, as_json=as_json)


@click.command()
@click.argument("call_id")
@click.argument("answer", required=False)
def correct(call_id: str, answer: str | None) -> None:
    """Say what the answer to a call should have been.

    ANSWER is read from stdin when it is not given. The correction replaces the provider's answer when the task is
    frozen next.
    """
    from freehold.record.run.call_lookup import correct_call

    text = answer if answer is not None else sys.stdin.read()
    with open_workspace() as workspace:
        corrected = correct_call(workspace, call_id, text)
    tell(f"The correction of call {corrected.call.id} is kept.")
    if corrected.is_odd:
        tell("It is no JSON, as the task's answers are. If that was not meant, correct it again: the newest counts.")
    next_command("freehold tasks")


@click.command()
@click.argument("call_id")
@click.argument("rating", type=click.Choice(["good", "bad"]))
def rate(call_id: str, rating: str) -> None:
    """Say whether the answer to a call was good.

    No model learns from an answer that was rated bad, and a proof counts it as the provider's mistake. What should have
    been answered says more: freehold correct. The newest rating counts.
    """
    from freehold.record.run.call_lookup import rate_call

    with open_workspace() as workspace:
        call = rate_call(workspace, call_id, is_good=rating == "good")
    tell(f"The answer to call {call.id} is rated {rating}.")
    next_command("freehold tasks")


def _check_no_filters(call_id: str) -> None:
    """UsageError for options that choose calls, beside the id of one."""
    context = click.get_current_context()
    given = [
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.name not in ("call_id", "as_json")
        and context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    ]
    if given:
        hint = f"Run: freehold calls {call_id}; or leave the id out."
        raise UsageError(f"{', '.join(given)} chooses among calls, and {call_id!r} is one call.", hint=hint)


def _list(workspace: Workspace, options: dict[str, Any], *, as_json: bool) -> None:
    from freehold.record.run.call_lookup import CallFilter, count_calls, find_calls
    from freehold.sort.run.loose_calls import unsorted
    from freehold.sort.run.sort import SET_ASIDE, sort_new_calls

    sort_new_calls(workspace, most_s=SORTING_S)
    task_id = workspace.task(options["task"]).id if options["task"] else None
    if task_id and options["set_aside"]:
        raise UsageError("Calls that were set aside belong to no task.", hint="Leave --task or --set-aside out.")
    chosen = CallFilter(
        task_id=SET_ASIDE if options["set_aside"] else task_id,
        arm=options["arm"],
        model=options["model"],
        provider=options["provider"],
        user_key=options["user"],
        session_key=options["session"],
        status=options["status"],
        is_failed=options["is_failed"],
        since=_since(options["since"]),
        limit=options["limit"] or None,
        newest_first=True,
    )
    views = find_calls(workspace, chosen)
    if as_json:
        for view in views:
            say_json(view.plain())
        return
    now = time.time()
    rows = [_row(view, now) for view in views]
    say_rows(("id", "age", "task", "arm", "status", "cost", "latency", "answer"), rows, right=(1, 4, 5, 6), flexible=7)
    tell(f"{len(rows):,} of {count_calls(workspace, chosen):,} calls.")
    left = unsorted(workspace)
    for words in filter(None, (left.waiting_words, left.aside_words)):
        tell(f"{words}.")
    if left.set_aside:
        tell(left.aside_hint)
    next_command(f"freehold calls {rows[0][0]}" if rows else "freehold up, then point a client at it")


def _row(view: CallView, now: float) -> tuple[str, ...]:
    call = view.call
    task = view.task or ("(set aside)" if view.is_set_aside else "-")
    when = (call.id[-_ID_CHARS:], age(call.created_at, now), shorten(task, _TASK_CHARS))
    cost = usd(call.cost_usd)
    cost = f"~{cost}" if call.is_estimated and call.cost_usd is not None else cost
    return (*when, call.arm, str(call.status), cost, ms(call.latency_ms), view.answer)


def _show(workspace: Workspace, call_id: str, *, as_json: bool) -> None:
    from freehold.record.run.call_lookup import feedback_on, find_call

    view = find_call(workspace, call_id)
    plain = view.plain() | {"feedback": feedback_on(workspace, view.call)}
    if as_json:
        say_json(plain)
        return
    request, response = _pretty(str(plain.pop("request_body"))), _pretty(str(plain.pop("response_body")))
    if not plain["provider_fields"]:
        del plain["provider_fields"]
    for name, value in plain.items():
        mark = " (estimated)" if view.call.is_estimated and name in _ESTIMATED and value is not None else ""
        for text in _said(value):
            say(f"{name:<20} {printable(text)}{mark}")
    say_whole(f"\nrequest\n{request}\n\nresponse\n{response}")
    next_command(f"freehold correct {view.call.id} 'the answer that was wanted'")


def _said(value: object) -> list[str]:
    """A value as one line or more: a list, which is of feedback, one line each."""
    if not isinstance(value, list):
        return [str(value)]
    return [f"{one['kind']}: {one['value']}" for one in value] or ["none"]


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


def _since(text: str | None) -> float | None:
    return None if text is None else time.time() - span_s(text, "--since")
