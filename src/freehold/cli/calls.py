"""`freehold calls` and `freehold correct`: look at the record, and say what an answer should have been."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.opening import json_option, open_estate
from freehold.terminal import ago, ms, next_command, printable, say, say_json, say_rows, shorten, tell, usd
from freehold.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from freehold.core import Call
    from freehold.loop.estate import Estate

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command()
@click.argument("call_id", required=False)
@click.option("--task", help="Calls of this task.")
@click.option("--arm", type=click.Choice(["rented", "owned", "shadow", "audit"]), help="Who answered.")
@click.option("--model", help="Model asked for or that answered.")
@click.option("--provider", help="Provider that answered.")
@click.option("--user", help="Calls of this user.")
@click.option("--session", help="Calls of this session.")
@click.option("--status", type=int, help="HTTP status.")
@click.option("--failed/--whole", "is_failed", default=None, help="Only failed calls, or only whole ones.")
@click.option("--since", help="Not older than this: 30s, 15m, 2h, 7d.")
@click.option("-n", "--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Most calls; 0 is all.")
@json_option
def calls(call_id: str | None, *, as_json: bool, **chosen: Any) -> None:
    """List, filter and show recorded calls, newest first; with CALL_ID (or its beginning) show one whole."""
    with open_estate() as estate:
        if call_id is not None:
            _show(estate, call_id, as_json=as_json)
        else:
            _list(estate, chosen, as_json=as_json)


@click.command()
@click.argument("call_id")
@click.argument("answer", required=False)
def correct(call_id: str, answer: str | None) -> None:
    """Say what the answer to CALL_ID should have been; ANSWER is read from stdin when it is not given.

    The correction replaces the provider's answer when the task is frozen next.
    """
    text = answer if answer is not None else sys.stdin.read().strip()
    if not text:
        raise UsageError("The correction is empty.", hint="Give the wanted answer as an argument or on stdin.")
    with open_estate() as estate:
        call = _one(estate, call_id)
        estate.store.calls.add_feedback(call.id, "correction", text, time.time())
    tell(f"Correction of call {call.id} is kept.")
    next_command("freehold tasks")


def _one(estate: Estate, call_id: str) -> Call:
    call = estate.store.calls.get(call_id)
    if call is None:
        raise NotFoundError(f"There is no single call {call_id!r}.", hint="Look for its id in: freehold calls")
    return call


def _list(estate: Estate, chosen: dict[str, Any], *, as_json: bool) -> None:
    from freehold.loop.sorting import sort_new_calls
    from freehold.store import CallFilter

    sort_new_calls(estate)
    wanted = CallFilter(
        task_id=estate.task(chosen["task"]).id if chosen["task"] else None,
        arm=chosen["arm"],
        model=chosen["model"],
        provider=chosen["provider"],
        user_key=chosen["user"],
        session_key=chosen["session"],
        status=chosen["status"],
        is_failed=chosen["is_failed"],
        since=_since(chosen["since"]),
        limit=chosen["limit"] or None,
        newest_first=True,
    )
    names = {task.id: task.name for task in estate.store.book.tasks()}
    found = estate.store.calls.stream(wanted)
    if as_json:
        for call in found:
            say_json(_plain(call, names))
        return
    now = time.time()
    rows = [_row(call, names, now) for call in found]
    say_rows(("id", "when", "task", "arm", "status", "tokens", "cost", "latency", "answer"), rows, right=(4, 5, 6, 7))
    tell(f"{len(rows)} of {estate.store.calls.count(CallFilter()):,} calls.")
    next_command(f"freehold calls {rows[0][0]}" if rows else "freehold up, then point a client at it")


def _row(call: Call, names: dict[str, str], now: float) -> tuple[str, ...]:
    from freehold.loop.sorting import read_call

    tokens = "-" if call.output_tokens is None else f"{call.input_tokens or 0}+{call.output_tokens}"
    answer = call.error or read_call(call).answer_text
    task = names.get(call.task_id or "", "-")
    cells = (call.id, ago(call.created_at, now), shorten(task, 18), call.arm, str(call.status), tokens)
    return (*cells, usd(call.cost_usd), ms(call.latency_ms), shorten(" ".join(answer.split()), 40))


def _show(estate: Estate, call_id: str, *, as_json: bool) -> None:
    call = _one(estate, call_id)
    names = {task.id: task.name for task in estate.store.book.tasks()}
    plain = _plain(call, names) | {"feedback": estate.store.calls.feedback_of(call.id)}
    if as_json:
        say_json(plain)
        return
    for name, value in plain.items():
        if name not in ("request_body", "response_body"):
            say(f"{name:<20} {printable(str(value))}")
    say(f"\nrequest\n{_pretty(call.request_body)}\n\nresponse\n{_pretty(call.response_body)}")
    next_command(f"freehold correct {call.id} 'the answer that was wanted'")


def _plain(call: Call, names: dict[str, str]) -> dict[str, Any]:
    return asdict(call) | {"task": names.get(call.task_id or "")}


def _pretty(body: bytes) -> str:
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        text = body.decode("utf-8", "replace")
    return "\n".join(printable(line) for line in text.splitlines())


def _since(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return time.time() - float(text[:-1]) * _UNITS[text[-1]]
    except (KeyError, ValueError, IndexError) as error:
        raise UsageError(f"--since {text!r} is not a time span.", hint="Write 30s, 15m, 2h or 7d.") from error
