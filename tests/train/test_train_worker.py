"""A whole training of a tiny model, in its own process: learnt, resumed, refused, and left behind by its parent."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_llama import write_dataset, write_tiny_llama

from freehold.errors import DataError, TrainError
from freehold.train import Progress, Recipe, Trained, fit

pytestmark = [pytest.mark.train, pytest.mark.slow]
pytest.importorskip("torch")
RECIPE = Recipe(
    max_steps=40, epochs=100.0, batch_size=8, learning_rate=1e-2, precision="fp32", max_tokens=128, checkpoint_s=0.0
)


def quiet(_progress: Progress) -> None:
    pass


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("base") / "tiny.gguf")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def reports() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def trained(base: Path, data: Path, reports: list[Progress], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return fit(data, base, tmp_path_factory.mktemp("job") / "out", RECIPE, reports.append)


def test_the_loss_falls_and_the_task_is_learnt(trained: Trained, reports: list[Progress]) -> None:
    losses = [progress.loss for progress in reports if progress.phase == "train" and progress.loss is not None]
    assert len(losses) == trained.steps == 40
    assert losses[-1] < losses[0] / 3
    assert trained.dev_exact is not None
    assert trained.dev_exact > 0.9
    assert [p.phase for p in reports if p.phase != "train"] == ["load", "load", "check", "save", "done"]


def test_the_dev_curve_has_a_point_at_each_quarter_and_what_ended_it_is_told(trained: Trained) -> None:
    assert trained.ended_by == "steps"
    assert [step for step, _ in trained.dev_curve] == [10, 20, 30, 40]
    assert trained.dev_curve[-1][1] < trained.dev_curve[0][1]
    done = json.loads((trained.path / "done.json").read_text(encoding="utf-8"))
    assert [tuple(point) for point in done["dev_curve"]] == list(trained.dev_curve)


def test_reports_count_down(trained: Trained, reports: list[Progress]) -> None:
    steps = [progress for progress in reports if progress.phase == "train"]
    assert [progress.step for progress in steps] == list(range(1, 41))
    assert all(progress.steps == 40 for progress in steps)
    assert steps[-1].left_s == 0.0
    assert steps[-1].tokens_per_s
    assert trained.tokens_per_s > 0


def test_what_is_left_is_whole_and_nothing_else(trained: Trained) -> None:
    names = {path.name for path in trained.path.iterdir()}
    assert {"adapter", "hf", "job.json", "done.json", "progress.jsonl", "worker.log"} <= names
    assert not {"checkpoint.pt", "error.json"} & names
    assert {"adapter/adapter_model.safetensors", "hf/model.safetensors", "hf/tokenizer.json"} <= set(trained.files)


def test_a_killed_training_goes_on_and_ends_where_an_unbroken_one_does(
    trained: Trained, base: Path, data: Path, tmp_path: Path
) -> None:
    kills: list[int] = []

    def kill_twice(progress: Progress) -> None:
        if progress.phase == "train" and len(kills) < 2 and progress.step >= 10 * (len(kills) + 1):
            os.kill(_worker_pid(tmp_path / "out"), signal.SIGKILL)
            kills.append(progress.step)

    notes: list[str] = []
    resumed = fit(data, base, tmp_path / "out", RECIPE, lambda p: (kill_twice(p), notes.append(p.note))[0])
    assert len(kills) == 2
    assert sum(note.startswith("going on after step") for note in notes) >= 1
    assert resumed.steps == trained.steps
    assert resumed.loss == pytest.approx(trained.loss, rel=1e-5)
    assert resumed.dev_loss == pytest.approx(trained.dev_loss, rel=1e-4)
    assert [step for step, _ in resumed.dev_curve] == [step for step, _ in trained.dev_curve]
    assert [loss for _, loss in resumed.dev_curve] == pytest.approx([loss for _, loss in trained.dev_curve], rel=1e-4)
    assert _weights_differ_by(resumed, trained) < 1e-5


def test_a_worker_whose_parent_was_killed_saves_its_place_and_leaves(
    trained: Trained, base: Path, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    code = (
        "import os, sys; from pathlib import Path; from freehold.train import *; d, b, o = map(Path, sys.argv[1:4])\n"
        f"fit(d, b, o, {RECIPE!r}, lambda p: p.step >= 5 and os.kill(os.getpid(), 9))"
    )
    parent = subprocess.run([sys.executable, "-c", code, str(data), str(base), str(folder)], check=False)
    assert parent.returncode == -signal.SIGKILL
    notes: list[str] = []
    resumed = fit(data, base, folder, RECIPE, lambda progress: notes.append(progress.note))
    assert any(note.startswith("going on after step") for note in notes)
    assert _weights_differ_by(resumed, trained) < 1e-5


def test_a_damaged_checkpoint_costs_time_and_nothing_else(
    trained: Trained, base: Path, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "checkpoint.pt").write_bytes(b"half a file")
    notes: list[str] = []
    again = fit(data, base, folder, RECIPE, lambda progress: notes.append(progress.note))
    assert "from the beginning: the checkpoint is damaged" in notes
    assert _weights_differ_by(again, trained) == 0.0


def test_a_run_bounded_by_the_clock_ends_in_time_with_its_rate_at_zero(base: Path, data: Path, tmp_path: Path) -> None:
    recipe = Recipe(epochs=1e6, max_minutes=0.25, precision="fp32", batch_size=8)
    reports: list[Progress] = []
    trained = fit(data, base, tmp_path / "out", recipe, reports.append)
    assert trained.steps > 3
    assert trained.ended_by == "minutes"
    assert 15.0 <= trained.seconds < 30.0
    last = [progress for progress in reports if progress.phase == "train"][-1]
    assert last.left_s is not None
    assert last.left_s < 1.0


@pytest.mark.parametrize(
    ("examples", "recipe", "kind", "words"),
    [
        (3, RECIPE, DataError, "There are 3 examples to train on; at least 8"),
        (
            48,
            Recipe(max_tokens=20),
            DataError,
            r"There are 0 .* \(48 more are longer than 20 tokens\)",
        ),
        (48, Recipe(max_steps=20, learning_rate=1e30, precision="fp32"), TrainError, "The loss became (nan|inf)"),
    ],
)
def test_what_cannot_be_trained_is_said_in_words(
    base: Path, tmp_path: Path, examples: int, recipe: Recipe, kind: type[Exception], words: str
) -> None:
    data = write_dataset(tmp_path / "data", examples=examples)
    with pytest.raises(kind, match=words):
        fit(data, base, tmp_path / "out", recipe, quiet)


def test_a_base_of_another_family_is_refused(data: Path, tmp_path: Path) -> None:
    base = write_tiny_llama(tmp_path / "other.gguf", architecture="falcon")
    with pytest.raises(TrainError, match="of the architecture 'falcon'"):
        fit(data, base, tmp_path / "out", RECIPE, quiet)


def test_a_base_whose_control_tokens_pass_as_text_is_refused(data: Path, tmp_path: Path) -> None:
    base = write_tiny_llama(tmp_path / "other.gguf", special=("<|endoftext|>", "<|im_start|>", "<|im_end|>", "[INST]"))
    with pytest.raises(TrainError, match=r"takes '\[INST\]' in a text for a control token"):
        fit(data, base, tmp_path / "out", RECIPE, quiet)


def _patched(path: Path, key: bytes, form: str, offset: int, value: int) -> Path:
    """The file with another number at a place behind the name of a key."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(key) + len(key) + offset, value)
    path.write_bytes(content)
    return path


