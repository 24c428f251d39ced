"""Which calls a proof was made on: those it used up, those it could not speak about, and the dataset they are from."""

from __future__ import annotations

import msgspec


class ReasonFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls there were for one reason (`name`), and how many of them would be answered locally."""

    name: str = ""
    calls: int = 0
    local: int = 0


class UsedCalls(msgspec.Struct, frozen=True, kw_only=True):
    """The calls that a proof used up, and what is known of where they stand; times are Unix seconds.

    `left_out` counts by reason the held-out calls that did not enter. `is_newer` is None where nobody looked.
    """

    calls: int | None = None
    digest: str = ""
    first_at: float | None = None
    last_at: float | None = None
    is_newer: bool | None = None
    looked_at_before: int = 0
    left_out: dict[str, int] = {}
    of_trained_users: int = 0
    of_learnt_inputs: int | None = None


class DatasetFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The dataset: its hash, its examples by split, and the calls left out of it by reason."""

    hash: str = ""
    counts: dict[str, int] = {}
    dropped: dict[str, int] = {}
