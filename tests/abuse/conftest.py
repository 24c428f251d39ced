"""A gateway that is abused, and the proof after each test that it goes on for everybody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from abuse.town import MIB, Town
from fidelity.provider import answer
from fidelity.running import running
from fidelity.upstream import served


@pytest.fixture(scope="module")
def settings() -> str:
    """Lines for `[gateway]`; a module may have its own."""
    return ""


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, settings: str) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("abuse")
    with served(answer) as upstream, running(folder, upstream, settings=settings) as gateway:
        gateway.limit_memory(3000 * MIB)
        yield Town(upstream, gateway)


@pytest.fixture
def town(standing: Town) -> Iterator[Town]:
    """The gateway; whatever a test did to it, others are served after."""
    standing.upstream.script = answer
    standing.assert_serving()
    standing.upstream.seen.clear()
    yield standing
    standing.upstream.script = answer
    standing.assert_serving()
