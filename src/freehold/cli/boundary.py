"""Where errors meet people: a user's mistake is one line on stderr and an exit code, anything else a traceback.

0 ok    1 failure    2 usage    3 the verdict is not `move`    130 interrupted (SIGINT)    143 stopped (SIGTERM)

A command that is interrupted or stopped waits for what must come to its end, a training that saves its place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

import click

from freehold.errors import FreeholdError, StateError
from freehold.system.shutdown import ask_to_stop, forget_stopping, unbroken_work, wait_for_unbroken
from freehold.terminal import tell, tell_error

INTERRUPTED_EXIT_CODE = 130
STOPPED_EXIT_CODE = 143
_ENDING_S = 90.0
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


class _StoppedError(KeyboardInterrupt):
    """SIGTERM came."""


class Boundary(click.Group):
    """A group that lists its verbs in the order of the pipeline and turns errors into lines and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """The verbs, in the order of registration."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb."""
        try:
            with _stoppable():
                return super().invoke(ctx)
        except FreeholdError as error:
            _refuse(ctx, error)
        except BrokenPipeError:
            _leave(0)
        except KeyboardInterrupt as stop:
            _wait_for_the_end()
            is_term = isinstance(stop, _StoppedError)
            words = "stopped" if is_term else "interrupted"
            tell(f"\nfreehold: {words}. What was finished is kept; the same command goes on from there.")
            _leave(STOPPED_EXIT_CODE if is_term else INTERRUPTED_EXIT_CODE)
        except OSError as error:
            if error.errno not in _DISK_HINTS:
                raise
            _refuse(ctx, _disk_error(error))


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """SIGINT and SIGTERM end the verb as exceptions, so that it tidies up; not where others have taken them."""
    forget_stopping()
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def take(number: int, _frame: FrameType | None) -> None:
        ask_to_stop()
        raise _StoppedError if number == signal.SIGTERM else KeyboardInterrupt

    usual = (signal.SIG_DFL, signal.default_int_handler)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    taken = [number for number, handler in before.items() if handler in usual]
    for number in taken:
        signal.signal(number, take)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, before[number])


def _wait_for_the_end() -> None:
    """Let what must not be broken off end; a second signal waits for nothing."""
    work = unbroken_work()
    if work:
        tell(f"\nfreehold: {', '.join(work)} saves its place...")
    with contextlib.suppress(KeyboardInterrupt):
        if not wait_for_unbroken(_ENDING_S):
            tell(f"It takes longer than {_ENDING_S:g} s, and is left behind.")


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
