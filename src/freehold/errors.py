"""The one tree of errors, each with a code, a hint, an HTTP status and an exit code.

    FreeholdError
    ├── UsageError            what was asked cannot be asked (exit 2, status 400)
    │   ├── SettingError      an unknown or unusable setting
    │   └── NotFoundError     an unknown task, call, model, dataset (status 404)
    ├── MissingExtraError     an optional part is not installed
    ├── BusyError             another process holds what this one needs (status 409)
    ├── StateError            the state folder is damaged, full or of another version
    │   └── AwayError         the database does not answer now (retryable)
    ├── DataError             too little, or unusable, data for the stage
    ├── TrainError            training could not start or did not finish
    ├── UndertrainedError     a model was trained too little for a proof to be worth one of the task's attempts
    ├── EngineError           an engine did not start or does not answer (status 502)
    ├── ParityError           the served model is not the trained one
    └── UpstreamError         a provider could not be reached (status 502)

Not covered: programmers' mistakes. Those stay ordinary exceptions and show a traceback.
"""

from __future__ import annotations

from freehold.sanitizer import masked

_MOST_CHARS = 200


def in_a_line(error: BaseException) -> str:
    """What code of others raised, on one line: its type, and the first words of what it says."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:_MOST_CHARS]}".rstrip(": ")


class FreeholdError(Exception):
    """Something that the user can act on; printed as one line: message, then hint. Passwords in either are masked."""

    code = "error"
    status = 500
    exit_code = 1
    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        message, hint = masked(message), masked(hint)
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(FreeholdError):
    """What was asked cannot be asked this way."""

    code = "usage"
    status = 400
    exit_code = 2


class SettingError(UsageError):
    """A setting is unknown or its value is unusable."""

    code = "setting"


class NotFoundError(UsageError):
    """A task, call, model, dataset or report of this name does not exist."""

    code = "not_found"
    status = 404


class MissingExtraError(FreeholdError):
    """An optional part of Freehold is not installed."""

    code = "missing_extra"

    def __init__(self, extra: str, feature: str) -> None:
        super().__init__(f"{feature} needs a part that is not installed.", hint=f"pip install 'freehold[{extra}]'")
        self.extra = extra


class BusyError(FreeholdError):
    """Another process holds the port, the lock or the state folder."""

    code = "busy"
    status = 409
    retryable = True


class StateError(FreeholdError):
    """The state folder cannot be used: damaged, full, or written by a newer version."""

    code = "state"


class AwayError(StateError):
    """The database does not answer now; it may again in a moment."""

    code = "database_away"
    retryable = True


class DataError(FreeholdError):
    """The data is too little or not of a kind that the stage can use."""

    code = "data"


class TrainError(FreeholdError):
    """Training could not start or did not finish."""

    code = "train"


class UndertrainedError(FreeholdError):
    """A model's training was cut short, so that its proof would waste one of the task's attempts."""

    code = "undertrained"


class EngineError(FreeholdError):
    """An engine did not start or does not answer."""

    code = "engine"
    status = 502
    retryable = True


class ParityError(FreeholdError):
    """The served model does not give what the trained model gives."""

    code = "parity"


class UpstreamError(FreeholdError):
    """A provider could not be reached."""

    code = "upstream"
    status = 502
    retryable = True


def plain_error(error: Exception) -> dict[str, str]:
    """An error as plain text, by which `error_of` makes it again: the nearest kind of this tree, message and hint.

    >>> plain_error(BusyError("It runs.", hint="Wait."))
    {'kind': 'BusyError', 'message': 'It runs.', 'hint': 'Wait.'}
    """
    if not isinstance(error, FreeholdError):
        return {"kind": "", "message": f"{type(error).__name__}: {error}", "hint": "Give the same command again."}
    known = _kinds()
    kind = next(kind.__name__ for kind in type(error).__mro__ if known.get(kind.__name__) is kind)
    return {"kind": kind, "message": error.message, "hint": error.hint}


def error_of(kind: str, message: str, hint: str) -> FreeholdError:
    """The error that was written down with this kind; a FreeholdError where this tree has no such kind."""
    chosen = _kinds().get(kind, FreeholdError)
    error = chosen.__new__(chosen, message)
    FreeholdError.__init__(error, message, hint=hint)
    return error


def _kinds() -> dict[str, type[FreeholdError]]:
    """The kinds of this module by name."""
    return {
        name: kind for name, kind in globals().items() if isinstance(kind, type) and issubclass(kind, FreeholdError)
    }
