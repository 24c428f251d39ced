"""A model's card: what it is and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MODEL_FILE = "model.gguf"
"""The file of a model that is served."""
DEFAULT_ENGINE = "llamacpp"
"""The engine of models whose card names none."""
DEFAULT_STUDENT = "generator"
"""The student of models whose card names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A trained model with its lineage: base, dataset, recipe, seed, metrics; `files` maps names to SHA-256."""

    id: str
    task_id: str
    base: str
    base_sha256: str
    dataset_hash: str
    recipe: dict[str, Any]
    seed: int
    metrics: dict[str, Any]
    path: str
    files: dict[str, str] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    created_at: float = 0.0

    @property
    def engine(self) -> str:
        """The engine whose parity was checked: the only one that answers as the trained weights are known to."""
        return str(self.parity.get("engine", DEFAULT_ENGINE))

    @property
    def student(self) -> str:
        """What the model is: the student that was trained, and that is asked."""
        return str(self.recipe.get("student", DEFAULT_STUDENT))

    @property
    def served_sha256(self) -> str:
        """The SHA-256 of the file that is served; empty where the card knows none."""
        return self.files.get(MODEL_FILE, "")
