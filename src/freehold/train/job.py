"""A training job's folder: what parent and worker tell each other, and what is left when it is done.

    job.json         what to train; written by the parent
    worker.lock      held by the worker that runs
    progress.jsonl   one report per line; written by the worker
    checkpoint.pt    where to go on after a kill; gone when the job is done
    error.json       why the worker gave up, in words
    adapter/, hf/    the adapter (PEFT) and the merged model (Hugging Face)
    done.json        what was trained, with hashes; written last

Not covered: the training (`train.trainers`), the process (`fit`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from freehold.errors import StateError, TrainError
from freehold.model.dataset_folder import read_manifest
from freehold.model.ids import canonical_json, sha256_hex
from freehold.system.files import file_sha256, write_whole
from freehold.train.recipe import Ending, Recipe
from freehold.train.trainers import DEFAULT

Phase = Literal["load", "train", "check", "save", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One report; `steps` and `left_s` are estimates, None before the first steps were timed."""

    phase: Phase
    step: int = 0
    steps: int = 0
    loss: float | None = None
    dev_loss: float | None = None
    tokens_per_s: float | None = None
    left_s: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to train, and by which of the trainers; jobs with the same `key` give the same model."""

    dataset: Path
    dataset_hash: str
    base: Path
    base_sha256: str
    recipe: Recipe
    trainer: str = DEFAULT

    @property
    def key(self) -> str:
        """What identifies the work, wherever its files lie."""
        recipe = asdict(self.recipe) | {"checkpoint_s": None}
        trainer = [] if self.trainer == DEFAULT else [self.trainer]
        return sha256_hex(canonical_json([self.dataset_hash, self.base_sha256, recipe, *trainer]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What was trained. `dev_exact` is the share of dev answers that greedy decoding gives exactly; None: no dev split.

    `dropped` counts training examples longer than `max_tokens`. `files` maps names below the job's folder to SHA-256.
    `dev_curve` holds (step, loss) pairs of the first dev examples, at each quarter of the training; empty without a dev
    split.
    """

    path: Path
    base_sha256: str
    dataset_hash: str
    recipe: Recipe
    examples: int
    dropped: int
    steps: int
    epochs: float
    loss: float
    dev_examples: int
    dev_loss: float | None
    dev_exact: float | None
    tokens_per_s: float
    seconds: float
    peak_bytes: int
    device: str
    ended_by: Ending = "unknown"
    dev_curve: tuple[tuple[int, float], ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    @property
    def hf_dir(self) -> Path:
        """The merged model as a Hugging Face folder."""
        return self.path / "hf"

    @property
    def adapter_dir(self) -> Path:
        """The adapter in PEFT's format."""
        return self.path / "adapter"

    @property
    def metrics(self) -> dict[str, object]:
        """The figures of the training, for the model's card."""
        left_out = ("path", "base_sha256", "dataset_hash", "recipe", "files")
        return {name: value for name, value in asdict(self).items() if name not in left_out}


def make_job(dataset: Path, base: Path, recipe: Recipe, trainer: str = DEFAULT) -> Job:
    """Name the work by content; DataError when the folder is no dataset, TrainError when the base is no GGUF."""
    dataset_hash = read_manifest(dataset).hash
    try:
        with base.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
    except OSError as error:
        raise TrainError(f"The base cannot be read: {error}.", hint="Run: freehold pull smollm2-135m") from error
    if not is_gguf:
        raise TrainError(f"The base {str(base)!r} is not a GGUF file.", hint="Run: freehold pull smollm2-135m")
    return Job(
        dataset=dataset.absolute(),
        dataset_hash=dataset_hash,
        base=base.absolute(),
        base_sha256=file_sha256(base),
        recipe=recipe,
        trainer=trainer,
    )


def write_job(folder: Path, job: Job) -> None:
    """Put a job into its folder; StateError when the folder already holds another one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "job.json"
        if path.exists() and read_job(folder).key != job.key:
            raise StateError(
                f"{str(folder)!r} holds another training.", hint="Give an empty folder, or delete this one."
            )
        row = asdict(job) | {"dataset": str(job.dataset), "base": str(job.base)}
        write_json(path, row)
        (folder / "error.json").unlink(missing_ok=True)
    except OSError as error:
        raise StateError(
            f"{str(folder)!r} cannot be written: {error}.", hint="Free some space, or check rights."
        ) from error


def read_job(folder: Path) -> Job:
    """The job in a folder; StateError when its file is damaged."""
    try:
        row = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        paths = {"dataset": Path(row["dataset"]), "base": Path(row["base"])}
        return Job(**row | paths | {"recipe": Recipe(**row["recipe"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"The job in {str(folder)!r} is damaged: {error}.", hint="Delete the folder.") from error


def read_done(folder: Path, job: Job) -> Trained | None:
    """What this job gave, when it is done and its files are as they were written; else None."""
    try:
        row = json.loads((folder / "done.json").read_text(encoding="utf-8"))
        if row.pop("key") != job.key:
            return None
        curve = tuple((int(step), float(loss)) for step, loss in row.get("dev_curve", ()))
        trained = Trained(**row | {"path": folder, "recipe": Recipe(**row["recipe"]), "dev_curve": curve})
        whole = all(file_sha256(folder / name) == digest for name, digest in trained.files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return trained if whole else None


def write_done(folder: Path, job: Job, trained: Trained) -> None:
    """Mark the job as done; the last thing that a worker writes."""
    row: dict[str, Any] = asdict(trained) | {"key": job.key}
    del row["path"]
    write_json(folder / "done.json", row)


def write_json(path: Path, value: object) -> None:
    """Write a JSON file that is either wholly there or not at all."""
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1).encode())
