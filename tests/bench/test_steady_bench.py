"""The steady benchmark's own parts: what is said of a lag, how rows stand beside another checkout's, what is an aim."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benches import BENCH, reach_benches


@pytest.fixture(autouse=True)
def _bench_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    reach_benches(monkeypatch)


def test_the_growth_of_a_lag_is_that_of_its_second_half() -> None:
    from steady_scene import LagSeries

    rising = LagSeries(at_s=[float(s) for s in range(100)], lag_s=[0.0] * 50 + [0.4 * s for s in range(50)])
    assert rising.growth == pytest.approx(0.4)
    assert rising.last_s == pytest.approx(0.4 * 49)
    level = LagSeries(at_s=[float(s) for s in range(100)], lag_s=[float(s) for s in range(50)] + [7.0] * 50)
    assert level.growth == pytest.approx(0.0)
    assert LagSeries().growth == LagSeries().last_s == 0.0


def test_an_aim_that_could_not_be_measured_is_not_met() -> None:
    from steady_figures import at_most, exactly

    assert at_most("lag", 10.0, 10.0, "s").is_met is True
    assert at_most("lag", 10.1, 10.0, "s").is_met is False
    assert at_most("lag", None, 10.0, "s").is_met is False
    assert exactly("lost", 0.0, 0.0, "calls").is_met is True
    assert exactly("lost", None, 0.0, "calls").is_met is False


def test_rows_stand_beside_those_of_the_other_checkout() -> None:
    from steady_figures import Row, beside

    here = [Row(name="a", value=1.0), Row(name="b", value=2.0)]
    other = [Row(name="b", value=9.0), Row(name="c", value=3.0)]
    assert [(row.name, row.value, row.against) for row in beside(here, other)] == [("a", 1.0, None), ("b", 2.0, 9.0)]


def test_the_json_line_has_every_aim() -> None:
    from steady_figures import Row, at_most
    from steady_report import json_line

    line = json_line({"delivery": [at_most("lag", 12.0, 10.0, "s"), Row(name="memory", value=80.0, unit="MiB")]}, {})
    assert json.loads(line)["aims"] == [
        {"name": "delivery: lag", "aim": "at most 10 s", "measured": 12.0, "met": False}
    ]


def test_a_checkout_that_is_none_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "steady.py"), "--against", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no src/freehold there; give the root of a checkout" in done.stderr


def test_the_provider_answers_requests_that_come_together() -> None:
    from steady_upstream import Answers

    written: list[bytes] = []

    class Transport:
        def write(self, data: bytes) -> None:
            written.append(data)

    answers = Answers(b"answer")
    answers.connection_made(Transport())  # type: ignore[arg-type]
    request = b"POST / HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc"
    answers.data_received(request + request + request[:10])
    assert written == [b"answer", b"answer"]
    answers.data_received(request[10:])
    assert len(written) == 3
