"""`freehold demo`: the whole road on this machine, with a simulated provider."""

from __future__ import annotations

from pathlib import Path

import click

from freehold.cli.opening import json_option


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder with train.jsonl and a test file to use instead.")
@click.option("--minutes", type=float, default=6.0, show_default=True, help="Longest training time.")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=".freehold-demo", show_default=True, help="Where it is kept."
)
@click.option("--fresh", is_flag=True, help="Forget an earlier demo in this folder.")
@json_option
def demo(*, data: Path | None, minutes: float, folder: Path, fresh: bool, as_json: bool) -> None:
    """Watch a product leave its rented model, on this machine.

    Traffic, dataset, training, proof, move, and traffic again. Needs no key, no GPU and no account. Interrupted at
    any point, the same command goes on from there.
    """
    from freehold.demo.road import run_demo

    run_demo(folder=folder, data=data, minutes=minutes, fresh=fresh, as_json=as_json)