def test_a_base_that_declares_more_than_it_holds_is_refused_before_it_is_read(tmp_path: Path, data: Path) -> None:
    base = _patched(write_tiny_llama(tmp_path / "other.gguf"), b"tokenizer.ggml.token_type", "<Q", 8, 200_000)
    with pytest.raises(DataError, match=r"The GGUF file 'other.gguf' declares 800,000 bytes of an array where"):
        fit(data, base, tmp_path / "out", RECIPE, quiet)


def test_a_base_that_declares_weights_which_no_tensor_has_is_refused(tmp_path: Path, data: Path) -> None:
    base = _patched(write_tiny_llama(tmp_path / "other.gguf"), b"llama.vocab_size", "<I", 4, 5000)
    with pytest.raises(TrainError, match=r"declares llama.vocab_size = 5,000, and its largest tensor has a side of"):
        fit(data, base, tmp_path / "out", RECIPE, quiet)


def _worker_pid(folder: Path) -> int:
    """The worker whose command line names the folder."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"freehold.train.trainers.lora.worker" in words and str(folder).encode() in words:
                return int(entry.name)
    raise AssertionError("there is no worker")


def _weights_differ_by(one: Trained, other: Trained) -> float:
    from safetensors.numpy import load_file

    left, right = (load_file(trained.adapter_dir / "adapter_model.safetensors") for trained in (one, other))
    assert left.keys() == right.keys()
    assert json.loads((one.adapter_dir / "adapter_config.json").read_text(encoding="utf-8"))["peft_type"] == "LORA"
    return max(float(abs(left[name] - right[name]).max()) for name in left)


_STOPPABLE = f"""
import sys, threading, time
from pathlib import Path
import click
from freehold.cli.boundary import Boundary
from freehold.train import *

dataset, base, out = map(Path, sys.argv[1:])
recipe = {replace(RECIPE, max_steps=10**6, epochs=1e9, checkpoint_s=1e9)!r}

@click.group(cls=Boundary)
def cli(): ...

@cli.command()
def train():
    threading.Thread(target=fit, args=(dataset, base, out, recipe, lambda progress: None), daemon=True).start()
    while True:
        time.sleep(1)

cli(["train"])
"""


def test_a_training_that_is_told_to_stop_saves_its_place_before_its_command_ends(
    base: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = subprocess.Popen(
        [sys.executable, "-c", _STOPPABLE, str(data), str(base), str(out)], stderr=subprocess.PIPE, text=True
    )
    reports = out / "progress.jsonl"
    while not (reports.exists() and '"phase": "train"' in reports.read_text()):
        assert command.poll() is None
        time.sleep(0.05)
    command.send_signal(signal.SIGTERM)
    said = " ".join(command.communicate(timeout=60)[1].split())
    with pytest.raises(AssertionError, match="there is no worker"):
        _worker_pid(out)
    assert command.returncode == 143
    assert "the training saves its place" in said
    assert "stopped. What was finished is kept; the same command goes on from there." in said
    assert (out / "checkpoint.pt").exists()
