"""A moved task with an engine that is overloaded, stopped, or gets a burst: how late calls are, and what is taken back.

    python bench/steady_engine.py [--quick] [--against CHECKOUT]

The bound is the provider's 99th percentile, as its clients saw it before the move, and 300 ms (`route.slack_ms`). Of a
call that the engine was working on when it was stopped, it runs from the stop on: nothing could tell before.

Not covered: the scene (`steady_engine_scene`), the other cases (`steady.py`).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steady_figures import Options, Row, at_most, beside, exactly

SLACK_S = 0.3
SECONDS, QUICK_SECONDS = 60.0, 15.0
_SCENE = Path(__file__).with_name("steady_engine_scene.py")
_LONGEST_S = 600.0

Call = dict[str, Any]


def measure(options: Options) -> list[Row]:
    """The rows of all three cases."""
    found = []
    for case, rows in (("overload", _overload), ("hung", _hung), ("burst", _burst)):
        options.tell(f"an engine with {case}")
        found += rows(_scene(options.below(f"engine-{case}"), case))
    return found


def _scene(options: Options, case: str) -> dict[str, Any]:
    seconds = QUICK_SECONDS if options.is_quick else SECONDS
    command = [sys.executable, str(_SCENE), case, str(options.folder), str(seconds)]
    done = subprocess.run(
        command, env=options.environment, capture_output=True, text=True, timeout=_LONGEST_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the scene {case!r} failed: {done.stderr[-2000:]}")
    scene: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return scene


def _overload(scene: dict[str, Any]) -> list[Row]:
    calls, bound_s = scene["calls"], _bound_s(scene)
    return [
        _latest("engine overloaded threefold: the latest call", calls, bound_s),
        Row(name="engine overloaded threefold: median call", value=_quantile(calls, 0.5), unit="s"),
        Row(name="engine overloaded threefold: answered locally", value=_local(calls), unit="share"),
        *_answered_and_tagged("engine overloaded threefold", scene),
    ]


def _hung(scene: dict[str, Any]) -> list[Row]:
    calls, bound_s = scene["calls"], _bound_s(scene)
    at, until = scene["stopped_s"], scene["went_on_s"]
    caught = [call for call in calls if call["due_s"] < at <= call["due_s"] + call["latency_s"]]
    after = [call for call in calls if at <= call["due_s"] < until]
    later = [call for call in calls if call["due_s"] > until + 2]
    return [
        _latest("engine stopped: the latest call that came after", after, bound_s),
        _latest("engine stopped: the latest that it was working on, from the stop on", _from(caught, at), bound_s),
        Row(name="engine stopped: the same, from when it was due", value=_quantile(caught, 1.0), unit="s"),
        Row(name="engine stopped: answered locally before", value=_local(c for c in calls if c["due_s"] < at - 1)),
        Row(name="engine stopped: answered locally once it went on", value=_local(later), unit="share"),
        *_answered_and_tagged("engine stopped", scene),
    ]


def _burst(scene: dict[str, Any]) -> list[Row]:
    calls, at = scene["calls"], scene["burst_s"]
    burst = [call for call in calls if call["due_s"] == at]
    later = [call for call in calls if call["due_s"] >= scene["after_s"]]
    return [
        _latest("burst of 40: the latest call", burst, _bound_s(scene)),
        Row(name="burst of 40: answered locally afterwards", value=_local(later), unit="share"),
        *_answered_and_tagged("burst of 40", scene),
    ]


def _from(calls: Sequence[Call], at: float) -> list[Call]:
    """The calls with what is left of their latency from a moment on."""
    return [{**call, "latency_s": call["due_s"] + call["latency_s"] - at} for call in calls]


def _answered_and_tagged(name: str, scene: dict[str, Any]) -> list[Row]:
    calls = scene["calls"]
    unanswered = sum(call["status"] != 200 for call in calls)
    untagged = sum(call["status"] == 200 and call["arm"] == "rented" and not call["engine"] for call in calls)
    return [
        exactly(f"{name}: calls without an answer", unanswered, 0, "calls", f"of {len(calls)}"),
        exactly(f"{name}: fallbacks without a tag", untagged, 0, "calls", _reasons(calls)),
        exactly(f"{name}: routes taken back", scene["taken_back"], 0, "routes"),
    ]


def _bound_s(scene: dict[str, Any]) -> float:
    times = sorted(scene["provider_s"])
    return float(times[math.ceil(0.99 * len(times)) - 1]) + SLACK_S


def _latest(name: str, calls: Sequence[Call], bound_s: float) -> Row:
    latest = max((call["latency_s"] for call in calls), default=0.0)
    beyond = sum(call["latency_s"] > bound_s for call in calls)
    return at_most(name, round(latest, 3), round(bound_s, 3), "s", f"{beyond} of {len(calls)} later than the bound")


def _quantile(calls: Sequence[Call], share: float) -> float | None:
    ordered = sorted(call["latency_s"] for call in calls)
    return round(ordered[math.ceil(share * len(ordered)) - 1], 3) if ordered else None


def _local(calls: Any) -> float | None:
    arms = [call.get("arm") for call in calls]
    return round(arms.count("owned") / len(arms), 3) if arms else None


def _reasons(calls: Sequence[Call]) -> str:
    found = [str(call["engine"]) for call in calls if call.get("arm") == "rented"]
    return ", ".join(f"{name} {found.count(name)}" for name in sorted(set(found)))


def main() -> None:
    """Measure this checkout, beside another one where one is given, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="15 seconds a case instead of 60")
    parser.add_argument("--against", type=Path, help="another checkout to compare with")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(__file__).resolve().parents[2]
        options = Options(folder=Path(folder), checkout=here, cores=(), is_quick=chosen.quick, tell=_tell)
        rows = measure(options.below("this"))
        if chosen.against is not None:
            other = Options(folder=Path(folder), checkout=chosen.against, cores=(), is_quick=chosen.quick, tell=_tell)
            rows = beside(rows, measure(other.below("other")))
    for row in rows:
        met = {None: "", True: "met", False: "NOT MET"}[row.is_met]
        against = "" if row.against is None else f" (against {row.against:g})"
        print(f"{row.name}: {row.value} {row.unit}{against}  {row.aim} {met}  {row.note}".rstrip())


def _tell(words: str) -> None:
    print(words, file=sys.stderr)
