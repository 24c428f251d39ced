"""One setting: its name, default, help and range, and what a value of it may be.

Not covered: which settings there are (`declared`), where a value comes from (`load`).
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from freehold.errors import SettingError

Value = str | int | float | bool
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `section` is empty for those at the top of the file.

    A number lies from `least` to `most`; a text is one of `choices`, where there are any.
    """

    section: str
    name: str
    default: Value
    help: str
    least: float = 0
    most: float = math.inf
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The dotted name, as in `gateway.port`."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "FREEHOLD_" + self.key.replace(".", "_").upper()

    @property
    def kind(self) -> str:
        """What a value must be, in words."""
        match self.default:
            case bool():
                return "true or false"
            case str():
                return f"one of {', '.join(map(repr, self.choices))}" if self.choices else "text"
        number = "a whole number" if isinstance(self.default, int) else "a number"
        return number + (
            f" from {self.least:g} to {self.most:g}" if self.most < math.inf else f", {self.least:g} or more"
        )


def unknown(what: str, name: str, known: Sequence[str]) -> SettingError:
    """The error for a name that is not known."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
    return SettingError(f"There is no {what} {name!r}.", hint=hint)


def coerce(setting: Setting, value: object, source: str) -> Value:
    """A value as this setting takes it; `source` names where it stands. SettingError says what it must be."""
    wrong = SettingError(
        f"{setting.key} = {value!r} ({source}) is not {setting.kind}.",
        hint=f"{setting.help} Default: {setting.default!r}.",
    )
    if isinstance(setting.default, bool):
        word = str(value).lower()
        if word not in (*_TRUE, *_FALSE):
            raise wrong
        return word in _TRUE
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong
    if isinstance(setting.default, str):
        if setting.choices and value not in setting.choices:
            raise wrong
        return str(value)
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise wrong from error
    if not (math.isfinite(number) and setting.least <= number <= setting.most):
        raise wrong
    if isinstance(setting.default, float):
        return number
    if not number.is_integer():
        raise wrong
    return int(number)
