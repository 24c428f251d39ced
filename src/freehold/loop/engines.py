"""The engines of a running gateway: one for each model that some route needs, started and stopped as routes change."""

from __future__ import annotations

import logging
from pathlib import Path

from freehold.errors import FreeholdError
from freehold.loop.estate import Estate
from freehold.loop.training import MODEL_FILE
from freehold.serve import Engine

_LOG = logging.getLogger("freehold.engines")


class Engines:
    """Keeps the wanted models served; `url` is safe to ask from the gateway's loop."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._engines: dict[str, Engine] = {}
        self._refused: set[str] = set()

    def url(self, model_id: str) -> str | None:
        """Where a model is served now; None while it is not, and then the provider answers."""
        engine = self._engines.get(model_id)
        return engine.url if engine else None

    def keep(self, wanted: dict[str, str]) -> None:
        """Serve these models, by id and folder, and no others; a model that cannot be served is logged once."""
        for model_id in set(self._engines) - set(wanted):
            self._engines.pop(model_id).stop()
        self._refused &= set(wanted)
        for model_id in set(wanted) - set(self._engines) - self._refused:
            try:
                engine = self._engine(model_id, Path(wanted[model_id]))
                engine.start()
            except (FreeholdError, OSError) as error:
                self._refused.add(model_id)
                _LOG.error("Model %s is not served, so the provider answers: %s", model_id, error)
                continue
            self._engines[model_id] = engine

    def _engine(self, model_id: str, folder: Path) -> Engine:
        settings = self._estate.settings
        return Engine(
            folder / MODEL_FILE,
            log=self._estate.folder("logs") / f"engine-{model_id}.log",
            threads=settings.whole("serve.threads"),
            slots=settings.whole("serve.slots"),
        )

    def stop(self) -> None:
        """Stop all engines."""
        self.keep({})
