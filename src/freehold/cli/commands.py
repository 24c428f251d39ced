"""The root of the command line: options that every verb shares, and the verbs in the order of the pipeline."""

from __future__ import annotations

import os
from pathlib import Path

import click

from freehold import __version__
from freehold.cli.boundary import Boundary
from freehold.cli.calls import calls, correct, rate
from freehold.cli.demo import demo
from freehold.cli.keys import keys
from freehold.cli.label import label
from freehold.cli.lineage import lineage
from freehold.cli.operate import backup, doctor, prune, restore
from freehold.cli.options import Root
from freehold.cli.pipeline import exit_, freeze, run, train, verify
from freehold.cli.probe import probe
from freehold.cli.prove import prove
from freehold.cli.receipts import receipts
from freehold.cli.renew import renew
from freehold.cli.routes import back, move
from freehold.cli.server import pull, settings, up
from freehold.cli.status import status
from freehold.cli.tasks import tasks

_PRIVATE = 0o077
"""What a verb, and every process that it starts, writes is for its own account alone."""
_VERBS = (
    up,
    calls,
    correct,
    rate,
    tasks,
    freeze,
    verify,
    train,
    prove,
    renew,
    label,
    move,
    back,
    status,
    probe,
    run,
    exit_,
    receipts,
    lineage,
    keys,
    pull,
    settings,
    doctor,
    prune,
    backup,
    restore,
    demo,
)


@click.group(cls=Boundary, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config", type=click.Path(path_type=Path), help="Settings file (default: freehold.toml, if it is here)."
)
@click.option("--state", help="State folder (default: .freehold).")
@click.version_option(__version__, prog_name="freehold")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, state: str | None) -> None:
    """Freehold: the way out of a rented model.

    Point your client's base URL at the gateway, then: tasks, freeze, train, prove, move. And back, at any time.

    Exit codes: 0 ok, 1 failure, 2 usage, 3 the verdict is not `move`.
    """
    before = os.umask(_PRIVATE)
    ctx.call_on_close(lambda: os.umask(before))
    ctx.obj = Root(config, state)


for _verb in _VERBS:
    cli.add_command(_verb)
