"""What a freeze can be told. Not covered: where the values come from (`freehold.settings`)."""

from __future__ import annotations

from dataclasses import dataclass

from freehold.errors import SettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSettings:
    """Shares are of all answered calls. The proof split has priority over dev, and the newest examples.

    `near_duplicate` is the Jaccard similarity of two inputs' character 5-grams from which they count as one.
    """

    min_examples: int = 50
    proof_share: float = 0.2
    proof_max: int = 1000
    dev_share: float = 0.1
    dev_max: int = 400
    near_duplicate: float = 0.9

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
