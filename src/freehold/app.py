"""The composition root: `freehold up`, built from settings.

    gateway    forwards, answers and records calls (the event loop's thread)
    keeper     follows the routes, keeps engines running and sorts new calls (a thread of its own)
    console    the pages for people, beside the gateway's paths

Not covered: what the parts do; each is in its own folder.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable

from freehold import route as routing
from freehold.console import build_console
from freehold.core import Asked
from freehold.errors import FreeholdError, StateError
from freehold.gateway.app import Gateway
from freehold.gateway.config import GatewaySettings, Placed, Provider, Switchboard
from freehold.gateway.server import run
from freehold.loop.directory import Directory
from freehold.loop.engines import Engines
from freehold.loop.estate import Estate, open_estate
from freehold.loop.locks import locked
from freehold.loop.sorting import sort_new_calls
from freehold.record import Recorder
from freehold.settings import Settings

_FOLLOW_S = 0.25
_SORT_S = 5.0
_LOG = logging.getLogger("freehold.up")


def run_up(settings: Settings) -> None:
    """Run the gateway until it is told to stop; BusyError when one runs on this state folder already."""
    estate = open_estate(settings)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    with locked(estate.folder("locks") / "up.lock", "A gateway on this state folder"):
        recorder = Recorder(estate.store.calls.add)
        directory, engines = Directory(estate.store), Engines(estate)
        keeper = Keeper(estate, directory, engines)
        host, port = settings.text("gateway.host"), settings.whole("gateway.port")
        try:
            directory.refresh()
            gateway = build_gateway(estate, recorder, directory, engines)
            keeper.start()
            run(gateway, host, port, on_ready=lambda taken: _announce(host, taken))
        finally:
            keeper.stop()
            lost, problem = recorder.close(), recorder.problem
            estate.store.close()
        if lost:
            raise StateError(
                f"{len(lost)} calls that were answered could not be recorded: {problem}.",
                hint="Free some space or mend the database before the gateway is started again.",
            )


def _announce(host: str, port: int) -> None:
    place = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _LOG.info("gateway on %s/v1, console on %s/  (a client needs only: OPENAI_BASE_URL=%s/v1)", place, place, place)


def build_gateway(estate: Estate, recorder: Recorder, directory: Directory, engines: Engines) -> Gateway:
    """The gateway with everything that it is handed."""
    simulated = any(provider.name == "simulated" for provider in estate.settings.providers)
    return Gateway(
        _gateway_settings(estate.settings),
        _providers(estate.settings),
        recorder,
        Switchboard(
            find=_finder(directory),
            engine_url=engines.url,
            confidence=routing.confidence,
            is_acceptable=routing.is_acceptable,
        ),
        build_console(estate, is_simulated=simulated),
    )


class Keeper(threading.Thread):
    """Follows the store while the gateway runs: routes four times a second, new calls every few seconds."""

    def __init__(self, estate: Estate, directory: Directory, engines: Engines) -> None:
        super().__init__(name="freehold-keeper", daemon=True)
        self._estate = estate
        self._directory = directory
        self._engines = engines
        self._ending = threading.Event()
        self._sorted_at = 0.0

    def run(self) -> None:
        """Follow until stopped; a failure is logged and tried again, the gateway goes on with what it knows."""
        while not self._ending.wait(_FOLLOW_S):
            try:
                self._follow()
            except FreeholdError as error:
                _LOG.warning("the store cannot be followed now: %s", error)
                self._ending.wait(1.0)
            except Exception:
                _LOG.exception("following the store failed; trying again")
                self._ending.wait(5.0)

    def stop(self) -> None:
        """Stop following, then the engines."""
        self._ending.set()
        if self.is_alive():
            self.join(timeout=10)
        self._engines.stop()

    def _follow(self) -> None:
        self._directory.refresh()
        self._engines.keep(self._directory.served_models())
        if time.monotonic() - self._sorted_at > _SORT_S:
            sort_new_calls(self._estate)
            self._sorted_at = time.monotonic()


def _finder(directory: Directory) -> Callable[[Asked, str | None], Placed | None]:
    def find(asked: Asked, explicit_task: str | None) -> Placed | None:
        found = directory.find(asked, explicit_task)
        if found is None:
            return None
        task, route, messages = found
        return Placed(task_id=task.id, task_key=task.key, route=route, messages=messages)

    return find


def _gateway_settings(settings: Settings) -> GatewaySettings:
    return GatewaySettings(
        max_body_bytes=int(settings.number("gateway.max_body_mb") * 2**20),
        connect_timeout_s=settings.number("gateway.connect_timeout_s"),
        idle_timeout_s=settings.number("gateway.idle_timeout_s"),
        engine_timeout_s=settings.number("route.engine_timeout_s"),
        record_wait_s=settings.number("gateway.record_wait_s"),
        add_usage=settings.flag("gateway.add_usage"),
    )


def _providers(settings: Settings) -> list[Provider]:
    return [
        Provider(
            name=p.name,
            base_url=p.base_url,
            dialect="anthropic" if p.dialect == "anthropic" else "openai",
            key_env=p.key_env,
            models=p.models,
            prices=p.prices,
        )
        for p in settings.providers
    ]
