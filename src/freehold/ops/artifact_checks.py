"""Exhibits: the files that a receipt names by hash, looked at again: unchanged, changed, written again, or gone.

`written again` is said of a report whose JSON has other bytes than it had and the figures of the receipt: the same
proof was run once more, and the page is not the one that was sealed. Not covered: the chain itself (`ops.receipts`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from freehold.freeze import written_hash
from freehold.model.receipt import Receipt
from freehold.model.statement import figures, has_same_figures
from freehold.pipeline.workspace import Workspace
from freehold.prove.run.kept_answers import answers_path, seal_at
from freehold.system.files import file_sha256

State = Literal["unchanged", "changed", "written again", "gone"]
Said = Mapping[str, Any]
_FIGURES = "report.json"
_HASH_CHARS = 16


@dataclass(frozen=True, slots=True)
class ArtifactCheck:
    """A file or folder that a receipt names; `receipt` is its number."""

    receipt: int
    what: str
    path: Path | None
    state: State

    @property
    def is_sound(self) -> bool:
        """Whether it is what the receipt names, or says the same."""
        return self.state in ("unchanged", "written again")

    @property
    def words(self) -> str:
        """The exhibit on one line."""
        present = "" if self.state == "gone" else "present, "
        place = "" if self.path is None else f" ({self.path})"
        return f"receipt {self.receipt}: {self.what} is {present}{self.state}{place}"


def artifact_checks(workspace: Workspace, receipts: Iterable[Receipt]) -> Iterator[ArtifactCheck]:
    """What the receipts name, each thing once."""
    seen: set[str] = set()
    for receipt in receipts:
        said = receipt.content
        for name, look in (("dataset", _dataset), ("model", _model), ("report", _report), ("answers", _answers)):
            named = said.get(name)
            key = json.dumps([name, named], sort_keys=True)
            if isinstance(named, dict) and key not in seen:
                seen.add(key)
                yield from look(workspace, receipt.number, said)


def _dataset(workspace: Workspace, number: int, said: Said) -> Iterator[ArtifactCheck]:
    wanted = str(said["dataset"].get("hash"))
    row = workspace.store.registry.dataset(wanted)
    path = Path(row.path) if row else None
    state: State = "gone"
    if path is not None and path.is_dir():
        state = "unchanged" if written_hash(path) == wanted else "changed"
    yield ArtifactCheck(number, f"dataset {wanted[:_HASH_CHARS]}", path, state)


def _model(workspace: Workspace, number: int, said: Said) -> Iterator[ArtifactCheck]:
    model_id, files = str(said["model"].get("id")), said["model"].get("files")
    card = workspace.store.registry.model(model_id)
    for name, wanted in files.items() if isinstance(files, dict) else ():
        path = Path(card.path) / name if card else None
        yield ArtifactCheck(number, f"model {model_id} {name}", path, _state(path, wanted))


def _answers(workspace: Workspace, number: int, said: Said) -> Iterator[ArtifactCheck]:
    """The answers that a verdict rests on, up to the seal that its receipt names."""
    verdict, kept = said.get("verdict"), said["answers"]
    count = kept.get("count")
    if not isinstance(verdict, dict) or not isinstance(count, int) or not count:
        return
    path = answers_path(workspace, str(verdict.get("model_id")))
    state: State = "gone"
    if path.is_file():
        is_same = seal_at(path, str(verdict.get("model_sha256")), count) == kept.get("seal")
        state = "unchanged" if is_same else "changed"
    yield ArtifactCheck(number, f"{count:,} answers of model {verdict.get('model_id')}", path, state)


def _report(workspace: Workspace, number: int, said: Said) -> Iterator[ArtifactCheck]:
    verdict, sums = said.get("verdict"), said["report"]
    verdict_id = str(verdict.get("id")) if isinstance(verdict, dict) else ""
    known = workspace.store.registry.verdict(verdict_id)
    folder = Path(known.report_path).parent if known and known.report_path else None
    paths = {name: folder / name if folder else None for name in sums}
    states = {name: _state(path, sums[name]) for name, path in paths.items()}
    is_again = states.get(_FIGURES) == "changed" and has_same_figures(said.get("figures"), _figures(paths[_FIGURES]))
    for name, state in states.items():
        shown: State = "written again" if is_again and state == "changed" else state
        yield ArtifactCheck(number, f"{name} of verdict {verdict_id}", paths[name], shown)


def _state(path: Path | None, wanted: object) -> State:
    if path is None or not path.is_file():
        return "gone"
    return "unchanged" if file_sha256(path) == wanted else "changed"


def _figures(path: Path | None) -> dict[str, Any] | None:
    """The figures of a report's JSON; None where there is none that can be read."""
    try:
        return None if path is None else figures(json.loads(path.read_bytes())["evidence"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
