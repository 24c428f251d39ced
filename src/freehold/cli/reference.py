"""`python -m freehold.cli.reference`: the page that lists every verb and every setting, out of the code itself.

docs/reference.md is its output; a test holds it to that.
"""

from __future__ import annotations

import sys

import click

from freehold.cli.commands import cli
from freehold.settings import SETTINGS, TASK_SETTINGS
from freehold.settings.providers import PROVIDER_SETTINGS

_WIDTH = 100
_HELP = ["-h", "--help"]
_HEAD = """# Reference

Written by `python -m freehold.cli.reference > docs/reference.md`; a test fails when it is out of date.
"""
_SETTINGS = """
## Settings

A value comes from the default, then from `freehold.toml`, then from the environment, then from a flag; the later one
wins. An unknown name is an error that names the nearest. `freehold settings` shows the values in force.

| setting | default | what it is | environment |
| --- | --- | --- | --- |
"""


def reference() -> str:
    """The page, as Markdown."""
    verbs = _verbs(("freehold",), cli)
    rows = [f"| `{s.key}` | `{s.default!r}` | {s.help} {s.kind.capitalize()}. | `{s.variable}` |" for s in SETTINGS]
    return f"{_HEAD}\n## Verbs\n\n{''.join(verbs)}{_SETTINGS}{chr(10).join(rows)}\n{_sections()}"


def _verbs(words: tuple[str, ...], command: click.Command) -> list[str]:
    """A command, then those below it."""
    below = command.commands if isinstance(command, click.Group) else {}
    return [
        _verb(words, command),
        *(page for name in below if not below[name].hidden for page in _verbs((*words, name), below[name])),
    ]


def _verb(words: tuple[str, ...], command: click.Command) -> str:
    parent = None
    for word in words[:-1]:
        parent = click.Context(cli, info_name=word)
    context = click.Context(
        command, parent, words[-1], terminal_width=_WIDTH, max_content_width=_WIDTH, help_option_names=_HELP
    )
    return f"### `{' '.join(words)}`\n\n```text\n{command.get_help(context)}\n```\n\n"


def _sections() -> str:
    return f"""
`[tasks.NAME]` sets these for one task: {", ".join(f"`{name}`" for name in TASK_SETTINGS)}.

`[providers.NAME]` describes a rented endpoint with these: {", ".join(f"`{name}`" for name in PROVIDER_SETTINGS)}.
"""


if __name__ == "__main__":
    sys.stdout.write(reference())
