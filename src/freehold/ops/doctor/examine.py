"""All checks in turn; a check that cannot be made is a finding, never the end of the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from freehold.errors import FreeholdError
from freehold.ops.doctor.doors import check_doors
from freehold.ops.doctor.finding import Finding
from freehold.ops.doctor.machine import (
    check_extras,
    check_gateway,
    check_open_files,
    check_settings,
    check_state,
    check_wall_clock,
)
from freehold.ops.doctor.providers import ask_provider, check_skew
from freehold.ops.doctor.record import check_database, check_journal
from freehold.ops.doctor.versions import check_versions
from freehold.ops.doctor.workspace import check_receipts, check_workspace
from freehold.settings import Settings

_QUICK_CHECK_S = 10.0


def examine(settings: Settings, environment: Mapping[str, str], *, is_deep: bool = False) -> Iterator[Finding]:
    """All findings, as they are made; `is_deep` reads whole files where a quick look would do."""
    began = (time.time(), time.monotonic())
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = [(p.name, pool.submit(ask_provider, p, environment)) for p in settings.providers]
        yield from _made("settings", lambda: check_settings(settings))
        yield from _made("extras", lambda: check_extras(settings, environment))
        yield from _made("versions", check_versions)
        yield from _made("state", lambda: check_state(settings))
        yield from _made("files", check_open_files)
        yield from _made("gateway", lambda: check_gateway(settings))
        yield from _made("doors", lambda: check_doors(settings))
        yield from _made("database", lambda: check_database(settings, check_s=3600 if is_deep else _QUICK_CHECK_S))
        yield from _made("journal", lambda: check_journal(settings))
        yield from _made("workspace", lambda: check_workspace(settings, is_deep=is_deep))
        skews: list[float] = []
        yield from _made("receipts", lambda: check_receipts(settings))
        for name, answer in asked:
            yield from _made(f"provider {name}", lambda answer=answer: answer.result().findings)  # type: ignore[misc]
            if answer.exception() is None and (skew_s := answer.result().skew_s) is not None:
                skews.append(skew_s)
    yield from check_skew(skews)
    yield from check_wall_clock(began)


def _made(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except FreeholdError as error:
        return [Finding(name, "fail", error.message, error.hint)]
    except OSError as error:
        place = f" {str(error.filename)!r}" if error.filename is not None else ""
        return [Finding(name, "fail", f"The system refused{place}: {error.strerror or error}.", "See the text above.")]
