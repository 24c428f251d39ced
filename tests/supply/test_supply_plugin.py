"""The worked example of a plugin is installed as a user would; its alarm is told, and its scorer scores answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"
ALARM = """
from freehold.app.alarm_sender import AlarmSender, make_alarms
from freehold.settings import load_settings
from freehold.watch.alarms import Event

sender = AlarmSender(make_alarms(load_settings()))
sender.send(Event(kind="delivery_lag", text="Delivery lags.", at=1.0))
sender.close()
"""
SCORER = """
import json
from freehold.model import Example, Message
from freehold.prove.measure import Guess, hold_out, score_guesses
from freehold.prove.metrics import metric_sources, read_metrics
from freehold.settings import load_settings

named = load_settings().text("prove.metrics")
def example(text, target):
    return Example(id="c", messages=(Message("user", text),), target=target, incumbent=target, source="provider",
                   group="g", created_at=0.0)
examples = [example("Parcel 11872 is late", "order 11872"), example("Where is it? 42", "order 11872")]
held = hold_out("text", examples, read_metrics(named))
made_up = score_guesses("owned", held, [Guess(text="order 99999", confidence=1.0)] * 2)
print(json.dumps([[j.values for j in held.judged], [j.values for j in made_up.judged], len(metric_sources(named))]))
"""

needs_hatchling = pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the example is installed into."""
    folder = tmp_path_factory.mktemp("plugin")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    target = folder / "site"
    subprocess.run([*install, "--target", str(target), str(EXAMPLE)], check=True, capture_output=True, cwd=folder)
    return target


def _run(site: Path, code: str, **variables: str) -> str:
    environment = {**os.environ, **variables}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, env=environment, cwd=site, timeout=60, capture_output=True, text=True)
    return done.stdout


@needs_hatchling
def test_the_examples_alarm_is_told(site: Path, tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"
    _run(site, ALARM, FREEHOLD_WATCH_ALARMS="file", FILE_ALARM=str(told))
    (line,) = told.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["text"] == "Delivery lags."


@needs_hatchling
def test_the_examples_scorer_sees_the_prompt_and_scores_both_sides(site: Path) -> None:
    provider, owned, sources = json.loads(_run(site, SCORER, FREEHOLD_PROVE_METRICS="exact, quoted:5>=0.5"))
    assert provider == [[1.0, 1.0], [1.0, 0.0]]
    assert owned == [[0.0, 0.0], [0.0, 0.0]]
    assert sources == 1
