"""`freehold keys`: make, list, show and revoke the keys that let callers in."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.options import json_option, open_workspace
from freehold.cli.routes import NOTHING_CHANGED
from freehold.errors import UsageError
from freehold.terminal import next_command, say, say_json, say_rows, tell
from freehold.text.formatting import age, usd

if TYPE_CHECKING:
    from freehold.model import Key
    from freehold.ops.keys import KeyView

_UNITS = {"m": 60, "h": 3600, "d": 86400}


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def keys(ctx: click.Context, *, as_json: bool) -> None:
    """Make, list and revoke the keys that let callers in.

    Without a subcommand: the list.
    """
    if ctx.invoked_subcommand is None:
        _list(as_json=as_json)


@keys.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List all keys, expired and revoked ones too."""
    _list(as_json=as_json)


@keys.command()
@click.argument("name")
@click.option("--task", "tasks", multiple=True, help="Only for this task; may be given again.")
@click.option("--model", "models", multiple=True, help="Only for this model, a name or a glob; may be given again.")
@click.option("--path", "paths", multiple=True, help="Only for this path, or a glob: '/v1/chat/*'; may be given again.")
@click.option("--method", "methods", multiple=True, help="Only for this method: POST, GET; may be given again.")
@click.option("--expires", help="When it ends: 12h or 30d from now, or a UTC date: 2027-01-31, 2027-01-31T18:00.")
@click.option("--requests-per-minute", type=click.IntRange(min=1), help="Most requests within a minute.")
@click.option("--tokens-per-minute", type=click.IntRange(min=1), help="Most tokens, in and out, within a minute.")
@click.option("--usd-per-day", type=click.FloatRange(min=0, min_open=True), help="Most spend within a UTC day.")
@json_option
def add(name: str, *, expires: str | None, as_json: bool, **chosen: Any) -> None:
    """Make a key named NAME and print it, this once.

    Give it to a client as its API key. Only its hash is kept.
    """
    from freehold.ops.keys import Grant, add_key, has_unpriced_providers, unknown_tasks

    with open_workspace() as workspace:
        key, text = add_key(workspace, name, Grant(expires_at=_moment(expires), **chosen))
        unknown, is_unpriced = unknown_tasks(workspace, key), has_unpriced_providers(workspace)
    if as_json:
        say_json({"id": key.id, "name": key.name, "key": text, "expires_at": key.expires_at})
    else:
        say(text)
    tell(f"Key {key.name!r} ({_scope(key)}). Keep it now: it is shown this once.")
    for task in unknown:
        tell(f"Task {task!r} is not known yet: requests have to name it in the header freehold-task.")
    if key.usd_per_day is not None and is_unpriced:
        tell("Models without a price are refused with this key: give prices under [providers.NAME] in freehold.toml.")
    next_command(f"freehold keys show {key.id}")


@keys.command()
@click.argument("key")
@json_option
def show(key: str, *, as_json: bool) -> None:
    """Show KEY, a name or an id, and what was used of it today and this minute."""
    from freehold.ops.keys import key_view
    from freehold.ops.refusal_summary import refused_words

    with open_workspace() as workspace:
        view = key_view(workspace, key)
    if as_json:
        say_json(view.plain())
        return
    found, now = view.key, time.time()
    unknown = f", {view.unpriced_today:,} calls of unknown cost" if view.unpriced_today else ""
    unknown += f", {view.estimated_today:,} calls estimated" if view.estimated_today else ""
    if view.reserved_usd:
        unknown += f", {usd(view.reserved_usd)} reserved for calls under way"
    if view.refused_today:
        unknown += f", {refused_words(dict(view.refused_today))} refused"
    lines = {
        "name": found.name,
        "id": found.id,
        "state": view.state,
        "made": f"{age(found.created_at, now)} ago",
        "expires": _expiry(found),
        "tasks": ", ".join(found.tasks) or "any",
        "models": ", ".join(found.models) or "any",
        "paths": ", ".join(found.paths) or "any",
        "methods": ", ".join(found.methods) or "any",
        "this minute": f"{_of(view.requests_this_minute, found.requests_per_minute)} requests, "
        f"{_of(view.tokens_this_minute, found.tokens_per_minute)} tokens",
        "today (UTC)": f"{view.requests_today:,} requests, {view.tokens_today:,} tokens, {_spend(view)}{unknown}",
    }
    for name, value in lines.items():
        say(f"{name:<12} {value}")
    next_command("freehold keys")


