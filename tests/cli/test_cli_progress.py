"""Progress: a stage that says nothing for a while is still seen to be alive, and one that ended is not."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from freehold import terminal
from freehold.pipeline.progress import Progress

LONG_S = 60.0


def _wait(capfd: pytest.CaptureFixture[str], is_there: Callable[[str], bool]) -> str:
    """What was written until `is_there`; however busy the machine is, that comes."""
    text, deadline = "", time.monotonic() + LONG_S
    while not is_there(text) and time.monotonic() < deadline:
        time.sleep(0.005)
        text += capfd.readouterr().err
    return text


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_ALIVE_EVERY_S", 0.01)
    monkeypatch.setattr(terminal, "_ALIVE_LINE_S", 0.01)


@pytest.mark.usefixtures("quick")
def test_a_silent_stage_is_shown_again_with_its_seconds(capfd: pytest.CaptureFixture[str]) -> None:
    with terminal.reporting() as report:
        report(Progress(stage="export", note="writing the GGUF"))
        text = _wait(capfd, lambda seen: seen.count("export") >= 3)
    first, *others = text.splitlines()
    assert first == "export   writing the GGUF"
    assert len(others) >= 2
    assert all(line.startswith("export   writing the GGUF  (") and line.endswith(" s)") for line in others)


@pytest.mark.usefixtures("quick")
def test_a_stage_that_ended_is_not_shown_again(capfd: pytest.CaptureFixture[str]) -> None:
    with terminal.reporting() as report:
        report(Progress(stage="traffic", done=2, total=2))
        report(Progress(stage="next", note="begins"))
        text = _wait(capfd, lambda seen: seen.count("next") >= 2)
    assert text.count("traffic") == 1


@pytest.mark.usefixtures("quick")
def test_on_a_terminal_it_is_one_line_and_nothing_is_written_after_the_block(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with terminal.reporting() as report:
        report(Progress(stage="prove", done=1, total=2))
        text = _wait(capfd, lambda seen: seen.count("prove") >= 3)
    assert "\n" not in text
    assert capfd.readouterr().err.endswith("\n")
    time.sleep(0.05)
    assert capfd.readouterr().err == ""
