"""The process that trains: `python -m freehold.train.trainers.lora.worker JOB_FOLDER PARENT_PID`.

Read `work` for the whole of it. The worker keeps its place in a checkpoint every minute or so and goes on there when
it is started again: the same batches, the same schedule, the same result (there is no dropout, so nothing is random
after the adapter's first values). It saves its place and leaves when its parent dies or it is told to stop.

Not covered: starting and watching it (`fit`), a single step (`trainer`).
"""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch

from freehold.errors import DataError, FreeholdError, StateError, TrainError
from freehold.model.dataset_folder import read_split
from freehold.system.files import file_sha256
from freehold.train.bases import Base, Shape, base_of
from freehold.train.bases.header_cache import reading_once
from freehold.train.job import Job, Progress, Trained, read_done, read_job, write_done, write_json
from freehold.train.memory import Layers, available_bytes, check_memory, give_back_freed, needed_bytes
from freehold.train.recipe import Recipe
from freehold.train.trainers.lora.adapters import (
    add_adapters,
    device_and_dtype,
    save_adapter,
    save_merged,
    tokenize_with,
)
from freehold.train.trainers.lora.batches import Encoded, batches_from, encode, steps_of
from freehold.train.trainers.lora.lower import kept_bytes
from freehold.train.trainers.lora.trainer import Trainer

DEV_EXAMPLES = 128
DEV_TOKENS = 8192
"""The dev examples that are looked at stay within this, so that long answers do not eat up the time to train."""
CURVE_EXAMPLES = 64
"""The dev curve is of so many examples at most: a look costs about as much as three steps of eight."""
CURVE_POINTS = 4
"""The dev curve has a point at each quarter of the training, and at its end."""
LEAST_EXAMPLES = 8
STOPPED = 75
"""Exit status of a worker that was told to stop and has saved its place."""


class _Stopped(Exception):  # noqa: N818 - it ends the process in good order
    """The worker was told to stop, or its parent is gone."""


@dataclass(frozen=True, slots=True)
class _Post:
    """Where this worker stands: its folder, its job, its parent, and how it reports."""

    folder: Path
    job: Job
    parent: int
    report: Callable[[Progress], None]

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def must_stop(self) -> bool:
        """SIGTERM is blocked and looked at here, so that it never cuts in half what must be whole."""
        return os.getppid() != self.parent or bool(signal.sigpending() & {signal.SIGTERM, signal.SIGINT})

    def look(self) -> None:
        """Leave where this worker must stop; what is under way is given up, and what is learnt is in the trainer."""
        if self.must_stop():
            raise _Stopped


@dataclass(frozen=True, slots=True)
class _Lessons:
    """The examples as ids; `dropped` counts those of the training split that were too long."""

    train: list[Encoded]
    dev: list[Encoded]
    dropped: int

    @property
    def curve(self) -> list[Encoded]:
        """The dev examples that the curve is of."""
        return self.dev[:CURVE_EXAMPLES]


def work(folder: Path, parent: int) -> None:
    """Train the job in `folder` to its end."""
    started = time.monotonic()
    job = read_job(folder)
    with _alone(folder), _reporting(folder) as report:
        if read_done(folder, job) is not None:
            return
        report(Progress(phase="load"))
        post = _Post(folder, job, parent, report)
        device, dtype = device_and_dtype(job.recipe.precision)
        base = base_of(job.base)
        with reading_once():
            shape = base.read_shape(job.base)
            tokenizer = base.load_tokenizer(job.base, shape)
            post.look()
            lessons = _read_lessons(job, base, tokenizer)
            _check_room(shape, base.layers(shape, job.recipe), lessons, job.recipe, device, dtype)
            model = base.load_model(job.base, device, dtype)
        post.look()
        trained = add_adapters(model, job.recipe)
        trainer = Trainer(model, trained, job.recipe, device, [*lessons.train, *lessons.dev], look=post.look)
        note = trainer.restore(post.checkpoint, job.key, started)
        report(Progress(phase="load", step=trainer.step, note=note))
        try:
            _train(trainer, lessons, post)
        except _Stopped:
            trainer.save(post.checkpoint, job.key)
            raise
        if lessons.dev:
            trainer.note_dev_loss(lessons.curve)
        report(Progress(phase="check", step=trainer.step, steps=trainer.step, loss=trainer.mean_loss))
        dev_loss, dev_exact = trainer.check(lessons.dev) if lessons.dev else (None, None)
        report(Progress(phase="save", step=trainer.step, steps=trainer.step, loss=trainer.mean_loss, dev_loss=dev_loss))
        post.look()
        give_back_freed()
        save_adapter(model, job.recipe, folder / "adapter")
        save_merged(model, tokenizer, folder / "hf")
        write_done(folder, job, _summary(post, trainer, lessons, dev_loss=dev_loss, dev_exact=dev_exact))
        post.checkpoint.unlink(missing_ok=True)
        report(Progress(phase="done", step=trainer.step, steps=trainer.step, loss=trainer.mean_loss, dev_loss=dev_loss))


