"""The worked example of a plugin is installed as a user would, and its alarm is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"
USE = """
from freehold.app.alarm_sender import AlarmSender, make_alarms
from freehold.settings import load_settings
from freehold.watch.alarms import Event

sender = AlarmSender(make_alarms(load_settings()))
sender.send(Event(kind="delivery_lag", text="Delivery lags.", at=1.0))
sender.close()
"""


@pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling is not installed")
def test_the_example_is_installed_and_its_alarm_is_told(tmp_path: Path) -> None:
    site, told = tmp_path / "site", tmp_path / "told.jsonl"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*install, "--target", str(site), str(EXAMPLE)], check=True, capture_output=True, cwd=tmp_path)
    environment = {**os.environ, "FREEHOLD_WATCH_ALARMS": "file", "FILE_ALARM": str(told)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    subprocess.run([sys.executable, "-c", USE], check=True, env=environment, cwd=tmp_path, timeout=60)
    (line,) = told.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["text"] == "Delivery lags."