@keys.command()
@click.argument("key")
@click.option("--dry-run", is_flag=True, help="Show what would be revoked and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask (nothing is asked where there is no terminal).")
@json_option
def revoke(key: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Let nobody in with KEY, a name or an id, any more.

    Running gateways follow within a second. A revoked key cannot be brought back; its name may be used again.
    """
    from freehold.ops.keys import key_view, revoke_key

    with open_workspace() as workspace:
        view = key_view(workspace, key)
        found = view.key
        tell(f"now      {view.state}: {found.name!r}, fhk_{found.id}_..., {view.requests_today:,} requests today")
        tell("then     revoked: whoever sends it is answered with 401")
        if not dry_run:
            if sys.stdin.isatty() and not yes and not click.confirm("Revoke?", err=True):
                tell(NOTHING_CHANGED)
                sys.exit(1)
            found = revoke_key(workspace, found)
    if as_json:
        say_json({"id": found.id, "name": found.name, "revoked_at": found.revoked_at, "is_dry_run": dry_run})
    elif not dry_run:
        say(f"{found.name}: revoked")
    next_command("freehold keys")


def _list(*, as_json: bool) -> None:
    from freehold.ops.keys import key_views

    with open_workspace() as workspace:
        views = key_views(workspace)
    if as_json:
        say_json([view.plain() for view in views])
        return
    heads = ("name", "id", "state", "expires", "today", "spend", "for")
    rows = [
        (v.key.name, v.key.id, v.state, _expiry(v.key), f"{v.requests_today:,}", _spend(v), _scope(v.key))
        for v in views
    ]
    say_rows(heads, rows, right=(4, 5), flexible=6)
    next_command("freehold keys show NAME" if views else "freehold keys add NAME")


def _scope(key: Key) -> str:
    """What a key is for and how far it goes, in a few words."""
    words = [*(f"task {task}" for task in key.tasks), *(f"model {model}" for model in key.models)]
    words += [*(f"path {path}" for path in key.paths), *key.methods]
    if key.requests_per_minute is not None:
        words.append(f"{key.requests_per_minute:,} requests/min")
    if key.tokens_per_minute is not None:
        words.append(f"{key.tokens_per_minute:,} tokens/min")
    if key.usd_per_day is not None:
        words.append(f"{usd(key.usd_per_day)}/day")
    return ", ".join(words) or "anything"


def _spend(view: KeyView) -> str:
    limit = view.key.usd_per_day
    return usd(view.usd_today) + ("" if limit is None else f" of {usd(limit)}")


def _of(used: int, limit: int | None) -> str:
    return f"{used:,}" if limit is None else f"{used:,} of {limit:,}"


def _expiry(key: Key) -> str:
    return "never" if key.expires_at is None else f"{datetime.fromtimestamp(key.expires_at, UTC):%Y-%m-%d %H:%M}"


def _moment(text: str | None) -> float | None:
    """The Unix time that `30d` from now, or a UTC date, stands for."""
    if text is None:
        return None
    try:
        if text[-1:] in _UNITS:
            moment = datetime.fromtimestamp(time.time() + float(text[:-1]) * _UNITS[text[-1]], UTC)
        else:
            moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"--expires {text!r} is no time.", hint="Write 12h, 30d or 2027-01-31 (UTC).") from error
