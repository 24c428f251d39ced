"""`freehold up`, `pull` and `settings`: what runs and what it runs with."""

from __future__ import annotations

import click

from freehold.cli.opening import json_option, open_settings, setting_option
from freehold.terminal import next_command, reporting, say, say_json, say_rows
from freehold.settings import SETTINGS, Value


@click.command()
@setting_option("gateway.host", "--host")
@setting_option("gateway.port", "--port")
def up(**flags: Value | None) -> None:
    """Start the gateway, the console and the engines of moved tasks; Ctrl-C stops them gracefully.

    Point a client at it: OPENAI_BASE_URL=http://127.0.0.1:8700/v1
    """
    from freehold.app import run_up

    run_up(open_settings(flags))


@click.command()
@click.argument("base", default="smollm2-135m")
@json_option
def pull(base: str, *, as_json: bool) -> None:
    """Fetch BASE, the open model that training starts from, and check it."""
    from freehold.loop.training import pull_base

    settings = open_settings()
    with reporting(is_quiet=as_json) as report:
        path = pull_base(settings, base, report)
    if as_json:
        say_json({"base": base, "path": str(path)})
    else:
        say(str(path))
        next_command("freehold up")


@click.command("settings")
@json_option
def settings_command(*, as_json: bool) -> None:
    """Show every setting: its value now, its environment variable and what it is for."""
    settings = open_settings()
    if as_json:
        say_json(settings.values)
        return
    rows = [(s.key, settings.values[s.key], s.variable, s.help) for s in SETTINGS]
    say_rows(("setting", "value", "variable", "what it is"), rows)
    for provider in settings.providers:
        say(f"provider {provider.name}: {provider.base_url} ({provider.dialect}), key from ${provider.key_env or '-'}")
