"""Build a dataset out of calls: select, agree on targets, split, take out duplicates and leaks, describe.

A pure function of its calls: their order does not matter and there is no clock in it, so that the same calls and
settings give the same dataset, byte for byte. The template is learnt here, from all of the calls, and the manifest
carries it: what the model is trained without is what the gateway takes out later.

Only good answers become targets. What is held out is the traffic of its time, with all of the other answered calls in
it: a proof that saw only the calls with good answers would say nothing of the others, about which the gateway asks just
the same. Exchanges that failed are what a proof cannot speak about; the manifest counts them.
Not covered: files (`files`), redaction, reading calls from the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from freehold.errors import DataError
from freehold.freeze.canonical import canonical_form
from freehold.freeze.conversations import Turn, conversations
from freehold.freeze.duplicates import agreed, one_per_input, without_near
from freehold.freeze.files import file_hashes, manifest_hash
from freehold.freeze.prompt_steps import preparation
from freehold.freeze.rejected_answers import refused_by_client
from freehold.freeze.select import Candidate, LabelledCall, Selection, why_unspoken
from freehold.freeze.settings import FreezeSettings
from freehold.freeze.split import Parted, near_inputs, part, without_leaks
from freehold.model.dataset import SPLITS, Manifest, OutputKind, Split
from freehold.model.example import Example
from freehold.model.exchange import Answer, Asked
from freehold.model.task import Task, versions_of
from freehold.text.output_kind import output_kind
from freehold.text.prompts.template_induction import learn_versions
from freehold.text.target import Habits, habits_of, whole_text, why_no_target
from freehold.text.traits import kind_of

LEAST_TEXT_SHARE = 0.2
"""Where most answers are tool calls, so many of them must be others for those to be worth learning."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A dataset before it is written: its manifest and the examples of each split, oldest first."""

    manifest: Manifest
    examples: dict[Split, tuple[Example, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """What was made of a task's calls: how they were selected, and the candidates.

    `unspoken` are (time, reason) of the calls of which nothing can be said.
    """

    selection: Selection
    candidates: Sequence[Candidate]
    unspoken: Sequence[tuple[float, str]]


def build(
    calls: Iterable[LabelledCall],
    *,
    task: Task,
    settings: FreezeSettings | None = None,
    unspoken: Sequence[tuple[float, str]] = (),
    left_out: Mapping[str, int] | None = None,
) -> Frozen:
    """Make a task's calls a dataset; DataError when they are too few or no model could be trained on them.

    What else is there of the task only shows in the manifest: its `unspoken` calls (when each came, and why nothing is
    known of it), and by reason how many calls or corrections were `left_out`.
    """
    settings = settings or FreezeSettings()
    ordered = sorted(calls, key=lambda call: (call.created_at, call.call_id))
    chosen = _choose(ordered, task, unspoken, settings.prompt_steps)
    _check_enough(task, chosen, settings.min_examples)
    parted = _part(task, chosen.candidates, settings)
    splits, dropped = _to_learn_from(parted.splits, settings.near_duplicate)
    parting = without_leaks(splits, settings.near_duplicate)
    dropped += Counter(reason for _, reason in chosen.unspoken)
    dropped += Counter(group_crosses_split=len(parted.crossing), near_across_splits=parting.dropped)
    dropped += Counter(left_out)
    _check_splits(task, parting.splits, dropped, settings.min_examples)
    manifest = Manifest(
        hash="",
        task=task.name,
        task_id=task.id,
        kind=chosen.selection.kind,
        template=chosen.selection.preparation.written(chosen.selection.preparation.template),
        counts={},
        dropped=dict(sorted((+dropped).items())),
        files={},
        grouped_by=parted.grouped_by,
        calls_seen=len(ordered) + len(unspoken),
        settings=settings.plain(),
        repeats=_repeats(parting.splits, parting.repeats, settings.near_duplicate),
        habits=chosen.selection.habits.names(),
    )
    return _describe(manifest, replace(parted, splits=parting.splits), chosen.unspoken)


def _choose(
    ordered: Sequence[LabelledCall], task: Task, unspoken: Sequence[tuple[float, str]], prompt_steps: str
) -> _Chosen:
    """Make candidates of the calls, given oldest first."""
    reasons = [(call, why_unspoken(call)) for call in ordered]
    answered = [call for call, reason in reasons if reason is None]
    told = [(call.asked, call.answer) for call in answered if call.answer is not None]
    habits = habits_of(told)
    kind = _trainable_kind(task, told, habits)
    usable = [c for c in answered if c.answer is not None and why_no_target(c.asked, c.answer, habits) is None]
    plain = [call for call in usable if call.asked.is_plain]
    template = learn_versions(
        [call.asked for call in plain], [call.created_at for call in plain], [v.template for v in versions_of(task)]
    )
    selection = Selection(
        preparation=preparation(template, prompt_steps),
        canonical=canonical_form(kind, [*map(_text, usable), *_corrections(answered)]),
        kind=kind,
        habits=habits,
        refused=refused_by_client(answered, kind),
    )
    first_of = _conversations(ordered)
    candidates = [replace(selection.candidate(c), conversation=first_of.get(c.call_id)) for c in answered]
    return _Chosen(
        selection=selection,
        candidates=agreed(candidates),
        unspoken=[*unspoken, *((call.created_at, reason) for call, reason in reasons if reason is not None)],
    )


def _trainable_kind(task: Task, told: Sequence[tuple[Asked, Answer]], habits: Habits) -> OutputKind:
    """The kind of the answers now; a response format makes JSON of it, for nothing else is wanted then."""
    stays = "Its calls stay with the provider."
    if not task.is_trainable:
        raise DataError(f"Task {task.name!r} is not chat: there is nothing to train.", hint=stays)
    whole = [(a, structs.replace(answer, text=whole_text(a, answer))) for a, answer in told]
    kind = output_kind([answer for _, answer in whole])
    if kind == "tools":
        others = [answer for a, answer in whole if why_no_target(a, answer, habits) is None]
        if len(others) < LEAST_TEXT_SHARE * len(told):
            message = f"Task {task.name!r} is answered with tool calls, which cannot be trained so far."
            raise DataError(message, hint=stays)
        kind = output_kind(others)
    formatted = sum(asked.response_format is not None for asked, _ in told)
    return "json" if formatted > len(told) / 2 else kind


def _text(call: LabelledCall) -> str:
    return "" if call.answer is None else whole_text(call.asked, call.answer)


def _corrections(calls: Sequence[LabelledCall]) -> list[str]:
    return [call.correction for call in calls if call.correction]


def _conversations(calls: Sequence[LabelledCall]) -> dict[str, str]:
    """By call id the first call of its conversation, where it has one; turns that failed are turns, too."""
    firsts = conversations([Turn(c.asked.messages, _text(c) if c.answer else None) for c in calls])
    turns = Counter(firsts)
    return {call.call_id: calls[at].call_id for call, at in zip(calls, firsts, strict=True) if turns[at] > 1}


def _part(task: Task, candidates: Sequence[Candidate], settings: FreezeSettings) -> Parted:
    parted = part(candidates, settings)
    if parted is None:
        raise DataError(
            f"The calls of task {task.name!r} are turns of too few conversations to keep each on one side of a split.",
            hint="Send calls of more conversations.",
        )
    return parted


def _to_learn_from(
    splits: Mapping[Split, Sequence[Candidate]], threshold: float
) -> tuple[dict[Split, list[Candidate]], Counter[str]]:
    """The splits with one example of each input in train, and answers that were rated bad in the proof alone."""
    dropped: Counter[str] = Counter(c.aside for c in splits["train"] if c.aside)
    dropped["rated_bad"] = sum(c.is_rejected for split in ("train", "dev") for c in splits[split])
    train, repeated = one_per_input([c for c in splits["train"] if c.is_usable])
    train, near = without_near(train, threshold)
    dev = [c for c in splits["dev"] if not c.is_rejected]
    return {"train": train, "dev": dev, "proof": list(splits["proof"])}, dropped + repeated + near


def _check_enough(task: Task, chosen: _Chosen, needed: int) -> None:
    usable = [candidate for candidate in chosen.candidates if candidate.is_usable]
    different, repeated = one_per_input(usable)
    if len(different) < needed:
        dropped = Counter(reason for _, reason in chosen.unspoken) + repeated
        dropped += Counter(candidate.aside for candidate in chosen.candidates if candidate.aside)
        raise _too_few(task, len(different), needed, dropped, len(chosen.candidates))
    answers = {candidate.target for candidate in usable}
    if len(answers) == 1:
        only = next(iter(answers))
        raise DataError(
            f"Task {task.name!r} always gets the same answer, {only[:80]!r}: it needs no model.",
            hint="Answer with a constant, or check that these calls belong together.",
        )


def _too_few(task: Task, found: int, needed: int, dropped: Mapping[str, int], answered: int) -> DataError:
    """What is said of too few examples: more calls help only where some of them can be learnt from."""
    hint = "Send more of its calls through the gateway, or import labelled ones."
    if answered >= needed and found < LEAST_TEXT_SHARE * answered:
        most = max(dropped, key=lambda reason: dropped[reason], default="")
        hint = f"More calls like these hardly help: most of them are {most}. They stay with the provider."
    return DataError(
        f"Task {task.name!r} has {found} usable examples and needs {needed}{_reasons(dropped)}.", hint=hint
    )


def _check_splits(
    task: Task, splits: Mapping[Split, Sequence[Candidate]], dropped: Mapping[str, int], needed: int
) -> None:
    for split in SPLITS:
        if not any(candidate.is_usable for candidate in splits[split]):
            raise DataError(
                f"Task {task.name!r} has no examples left for its {split} split{_reasons(dropped)}.",
                hint="Send more calls, from more users, with more varied inputs.",
            )
    different = {candidate.input_key for split in SPLITS for candidate in splits[split] if candidate.is_usable}
    if len(different) < needed:
        raise _too_few(task, len(different), needed, dropped, 0)


def _reasons(dropped: Mapping[str, int]) -> str:
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()) if count)
    return f" (dropped: {told})" if told else ""


