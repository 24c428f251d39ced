"""Merge, split and rename tasks: a plan that says what would change, and its undoing. New calls follow the edit.

A merged task's calls, attempts and prompts become part of the first one; its datasets, models, verdicts and routes stay
where they are, under the id that it had, and its name means the first one from now on. A part that is split off takes
its past calls along and begins with all attempts of the task that it was part of: calls that were looked at stay looked
at, and what a task may spend on proofs is spent. Refused is what would leave a moved task without its calls.

Not covered: finding tasks by themselves (`freehold.sort`), storing edits (`store.task_edits`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from freehold.errors import DataError, NotFoundError, UsageError
from freehold.model import Call
from freehold.model.ids import sha256_hex
from freehold.model.task import ASKS, PromptVersion, SplitRule, Task, task_id, versions_of
from freehold.pipeline.locks import in_turn
from freehold.pipeline.workspace import Workspace
from freehold.sort.names import MAX_CHARS, slug
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter
from freehold.store.task_edits import EditKind, TaskEdit
from freehold.text.output_kind import output_kind
from freehold.text.prompts.template_induction import learn
from freehold.text.read_call import ReadCall, read_call

_CALLS_LEARNT_FROM = 2000
_BACK = "Return it first: freehold back {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPlan:
    """An edit that could be made: the tasks before and after it, which calls it moves, and all that in words.

    `seen` are the calls of a task that stays and gives some away: those that come later are sorted again.
    """

    kind: EditKind
    words: str
    before: tuple[Task, ...]
    after: tuple[Task, ...]
    moved: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    seen: Mapping[str, Collection[str]] = field(default_factory=dict)
    text: str = ""
    attempts: tuple[tuple[str, str], ...] = ()

    @property
    def calls(self) -> int:
        """How many calls change their task."""
        return sum(len(ids) for targets in self.moved.values() for ids in targets.values())


def merge_plan(workspace: Workspace, names: Sequence[str]) -> EditPlan:
    """Make all these tasks part of the first; DataError where one of the others is moved."""
    sort_new_calls(workspace)
    tasks = list(dict.fromkeys(workspace.task(name) for name in names))
    if len(tasks) < 2:
        raise UsageError("One task cannot be merged.", hint="Give two or more: freehold tasks merge A B")
    first, *others = tasks
    routes = workspace.store.registry.routes()
    for task in others:
        if task.id in routes and routes[task.id].kind != "rented":
            raise DataError(
                f"Task {task.name!r} is moved: in {first.name!r} its calls would lose their route.",
                hint=f"{_BACK.format(task.name)}; or make it the first: freehold tasks merge {task.name} {first.name}",
            )
        if task.is_trainable != first.is_trainable:
            raise DataError(f"{task.name!r} and {first.name!r} have calls of different kinds.", hint="Leave one out.")
    merged = _merged(first, others)
    ids = {task.id: {first.id: workspace.store.task_edits.calls_of(task.id)} for task in others}
    gone = ", ".join(repr(task.name) for task in others)
    words = f"merge {gone} into {first.name!r}"
    lines = [f"merge    {gone} into {first.name!r}", *_what_moves(ids)]
    lines += [
        f"answers  {task.kind}, those of {first.name!r}: {first.kind}" for task in others if task.kind != first.kind
    ]
    if first.id in routes and routes[first.id].kind != "rented":
        lines.append(
            f"route    {first.name!r} stays moved; calls with other prompts go to the provider until it is proven"
        )
    lines += [f"keys     {note}" for note in _keys(workspace, others)]
    attempts = tuple((task.id, first.id) for task in others)
    return EditPlan(
        kind="merge",
        words=words,
        before=tuple(tasks),
        after=(merged,),
        moved=ids,
        text="\n".join([*lines, "undo     freehold tasks undo"]),
        attempts=attempts,
    )


def split_plan(workspace: Workspace, name: str, rule: SplitRule, new_name: str) -> EditPlan:
    """Make the calls that a rule takes a task of their own; DataError where it takes none or all of them."""
    sort_new_calls(workspace)
    task = workspace.task(name)
    rule = _checked(replace(rule, parent=task.id))
    _check_free(workspace, new_name)
    seen = frozenset(workspace.store.task_edits.calls_of(task.id))
    taken, total = _taken(workspace, task, rule)
    if not taken or len(taken) == total:
        which = "All" if taken else "None"
        raise DataError(f"{which} of the {total:,} calls of {task.name!r} {rule.words}.", hint="Choose another rule.")
    key = f"{task.key.partition('/')[0][:30]}/{sha256_hex(f'{task.id} {rule.by} {rule.text}')[:8]}"
    if any(known.id == task_id(key) for known in workspace.store.registry.tasks()):
        raise DataError(f"Task {task.name!r} was split so before.", hint="See: freehold tasks")
    answers = [read.answer for read in taken if read.is_answered]
    asked = [(read.asked, read.call.created_at) for read in taken[-_CALLS_LEARNT_FROM:] if read.asked is not None]
    part = Task(
        id=task_id(key),
        name=slug(new_name),
        key=key,
        template=learn([one for one, _ in asked], [at for _, at in asked]),
        kind=output_kind(answers),
        created_at=taken[0].call.created_at,
        is_trainable=task.is_trainable,
        rule=rule,
    )
    own = [read.call.id for read in taken]
    ids = {task.id: {part.id: [*own, *workspace.store.task_edits.beside(own)]}}
    route = workspace.store.registry.route(task.id)
    lines = [f"split    {task.name!r}: what {rule.words} becomes {part.name!r}", *_what_moves(ids)]
    lines.append(f"stays    {total - len(taken):,} calls stay in {task.name!r}, whose answers are {task.kind}")
    if route.kind != "rented":
        lines.append(f"route    {task.name!r} stays moved; the provider answers what {rule.words}")
    return EditPlan(
        kind="split",
        words=f"split {part.name!r} off {task.name!r}: {rule.words}",
        before=(task,),
        after=(task, part),
        moved=ids,
        seen={task.id: seen.union(*ids[task.id].values())},
        text="\n".join([*lines, "undo     freehold tasks undo"]),
        attempts=((task.id, part.id),),
    )


def rename_plan(workspace: Workspace, name: str, new_name: str) -> EditPlan:
    """Name a task anew; its earlier names go on to mean it."""
    task = workspace.task(name)
    _check_free(workspace, new_name, own=task)
    new = slug(new_name)
    earlier = tuple(dict.fromkeys(one for one in task.names if one != new))
    lines = [f"rename   {task.name!r} to {new!r}; requests that name {task.name!r} still mean it"]
    if task.name in workspace.settings.tasks:
        lines.append(f"settings [tasks.{task.name}] of freehold.toml holds no more: name it [tasks.{new}] there")
    return EditPlan(
        kind="rename",
        words=f"rename {task.name!r} to {new!r}",
        before=(task,),
        after=(replace(task, name=new, earlier_names=earlier),),
        text="\n".join([*lines, "undo     freehold tasks undo"]),
    )


def apply_edit(workspace: Workspace, plan: EditPlan) -> TaskEdit:
    """Do what a plan says; BusyError where a task changed since."""
    with in_turn(workspace.folder("locks") / "sort.lock"):
        edit = workspace.store.task_edits.apply(
            plan.kind, plan.words, before=plan.before, after=plan.after, moved=plan.moved, seen=plan.seen
        )
    for source, target in plan.attempts:
        for attempt in workspace.store.attempts.of_task(source):
            workspace.store.attempts.claim(target, attempt.id, attempt.calls, attempt.created_at)
    return edit


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPlan:
    """The edit that would be undone, what that makes of the tasks, and all that in words."""

    edit: TaskEdit
    gone: tuple[str, ...]
    back: tuple[Task, ...]
    resort: Mapping[str, float]
    text: str


def undo_plan(workspace: Workspace) -> UndoPlan:
    """Take the newest edit back; NotFoundError where there is none, DataError where a part was moved since."""
    edit = workspace.store.task_edits.newest()
    if edit is None:
        raise NotFoundError("No edit of a task is left to undo.", hint="Edits are: freehold tasks merge, split, rename")
    known = {task.id: task for task in workspace.store.registry.tasks()}
    now = [known[task_id] for task_id in edit.after if task_id in known]
    before = {task.id: task for task in edit.before}
    fresh = [task for task in now if task.id not in before]
    for task in fresh:
        if workspace.store.registry.route(task.id).kind != "rented":
            raise DataError(f"Task {task.name!r} is moved, and would be gone.", hint=_BACK.format(task.name))
    taken = {name for task in known.values() if task.id not in edit.after for name in task.names}
    back = tuple(_as_it_was(task, known.get(task.id), taken) for task in edit.before)
    resort = {task.id: edit.created_at for task in now} if edit.kind != "rename" else {}
    lines = [f"undo     {edit.words}", *(f"back     {task.name!r}" for task in back)]
    lines += [f"gone     {task.name!r}" for task in fresh]
    moved = sum(len(ids) for ids in edit.moved.values())
    if moved:
        lines.append(f"calls    {moved:,} go back; those that came since are sorted again")
    gone = tuple(task.id for task in fresh)
    return UndoPlan(edit=edit, gone=gone, back=back, resort=resort, text="\n".join(lines))


def undo(workspace: Workspace, plan: UndoPlan) -> None:
    """Do what the plan says, and sort the calls that came since."""
    with in_turn(workspace.folder("locks") / "sort.lock"):
        workspace.store.task_edits.undo(plan.edit, gone=plan.gone, back=plan.back, resort=plan.resort)
    sort_new_calls(workspace)


def _merged(first: Task, others: Sequence[Task]) -> Task:
    """The first task with the fingerprints, names and prompts of the others."""
    aliases = [key for task in others for key in (task.key, *task.aliases)]
    versions = [version for task in others for version in versions_of(task)]
    own = versions_of(first)
    known = {version.template for version in own}
    extra = [version for version in versions if version.template not in known]
    numbered = [
        replace(version, number=len(own) + place, changed=("merged",)) for place, version in enumerate(extra, start=1)
    ]
    all_versions: tuple[PromptVersion, ...] = (*numbered, *own) if extra else ()
    names = [name for task in others for name in task.names]
    return replace(
        first,
        aliases=tuple(dict.fromkeys((*first.aliases, *aliases))),
        earlier_names=tuple(dict.fromkeys((*first.earlier_names, *names))),
        merged=tuple(dict.fromkeys((*first.merged, *(i for task in others for i in (task.id, *task.merged))))),
        versions=all_versions or first.versions,
        created_at=min(task.created_at for task in (first, *others)),
    )


def _as_it_was(before: Task, now: Task | None, taken: set[str]) -> Task:
    """A task without the edit; what it has learnt since stays."""
    name = before.name if before.name not in taken else f"{before.name}-{before.id[:4]}"
    if now is None:
        return replace(before, name=name)
    return replace(
        now,
        name=name,
        aliases=before.aliases,
        earlier_names=before.earlier_names,
        merged=before.merged,
        versions=before.versions,
        template=now.template if now.versions == before.versions else before.template,
        created_at=before.created_at,
    )


def _checked(rule: SplitRule) -> SplitRule:
    if not rule.text:
        raise UsageError("A rule needs a text.", hint="For instance: --contains 'Summarise'")
    if rule.by == "asks" and rule.text not in ASKS:
        raise UsageError(f"{rule.text!r} is nothing that requests ask for.", hint=f"One of: {', '.join(ASKS)}.")
    return rule


def _check_free(workspace: Workspace, name: str, own: Task | None = None) -> None:
    """UsageError for a name that means another task, or is none."""
    short = slug(name)
    if not name.strip() or len(name.strip()) > MAX_CHARS:
        raise UsageError(f"{name!r} is no name for a task.", hint=f"Up to {MAX_CHARS} letters, digits and hyphens.")
    for task in workspace.store.registry.tasks():
        if short in task.names and (own is None or task.id != own.id):
            raise UsageError(f"The name {short!r} means task {task.name!r} already.", hint="Choose another name.")
        if own is not None and task.id == own.id and short == task.name:
            raise UsageError(f"Task {task.name!r} has this name already.", hint="Choose another name.")


def _taken(workspace: Workspace, task: Task, rule: SplitRule) -> tuple[list[ReadCall], int]:
    """The calls of a task that a rule takes, oldest first, without their bodies, and how many calls it has."""
    taken, total = [], 0
    for call in workspace.store.calls.stream(CallFilter(task_id=task.id, is_direct=True)):
        total += 1
        read = read_call(call)
        if read.asked is not None and rule.takes(read.asked):
            taken.append(structs.replace(read, call=_without_bodies(call)))
    return taken, total


def _without_bodies(call: Call) -> Call:
    return structs.replace(call, request_body=b"", response_body=b"")


def _what_moves(ids: Mapping[str, Mapping[str, Sequence[str]]]) -> list[str]:
    moved = sum(len(found) for targets in ids.values() for found in targets.values())
    return [f"calls    {moved:,} change their task, audits and shadows among them; new calls follow"]


def _keys(workspace: Workspace, tasks: Sequence[Task]) -> list[str]:
    """What there is to say of gateway keys that are for tasks which will be gone."""
    found = {task.key: task.name for task in tasks}
    notes = []
    for key in workspace.store.keys.all_keys():
        names = [found[task_key] for task_key in key.task_keys if task_key in found]
        if names and key.revoked_at is None:
            notes.append(f"{key.name!r} is for {', '.join(names)} alone: give its callers one for the merged task")
    return notes
