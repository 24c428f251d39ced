"""Train a model in a process of its own, and report what it does.

`fit` may be called again after anything: a finished job is not trained again, an unfinished one goes on where its last
checkpoint is. A worker that the system kills is started again while it makes headway.

Not covered: what the worker does (`train.trainers`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from freehold.errors import DataError, FreeholdError, MissingExtraError, StateError, TrainError
from freehold.plugins import TRAINERS
from freehold.system.child_process import end_process, last_line, start_process
from freehold.system.shutdown import do_nothing_more, is_stopping, unbroken
from freehold.train.job import Job, Progress, Trained, make_job, read_done, write_job
from freehold.train.recipe import Recipe
from freehold.train.trainers import DEFAULT, Trainer, load_trainer

POLL_S = 0.2
STOP_WAIT_S = 60.0
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
IDLE_RESTARTS = 2
"""Times in a row that a worker may be killed without having got any further."""
_ERRORS: dict[str, type[FreeholdError]] = {kind.code: kind for kind in (DataError, StateError, TrainError)}


def fit(
    dataset_dir: Path,
    base_gguf: Path,
    out_dir: Path,
    recipe: Recipe,
    on_progress: Callable[[Progress], None],
    *,
    trainer: str = DEFAULT,
) -> Trained:
    """Train `recipe` on a dataset from a base into `out_dir`; the result is the same whoever was killed on the way.

    Raises SettingError for an unknown trainer, MissingExtraError without torch, DataError for too little data,
    TrainError for what else stops a training.
    """
    chosen = load_trainer(trainer)
    _check_parts(trainer, chosen)
    job = make_job(dataset_dir, base_gguf, recipe, trainer)
    done = read_done(out_dir, job)
    if done is not None:
        return done
    write_job(out_dir, job)
    with TRAINERS.errors_of(trainer):
        return _run(out_dir, job, chosen, on_progress)


def _check_parts(name: str, trainer: Trainer) -> None:
    missing = [part for part in trainer.needs if find_spec(part) is None]
    if missing and name in TRAINERS.own:
        raise MissingExtraError("train", "Training")
    if missing:
        raise TrainError(f"The trainer {name!r} needs {', '.join(missing)}.", hint="Install what is missing.")


def _run(folder: Path, job: Job, trainer: Trainer, on_progress: Callable[[Progress], None]) -> Trained:
    furthest, idle = 0, 0
    while True:
        status, step = _run_once(folder, trainer, on_progress)
        done = read_done(folder, job)
        if done is not None:
            return done
        if status > 0:
            raise _failure(folder, status)
        idle = 0 if step > furthest else idle + 1
        furthest = max(furthest, step)
        if idle > IDLE_RESTARTS:
            raise TrainError(
                f"The training process was killed {idle} times (signal {-status}) without getting any further.",
                hint="Most often memory is short: close other programs, or train with a smaller step_tokens.",
            )


def _run_once(folder: Path, trainer: Trainer, on_progress: Callable[[Progress], None]) -> tuple[int, int]:
    """Run one worker to its end; returns its exit status and the last step that it reported."""
    reports = folder / "progress.jsonl"
    reports.write_bytes(b"")
    step = 0
    with unbroken("the training"), reports.open("rb") as lines, _worker(folder, trainer) as process:
        while not is_stopping():
            has_ended = process.poll() is not None
            for progress in _new_reports(lines):
                step = max(step, progress.step)
                on_progress(progress)
            if has_ended:
                return process.returncode, step
            time.sleep(POLL_S)
    return do_nothing_more()


@contextmanager
def _worker(folder: Path, trainer: Trainer) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that is told to save its place, and waited for, when the block is left early."""
    command = trainer.command(folder.absolute(), os.getpid())
    environment = {**trainer.environment(), **os.environ}
    # The worker is born with these signals blocked, so that no thread of a library's takes one and ends it at once.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        process = start_process(command, environment=environment, log=folder / "worker.log")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        yield process
    finally:
        end_process(process, STOP_WAIT_S)


def _new_reports(lines: BinaryIO) -> Iterator[Progress]:
    """The reports written since the last look; a line that is still being written is left for the next one."""
    while True:
        place = lines.tell()
        line = lines.readline()
        if not line.endswith(b"\n"):
            lines.seek(place)
            return
        yield Progress(**json.loads(line))


def _failure(folder: Path, status: int) -> FreeholdError:
    try:
        error = json.loads((folder / "error.json").read_text(encoding="utf-8"))
        return _ERRORS.get(error["code"], TrainError)(error["message"], hint=error["hint"])
    except (OSError, ValueError, KeyError):
        log = folder / "worker.log"
        said = f"The training process ended with status {status}: {last_line(log)}."
        return TrainError(said, hint=f"See {str(log)!r}.")
