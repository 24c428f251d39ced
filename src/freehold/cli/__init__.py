"""The command line: `freehold VERB`. stdout is data, stderr is progress.

Importing this loads click alone; each verb loads what it needs when it runs.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line; see `boundary` for exit codes."""
    from freehold.cli.commands import cli

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows ASCII alone still gets its answer
    cli(prog_name="freehold")