def _train(trainer: Trainer, lessons: _Lessons, post: _Post) -> None:
    """Step until the schedule ends; the place is kept every `checkpoint_s` and at the end."""
    recipe = post.job.recipe
    most_steps = recipe.most_steps(len(lessons.train))
    lengths = [len(example) for example in lessons.train]
    saved_at = time.monotonic()
    dev_loss = trainer.dev_curve[-1][1] if trainer.dev_curve else None
    for batch in batches_from(trainer.step, lengths, recipe.batch_size, seed=recipe.seed):
        share = trainer.share(most_steps)
        if share >= 1.0:
            break
        if lessons.dev and len(trainer.dev_curve) < math.floor(share * CURVE_POINTS):
            dev_loss = trainer.note_dev_loss(lessons.curve)
        loss = trainer.take_step([lessons.train[i] for i in batch], share)
        if not math.isfinite(loss):
            hint = "Train with a smaller learning_rate."
            raise TrainError(f"The loss became {loss!r} at step {trainer.step}.", hint=hint)
        post.report(trainer.progress(most_steps, dev_loss))
        post.look()
        if time.monotonic() - saved_at > recipe.checkpoint_s:
            trainer.save(post.checkpoint, post.job.key)
            give_back_freed()
            saved_at = time.monotonic()
    trainer.save(post.checkpoint, post.job.key)


def _check_room(
    shape: Shape, layers: Layers, lessons: _Lessons, recipe: Recipe, device: torch.device, dtype: torch.dtype
) -> None:
    """Raise TrainError when the whole training would not fit into memory."""
    kept = max(layers.kept(lengths) for lengths in steps_of([len(example) for example in lessons.train], recipe))
    needed = needed_bytes(weights=shape.weights, weight_bytes=dtype.itemsize, layers=layers, kept=kept)
    if layers.count < shape.layers:
        needed += kept_bytes([*lessons.train, *lessons.dev], shape.hidden, dtype.itemsize)
    if device.type == "cpu":
        check_memory(needed, available_bytes())


def _read_lessons(job: Job, base: Base, tokenizer: Any) -> _Lessons:
    """Train and dev split as ids; DataError when too few examples are left to learn from."""
    tokenize, most = tokenize_with(tokenizer), job.recipe.max_tokens
    train, dropped = encode(read_split(job.dataset, "train"), tokenize, most, base)
    known = [example for example in read_split(job.dataset, "dev") if not example.is_aside]
    dev, _ = encode(known[:DEV_EXAMPLES], tokenize, most, base)
    if len(train) < LEAST_EXAMPLES:
        longer = f" ({dropped} more are longer than {most} tokens)" if dropped else ""
        raise DataError(
            f"There are {len(train)} examples to train on{longer}; at least {LEAST_EXAMPLES} are needed.",
            hint="Raise max_tokens, or shorten the inputs." if dropped else "Record more calls, then freeze again.",
        )
    return _Lessons(train, _within(dev, DEV_TOKENS), dropped)


def _within(examples: Sequence[Encoded], most_tokens: int) -> list[Encoded]:
    """The first examples that have `most_tokens` together, one at the least."""
    sizes = accumulate(len(example) for example in examples)
    return [
        example
        for place, (example, size) in enumerate(zip(examples, sizes, strict=True))
        if not place or size <= most_tokens
    ]


def _summary(
    post: _Post, trainer: Trainer, lessons: _Lessons, *, dev_loss: float | None, dev_exact: float | None
) -> Trained:
    recipe, folder = post.job.recipe, post.folder
    outputs = sorted(path for name in ("adapter", "hf") for path in (folder / name).iterdir() if path.is_file())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Trained(
        path=folder,
        base_sha256=post.job.base_sha256,
        dataset_hash=post.job.dataset_hash,
        recipe=recipe,
        examples=len(lessons.train),
        dropped=lessons.dropped,
        steps=trainer.step,
        epochs=round(trainer.step / recipe.steps_per_epoch(len(lessons.train)), 3),
        loss=trainer.mean_loss,
        dev_examples=len(lessons.dev),
        dev_loss=dev_loss,
        dev_exact=dev_exact,
        tokens_per_s=trainer.tokens_per_s,
        seconds=trainer.elapsed_s,
        peak_bytes=peak if sys.platform == "darwin" else peak * 1024,
        device=trainer.device_words,
        ended_by=recipe.ending(trainer.step, len(lessons.train)),
        dev_curve=tuple(trainer.dev_curve),
        files={str(path.relative_to(folder)): file_sha256(path) for path in outputs},
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for a worker that is just leaving; the system frees the lock of a dead one."""
    with (folder / "worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _reporting(folder: Path) -> Iterator[Callable[[Progress], None]]:
    with (folder / "progress.jsonl").open("a", encoding="utf-8") as reports:

        def report(progress: Progress) -> None:
            reports.write(json.dumps(asdict(progress)) + "\n")
            reports.flush()

        yield report


def _in_words(error: Exception) -> FreeholdError | None:
    """The error as the user can act on it, or None for one that is a fault of the program."""
    if isinstance(error, FreeholdError):
        return error
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error)):
        hint = "Close other programs, or train with a smaller step_tokens or max_tokens."
        return TrainError(f"Memory ran out: {str(error).splitlines()[0]}.", hint=hint)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
        hint = "Free some space, then give the same command again: training goes on where it was."
        return StateError(f"The training's folder cannot be written: {error}.", hint=hint)
    return None


def main() -> int:
    """Run the job named on the command line; what went wrong goes into `error.json`."""
    folder, parent = Path(sys.argv[1]), int(sys.argv[2])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        work(folder, parent)
    except _Stopped:
        return STOPPED
    except Exception as error:
        known = _in_words(error)
        if known is None:
            raise
        write_json(folder / "error.json", {"code": known.code, "message": known.message, "hint": known.hint})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
