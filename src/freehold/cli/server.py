"""`freehold up`, `pull` and `settings`: what runs and what it runs with."""

from __future__ import annotations

import click

from freehold.cli.options import json_option, open_settings, setting_option
from freehold.sanitizer import masked
from freehold.settings import SETTINGS, Settings, Value
from freehold.terminal import next_command, reporting, say, say_json


@click.command()
@setting_option("gateway.host", "--host")
@setting_option("gateway.port", "--port")
@setting_option("gateway.workers", "--workers")
def up(**flags: Value | None) -> None:
    """Start the gateway, the console and the engines of moved tasks.

    Ctrl-C stops it once the calls under way are answered. Point a client at it:
    OPENAI_BASE_URL=http://127.0.0.1:8700/v1
    """
    from freehold.app import run_up

    run_up(open_settings(flags))


@click.command()
@click.argument("base", default="smollm2-135m")
@json_option
def pull(base: str, *, as_json: bool) -> None:
    """Fetch the open model that training starts from, and check it.

    BASE is smollm2-135m unless it is given.
    """
    from freehold.train.run.train import pull_base

    chosen = open_settings()
    with reporting() as report:
        path = pull_base(chosen, base, report)
    if as_json:
        say_json({"base": base, "path": str(path)})
    else:
        say(str(path))
    next_command("freehold up")


@click.command()
@json_option
def settings(*, as_json: bool) -> None:
    """Show every setting with its value and its environment variable.

    Passwords in URLs are masked. A table [tasks.NAME] of a task that does not exist is an error.
    """
    from freehold.sort.run.task_tables import tables_for_no_task

    chosen = open_settings()
    if as_json:
        say_json({key: masked(value) if isinstance(value, str) else value for key, value in chosen.values.items()})
    else:
        _show(chosen)
    for error in tables_for_no_task(chosen):
        raise error
    if not as_json:
        next_command("freehold up")


def _show(chosen: Settings) -> None:
    for setting in SETTINGS:
        say(f"{setting.key} = {masked(str(chosen.values[setting.key]))}\n    {setting.help} [{setting.variable}]")
    for name, table in chosen.tasks.items():
        say(f"task {name}: {', '.join(f'{key} = {value}' for key, value in table.items()) or 'nothing of its own'}")
    for provider in chosen.providers:
        key = f"key from ${provider.key_env}" if provider.key_env else "key from the caller's own header"
        say(f"provider {provider.name}: {masked(provider.base_url)} ({provider.dialect}), {key}")
