"""`freehold demo`: the whole pipeline on this machine, with a simulated provider."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from freehold.cli.options import json_option
from freehold.errors import UsageError


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder with train.jsonl and a test file to use instead.")
@click.option("--fast", "part", flag_value="fast", help="With fewer calls: about 4 minutes.")
@click.option("--whole", "part", flag_value="whole", help="Learn all four fields of the triage: about 15 minutes.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=".freehold-demo", show_default=True, help="Where it is kept."
)
@click.option("--fresh", is_flag=True, help="Forget an earlier demo in this folder.")
@json_option
def demo(*, data: Path | None, part: Literal["fast", "whole"] | None, folder: Path, fresh: bool, as_json: bool) -> None:
    """Watch a product leave its rented model, on this machine.

    Traffic, dataset, training, proof, move, and traffic again, in about 5 minutes on 2 quiet cores. The work is the
    same on a busy machine, and takes longer. Needs no key, no GPU and no account. Interrupted at any point, the same
    command goes on from there.
    """
    from freehold.demo.pipeline import run_demo

    if part is not None and data is not None:
        raise UsageError(f"--{part} plays the shop's task, --data your own rows.", hint="Give one of the two.")
    run_demo(folder=folder, data=data, part=part or "usual", fresh=fresh, as_json=as_json)
