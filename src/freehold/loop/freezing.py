"""Freeze: a task's calls, with their corrections and ratings, become a registered dataset."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from freehold.core import Asked, Call
from freehold.core.task import Task, version_of, versions_of
from freehold.dataset import FreezeSettings, LabelledCall, build, verify, write
from freehold.loop.estate import Estate
from freehold.loop.progress import Progress, Reporter
from freehold.loop.sorting import read_call
from freehold.store import CallFilter


def freeze(estate: Estate, task: Task, report: Reporter) -> str:
    """Freeze all of a task's calls so far and return the dataset's hash; the same calls give the same dataset."""
    said = _Said(estate.store.calls.corrections(task.id), estate.store.calls.ratings(task.id))
    wanted = CallFilter(task_id=task.id, is_direct=True)
    total = estate.store.calls.count(wanted)
    labelled = list(_labelled(estate.store.calls.stream(wanted), said, total, report))
    chosen = [call for call in labelled if is_wanted(task, call.asked, estate.settings.text("freeze.prompts"))]
    report(Progress(stage="freeze", note=f"removing duplicates from {len(chosen):,} calls, splitting"))
    seen = {call.call_id for call in labelled}
    frozen = build(
        chosen,
        task=task,
        settings=freeze_settings(estate),
        unmatched_corrections=sum(call_id not in seen for call_id in said.corrections),
        earlier_prompt=len(labelled) - len(chosen),
    )
    path = write(frozen, estate.folder("datasets"))
    estate.store.book.put_dataset(frozen.manifest, str(Path(path).absolute()), time.time())
    return frozen.manifest.hash


def is_wanted(task: Task, asked: Asked, prompts: str) -> bool:
    """Whether a call belongs in a dataset by the version of its prompt; `prompts` is the setting `freeze.prompts`.

    Where the newest version asks for other fields than the one before, the old answers cannot be right any more. A
    call that is of no version is of the newest as far as anybody knows.
    """
    versions = versions_of(task)
    newest = versions[-1]
    if len(versions) < 2 or prompts == "all":
        return True
    if prompts == "auto" and newest.outline == versions[-2].outline:
        return True
    version = version_of(task, asked)
    return version is None or version.number == newest.number


def verify_dataset(estate: Estate, name: str) -> tuple[Path, list[str]]:
    """The folder of a dataset (a folder, or a task's newest) and all that is wrong with it, in words."""
    folder = Path(name)
    if not folder.is_dir():
        folder = Path(estate.dataset(estate.task(name)).path)
    return folder, verify(folder)


def freeze_settings(estate: Estate) -> FreezeSettings:
    """How to split, as the settings say."""
    s = estate.settings
    return FreezeSettings(
        proof_share=s.number("freeze.proof_share"),
        proof_max=s.whole("freeze.proof_max"),
        dev_share=s.number("freeze.dev_share"),
        dev_max=s.whole("freeze.dev_max"),
        near_duplicate=s.number("freeze.near_duplicate"),
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """What people said of a task's calls, by call id."""

    corrections: dict[str, str]
    ratings: dict[str, bool]


def _labelled(calls: Iterator[Call], said: _Said, total: int, report: Reporter) -> Iterator[LabelledCall]:
    for done, call in enumerate(calls, 1):
        if done % 500 == 0 or done == total:
            report(Progress(stage="freeze", done=done, total=total, note="calls read"))
        if call.arm != "rented" and call.id not in said.corrections:
            continue  # an owned answer is no evidence of what was wanted; the model would learn from itself
        read = read_call(call)
        if read.asked is not None:
            yield LabelledCall(
                call_id=call.id,
                created_at=call.created_at,
                asked=read.asked,
                answer=read.answer,
                correction=said.corrections.get(call.id),
                is_good=said.ratings.get(call.id),
                user=call.user_key,
                session=call.session_key,
                is_whole=call.error is None,
                status=call.status,
            )
