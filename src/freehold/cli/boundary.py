"""Where errors meet people: a user's mistake is one line on stderr and an exit code, anything else a traceback.

0 ok    1 failure    2 usage    3 the verdict is not `move`    130 interrupted
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import Any, NoReturn

import click

from freehold.errors import FreeholdError, StateError
from freehold.terminal import tell, tell_error

INTERRUPTED_EXIT_CODE = 130
_DISK_HINTS = {
    errno.ENOSPC: "Free some space, then give the same command again; what was finished is kept.",
    errno.EDQUOT: "Free some space, then give the same command again; what was finished is kept.",
    errno.EROFS: "The disk is read-only: choose another folder.",
    errno.EACCES: "Check the permissions, or choose another folder.",
    errno.EPERM: "Check the permissions, or choose another folder.",
    errno.ENOTDIR: "A file stands where a folder is needed: move it away, or choose another folder.",
    errno.EEXIST: "A file stands where a folder is needed: move it away, or choose another folder.",
    errno.EISDIR: "A folder stands where a file is needed: move it away.",
}


class Boundary(click.Group):
    """A group that lists its verbs in the order of the road and turns errors into lines and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """The verbs, in the order of registration."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except FreeholdError as error:
            _refuse(ctx, error)
        except BrokenPipeError:
            _leave(0)
        except KeyboardInterrupt:
            tell("\nfreehold: interrupted. What was finished is kept; the same command goes on from there.")
            _leave(INTERRUPTED_EXIT_CODE)
        except OSError as error:
            if error.errno not in _DISK_HINTS:
                raise
            _refuse(ctx, _disk_error(error))


def _refuse(ctx: click.Context, error: FreeholdError) -> NoReturn:
    tell_error(f"freehold: {' '.join(str(error).split())}")
    ctx.exit(error.exit_code)


def _disk_error(error: OSError) -> StateError:
    place = f" {str(error.filename)!r}" if error.filename is not None else ""
    return StateError(f"The disk refused{place}: {error.strerror}.", hint=_DISK_HINTS[error.errno or 0])


def _leave(code: int) -> NoReturn:
    """End at once: threads that still work on a stage would hold the process up, and their work is resumable."""
    with contextlib.suppress(OSError):  # the reader of a pipe may be gone, which may be why the command ends
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
