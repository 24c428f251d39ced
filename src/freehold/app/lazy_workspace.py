"""A workspace whose database may be away: opened when it first answers, and the same one from then on."""

from __future__ import annotations

import logging
import threading

from freehold.errors import FreeholdError
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.settings import Settings
from freehold.store import Store

_LOG = logging.getLogger("freehold.up")


class LazyWorkspace:
    """Opens the workspace on demand; safe to use from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = threading.Lock()
        self.opened: Workspace | None = None

    def get(self) -> Workspace:
        """The workspace; FreeholdError while it cannot be opened."""
        if self.opened is None:
            with self._opening:
                self.opened = self.opened or open_workspace(self._settings)
        return self.opened

    def store(self) -> Store:
        """The workspace's store; FreeholdError while it cannot be opened."""
        return self.get().store

    def try_for(self, timeout_s: float) -> None:
        """Try to open it for a while; raises what only a person can mend, and says what may pass by itself."""
        failures: list[FreeholdError] = []

        def attempt() -> None:
            try:
                self.get()
            except FreeholdError as error:
                failures.append(error)

        thread = threading.Thread(target=attempt, name="freehold-open", daemon=True)
        thread.start()
        thread.join(timeout_s)
        if failures and not failures[0].retryable:
            raise failures[0]
        if self.opened is None:
            why = str(failures[0]) if failures else f"The database has not answered for {timeout_s:g} s."
            _LOG.warning("%s Calls pass all the same, and wait in the journal.", why)

    def close(self) -> None:
        """Give the database's connections back."""
        if self.opened is not None:
            self.opened.store.close()
