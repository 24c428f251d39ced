"""Scorers of other packages and of the user's files: they see the prompt, and one that hangs or raises is one line."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from freehold.errors import DataError, SettingError
from freehold.model.example import Example
from freehold.model.exchange import Message
from freehold.prove import metric_sources, metrics
from freehold.prove.metrics import judge, read_metrics
from freehold.system.time_limit import TimeLimit

Offer = Callable[[str, str, str], None]
EXAMPLE = Example(
    id="c7",
    messages=(Message("user", "Parcel A-7 is late"),),
    target="A-7",
    incumbent="A-7",
    source="provider",
    group="g",
    created_at=0.0,
)


@pytest.fixture(autouse=True)
def _offered(offer: Offer) -> None:
    for name in ("Echo", "Hanging", "Raising"):
        offer("scorers", name.lower(), f"seams.scorers_of_others:{name}")


def value(metric: str, got: str, kind: str = "text") -> float:
    return judge(kind, read_metrics(metric), EXAMPLE, got).values[-1]


def test_a_scorer_of_another_package_sees_the_prompt_and_its_argument() -> None:
    assert value("exact, echo", "A-7") == 1.0
    assert value("exact, echo", "A-8") == 0.0
    assert value("echo:late", "A-8") == 1.0
    assert math.isnan(value("echo", "A-7", kind="label"))
    assert not judge("text", read_metrics("echo>=0.5"), EXAMPLE, "B").score.is_exact
    assert len(metric_sources("echo, exact")) == 1


def test_an_unknown_metric_names_those_of_packages() -> None:
    with pytest.raises(SettingError, match="no metric 'ecko'") as caught:
        read_metrics("ecko")
    assert "Of packages: echo, hanging, raising." in caught.value.hint


def test_a_scorer_that_raises_or_hangs_ends_the_proof_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "LIMIT_S", 0.05)
    for metric, said in (("raising", "OSError: no word list for text"), ("hanging", "did not return within 0.05 s")):
        with pytest.raises(DataError, match=said) as caught:
            value(metric, "A-7")
        assert f"The metric {metric!r} failed on call 'c7'" in caught.value.message
        assert "\n" not in str(caught.value)


def test_a_package_with_a_broken_scorer_is_one_line(offer: Offer) -> None:
    offer("scorers", "broken", "no_such_module_here:F")
    offer("scorers", "exact", "seams.scorers_of_others:Echo")
    with pytest.raises(SettingError, match="'broken' of scorers cannot be loaded"):
        read_metrics("broken")
    with pytest.raises(SettingError, match="offered by several packages"):
        read_metrics("exact")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("f(prompt, wanted, got)", 1.0),
        ("f(wanted, got)", 0.0),
        ("f(wanted, got, prompt=None)", 0.0),
        ("f(*answers)", 0.0),
    ],
)
def test_a_function_in_a_file_gets_the_prompt_where_it_takes_one(tmp_path: Path, head: str, expected: float) -> None:
    body = "return float('Parcel' in prompt.messages[0].content)" if "(prompt" in head else "return 0.0"
    (tmp_path / "mine.py").write_text(f"def {head}:\n    {body}\n", "utf-8")
    assert value(f"{tmp_path}/mine.py:f", "A-7") == expected


def test_a_file_that_hangs_while_it_is_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "LIMIT_S", 0.05)
    (tmp_path / "mine.py").write_text("import threading\nthreading.Event().wait()\n", "utf-8")
    with pytest.raises(SettingError, match="cannot be loaded: TimeoutError: it did not return"):
        read_metrics(f"{tmp_path}/mine.py:f")


def test_what_a_file_opens_for_its_thread_is_open_when_it_scores(tmp_path: Path) -> None:
    head = "import sqlite3\ndb = sqlite3.connect(':memory:')\ndef f(wanted, got):\n"
    (tmp_path / "mine.py").write_text(f"{head}    return db.execute('select 1').fetchone()[0]\n", "utf-8")
    assert value(f"{tmp_path}/mine.py:f", "A-7") == 1.0


def test_a_built_in_scorer_takes_no_argument_that_it_does_not_know() -> None:
    with pytest.raises(SettingError, match="no metric 'valid:a'"):
        read_metrics("valid:a")


def test_calls_with_a_limit_run_on_one_thread_and_give_what_they_raise() -> None:
    limit = TimeLimit("test", 30.0)
    threads = {limit.call(threading.get_ident) for _ in range(3)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    with pytest.raises(ZeroDivisionError):
        limit.call(lambda: 1 / 0)
    with pytest.raises(SystemExit):
        limit.call(sys.exit)
    assert limit.call(max, 1, 2) == 2


def test_after_a_call_that_took_too_long_nothing_is_called_any_more() -> None:
    limit, never = TimeLimit("test", 0.05), threading.Event()
    with pytest.raises(TimeoutError):
        limit.call(never.wait)
    called: list[int] = []
    with pytest.raises(TimeoutError):
        limit.call(called.append, 1)
    never.set()
    assert called == []
