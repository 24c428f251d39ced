"""Train a model in a process of its own, and report what it does.

`fit` may be called again after anything: a finished job is not trained again, an unfinished one goes on where its last
checkpoint is. A worker that the system kills is started again while it makes headway.

Not covered: what the worker does (`worker`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from freehold.errors import DataError, FreeholdError, MissingExtraError, StateError, TrainError
from freehold.system.child_process import end_process, last_line, start_process
from freehold.system.shutdown import do_nothing_more, is_stopping, unbroken
from freehold.train.job import Job, Progress, Trained, make_job, read_done, write_job
from freehold.train.recipe import Recipe

POLL_S = 0.2
STOP_WAIT_S = 60.0
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
IDLE_RESTARTS = 2
"""Times in a row that a worker may be killed without having got any further."""
WORKER_ENVIRONMENT = {
    # Memory freed is kept for the next step: giving it back costs a page fault per 4 KiB, a fifth of the time. Blocks
    # of more than 32 MiB, rare and large enough to leave holes, are given back.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "MALLOC_ARENA_MAX": "1",
    # Waiting threads sleep instead of spinning: beside any other busy process, spinning is up to ten times slower.
    "OMP_WAIT_POLICY": "passive",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}
_ERRORS: dict[str, type[FreeholdError]] = {kind.code: kind for kind in (DataError, StateError, TrainError)}


def fit(
    dataset_dir: Path, base_gguf: Path, out_dir: Path, recipe: Recipe, on_progress: Callable[[Progress], None]
) -> Trained:
    """Train `recipe` on a dataset from a base into `out_dir`; the result is the same whoever was killed on the way.

    Raises MissingExtraError without torch, DataError for too little data, TrainError for what else stops a training.
    """
    if any(find_spec(name) is None for name in ("torch", "transformers", "accelerate", "gguf", "safetensors")):
        raise MissingExtraError("train", "Training")
    job = make_job(dataset_dir, base_gguf, recipe)
    done = read_done(out_dir, job)
    if done is not None:
        return done
    write_job(out_dir, job)
    return _run(out_dir, job, on_progress)


def _run(folder: Path, job: Job, on_progress: Callable[[Progress], None]) -> Trained:
    furthest, idle = 0, 0
    while True:
        status, step = _run_once(folder, on_progress)
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


def _run_once(folder: Path, on_progress: Callable[[Progress], None]) -> tuple[int, int]:
    """Run one worker to its end; returns its exit status and the last step that it reported."""
    reports = folder / "progress.jsonl"
    reports.write_bytes(b"")
    step = 0
    with unbroken("the training"), reports.open("rb") as lines, _worker(folder) as process:
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
def _worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that is told to save its place, and waited for, when the block is left early."""
    command = [sys.executable, "-m", "freehold.train.worker", str(folder.absolute()), str(os.getpid())]
    environment = WORKER_ENVIRONMENT | dict(os.environ)
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
