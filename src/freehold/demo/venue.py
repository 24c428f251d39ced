"""A venue: a folder with settings, a simulated provider and a gateway that run for as long as a block does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from freehold.demo.processes import free_port, watched
from freehold.demo.rows import MODEL
from freehold.errors import StateError
from freehold.settings import Value

PRICES_USD_PER_MTOK = (2.5, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where a demonstration takes place; `base_url` is what the client is pointed at."""

    folder: Path
    config: Path
    base_url: str
    console_url: str


@contextmanager
def venue(
    folder: Path, *, tables: Mapping[str, Mapping[str, Value]], speed: float, answers: Path | None, seed: int = 0
) -> Iterator[Venue]:
    """Write `freehold.toml` into `folder`, start the provider and the gateway, and stop both at the end.

    `tables` are settings by section, beside the state folder, the port and the provider.
    `answers` makes the provider a stand-in that answers from that file; without it, it plays the shop's rented model.
    """
    _make(folder)
    provider_port, gateway_port = free_port(), free_port()
    config = folder / "freehold.toml"
    config.write_text(_settings(folder, provider_port, gateway_port, tables), encoding="utf-8")
    provider = ["freehold.demo.provider", "--port", str(provider_port), "--seed", str(seed), "--speed", str(speed)]
    if answers is not None:
        provider += ["--answers", str(answers)]
    gateway = ["freehold", "--config", str(config), "up"]
    provider_url = f"http://127.0.0.1:{provider_port}/v1/models"
    gateway_url = f"http://127.0.0.1:{gateway_port}"
    with (
        watched("simulated provider", provider, ready_url=provider_url, log=folder / "provider.log"),
        watched("gateway", gateway, ready_url=f"{gateway_url}/healthz", log=folder / "gateway.log"),
    ):
        yield Venue(folder=folder, config=config, base_url=f"{gateway_url}/v1", console_url=f"{gateway_url}/")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(
            f"{str(folder)!r} cannot be made: {error.strerror}.", hint="Choose another --folder."
        ) from error


def _settings(folder: Path, provider_port: int, gateway_port: int, tables: Mapping[str, Mapping[str, Value]]) -> str:
    price_in, price_out = PRICES_USD_PER_MTOK
    return f"""# Written anew by each demonstration in this folder.
state = {json.dumps(str(folder.absolute() / "state"))}

[gateway]
port = {gateway_port}

{_written(tables)}
[providers.simulated]
base_url = "http://127.0.0.1:{provider_port}/v1"
models = ["{MODEL}"]
prices = {{ "{MODEL}" = [{price_in}, {price_out}] }}
"""


def _written(tables: Mapping[str, Mapping[str, Value]]) -> str:
    """The tables as TOML; a JSON value of these kinds is a TOML value."""
    return "".join(
        f"[{section}]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items()) + "\n"
        for section, table in tables.items()
    )
