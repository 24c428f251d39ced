"""The command line: `freehold VERB`. stdout is data, stderr is progress.

Importing this loads click alone; each command loads what it needs when it runs.
"""

from __future__ import annotations

import os
import sys

from freehold.errors import FreeholdError


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and an exit code, anything else a traceback."""
    from freehold.cli.commands import cli

    try:
        cli(standalone_mode=True)
    except FreeholdError as error:
        sys.stderr.write(f"freehold: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("\nfreehold: interrupted. What was finished is kept; the same command goes on from there.\n")
        sys.stderr.flush()
        os._exit(130)
    except BrokenPipeError:
        os._exit(0)
