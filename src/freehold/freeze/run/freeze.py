"""Freeze: a task's calls, with their corrections and ratings, become a registered dataset.

A call that the owned model answered has the provider's answer where it was audited, and is evidence like any other.
Without one, and without a correction, nothing is known of it: the model would learn from itself. Such calls are counted
among those that a proof cannot speak about, as are calls whose content was deleted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from freehold.freeze import FreezeSettings, LabelledCall, build, verify, write
from freehold.freeze.prompt_steps import Preparation, live_preparation
from freehold.model import Asked, Call
from freehold.model.task import Task, version_of, versions_of
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.workspace import Workspace
from freehold.store import CallFilter, DatasetRow
from freehold.text.read_call import ReadCall, read_call


def freeze(workspace: Workspace, task: Task, report: Reporter) -> str:
    """Freeze all of a task's calls so far and return the dataset's hash; the same calls give the same dataset."""
    book = workspace.store.calls
    audits = book.stream(CallFilter(task_id=task.id, arm="audit"))
    said = _Said(
        book.corrections(task.id), book.ratings(task.id), {call.parent_id or "": read_call(call) for call in audits}
    )
    wanted = CallFilter(task_id=task.id, is_direct=True)
    total = book.count(wanted)
    rows = list(_labelled(book.stream(wanted), said, total, report))
    labelled = [row for row in rows if isinstance(row, LabelledCall)]
    chosen = [call for call in labelled if is_wanted(task, call.asked, workspace.settings.text("freeze.prompts"))]
    report(Progress(stage="freeze", note=f"removing duplicates from {len(chosen):,} calls, splitting"))
    seen = {call.call_id for call in labelled}
    frozen = build(
        chosen,
        task=task,
        settings=freeze_settings(workspace),
        unspoken=[row for row in rows if not isinstance(row, LabelledCall)],
        left_out={
            "unmatched_correction": sum(call_id not in seen for call_id in said.corrections),
            "earlier_prompt": len(labelled) - len(chosen),
        },
    )
    path = write(frozen, workspace.folder("datasets"))
    workspace.store.registry.put_dataset(frozen.manifest, str(Path(path).absolute()), time.time())
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


def verify_dataset(workspace: Workspace, name: str) -> tuple[Path, list[str]]:
    """The folder of a dataset (a folder, or a task's newest) and all that is wrong with it, in words."""
    folder = Path(name)
    if not folder.is_dir():
        folder = Path(workspace.dataset(workspace.task(name)).path)
    return folder, verify(folder)


def preparation_of(dataset: DatasetRow) -> Preparation:
    """How the prompts of a dataset were prepared; see `live_preparation`."""
    return live_preparation(dataset.manifest.template)


def freeze_settings(workspace: Workspace) -> FreezeSettings:
    """How to split, as the settings say."""
    s = workspace.settings
    return FreezeSettings(
        proof_share=s.number("freeze.proof_share"),
        proof_max=s.whole("freeze.proof_max"),
        dev_share=s.number("freeze.dev_share"),
        dev_max=s.whole("freeze.dev_max"),
        near_duplicate=s.number("freeze.near_duplicate"),
        prompt_steps=s.text("freeze.prompt_steps"),
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """What people, and the provider in audits, said of a task's calls, by call id."""

    corrections: dict[str, str]
    ratings: dict[str, bool]
    audits: dict[str, ReadCall]


def _labelled(
    calls: Iterator[Call], said: _Said, total: int, report: Reporter
) -> Iterator[LabelledCall | tuple[float, str]]:
    """Each call as it is known, or when it came and why nothing is known of it."""
    for done, call in enumerate(calls, 1):
        if done % 500 == 0 or done == total:
            report(Progress(stage="freeze", done=done, total=total, note="calls read"))
        audit = said.audits.get(call.id)
        if call.arm != "rented" and call.id not in said.corrections and audit is None:
            yield call.created_at, "answered_locally"
            continue
        read = read_call(call)
        if read.asked is None:
            yield call.created_at, "unreadable"
            continue
        answered = read if audit is None else audit
        yield LabelledCall(
            call_id=call.id,
            created_at=call.created_at,
            asked=read.asked,
            answer=answered.answer,
            correction=said.corrections.get(call.id),
            is_good=said.ratings.get(call.id) if audit is None else None,
            user=call.user_key,
            session=call.session_key,
            is_whole=answered.call.error is None,
            status=answered.call.status,
        )
