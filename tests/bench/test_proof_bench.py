"""The proof's benchmark: its worlds have the truth that they claim, its rivals are the tests they are named after."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benches import BENCH, reach_benches

from freehold.prove.stats.tango import tango_z


@pytest.fixture(autouse=True)
def _bench_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    reach_benches(monkeypatch)


def test_paired_and_clustered_worlds_have_the_shares_that_they_are_given() -> None:
    from proof_draws import RHO, Shares, clustered, paired

    rng, shares = np.random.default_rng(1), Shares.of(0.10, -0.02)
    alone = paired(rng, 400, 500, shares)
    assert (float(alone.mean()), float(abs(alone).mean())) == pytest.approx((-0.02, 0.10), abs=0.003)
    users = clustered(rng, 400, 500, 2, shares)
    assert (float(users.mean()), float(abs(users).mean())) == pytest.approx((-0.02, 0.10), abs=0.005)
    centred = users - users.mean()
    correlation = float((centred[:, :, 0] * centred[:, :, 1]).mean() / (centred**2).mean())
    assert correlation == pytest.approx(RHO, abs=0.03)
    with pytest.raises(ValueError, match="more discordance"):
        Shares.of(0.01, -0.02)


def test_graded_worlds_lie_exactly_at_the_margin() -> None:
    from proof_draws import GRADED

    for draw in GRADED.values():
        units = draw(np.random.default_rng(2), 400, 1_000, 0.05)
        assert np.abs(units).max() <= 1
        assert float(units.mean()) == pytest.approx(-0.05, abs=4 * float(units.std()) / math.sqrt(units.size))
    assert len(GRADED) == 3


def test_a_mean_that_changes_stays_within_its_bounds_and_leaves_the_usual_ones() -> None:
    from proof_figures import Effort
    from proof_running import changing, running_rows

    seen, truth = zip(*(changing(np.random.default_rng(seed), 400) for seed in range(400)), strict=True)
    gap = np.mean(seen, axis=1) - np.array(truth)[:, -1]
    assert float(gap.mean()) == pytest.approx(0.0, abs=4 * float(gap.std()) / math.sqrt(gap.size))
    assert [row["name"] for row in running_rows(Effort(runs=500, seed=1, is_quick=True)) if not row["ok"]] == []


def test_a_world_of_all_calls_has_the_shares_that_it_is_given() -> None:
    from proof_figures import Effort
    from proof_population import REFUSALS, TOOLS, WRONG, _draw, measure

    calls = _draw(np.random.default_rng(4), 200_000)
    assert float(calls.is_usable.mean()) == pytest.approx(1 - TOOLS - REFUSALS, abs=0.005)
    assert float(calls.is_wrong[calls.is_usable].mean()) == pytest.approx(WRONG, abs=0.005)
    assert calls.is_wrong[~calls.is_usable].all()
    rows = measure(Effort(runs=400, seed=2, is_quick=True)).rows
    assert len(rows) == 3
    assert [row["name"] for row in rows if not row["ok"]] == []


def test_ranked_worlds_know_their_truth() -> None:
    from proof_draws import OVERSURE, PLAIN

    for world in (PLAIN, OVERSURE):
        share, wrong = world.draw(np.random.default_rng(3), 200, 2_000)
        for at in (0.1, 0.5, 1.0):
            assert float((wrong & (share <= at)).mean()) == pytest.approx(
                float(world.wrong_up_to(np.array(at))), abs=0.003
            )
    assert PLAIN.oracle(0.05, is_among_local=False) == pytest.approx(0.5**0.4, abs=1e-5)
    assert PLAIN.oracle(0.05, is_among_local=True) == pytest.approx(0.5 ** (2 / 3), abs=1e-5)


def test_the_rivals_are_what_they_are_named_after() -> None:
    from proof_rivals import group, obrien_fleming, tango, tango_once

    assert obrien_fleming(5, 0.025) == pytest.approx(2.040, abs=1e-3)  # Jennison & Turnbull, table 2.3
    assert obrien_fleming(1, 0.05) == pytest.approx(1.645, abs=1e-3)
    b, c = np.array([7.0, 0.0, 3.0]), np.array([1.0, 4.0, 3.0])
    assert tango(b, c, 100, 0.02) == pytest.approx(
        [tango_z(7, 1, 100, 0.02), tango_z(0, 4, 100, 0.02), tango_z(3, 3, 100, 0.02)]
    )
    same = np.zeros((1, 400))
    assert tango_once(same, 0.05, 0.05, 400)[0] == 400
    assert group(same, 0.05, 0.05)[0] == 160
    assert group(-np.ones((1, 400)), 0.05, 0.05)[0] == 0


def test_ways_to_choose_a_threshold_by_hand() -> None:
    """100 calls, wrong at ranks 40, 60 and 90: 2% of all calls up to rank 90, 2% of the local ones up to rank 60."""
    from proof_cutoffs import CONTRACT_A, CONTRACT_B, crc_a, naive_a, naive_b

    wrong = np.zeros((1, 100), dtype=bool)
    wrong[0, [40, 60, 90]] = True
    assert naive_a(wrong, 0.02, 0.1)[0] == 90
    assert crc_a(wrong, 0.02, 0.1)[0] == 60
    assert naive_b(wrong, 0.02, 0.1)[0] == 60
    for choose in (*CONTRACT_A.values(), *CONTRACT_B.values()):
        assert choose(np.ones((2, 300), dtype=bool), 0.05, 0.1).max() <= 0.05 * 300
        assert choose(np.zeros((1, 3_000), dtype=bool), 0.05, 0.1)[0] == 3_000


def test_a_row_that_falls_short_or_is_no_number_is_told_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    from proof_figures import Part, at_least, beside, bounded, control, told
    from proof_report import as_json, is_whole, print_end, print_part

    good = Part(title="good", rows=[bounded("a rate", 0.05, 0.05, 1_000), control("broken", 0.3, 0.05, 1_000)])
    rows = [at_least("unknown", math.nan, 0.8), told("nothing asked", 0.5), beside("nor of others", 0.5)]
    bad = Part(title="bad", rows=rows, left_out=["the rest"])
    assert is_whole({"good": good})
    assert not is_whole({"good": good, "bad": bad})
    print_part("bad", bad)
    print_end({"good": good, "bad": bad})
    said = capsys.readouterr().out
    assert "2 of 3 figures are as wanted, 1 left out" in said
    assert said.count("ok |") == 0
    assert "SHORT: bad: unknown" in said
    assert "nan" not in said
    document = json.loads(as_json({"bad": bad}, {"runs": 1_000}))
    assert document["is_whole"] is False
    assert document["parts"]["bad"]["rows"][0]["measured"] is None


def test_few_runs_may_miss_by_chance_and_many_may_not() -> None:
    from proof_figures import at_least, at_most, near

    for runs, is_ok in ((500, True), (10_000, False)):
        assert at_least("power", 0.79, 0.80, error=0.01, runs=runs)["ok"] is is_ok
        assert at_most("size", 0.91, 0.90, error=0.01, runs=runs)["ok"] is is_ok
        assert near("share", 0.56, 0.50, error=0.01, runs=runs)["ok"] is is_ok
    assert not at_least("power", 0.76, 0.80, error=0.01, runs=500)["ok"]


@pytest.mark.parametrize("is_b", [False, True])
def test_splits_move_a_good_model_and_never_a_useless_one(is_b: bool) -> None:
    from proof_pools import Pool
    from proof_splits import _split

    rng = np.random.default_rng(4)
    scores = rng.random(900)
    good, useless = Pool(scores, scores < 0.1), Pool(scores, np.ones(900, dtype=bool))
    for _ in range(5):
        split = _split(good, rng, is_b=is_b)
        assert split.is_moved
        assert 0.7 < split.coverage <= 1
        assert not _split(useless, rng, is_b=is_b).is_moved


def test_a_bag_of_words_stands_in_where_no_run_is_kept(tmp_path: Path) -> None:
    """Labels that a word gives away nearly always move; numbers that nothing gives away never do."""
    from proof_figures import Effort
    from proof_splits import measure

    rng, words = np.random.default_rng(5), ["lost", "late", "broken", "wrong"]
    labels = [(f"{words[i]} {j}", words[i if j % 10 else 0]) for j, i in enumerate(rng.integers(0, 4, 1_500))]
    digits = [(f"sum {j}", f"#### {digit}") for j, digit in enumerate(rng.integers(0, 10, 1_500))]
    for name, rows in (("banking77", labels), ("gsm8k", digits)):
        lines = [json.dumps({"id": str(i), "input": text, "gold": gold}) for i, (text, gold) in enumerate(rows)]
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_text("\n".join(lines[:700]), encoding="utf-8")
        (tmp_path / name / "test.jsonl").write_text("\n".join(lines[700:]), encoding="utf-8")
    part = measure(Effort(runs=500, seed=1, is_quick=True), tmp_path / "nothing kept", tmp_path)
    assert [row["name"] for row in part.rows if not row["ok"]] == []
    (table,) = part.tables
    assert [(row[0], row[1], row[3]) for row in table.rows] == [
        ("banking77", "bag of words, the label", "A"),
        ("banking77", "bag of words, the label", "B"),
        ("gsm8k", "bag of words, the final number", "A"),
        ("gsm8k", "bag of words, the final number", "B"),
    ]
    moved = [int(row[4].split("/")[0]) for row in table.rows]
    assert min(moved[:2]) > 50
    assert moved[2:] == [0, 0]
    assert len(part.left_out) == 3


def test_what_comes_through_the_gateway_is_held_to_what_was_simulated() -> None:
    import rollback_bench
    from proof_gateway import _good, _ramp_rows, _turned

    def case(calls: int, taken_back: int, audit_rate: float = 1.0) -> rollback_bench.Row:
        return rollback_bench.Row("a case", audit_rate, 3, taken_back, calls, calls, calls, calls, "")

    assert [_turned(case(calls, 3), 1.0, 1)[1]["ok"] for calls in (5, 6, 7, 4_000)] == [True, True, False, False]
    assert [_turned(case(calls, 3, 0.05), 1.0, 1)[1]["ok"] for calls in (40, 4_000)] == [True, False]
    assert [_good(case(500, taken_back))[1]["ok"] for taken_back in (0, 1)] == [True, False]

    def ramp(wrong: int, taken_back: int) -> list[bool]:
        found = rollback_bench.Ramped("bad", 3, 0, taken_back, 100, wrong / 3, wrong / 300, 0.1, 300, wrong)
        return [row["ok"] for row in _ramp_rows(found, is_steady=True)]

    assert [ramp(6, 3), ramp(6, 2), ramp(60, 3)] == [[True, True], [False, True], [True, False]]


def run(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH / "proof.py"), *arguments]
    environment = {**os.environ, "FREEHOLD_DATA": str(data)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=data, env=environment)


def test_the_command_ends_with_one_line_of_json_and_says_what_it_left_out(tmp_path: Path) -> None:
    done = run("--quick", "--json", "--only", "splits", "drift", data=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["is_whole"] is True
    assert [len(told["parts"][name]["left_out"]) for name in ("splits", "drift")] == [5, 1]
    assert "0 of 0 figures are as wanted, 6 left out" in done.stdout
    assert "set FREEHOLD_DATA" in done.stdout


@pytest.mark.slow
def test_the_command_takes_a_bad_model_back_through_a_real_gateway(tmp_path: Path) -> None:
    done = run("--quick", "--json", "--only", "gateway", data=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])["parts"]["gateway"]
    assert [table["rows"][0][2] for table in told["tables"]] == ["1 of 1", "1 of 1"]
    assert len(told["rows"]) == 3


@pytest.mark.parametrize("wrong", [["--only", "nothing"], ["--runs", "7"], ["--runs", "many"], ["--seed", "-1"]])
def test_a_wrong_option_is_a_mistake_of_the_caller(wrong: list[str], tmp_path: Path) -> None:
    done = run(*wrong, data=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert wrong[-1].lstrip("-") in done.stderr
