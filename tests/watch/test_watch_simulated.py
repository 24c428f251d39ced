"""The benches' arrays are the package's values for many runs at once, and their rows hold, controls included."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from benches import reach_benches

from freehold.watch import (
    new_conformal_drift,
    new_detector,
    new_probe_drift,
    new_ramp,
    observe,
    observe_difference,
    observe_p,
    observe_pair,
    observe_probe,
)
from freehold.watch.drift import PROBES
from freehold.watch.plan import Plan
from freehold.watch.watcher import Observation, fold, live_of, new_watch

LLMDRIFT = Path(os.environ.get("FREEHOLD_DATA", "../shared/data")) / "llmdrift"


@pytest.fixture(autouse=True)
def _bench_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    reach_benches(monkeypatch)


def _online() -> ModuleType:
    return importlib.import_module("proof_online")


def _drift() -> ModuleType:
    return importlib.import_module("proof_drift")


def _first(alarmed: list[bool], never: int) -> int:
    return alarmed.index(True) + 1 if True in alarmed else never


def test_the_arrays_alarm_when_the_detector_does() -> None:
    bench, rng = _online(), np.random.default_rng(1)
    losses = (rng.random((120, 6)) < [0.05, 0.1, 0.2, 0.4, 0.8, 1.0]).astype(float)
    weights = rng.choice([1.0, 0.3], size=(120, 6))
    found = bench.alarms(losses / 0.05 - 1, patience=500.0, weights=weights)
    pairs = rng.choice([-1.0, 0.0, 1.0], p=[0.4, 0.5, 0.1], size=(120, 6))
    found_pairs = bench.alarms((1 - pairs) / 1.03 - 1, patience=500.0)
    for run in range(6):
        by_loss = new_detector("x", tolerated=0.05, patience=500.0)
        by_pair = new_detector("x", tolerated=0.03, patience=500.0)
        alarmed, alarmed_pairs = [], []
        for step in range(120):
            by_loss = observe(by_loss, float(losses[step, run]), weight=float(weights[step, run]))
            by_pair = observe_difference(by_pair, float(pairs[step, run]))
            alarmed.append(by_loss.alarm)
            alarmed_pairs.append(by_pair.alarm)
        assert found[run] == _first(alarmed, bench.NEVER)
        assert found_pairs[run] == _first(alarmed_pairs, bench.NEVER)
    assert len(set(found.tolist())) > 3


def test_the_arrays_drift_when_the_package_does() -> None:
    bench, rng = _drift(), np.random.default_rng(2)
    changes = rng.choice([-1.0, 0.0, 1.0], p=[0.3, 0.6, 0.1], size=(150, 4, 3))
    found = bench.probe_alarms(changes, patience=300.0)
    p_values = rng.random((150, 4)) ** 2
    found_p = _online().conformal_alarms(p_values, patience=300.0)
    for run in range(4):
        probes, conformal = new_probe_drift(patience=300.0), new_conformal_drift(patience=300.0)
        alarmed, alarmed_p = [], []
        for step in range(150):
            probes = observe_probe(probes, dict(zip(PROBES, changes[step, run].tolist(), strict=True)))
            conformal = observe_p(conformal, [float(p_values[step, run])])
            alarmed.append(probes.alarm)
            alarmed_p.append(conformal.alarm)
        assert found[run] == _first(alarmed, 10**9)
        assert found_p[run] == _first(alarmed_p, 10**9)


def test_the_arrays_share_as_the_ramp_does() -> None:
    bench, looks = _online(), np.arange(1, 101)
    found = bench.shares(0.05, 0.2, looks, runs=3, seed=1, harm=0.05, alpha=0.05)
    rng = np.random.default_rng([1, 2, 1_050])
    drawn = bench.kinds(rng.random((3, 100)), *bench.parts(0.05, 0.2)) - 1
    for run in range(3):
        ramp = new_ramp(harm=0.05, alpha=0.05)
        for difference in drawn[run]:
            ramp = observe_pair(ramp, float(difference))
        assert ramp.share == pytest.approx(found[run, -1], rel=1e-3)


@pytest.mark.parametrize("local", [1.0, 0.6])
def test_the_simulated_turn_is_what_the_watch_does(local: float) -> None:
    """The same draws, folded call by call into a watch whose audit rate follows its evidence."""
    audits = importlib.import_module("proof_audits")
    turn = audits.Turn(declared=0.3, local=local, risk_before=0.02, risk_after=0.3, before=60, after=400)
    for seed in range(4):
        rng, rate, rates, alarm = np.random.default_rng([seed, 60]), turn.declared, [], 0
        watch = new_watch("task", 1, Plan(risk=0.05, base_rate=turn.declared, misfit=None))
        for step in range(turn.before + turn.after):
            risk = turn.risk_before if step < turn.before else turn.risk_after
            is_local = rng.random() < local
            is_wrong = bool(is_local & (rng.random() < risk / local))
            is_seen = bool(is_local & (rng.random() < rate))
            if step < turn.before:
                rates.append(rate)
            seen = Observation(
                call_id=f"call {step}",
                created_at=1_000.0 + step,
                is_local=is_local,
                is_decided=True,
                propensity=rate if is_seen else None,
                audit_rate=rate,
                loss=float(is_wrong) if is_seen else None,
            )
            watch, decision = fold(watch, seen)
            rate = live_of(watch, now=2_000.0).audit_rate
            if decision is not None:
                alarm = step + 1 - turn.before
                break
        found = audits.simulate(turn, runs=1, seed=seed)
        assert found.requests[0] == alarm > 0
        assert found.rate == pytest.approx(np.mean(rates), rel=1e-9)


def test_every_guarantee_holds_and_every_control_fails() -> None:
    rows: list[dict[str, Any]] = _online().online_rows(runs=300, seed=3)
    assert [row for row in rows if not row["ok"]] == []
    assert len(rows) >= 30
    assert sum(row["name"].startswith("control") for row in rows) == 7


@pytest.mark.slow
def test_every_guarantee_holds_in_many_runs() -> None:
    rows: list[dict[str, Any]] = _online().online_rows(runs=4_000, seed=4)
    assert [row for row in rows if not row["ok"]] == []


@pytest.mark.skipif(not LLMDRIFT.is_dir(), reason="no folder llmdrift in FREEHOLD_DATA")
def test_what_changed_in_2023_is_found() -> None:
    rows: list[dict[str, Any]] = _drift().drift_rows(runs=60, seed=5, folder=LLMDRIFT)
    assert [row for row in rows if not row["ok"]] == []
    assert len(rows) == 10
