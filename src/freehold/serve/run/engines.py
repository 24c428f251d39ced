"""The engines of a running gateway: one for each model that some route needs, started and stopped as routes change.

One process keeps them (`Engines`) and writes down where they are; the gateway's workers read that (`EngineList`).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from freehold.errors import FreeholdError, StateError, in_a_line
from freehold.model.model_card import MODEL_FILE
from freehold.route.run.directory import ServedModel
from freehold.serve.engines import Engine, load_engine
from freehold.settings import Settings
from freehold.store import Store
from freehold.system.files import write_whole
from freehold.system.time_limit import TimeLimit

TRY_AGAIN_S = 15.0
LIMIT_S = 30.0
"""Seconds that an engine may take to begin, and to stop."""
_LOG = logging.getLogger("freehold.engines")


def engine_file(settings: Settings) -> Path:
    """Where the engines of this state folder are listed."""
    return settings.state.absolute() / "run" / "engines.json"


class Engines:
    """Keeps the wanted models served, each from the very file that was exported, checked and proven."""

    def __init__(self, settings: Settings, store: Callable[[], Store]) -> None:
        self._settings = settings
        self._store = store
        self._engines: dict[str, _Kept] = {}
        self._refused: dict[str, float] = {}
        self._listed: str | None = None

    def urls(self) -> dict[str, str]:
        """Where each model is served now; one that is not is missing, and then the provider answers."""
        urls = {model_id: engine.url() for model_id, engine in self._engines.items()}
        return {model_id: url for model_id, url in urls.items() if url is not None}

    def keep(self, wanted: Mapping[str, ServedModel]) -> None:
        """Serve these models, by id, and no others.

        A model that cannot be served is logged once, and tried again: its file may come back.
        """
        for model_id in set(self._engines) - set(wanted):
            self._engines.pop(model_id).stop()
        self._refused = {model_id: at for model_id, at in self._refused.items() if model_id in wanted}
        for model_id in set(wanted) - set(self._engines):
            if time.monotonic() >= self._refused.get(model_id, 0.0):
                self._begin(model_id, wanted[model_id])

    def _begin(self, model_id: str, model: ServedModel) -> None:
        is_known = model_id in self._refused
        try:
            engine = self._engine(model_id, model)
        except Exception as error:  # an engine may be of any package
            self._refused[model_id] = time.monotonic() + TRY_AGAIN_S
            if not is_known:
                said = str(error) if isinstance(error, FreeholdError) else in_a_line(error)
                _LOG.error("Model %s is not served, so the provider answers: %s", model_id, said)
            return
        self._refused.pop(model_id, None)
        self._engines[model_id] = engine

    def list_them(self) -> None:
        """Write down where the models are served, if that has changed."""
        listed = json.dumps(self.urls(), sort_keys=True)
        if listed == self._listed:
            return
        path = engine_file(self._settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, listed.encode(), is_synced=False)
        self._listed = listed

    def stop(self) -> None:
        """Stop all engines."""
        self.keep({})

    def _engine(self, model_id: str, model: ServedModel) -> _Kept:
        name = self._settings.text("serve.engine")
        card = self._store().registry.model(model_id)
        known = {model.sha256, card.served_sha256 if card is not None else ""} - {""}
        if len(known) > 1:
            raise StateError(
                f"Model {model_id} has another file than its route was proven with.",
                hint="Prove and move the task again; freehold receipts verify shows what was changed.",
            )
        if card is not None and card.parity and card.engine != name:
            raise StateError(
                f"Model {model_id} was checked with the engine {card.engine!r}, and serve.engine is {name!r}.",
                hint="Set serve.engine back, or train the task again: that checks the model with the other engine.",
            )
        limit = TimeLimit(f"freehold-engine-{model_id}", LIMIT_S)
        engine = limit.call(
            lambda: load_engine(name)(
                Path(model.folder) / MODEL_FILE,
                sha256=next(iter(known), None),
                log=self._settings.state.absolute() / "logs" / f"engine-{model_id}.log",
                threads=self._settings.whole("serve.threads"),
                slots=self._settings.whole("serve.slots"),
            )
        )
        limit.call(engine.start)
        return _Kept(model_id, engine, limit)


@dataclass(frozen=True, slots=True)
class _Kept:
    """An engine that was started; it may be of any package, so nothing that it raises comes through."""

    model_id: str
    engine: Engine
    limit: TimeLimit

    def url(self) -> str | None:
        """Where the model is served; None while it is not, or where that cannot be told."""
        try:
            return self.engine.url
        except Exception:
            return None

    def stop(self) -> None:
        """Stop it, or leave it where it does not stop in time."""
        try:
            self.limit.call(self.engine.stop)
        except Exception as error:
            _LOG.error("The engine of model %s was not stopped: %s", self.model_id, in_a_line(error))


class EngineList:
    """Where another process serves models, as of the last `refresh`; `url` is safe to ask from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._urls: dict[str, str] = {}

    def url(self, model_id: str) -> str | None:
        """Where a model is served now; None while it is not."""
        return self._urls.get(model_id)

    def refresh(self) -> None:
        """Read the list again if it has changed."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                self._urls = json.loads(self._path.read_text(encoding="utf-8"))
                self._stamp = stamp
        except FileNotFoundError:
            self._urls, self._stamp = {}, None