def _repeats(
    splits: Mapping[Split, Sequence[Candidate]], kept: Mapping[Split, int], threshold: float
) -> dict[str, int]:
    """What stays although a later split holds nearly the same input; of train, the proof's calls with such an input."""
    found = {str(split): count for split, count in kept.items()}
    if "train" not in kept:
        return found
    learnt = [(candidate.text, candidate.target) for candidate in splits["train"]]
    held_out = [(candidate.text, candidate.target) for candidate in splits["proof"] if candidate.messages]
    return found | {"held_out": len(near_inputs(held_out, learnt, threshold))}


def _describe(manifest: Manifest, parted: Parted, unspoken: Sequence[tuple[float, str]]) -> Frozen:
    """The dataset with what its manifest says of the examples."""
    examples = {
        split: tuple(_example(candidate, parted.groups[candidate.call_id]) for candidate in parted.splits[split])
        for split in SPLITS
    }
    everything = [example for split in SPLITS for example in examples[split]]
    known = [example for example in everything if not example.is_aside]
    began_at = min(example.created_at for example in examples["proof"])
    lost = [(candidate.created_at, "group_crosses_split") for candidate in parted.crossing]
    aside = {split: _counted(example.aside for example in examples[split] if example.is_aside) for split in SPLITS}
    told = replace(
        manifest,
        counts={split: len(examples[split]) for split in SPLITS},
        files=file_hashes(examples),
        labels=sorted({example.target for example in known}) if manifest.kind == "label" else [],
        corrected=sum(example.source == "correction" for example in everything),
        groups=len({example.group for example in everything}),
        cutoff_at=began_at,
        aside={split: counts for split, counts in aside.items() if counts},
        unspoken=_counted(reason for at, reason in (*unspoken, *lost) if at >= began_at),
        kinds=_counted(kind_of(example.traits) for example in examples["proof"] if example.is_askable),
    )
    return Frozen(replace(told, hash=manifest_hash(told)), examples)


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _example(candidate: Candidate, group: str) -> Example:
    return Example(
        id=candidate.call_id,
        messages=candidate.messages,
        target=candidate.target,
        incumbent=candidate.incumbent,
        source=candidate.source,
        group=group,
        created_at=candidate.created_at,
        also=candidate.also,
        aside=candidate.aside,
        traits=candidate.traits,
        response_format=candidate.response_format,
    )
