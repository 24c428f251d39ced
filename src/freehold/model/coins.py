"""What chance decided about a call of a moved task before any answer was known, and what came of the owned side.

The watch believes these, so they are fields of their own that no caller can write. Earlier versions kept them among a
call's tags; `coins_of` reads them there.

Not covered: who throws them (`gateway.sampling`), what is made of them (`watch.run.observations`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

Drawn = Literal["due", "dropped"]
"""What chance had in mind, and whether there was room for it."""
DUE: Drawn = "due"
DROPPED: Drawn = "dropped"
NEW_PROMPT = "new_prompt"
"""What `owned` says of a call whose prompt its route was not proven with."""


class Coins(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The coins of one call; None where one was not thrown, or where there is nothing to say.

    `audit` and `shadow` say whether a second answer was to come, `audit_rate` with which probability an owned answer
    was audited, and `coin` on which side a canary's coin fell. `owned` says why the owned answer was not used, `slice`
    for which slice's sake, and `engine` why the engine gave none. `new_prompt` is the version of the prompt, where the
    route was proven with another one.
    """

    audit: Drawn | None = None
    audit_rate: float | None = None
    shadow: Drawn | None = None
    coin: Literal["owned", "rented"] | None = None
    owned: str | None = None
    engine: str | None = None
    slice: str | None = None
    new_prompt: int | None = None

    @property
    def is_audit_due(self) -> bool:
        """Whether an audit of this call is to come."""
        return self.audit == DUE

    @property
    def is_shadow_due(self) -> bool:
        """Whether an answer of the owned model beside this call is to come."""
        return self.shadow == DUE

    def as_tags(self) -> dict[str, str]:
        """The coins as texts by their names, as earlier versions kept them and scripts read them."""
        told = {name: value for name in COIN_NAMES if (value := getattr(self, name)) is not None}
        return {name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in told.items()}


COIN_NAMES = Coins.__struct_fields__
NO_COINS = Coins()


def coins_of(tags: Mapping[str, str]) -> Coins:
    """The coins among the tags of a call of an earlier version; what cannot be one reads as none."""
    if not any(name in tags for name in COIN_NAMES):
        return NO_COINS
    number, rate = tags.get("new_prompt", ""), _share(tags.get("audit_rate"))
    coin = tags.get("coin")
    return Coins(
        audit=_drawn(tags.get("audit")),
        audit_rate=rate,
        shadow=_drawn(tags.get("shadow")),
        coin="owned" if coin == "owned" else "rented" if coin == "rented" else None,
        owned=tags.get("owned"),
        engine=tags.get("engine"),
        slice=tags.get("slice"),
        new_prompt=int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else None,
    )


def without_coins(tags: Mapping[str, str]) -> dict[str, str]:
    """The other tags."""
    return {name: value for name, value in tags.items() if name not in COIN_NAMES}


def _drawn(value: str | None) -> Drawn | None:
    return DUE if value == DUE else DROPPED if value == DROPPED else None


def _share(text: str | None) -> float | None:
    """The probability in a text; None where there is none that can be one."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0.0 < value <= 1.0 else None
