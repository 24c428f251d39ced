"""What a freeze can be told. Not covered: where the values come from (`freehold.settings`)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from freehold.errors import SettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSettings:
    """Shares are of all answered calls. The proof split has priority over dev, and the newest examples.

    `near_duplicate` is the Jaccard similarity of two inputs' character 5-grams from which they count as one.
    `prompt_steps` are named with commas between them (`freeze.prompt_steps`).
    """

    min_examples: int = 50
    proof_share: float = 0.2
    proof_max: int = 1000
    dev_share: float = 0.1
    dev_max: int = 400
    near_duplicate: float = 0.9
    prompt_steps: str = "strip"

    def plain(self) -> dict[str, Any]:
        """The settings by name; without steps where there are none but the first, as in datasets of before."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("prompt_steps", "strip")}

    def __post_init__(self) -> None:
        if min(self.proof_share, self.dev_share) <= 0.0 or self.proof_share + self.dev_share > 0.8:
            raise SettingError(
                f"proof_share {self.proof_share!r} and dev_share {self.dev_share!r} leave too little to train on.",
                hint="Both must be above 0, together at most 0.8.",
            )
        if not 0.8 <= self.near_duplicate <= 1.0:
            raise SettingError(
                f"near_duplicate is {self.near_duplicate!r}.", hint="Choose from 0.8 to 1.0; below, unlike inputs go."
            )
        if min(self.min_examples, self.proof_max, self.dev_max) < 1:
            raise SettingError("min_examples, proof_max and dev_max must be at least 1.", hint="Raise the one below 1.")
