"""The process that trains: `python -m freehold.train.worker JOB_FOLDER`.

Read `work` for the whole of it. The worker keeps its place in a checkpoint every minute or so and goes on there when
it is started again: the same batches, the same schedule, the same result (there is no dropout, so nothing is random
after the adapter's first values). It saves its place and leaves when its parent dies or it is told to stop.

Not covered: starting and watching it (`fit`).
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from freehold.core import Example
from freehold.errors import DataError, FreeholdError, TrainError
from freehold.train import base
from freehold.train.batches import Encoded, batches_from, encode
from freehold.train.job import Job, Progress, Trained, file_sha256, read_done, read_job, write_done, write_json
from freehold.train.memory import available_bytes, check_memory, needed_bytes
from freehold.train.trainer import Trainer

DEV_EXAMPLES = 128
DEV_CHECKS = 4
LEAST_EXAMPLES = 8
STOPPED = 75
"""Exit status of a worker that was told to stop and has saved its place."""


class _Stopped(Exception):  # noqa: N818 - it ends the process in good order
    pass


def work(folder: Path, parent: int) -> None:
    """Train the job in `folder` to its end."""
    started = time.monotonic()
    job = read_job(folder)
    with _alone(folder), (folder / "progress.jsonl").open("a", encoding="utf-8") as reports:
        if read_done(folder, job) is not None:
            return

        def report(progress: Progress) -> None:
            reports.write(json.dumps(asdict(progress)) + "\n")
            reports.flush()

        report(Progress(phase="load"))
        device, dtype = base.device_and_dtype(job.recipe.precision)
        tokenizer = base.load_tokenizer(job.base)
        train, dev, dropped = _read_examples(job, tokenizer)
        model = _load(job, device, dtype)
        trainer = Trainer(model, base.add_adapters(model, job.recipe), job.recipe, device)
        trainer.restore(folder / "checkpoint.pt", job.key, started)
        dev_loss, dev_exact = _train(trainer, train, dev, folder, job, parent, report)
        report(Progress(phase="save", step=trainer.step, steps=trainer.step, loss=trainer.mean_loss, dev_loss=dev_loss))
        base.save_adapter(model, job.recipe, folder / "adapter")
        base.save_merged(model, tokenizer, folder / "hf")
        trained = Trained(
            path=folder,
            base_sha256=job.base_sha256,
            dataset_hash=job.dataset_hash,
            recipe=job.recipe,
            examples=len(train),
            dropped=dropped,
            steps=trainer.step,
            epochs=round(trainer.step / job.recipe.steps_per_epoch(len(train)), 3),
            loss=trainer.mean_loss,
            dev_examples=len(dev),
            dev_loss=dev_loss,
            dev_exact=dev_exact,
            tokens_per_s=trainer.tokens_per_s,
            seconds=trainer.elapsed_s,
            peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            device=f"{device.type} {str(dtype).removeprefix('torch.')}",
            files={str(p.relative_to(folder)): file_sha256(p) for p in _output_files(folder)},
        )
        write_done(folder, job, trained)
        (folder / "checkpoint.pt").unlink(missing_ok=True)
        report(Progress(phase="done", step=trainer.step, steps=trainer.step, loss=trainer.mean_loss, dev_loss=dev_loss))


def _train(
    trainer: Trainer,
    train: Sequence[Encoded],
    dev: Sequence[Encoded],
    folder: Path,
    job: Job,
    parent: int,
    report: Any,
) -> tuple[float | None, float | None]:
    """Step until the schedule ends; returns loss and exact share on the dev split."""
    recipe = job.recipe
    most_steps = recipe.most_steps(len(train))
    lengths = [len(example) for example in train]
    saved_at = time.monotonic()
    checks_done = math.floor(trainer.share(most_steps) * DEV_CHECKS)
    dev_loss: float | None = None
    for batch in batches_from(trainer.step, lengths, recipe.batch_size, seed=recipe.seed):
        share = trainer.share(most_steps)
        if share >= 1.0:
            break
        loss = trainer.take_step([train[i] for i in batch], share)
        if not math.isfinite(loss):
            raise TrainError(
                f"The loss became {loss!r} at step {trainer.step}.", hint="Train with a smaller learning_rate."
            )
        report(trainer.progress(most_steps, dev_loss))
        if _must_stop(parent):
            trainer.save(folder / "checkpoint.pt", job.key)
            raise _Stopped
        if time.monotonic() - saved_at > recipe.checkpoint_s:
            trainer.save(folder / "checkpoint.pt", job.key)
            saved_at = time.monotonic()
        if dev and checks_done < math.floor(trainer.share(most_steps) * DEV_CHECKS) < DEV_CHECKS:
            checks_done += 1
            dev_loss, _ = trainer.check(dev)
    trainer.save(folder / "checkpoint.pt", job.key)
    report(Progress(phase="check", step=trainer.step, steps=trainer.step, loss=trainer.mean_loss, dev_loss=dev_loss))
    return trainer.check(dev) if dev else (None, None)


def _load(job: Job, device: torch.device, dtype: torch.dtype) -> Any:
    """The base in memory, after a look at whether there is room for the whole training."""
    from gguf import GGUFReader

    reader = GGUFReader(job.base)
    weights = sum(math.prod(int(n) for n in tensor.shape) for tensor in reader.tensors)
    fields = {name.rpartition(".")[2]: field for name, field in reader.fields.items() if name.startswith("llama.")}
    sizes = {key: int(fields[key].contents()) for key in ("block_count", "embedding_length", "feed_forward_length")}
    layers, hidden, inner = sizes.values()
    needed = needed_bytes(
        job.recipe,
        weights=weights,
        trainable=job.recipe.lora_rank * layers * (11 * hidden + 3 * inner),
        layers=layers,
        hidden=hidden,
        inner=inner,
        weight_bytes=dtype.itemsize,
    )
    if device.type == "cpu":
        check_memory(needed, available_bytes())
    return base.load_model(job.base, device, dtype)


def _read_examples(job: Job, tokenizer: Any) -> tuple[list[Encoded], list[Encoded], int]:
    """Train and dev split as ids, and how many training examples were too long; DataError when too few are left."""
    tokenize = base.tokenize_with(tokenizer)
    train, dropped = encode(_read_split(job.dataset, "train"), tokenize, job.recipe.max_tokens)
    dev, _ = encode(_read_split(job.dataset, "dev")[:DEV_EXAMPLES], tokenize, job.recipe.max_tokens)
    if len(train) < LEAST_EXAMPLES:
        longer = f" ({dropped} more are longer than {job.recipe.max_tokens} tokens)" if dropped else ""
        raise DataError(
            f"There are {len(train)} examples to train on{longer}; at least {LEAST_EXAMPLES} are needed.",
            hint="Record more calls, then freeze again." if not dropped else "Raise max_tokens, or shorten the inputs.",
        )
    return train, dev, dropped


def _read_split(dataset: Path, name: str) -> list[Example]:
    path = dataset / f"{name}.jsonl"
    try:
        with path.open(encoding="utf-8") as lines:
            return [Example.from_row(json.loads(line)) for line in lines if line.strip()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.", hint="Freeze the task again.") from error


def _output_files(folder: Path) -> list[Path]:
    return sorted(path for name in ("adapter", "hf") for path in (folder / name).iterdir() if path.is_file())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for a worker that is just leaving; the system frees the lock of a dead one."""
    with (folder / "worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _must_stop(parent: int) -> bool:
    return os.getppid() != parent or _told_to_stop()


def _told_to_stop() -> bool:
    """SIGTERM is blocked in the worker and looked at between steps, so that it never cuts one in half."""
    return bool(signal.sigpending() & {signal.SIGTERM, signal.SIGINT})


def main() -> int:
    """Run the job named on the command line; what went wrong goes into `error.json`."""
    folder, parent = Path(sys.argv[1]), int(sys.argv[2])
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        work(folder, parent)
    except _Stopped:
        return STOPPED
    except FreeholdError as error:
        write_json(folder / "error.json", {"code": error.code, "message": error.message, "hint": error.hint})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
