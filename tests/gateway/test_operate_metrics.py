"""Metrics: the page is Prometheus' format, sums all processes, never goes backwards, and stays bounded."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from made import a_call
from prometheus_client.parser import text_string_to_metric_families

from freehold.gateway.telemetry.meter import MOST_TASKS, Meter
from freehold.gateway.telemetry.metrics import Metrics, Sources, render
from freehold.gateway.telemetry.tally import count_delivered


def _observe(meter: Meter, task: str | None = "t1", status: int = 200, latency_s: float = 0.3) -> None:
    meter.observe(
        task=task,
        provider="openai",
        arm="rented",
        status=status,
        dialect="openai-chat",
        latency_s=latency_s,
        first_byte_s=latency_s / 2,
        gateway_s=0.0004,
    )


def _samples(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"{key} stands on the page twice"
            found[key] = sample.value
    return found


def _sum(page: bytes, name: str, **labels: str) -> float:
    samples = _samples(page).items()
    return sum(value for (found, having), value in samples if found == name and labels.items() <= dict(having).items())


def _metrics(folder: Path, name: str, run: str = "r1", **options: object) -> tuple[Meter, Metrics]:
    meter = Meter()
    sources = Sources(folder=folder, name=name, run=run, **options)  # type: ignore[arg-type]
    return meter, Metrics(meter, sources)


def test_the_page_is_read_back_as_what_was_counted() -> None:
    meter = Meter()
    _observe(meter, latency_s=0.3)
    _observe(meter, latency_s=0.05)
    _observe(meter, latency_s=9000.0)
    _observe(meter, status=503)
    meter.refuse("body_too_large")
    meter.fail_upstream("openai", "upstream_timeout")
    meter.calls_under_way = 3
    page = render(meter.figures(gauges={"freehold_record_problem": 1}))
    assert _sum(page, "freehold_calls_total") == 4
    assert _sum(page, "freehold_calls_total", status="5xx", task="t1", dialect="openai-chat") == 1
    assert _sum(page, "freehold_call_seconds_bucket", le="0.05") == 1, "a bound belongs to its bucket"
    assert _sum(page, "freehold_call_seconds_bucket", le="300.0") == 3
    assert _sum(page, "freehold_call_seconds_bucket", le="+Inf") == _sum(page, "freehold_call_seconds_count") == 4
    assert abs(_sum(page, "freehold_call_seconds_sum") - 9000.65) < 1e-9
    assert _sum(page, "freehold_gateway_seconds_count", arm="rented") == 4
    assert _sum(page, "freehold_refused_total", code="body_too_large") == 1
    assert _sum(page, "freehold_upstream_failures_total", provider="openai", kind="upstream_timeout") == 1
    assert _sum(page, "freehold_calls_under_way") == 3
    assert _sum(page, "freehold_record_problem") == 1


@given(st.text(max_size=20))
def test_any_task_name_survives_the_page(name: str) -> None:
    meter = Meter()
    _observe(meter)
    label = name.replace("\r", " ").encode("utf-8", "replace").decode()
    families = text_string_to_metric_families(render(meter.figures(), lambda _: label).decode())
    (calls,) = (family for family in families if family.name == "freehold_calls")
    assert calls.samples[0].labels["task"] == label


def test_every_worker_shows_the_sum(tmp_path: Path) -> None:
    (one, first), (two, second) = _metrics(tmp_path, "worker-0"), _metrics(tmp_path, "worker-1")
    for _ in range(3):
        _observe(one)
    for _ in range(4):
        _observe(two)
    one.connections, two.connections = 10, 20
    second.save()
    assert _sum(first.page(), "freehold_calls_total") == 7
    assert _sum(first.page(), "freehold_open_connections") == 30
    assert _sum(second.page(), "freehold_call_seconds_count") == 7


def test_no_counter_goes_backwards_when_workers_are_killed(tmp_path: Path) -> None:
    rng = random.Random(7)
    workers = {name: _metrics(tmp_path, name) for name in ("worker-0", "worker-1", "worker-2")}
    shown, killed, counted = 0.0, 0, 0
    for _ in range(400):
        name = rng.choice(list(workers))
        match rng.randrange(8):
            case 0:
                workers[name] = _metrics(tmp_path, name)
                workers[name][1].restore()
                killed += 1
            case 1:
                page = workers[name][1].page()
                now = _sum(page, "freehold_calls_total")
                assert now >= shown
                assert _sum(page, "freehold_gateway_seconds_count") == now
                shown = now
            case 2:
                workers[name][1].save()
            case _:
                _observe(workers[name][0])
                counted += 1
    assert killed > 20
    assert 0 < shown <= counted


def test_gauges_of_another_run_do_not_count(tmp_path: Path) -> None:
    old, kept = _metrics(tmp_path, "worker-5", run="yesterday")
    old.connections = 99
    _observe(old)
    kept.save()
    page = _metrics(tmp_path, "worker-0", run="today")[1].page()
    assert _sum(page, "freehold_open_connections") == 0
    assert _sum(page, "freehold_calls_total") == 1


def test_tasks_beyond_the_bound_are_other(tmp_path: Path) -> None:
    meter, metrics = _metrics(tmp_path, "worker-0")
    for number in range(MOST_TASKS + 50):
        _observe(meter, task=f"t{number}")
    _observe(meter, task=None)
    page = metrics.page()
    assert _sum(page, "freehold_calls_total", task="other") == 51
    assert _sum(page, "freehold_calls_total") == MOST_TASKS + 51
    again, restored = _metrics(tmp_path, "worker-0")
    restored.restore()
    _observe(again, task="new")
    assert _sum(restored.page(), "freehold_calls_total", task="other") == 52


def test_tasks_are_shown_by_name_and_ids_of_one_name_are_one(tmp_path: Path) -> None:
    names = {"a1": "triage", "b2": "triage"}
    meter, metrics = _metrics(tmp_path, "worker-0", task_name=lambda task: names.get(task, task))
    for task in ("a1", "b2", "c3"):
        _observe(meter, task=task)
    page = metrics.page()
    assert _sum(page, "freehold_calls_total", task="triage") == 2
    assert _sum(page, "freehold_call_seconds_count", task="triage") == 2
    assert _sum(page, "freehold_calls_total", task="c3") == 1


def test_a_damaged_file_is_left_out_and_said(tmp_path: Path, caplog: object) -> None:
    (tmp_path / "worker-1.json").write_bytes(b'{"run": ')
    meter, metrics = _metrics(tmp_path, "worker-0")
    _observe(meter)
    assert _sum(metrics.page(), "freehold_calls_total") == 1
    assert "worker-1.json cannot be read" in caplog.text  # type: ignore[attr-defined]


def test_the_delivery_counts_tokens_and_cost() -> None:
    meter = Meter()
    count_delivered(meter, [a_call(task_id="t"), a_call(task_id="t", cost_usd=None, input_tokens=None)])
    page = render(meter.figures())
    assert _sum(page, "freehold_recorded_calls_total", task="t") == 2
    assert _sum(page, "freehold_tokens_total", direction="input") == 10
    assert _sum(page, "freehold_tokens_total", direction="output") == 4
    assert _sum(page, "freehold_cost_usd_total") == 0.5
