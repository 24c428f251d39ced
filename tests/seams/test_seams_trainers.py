"""Trainers of other packages: a job's folder goes in, a done file comes out, and a failure is one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_llama import write_dataset

from freehold.errors import SettingError, TrainError
from freehold.train import Progress, Recipe, Trained, fit
from freehold.train.job import make_job, read_job, write_job

Offer = Callable[[str, str, str], None]


@pytest.fixture
def train(offer: Offer, tmp_path: Path) -> Callable[[str], Trained]:
    """Train by the trainer of this name."""
    for name in ("Copying", "Failing", "Crashing", "Lacking"):
        offer("trainers", name.lower(), f"seams.trainers_of_others:{name}")
    base = tmp_path / "base.gguf"
    base.write_bytes(b"GGUF and more")
    data = write_dataset(tmp_path / "data")

    def run(name: str) -> Trained:
        return fit(data, base, tmp_path / "out", Recipe(), REPORTS.append, trainer=name)

    REPORTS.clear()
    return run


REPORTS: list[Progress] = []


def test_the_program_of_another_package_trains_a_job(train: Callable[[str], Trained], tmp_path: Path) -> None:
    trained = train("copying")
    assert sorted(trained.files) == ["adapter/a", "hf/b"]
    assert (tmp_path / "out" / "adapter" / "a").read_text("utf-8") == "yes"
    assert [progress.step for progress in REPORTS] == [1]
    assert read_job(tmp_path / "out").trainer == "copying"
    REPORTS.clear()
    assert train("copying") == trained
    assert REPORTS == []


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("failing", TrainError, "It is Sunday."),
        ("crashing", TrainError, "ended with status 1: ZeroDivisionError: no step was taken"),
        ("lacking", TrainError, "The trainer 'lacking' needs no_such_module_here."),
        ("nothing", SettingError, "There is no 'nothing' among trainers"),
    ],
)
def test_a_trainer_that_fails_is_one_line(
    train: Callable[[str], Trained], name: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        train(name)
    assert "\n" not in str(caught.value)


def test_another_trainer_is_another_job_and_ours_has_the_key_that_it_had(tmp_path: Path) -> None:
    base = tmp_path / "base.gguf"
    base.write_bytes(b"GGUF and more")
    data = write_dataset(tmp_path / "data")
    ours, theirs = (make_job(data, base, Recipe(), name) for name in ("lora", "copying"))
    assert ours.key != theirs.key
    write_job(tmp_path / "out", ours)
    row = (tmp_path / "out" / "job.json").read_text("utf-8").replace('"trainer": "lora"', '"seed": 0')
    assert '"seed": 0' in row
    (tmp_path / "out" / "job.json").write_text(row.replace(',\n "seed": 0\n}', "\n}"), "utf-8")
    assert read_job(tmp_path / "out") == ours
