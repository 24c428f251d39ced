"""Trainers: programs that train what a job's folder says, each in a process of its own.

What parent and program tell each other are files of that folder (`train.job`). The parent writes `job.json` and starts
the program. The program

- appends a line to `progress.jsonl` now and then (`train.job.Progress`), one of them for each step that it took;
- writes `adapter/`, in PEFT's format, and `hf/`, the merged model as a Hugging Face folder with its tokenizer;
- writes `done.json` last (`train.job.write_done`), and ends with 0; or `error.json` (`code`, `message`, `hint`; a code
  of DataError, StateError or TrainError), and ends with 1. What else it prints is in `worker.log`;
- goes on where it was when it is started again in a folder that it was killed in;
- ends soon after SIGTERM, which it is born with blocked, and when its parent is gone.

`train.trainer` names the trainer. Packages offer more of them as entry points of the group `freehold.trainers`
(`freehold.plugins`). Not covered: starting and watching the program (`train.fit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from freehold.plugins import TRAINERS

DEFAULT = "lora"
"""The trainer of jobs and cards that name none."""


class Trainer(Protocol):
    """Says which program trains; it is made without arguments."""

    needs: tuple[str, ...]
    """The modules that must be installed."""

    def command(self, folder: Path, parent: int) -> list[str]:
        """The program and its arguments, for a job's folder (absolute) and the id of the process that starts it."""

    def environment(self) -> Mapping[str, str]:
        """Environment variables that the program gets where they are not set."""


def load_trainer(name: str) -> Trainer:
    """The trainer of this name; SettingError where there is none, or where it cannot be loaded."""
    with TRAINERS.errors_of(name):
        trainer: Trainer = TRAINERS.load(name)()
    return trainer
