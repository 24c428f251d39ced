"""`freehold tasks`: what the calls turned out to be, and what each task needs next."""

from __future__ import annotations

import click

from freehold.cli.opening import json_option, open_estate
from freehold.terminal import ms, next_command, say_json, say_rows, tell, usd


@click.command()
@json_option
def tasks(*, as_json: bool) -> None:
    """Sort new calls into tasks and show each: calls, spend, tokens, latency, and what it needs next."""
    from freehold.loop.overview import overviews
    from freehold.loop.sorting import sort_new_calls

    with open_estate() as estate:
        sort_new_calls(estate)
        found = overviews(estate)
    if as_json:
        say_json([view.plain() for view in found])
        return
    rows = [
        (
            view.name,
            view.kind,
            f"{view.figures.calls:,}",
            usd(view.figures.cost_usd),
            f"{view.figures.input_tokens:,}+{view.figures.output_tokens:,}",
            ms(view.figures.latency_p50_ms),
            view.verdict.words if view.verdict else "-",
            view.route.kind,
        )
        for view in found
    ]
    heads = ("task", "kind", "calls", "spend", "tokens", "p50", "verdict", "route")
    say_rows(heads, rows, right=(2, 3, 4, 5))
    for view in found:
        tell(f"{view.name}: {view.next_step}")
    if not found:
        next_command("freehold up, then point a client at it")
