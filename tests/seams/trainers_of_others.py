"""Trainers as another package would offer them: a program that writes what a training leaves, and some that fail."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


class Copying:
    """Learns nothing, and leaves the files of a training."""

    needs: tuple[str, ...] = ("json",)
    code = "seams.trainers_of_others"

    def command(self, folder: Path, parent: int) -> list[str]:
        """This file as a program."""
        return [sys.executable, str(Path(__file__)), type(self).__name__.lower(), str(folder), str(parent)]

    def environment(self) -> Mapping[str, str]:
        """A mark, and where Freehold is."""
        return {"TRAINER_OF_OTHERS": "yes", "PYTHONPATH": ":".join(sys.path)}


class Failing(Copying):
    """Says why it gives up."""


class Crashing(Copying):
    """Leaves a traceback."""


class Lacking(Copying):
    """Needs what nobody has."""

    needs: tuple[str, ...] = ("no_such_module_here",)


def main() -> int:
    """Do what the trainer's name says."""
    import json
    import os

    from freehold.train.job import Trained, file_sha256, read_job, write_done, write_json

    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "crashing":
        raise ZeroDivisionError("no step was taken")
    if what == "failing":
        write_json(folder / "error.json", {"code": "train", "message": "It is Sunday.", "hint": "Wait."})
        return 1
    job = read_job(folder)
    files = {}
    for name in ("adapter/a", "hf/b"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(os.environ["TRAINER_OF_OTHERS"], "utf-8")
        files[name] = file_sha256(folder / name)
    with (folder / "progress.jsonl").open("a", encoding="utf-8") as reports:
        reports.write(json.dumps({"phase": "train", "step": 1, "steps": 1}) + "\n")
    figures = {"examples": 1, "dropped": 0, "steps": 1, "epochs": 1.0, "loss": 0.5, "dev_examples": 0}
    timing = {"tokens_per_s": 1.0, "seconds": 1.0, "peak_bytes": 1, "device": "none", "dev_loss": None}
    named = {"path": folder, "base_sha256": job.base_sha256, "dataset_hash": job.dataset_hash, "recipe": job.recipe}
    write_done(folder, job, Trained(**named, **figures, **timing, dev_exact=None, files=files))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
