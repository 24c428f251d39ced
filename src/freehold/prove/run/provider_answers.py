"""Which providers gave the answers that a dataset was made of: those alone, not whatever else is configured.

Not covered: how good their answers are (`freehold.prove`), corrections, which people gave.
"""

from __future__ import annotations

from pathlib import Path

from freehold.freeze import load
from freehold.model.dataset import SPLITS
from freehold.pipeline.workspace import Workspace
from freehold.store import DatasetRow

UNKNOWN = "unknown"


def provider_answers(workspace: Workspace, dataset: DatasetRow) -> tuple[str, ...]:
    """The providers that answered the calls of a dataset, the one with most calls first; none where nobody knows."""
    frozen = load(Path(dataset.path))
    ids = [example.id for split in SPLITS for example in frozen.split(split)]
    counts = workspace.store.registry.providers_of(ids)
    return tuple(sorted(counts, key=lambda name: (-counts[name], name)))
