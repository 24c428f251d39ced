"""A training's folder: what is in it can be trusted, or is said to be damaged."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_llama import write_dataset

from freehold.errors import DataError, MissingExtraError, StateError, TrainError
from freehold.train import fit
from freehold.train.job import Job, Progress, Trained, make_job, read_done, read_job, write_done, write_job, write_json
from freehold.train.memory import Layers, available_bytes, check_memory, needed_bytes
from freehold.train.recipe import Recipe
from freehold.train.trainers.lora.batches import steps_of

fit_module = importlib.import_module("freehold.train.fit")  # the package's `fit` is the function
Run = Callable[..., tuple[Trained, int]]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.gguf"
    path.write_bytes(b"GGUF and more")
    return path


@pytest.fixture
def job(tmp_path: Path, base: Path) -> Job:
    return make_job(write_dataset(tmp_path / "data"), base, Recipe(seed=3))


def _trained(folder: Path, job: Job) -> Trained:
    return Trained(
        path=folder,
        base_sha256=job.base_sha256,
        dataset_hash=job.dataset_hash,
        recipe=job.recipe,
        examples=48,
        dropped=0,
        steps=9,
        epochs=3.0,
        loss=0.1,
        dev_examples=0,
        dev_loss=None,
        dev_exact=None,
        tokens_per_s=100.0,
        seconds=1.0,
        peak_bytes=1,
        device="cpu float32",
        files={"adapter/a": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"},
    )


def _mark_done(folder: Path, job: Job) -> Trained:
    (folder / "adapter").mkdir(parents=True)
    (folder / "adapter" / "a").write_bytes(b"foo")
    trained = _trained(folder, job)
    write_done(folder, job, trained)
    return trained


def test_a_job_reads_back_as_it_was_written(tmp_path: Path, job: Job) -> None:
    write_job(tmp_path / "out", job)
    assert read_job(tmp_path / "out") == job


def test_the_key_follows_content_and_recipe_alone(job: Job, tmp_path: Path) -> None:
    assert replace(job, base=tmp_path / "elsewhere").key == job.key
    assert replace(job, recipe=replace(job.recipe, checkpoint_s=1.0)).key == job.key
    assert replace(job, recipe=replace(job.recipe, seed=4)).key != job.key
    assert replace(job, dataset_hash="other").key != job.key


def test_a_folder_holds_one_job(tmp_path: Path, job: Job) -> None:
    write_job(tmp_path / "out", job)
    write_job(tmp_path / "out", job)
    with pytest.raises(StateError, match="another training"):
        write_job(tmp_path / "out", replace(job, dataset_hash="other"))


def test_a_damaged_job_is_said_to_be_damaged(tmp_path: Path, job: Job) -> None:
    write_job(tmp_path / "out", job)
    (tmp_path / "out" / "job.json").write_text('{"dataset": ', encoding="utf-8")
    with pytest.raises(StateError, match="damaged"):
        read_job(tmp_path / "out")


def test_what_is_done_is_not_trained_again(tmp_path: Path, job: Job) -> None:
    trained = _mark_done(tmp_path / "out", job)
    reports: list[Progress] = []
    assert fit(job.dataset, job.base, tmp_path / "out", job.recipe, reports.append) == trained
    assert reports == []


def test_a_result_is_believed_only_while_its_files_are_whole(tmp_path: Path, job: Job) -> None:
    folder = tmp_path / "out"
    assert read_done(folder, job) is None
    trained = _mark_done(folder, job)
    assert read_done(folder, job) == trained
    assert read_done(folder, replace(job, dataset_hash="other")) is None
    (folder / "adapter" / "a").write_bytes(b"bar")
    assert read_done(folder, job) is None
    (folder / "adapter" / "a").unlink()
    assert read_done(folder, job) is None


def test_what_is_no_dataset_or_no_base_is_refused(tmp_path: Path, base: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        make_job(tmp_path / "nothing", base, Recipe())
    data = write_dataset(tmp_path / "data")
    with pytest.raises(TrainError, match="cannot be read"):
        make_job(data, tmp_path / "nothing.gguf", Recipe())
    base.write_bytes(b"ZIP")
    with pytest.raises(TrainError, match="is not a GGUF"):
        make_job(data, base, Recipe())


def test_a_missing_extra_is_one_line(tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_module, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(MissingExtraError) as caught:
        fit(job.dataset, job.base, tmp_path / "out", job.recipe, lambda _progress: None)
    assert str(caught.value) == "Training needs a part that is not installed. pip install 'freehold[train]'"


class TestWorkerThatDies:
    """`fit` with a worker that is only a list of (exit status, last step)."""

    @pytest.fixture
    def run(self, tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> Run:
        monkeypatch.setattr(fit_module, "find_spec", lambda _name: object())
        folder = tmp_path / "out"

        def run(*endings: tuple[int, int], is_done: bool = False) -> tuple[Trained, int]:
            waiting = list(endings)

            def once(_folder: Path, _trainer: object, _report: object) -> tuple[int, int]:
                ending = waiting.pop(0)
                if is_done and not waiting:
                    _mark_done(folder, job)
                return ending

            monkeypatch.setattr(fit_module, "_run_once", once)
            return fit(job.dataset, job.base, folder, job.recipe, lambda _progress: None), len(waiting)

        return run

    def test_it_is_started_again_while_it_makes_headway(self, run: Run) -> None:
        endings = [(-9, 5), (-9, 5), (-9, 9), (-9, 9), (-9, 9), (0, 12)]
        trained, left = run(*endings, is_done=True)
        assert (trained.steps, left) == (9, 0)

    def test_it_is_given_up_when_it_makes_none(self, run: Run) -> None:
        with pytest.raises(TrainError, match=r"killed 3 times \(signal 9\)"):
            run((-9, 5), (-9, 5), (-9, 5), (-9, 5), (0, 5))

    def test_its_own_words_come_through(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "out").mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(fit_module, "write_job", lambda *_: None)
            write_json(tmp_path / "out" / "error.json", {"code": "data", "message": "Too few.", "hint": "More."})
            with pytest.raises(DataError, match=r"Too few\. More\."):
                run((1, 0))

    def test_without_words_the_log_speaks(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "worker.log").write_text("Traceback\nValueError: odd\n", encoding="utf-8")
        with pytest.raises(TrainError, match="status 1: ValueError: odd"):
            run((1, 0))


def test_reports_are_read_line_by_line_and_never_in_halves(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    with path.open("wb") as writing, path.open("rb") as reading:
        writing.write(b'{"phase": "train", "step": 1}\n{"phase": "tr')
        writing.flush()
        assert [progress.step for progress in fit_module._new_reports(reading)] == [1]
        assert list(fit_module._new_reports(reading)) == []
        writing.write(b'ain", "step": 2}\n')
        writing.flush()
        assert [progress.step for progress in fit_module._new_reports(reading)] == [2]


SMALL = Layers(count=30, hidden=576, inner=1536, heads=9, rank=16)
"""The layers of smollm2-135m."""


def test_short_memory_is_said_before_the_start() -> None:
    layers = replace(SMALL, hidden=2048, inner=8192, heads=32)
    needed = needed_bytes(weights=10**9, weight_bytes=2, layers=layers, kept=layers.kept([128] * 16))
    assert needed > 6 * 10**9
    check_memory(needed, None)
    check_memory(needed, needed)
    with pytest.raises(TrainError, match=r"needs about 11\.7 GiB of memory; 1\.0 GiB are free"):
        check_memory(needed, 2**30)


MEASURED = [  # peaks of a worker's process with smollm2-135m in fp32, MiB
    ([[70] * 16, [75] * 16, [60] * 16], 3159),
    ([[128] * 16], 4501),
    ([[1024] * 2], 4129),
]


@pytest.mark.parametrize(("steps", "peak_mib"), MEASURED)
def test_the_need_is_close_to_what_was_measured_and_not_below_it(steps: list[list[int]], peak_mib: int) -> None:
    kept = max(map(SMALL.kept, steps))
    needed = needed_bytes(weights=134_515_008, weight_bytes=4, layers=SMALL, kept=kept) / 2**20
    assert peak_mib <= needed <= 1.4 * peak_mib


def test_the_need_is_that_of_the_largest_step_and_not_of_a_batch_of_the_longest_example() -> None:
    lengths = [60] * 200 + [900]
    steps = list(steps_of(lengths, Recipe(epochs=1.0)))
    assert sorted(length for step in steps for length in step) == sorted(lengths)
    assert max(len(step) * max(step) for step in steps) <= Recipe().step_tokens
    assert max(map(SMALL.kept, steps)) < SMALL.kept([900] * 2) < SMALL.kept([900] * 16)


def test_the_memory_that_is_free_is_known_or_unknown() -> None:
    available = available_bytes()
    assert available is None or available > 0
