"""The seams: tables of what can be put in place of another, open to other packages.

A package adds to a table by an entry point of the group `freehold.TABLE`, in its pyproject.toml:

    [project.entry-points."freehold.alarms"]
    pager = "my_package.pager:PagerAlarm"

What is of Freehold itself is in the same table, and loaded the same way. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from freehold.errors import SettingError

PREFIX = "freehold."


@dataclass(frozen=True, slots=True)
class Seam:
    """One table; `own` are Freehold's entries, each as `module:name`."""

    name: str
    own: Mapping[str, str]

    def names(self) -> tuple[str, ...]:
        """All names that can be asked for."""
        return tuple(sorted({*self.own, *(entry.name for entry in self._others())}))

    def load(self, name: str) -> Any:
        """What a name stands for.

        SettingError for an unknown name, for one that two packages offer, and for one that cannot be imported.
        """
        found = [entry for entry in self._others() if entry.name == name]
        if name in self.own:
            found.insert(0, EntryPoint(name, self.own[name], PREFIX + self.name))
        if not found:
            raise SettingError(f"There is no {name!r} among {self.name}.", hint=f"Known: {', '.join(self.names())}.")
        if len(found) > 1:
            offered = ", ".join(_package(entry) for entry in found)
            raise SettingError(
                f"{name!r} of {self.name} is offered by several packages: {offered}.", hint="Uninstall all but one."
            )
        try:
            return found[0].load()
        except Exception as error:  # whatever a package's own code raises when it is imported
            raise SettingError(
                f"{name!r} of {self.name} cannot be loaded from {_package(found[0])}: {type(error).__name__}: {error}",
                hint="Upgrade or uninstall that package.",
            ) from error

    def _others(self) -> list[EntryPoint]:
        return list(entry_points(group=PREFIX + self.name))


def _package(entry: EntryPoint) -> str:
    """The package that offers an entry."""
    return entry.dist.name if entry.dist is not None else "freehold"


ALARMS = Seam(
    "alarms",
    {"log": "freehold.watch.alarms.log:LogAlarm", "webhook": "freehold.watch.alarms.webhook:WebhookAlarm"},
)
"""What sends a notice when a route changes by itself: `freehold.watch.alarms.Factory`."""
