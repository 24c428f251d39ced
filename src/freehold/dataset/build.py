"""Build a dataset out of calls: select, bring into one form, remove duplicates, split, describe.

A pure function of its calls: their order does not matter and there is no clock in it, so that the same calls and
settings give the same dataset, byte for byte. The template is learnt here, from all of the calls, and the manifest
carries it: what the model is trained without is what the gateway takes out later.
Not covered: files (`files`), redaction, reading calls from the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from freehold.core.dataset import SPLITS, Manifest, OutputKind, Split
from freehold.core.example import Example
from freehold.core.kind import output_kind
from freehold.core.task import Task, versions_of
from freehold.core.template import Template, learn_versions
from freehold.dataset.canonical import canonical_form
from freehold.dataset.duplicates import one_per_input, without_near
from freehold.dataset.files import file_hashes, manifest_hash
from freehold.dataset.select import Candidate, LabelledCall, select, why_unusable
from freehold.dataset.settings import FreezeSettings
from freehold.dataset.split import Parted, part, without_leaks
from freehold.errors import DataError

_MISFITS: dict[OutputKind, str] = {"json": "invalid_json", "label": "not_a_label"}


@dataclass(frozen=True, slots=True)
class Frozen:
    """A dataset before it is written: its manifest and the examples of each split, oldest first."""

    manifest: Manifest
    examples: dict[Split, tuple[Example, ...]]


def build(
    calls: Iterable[LabelledCall],
    *,
    task: Task,
    settings: FreezeSettings | None = None,
    unmatched_corrections: int = 0,
    earlier_prompt: int = 0,
) -> Frozen:
    """Make a task's calls a dataset; DataError when they are too few or no model could be trained on them.

    `unmatched_corrections` counts corrections whose call is not in the record, `earlier_prompt` calls that were left
    out for the version of their prompt; they only show in the manifest.
    """
    settings = settings or FreezeSettings()
    ordered = sorted(calls, key=lambda call: (call.created_at, call.call_id))
    usable = [call for call in ordered if why_unusable(call) is None]
    kind = _trainable_kind(task, [call for call in ordered if why_unusable(call) in (None, "tool_calls")])
    plain = [call for call in usable if call.asked.is_plain]
    template = learn_versions(
        [call.asked for call in plain], [call.created_at for call in plain], [v.template for v in versions_of(task)]
    )
    canonical = canonical_form(kind, _wanted_texts(ordered))
    candidates, dropped = select(ordered, template, canonical, misfit=_MISFITS.get(kind, "empty_answer"))
    candidates, repeated = one_per_input(candidates)
    candidates, near = without_near(candidates, settings.near_duplicate)
    dropped += repeated + near
    _check_enough(task, candidates, dropped, settings.min_examples)
    parted = part(candidates, settings)
    splits, leaking = without_leaks(parted.splits, settings.near_duplicate)
    splits, rejected = _without_rejected(splits)
    dropped += Counter(
        rated_bad=rejected,
        group_crosses_split=parted.crossing,
        near_across_splits=leaking,
        unmatched_correction=unmatched_corrections,
        earlier_prompt=earlier_prompt,
    )
    _check_splits(task, splits, dropped)
    parted = replace(parted, splits=splits)
    return _describe(task, kind, template, parted, dropped=+dropped, calls_seen=len(ordered), settings=settings)


def _trainable_kind(task: Task, answered: Sequence[LabelledCall]) -> OutputKind:
    """The kind of the answers now; a response format makes JSON of it, for nothing else is wanted then."""
    stays = "Its calls stay with the provider."
    if not task.is_trainable:
        raise DataError(f"Task {task.name!r} is not chat: there is nothing to train.", hint=stays)
    kind = output_kind([call.answer for call in answered if call.answer is not None])
    if kind == "tools":
        raise DataError(f"Task {task.name!r} is answered with tool calls, which cannot be trained so far.", hint=stays)
    formatted = sum(call.asked.response_format is not None for call in answered)
    return "json" if formatted > len(answered) / 2 else kind


def _wanted_texts(calls: Sequence[LabelledCall]) -> list[str]:
    """The texts that the usual form of an answer is learnt from."""
    answers = [call.answer.text for call in calls if call.answer is not None and why_unusable(call) is None]
    return answers + [call.correction for call in calls if call.correction]


def _without_rejected(splits: Mapping[Split, list[Candidate]]) -> tuple[dict[Split, list[Candidate]], int]:
    """The splits, with answers that were rated bad in the proof alone, and how many left the others."""
    kept = {
        split: [c for c in candidates if split == "proof" or not c.is_rejected] for split, candidates in splits.items()
    }
    return kept, sum(len(splits[split]) - len(kept[split]) for split in splits)


def _check_enough(task: Task, candidates: Sequence[Candidate], dropped: Mapping[str, int], needed: int) -> None:
    if len(candidates) < needed:
        raise DataError(
            f"Task {task.name!r} has {len(candidates)} usable examples and needs {needed}{_reasons(dropped)}.",
            hint="Send more of its calls through the gateway, or import labelled ones.",
        )
    answers = {candidate.target for candidate in candidates}
    if len(answers) == 1:
        only = next(iter(answers))
        raise DataError(
            f"Task {task.name!r} always gets the same answer, {only[:80]!r}: it needs no model.",
            hint="Answer with a constant, or check that these calls belong together.",
        )


def _check_splits(task: Task, splits: Mapping[Split, Sequence[Candidate]], dropped: Mapping[str, int]) -> None:
    for split in SPLITS:
        if not splits[split]:
            raise DataError(
                f"Task {task.name!r} has no examples left for its {split} split{_reasons(dropped)}.",
                hint="Send more calls, from more users, with more varied inputs.",
            )


def _reasons(dropped: Mapping[str, int]) -> str:
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()) if count)
    return f" (dropped: {told})" if told else ""


def _describe(
    task: Task,
    kind: OutputKind,
    template: Template,
    parted: Parted,
    *,
    dropped: Mapping[str, int],
    calls_seen: int,
    settings: FreezeSettings,
) -> Frozen:
    examples = {
        split: tuple(_example(candidate, parted.groups[candidate.call_id]) for candidate in parted.splits[split])
        for split in SPLITS
    }
    everything = [example for split in SPLITS for example in examples[split]]
    manifest = Manifest(
        hash="",
        task=task.name,
        task_id=task.id,
        kind=kind,
        template=template.to_json(),
        counts={split: len(examples[split]) for split in SPLITS},
        dropped=dict(sorted(dropped.items())),
        files=file_hashes(examples),
        labels=sorted({example.target for example in everything}) if kind == "label" else [],
        corrected=sum(example.source == "correction" for example in everything),
        groups=len({example.group for example in everything}),
        grouped_by=parted.grouped_by,
        cutoff_at=min(example.created_at for example in examples["proof"]),
        calls_seen=calls_seen,
        settings=asdict(settings),
    )
    return Frozen(replace(manifest, hash=manifest_hash(manifest)), examples)


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
    )
