"""An alarm that writes each event as a line of JSON to the file that FILE_ALARM names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from freehold.errors import SettingError
from freehold.watch.alarms import Event


class FileAlarm:
    """Appends to a file; SettingError where none is named."""

    def __init__(self, settings: Mapping[str, str | float | int | bool], environment: Mapping[str, str]) -> None:
        del settings
        if not environment.get("FILE_ALARM"):
            raise SettingError("The alarm file has no file.", hint="Set the environment variable FILE_ALARM.")
        self._path = environment["FILE_ALARM"]

    def send(self, event: Event) -> None:
        """Append one line; an OSError is tried again."""
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(event)) + "\n")
