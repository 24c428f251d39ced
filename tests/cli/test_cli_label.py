"""`freehold label`, and what `freehold prove` asks others for: said before money goes, one line where it cannot be."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from compared import Answer, Rented, another, compared_workspace, rented, said, text_calls, without_engine
from made import Run

from freehold.cli.budgeted_batch import agree
from freehold.model import Example

TASK = "write-reply-sentence"
HOSTILE = "\x1b[2J\x1b]0;title\x07 \u202ereversed \x00 end"


def answered(body: dict[str, Any], _number: int) -> Answer:
    """A provider that says the same again, or as a judge that neither is better."""
    text = str(body["messages"][-1]["content"])
    if "ANSWER 1" in text:
        return said('{"better": 0}')
    number = int(text.split(":")[0].removeprefix("Case "))
    recorded = json.loads(text_calls(number + 1)[number].response_body)
    return said(recorded["choices"][0]["message"]["content"])


@pytest.fixture
def provider() -> Iterator[Rented]:
    with rented(answered) as served:
        yield served


@pytest.fixture
def desk(run: Run, tmp_path: Path, provider: Rented, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line beside a workspace with one text task whose model answered everything, and a rented provider."""
    without_engine(monkeypatch)
    monkeypatch.setenv("USER", "anna")
    _workspace(tmp_path, provider, another)
    return run


def _workspace(
    folder: Path, provider: Rented, owned: Callable[[Example], str], prices: str = '"*" = [100.0, 100.0]'
) -> None:
    url, prices = f"http://127.0.0.1:{provider.port}/v1", '"*" = [100.0, 100.0]'
    config = f'[providers.rented]\nbase_url = "{url}"\n[providers.rented.prices]\n{prices}\n'
    (folder / "freehold.toml").write_text(config)
    workspace, _ = compared_workspace(folder / ".freehold", provider=provider.settings(), owned=owned)
    workspace.store.close()


def refused(result: Result, words: str, code: int = 2) -> None:
    """One line on stderr that says these words; nothing on stdout."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("freehold: ")]
    assert len(lines) == 1, result.stderr
    assert words in lines[0]
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert result.exit_code == code


# Money


def test_nothing_is_asked_before_the_cost_is_agreed_to(desk: Run, provider: Rented) -> None:
    result = desk("prove", TASK, "--noise", "60")
    refused(result, "there is no terminal to agree on. Add --yes, or --budget with at least 0.06.")
    assert "60 requests to rented, about $0.06000 in all." in result.stderr
    refused(desk("prove", TASK, "--noise", "60", "--budget", "0.05"), "at least 0.06")
    result = desk("prove", TASK, "--judge", "big")
    refused(result, "Asking costs money")
    assert "80 drawn pairs of answers differ; each is shown to big twice, sides swapped." in result.stderr
    assert "160 requests to rented, about $" in result.stderr
    assert provider.seen == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--noise", "60", "--budget", "-1"), "--budget is -1.0"),
        (("--noise", "60", "--budget", "nan"), "--budget is nan"),
        (("--judge", "big", "--budget", "inf", "--yes"), "--budget is inf"),
        (("--budget", "1"), "There is nothing to spend --budget on"),
        (("--noise", "60", "--judge", "big"), "--noise and --judge are two things"),
        (("--noise", "60", "--plan"), "--plan and --noise are two things"),
        (("--judge", "nobody:big", "--plan"), "--plan and --judge are two things"),
    ],
)
def test_what_was_asked_wrongly(desk: Run, provider: Rented, arguments: tuple[str, ...], words: str) -> None:
    refused(desk("prove", TASK, *arguments), words)
    assert provider.seen == []


@pytest.mark.parametrize("budget", ["nan", "inf", "-1"])
def test_a_budget_of_probes_that_is_none(desk: Run, provider: Rented, budget: str) -> None:
    desk("prove", TASK, "--noise", "60", "--yes")
    refused(desk("probe", TASK, "--budget", budget, "--yes"), "--budget is")
    assert len(provider.seen) == 60


@pytest.mark.parametrize("count", ["0", "-3", "many"])
def test_a_number_of_calls_that_is_none(desk: Run, count: str) -> None:
    result = desk("prove", TASK, "--noise", count)
    assert result.exit_code == 2
    assert "--noise" in result.stderr


def test_a_budget_that_reaches_needs_no_yes_and_one_that_cannot_be_kept_is_refused(
    desk: Run, provider: Rented, tmp_path: Path
) -> None:
    result = desk("prove", TASK, "--noise", "60", "--budget", "0.07")
    assert result.exit_code == 0
    assert len(provider.seen) == 60
    config = tmp_path / "freehold.toml"
    config.write_text(config.read_text().split("[providers.rented.prices]")[0])
    refused(desk("prove", TASK, "--judge", "big", "--budget", "5"), "A budget of $5.00 cannot be kept")


def test_a_budget_that_does_not_reach_ends_in_between_and_goes_on(desk: Run, provider: Rented) -> None:
    first = desk("prove", TASK, "--noise", "60", "--budget", "0.04", "--yes")
    assert "The budget of $0.04000 does not reach for all of them" in first.stderr
    assert "requests are left. The same command goes on from here." in first.stderr
    assert len(provider.seen) <= 40
    second = desk("prove", TASK, "--noise", "60", "--yes")
    assert len(provider.seen) == 60
    assert f"{len(provider.seen)}" in second.stdout
    third = desk("prove", TASK, "--noise", "60")  # nothing is left to ask, so that nothing has to be agreed to
    assert third.exit_code == 0
    assert third.stdout == second.stdout


def test_the_key_that_is_missing_is_named(desk: Run, provider: Rented, tmp_path: Path) -> None:
    config = tmp_path / "freehold.toml"
    config.write_text(config.read_text().replace("[providers.rented]", '[providers.rented]\nkey_env = "RENTED_KEY"'))
    refused(desk("prove", TASK, "--noise", "60", "--yes"), "RENTED_KEY is not set")
    assert provider.seen == []


# Noise


def test_noise_as_it_is_read_and_as_json(desk: Run) -> None:
    shown = desk("prove", TASK, "--noise", "60", "--yes")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    table = [" ".join(line.split()) for line in lines]
    assert "who agrees 95% interval n graded" in table
    assert "provider, asked again 100.0% [94.0, 100.0] 60 100.0%" in table
    assert "owned model 0.0% [0.0, 10.7] 32 90.2%" in table
    assert "Proposed margin: 6.1%." in shown.stdout
    assert "Nothing was corrected, so no margin decides here" in shown.stderr
    assert shown.stderr.endswith(f"Next: freehold prove {TASK}\n")
    plain = json.loads(desk("prove", TASK, "--noise", "60", "--json").stdout)
    assert (plain["n"], plain["margin"], plain["left"]) == (60, 0.061, 0)
    assert "provider with itself" in desk("prove", TASK).stdout


# Labels


def test_a_session_on_stdin(desk: Run) -> None:
    typed = "1\n\nperhaps\n2\n=\nskip\nq\n"
    result = desk("label", TASK, "-n", "9", stdin=typed)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.count("What all of these calls were told:") == 1
    assert "--- 5 of 9 -" in result.stderr
    assert "--- 6 of 9 -" not in result.stderr
    assert max(map(len, result.stderr.splitlines())) <= 80
    assert "3 of the other 80 are decided" in result.stderr
    assert result.stderr.endswith(f"Next: freehold label {TASK}\n")
    rows = json.loads(desk("label", TASK, "--list", "--json").stdout)
    assert (rows["decided"], rows["open"], rows["planned"]) == (3, 77, 80)
    assert {row["source"] for row in rows["labels"]} == {"human:anna"}
    assert [row["place"] for row in rows["labels"]] == [1, 2, 3]
    assert "human:anna" in desk("label", TASK, "--list").stdout


def test_one_goes_back_to_what_was_decided_by_mistake(desk: Run) -> None:
    result = desk("label", TASK, "-n", "3", stdin="1\nb\n=\n=\nb\ns\n1\n")
    said = [line.strip() for line in result.stderr.splitlines() if line.startswith("  ") and "|" not in line]
    assert said == [
        "answer 1 is better",
        "neither is better",
        "neither is better",
        "skipped",
        "answer 1 is better",
    ]
    rows = json.loads(desk("label", TASK, "--list", "--json").stdout)["labels"]
    assert [(row["place"], row["preferred"]) for row in rows[:2]] == [(1, "same"), (2, "same")]
    assert len(rows) == 3


def test_what_a_skipped_pair_holds_up_is_told(desk: Run) -> None:
    result = desk("label", TASK, "-n", "3", stdin="s\n=\n=\n")
    assert "2 of these count once the skipped pairs before them are decided." in result.stderr


def test_the_end_of_stdin_keeps_what_was_said(desk: Run) -> None:
    assert "2 of the other 80 are decided" in desk("label", TASK, stdin="1\n=").stderr
    assert "2 of the other 80 are decided" in desk("label", TASK, stdin="").stderr


def test_a_session_goes_on_where_the_last_one_ended(desk: Run) -> None:
    desk("label", TASK, "-n", "2", stdin="1\n2\n")
    first = desk("label", TASK, "--export", "rest.jsonl", "--json")
    assert json.loads(first.stdout)["open"] == 78
    assert len(Path("rest.jsonl").read_text().splitlines()) == 78


def test_export_and_import_until_it_moves(desk: Run) -> None:
    need = desk("prove", TASK, "--margin", "0.1")
    assert need.exit_code == 3
    assert "NEED 80 MORE LABELS" in need.stdout
    assert need.stderr.endswith(f"Next: freehold label {TASK}   (verdict: need 80 more labels)\n")
    desk("label", TASK, "--export", "pairs.jsonl")
    refused(desk("label", TASK, "--export", "pairs.jsonl"), "'pairs.jsonl' is there already")
    rows = [json.loads(line) for line in Path("pairs.jsonl").read_text().splitlines()]
    Path("done.jsonl").write_text("\n".join(json.dumps(row | {"preferred": "same"}) for row in rows))
    kept = desk("label", TASK, "--import", "done.jsonl", "--by", "ben")
    assert "80 decisions are kept, 0 rows were left undecided." in kept.stderr
    assert kept.stderr.endswith(f"Next: freehold prove {TASK}\n")
    moved = desk("prove", TASK, "--margin", "0.1")
    assert moved.exit_code == 0
    assert moved.stderr.endswith(f"Next: freehold move {TASK}\n")


def test_the_plan_of_pairs_goes_into_the_next_command(desk: Run) -> None:
    need = desk("prove", TASK, "--labels", "40", "--seed", "3")
    assert f"Next: freehold label {TASK} --labels 40 --seed 3 " in need.stderr
    label = desk("label", TASK, "--labels", "40", "--seed", "3", stdin="")
    assert "40 pairs are planned" in label.stderr
    assert label.stderr.endswith(f"Next: freehold label {TASK} --labels 40 --seed 3\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "'rows.jsonl', line 1: this is not JSON"),
        ("{}", "there is no example_id"),
        ('{"example_id": "x", "preferred": "owned"}', "is none of the 80 drawn pairs"),
    ],
)
def test_a_bad_file_is_one_line(desk: Run, text: str, words: str) -> None:
    Path("rows.jsonl").write_text(text)
    refused(desk("label", TASK, "--import", "rows.jsonl"), words, code=1)
    assert json.loads(desk("label", TASK, "--list", "--json").stdout)["decided"] == 0


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("--list", "--export", "x.jsonl"), "only one can be done", 2),
        (("--import", "none.jsonl"), "cannot be read", 1),
        (("--export", "no/such/folder.jsonl"), "cannot be written", 2),
        (("--by", "  "), "is no name", 2),
        (("--model", "model-2"), "has no model 'model-2'", 2),
    ],
)
def test_what_label_was_asked_wrongly(desk: Run, arguments: tuple[str, ...], words: str, code: int) -> None:
    refused(desk("label", TASK, *arguments), words, code)


def test_no_terminal_obeys_what_an_answer_says(
    run: Run, tmp_path: Path, provider: Rented, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_engine(monkeypatch)
    _workspace(tmp_path, provider, lambda example: HOSTILE + "long " * 30_000)
    result = run("label", TASK, "--by", "anna", stdin="1\nq\n")
    assert "\\x1b[2J" in result.stderr
    assert not {"\x1b", "\x07", "\u202e", "\x00"} & set(result.stderr)
    assert "more characters]" in result.stderr
    assert "1 of the other 80 are decided" in result.stderr


# A budget is asked for


@pytest.mark.parametrize(("typed", "wanted"), [("\n", 0.07), ("0.5\n", 0.5), ("nan\ninf\n-1\nmuch\n0.5\n", 0.5)])
def test_a_budget_is_asked_for_first(monkeypatch: pytest.MonkeyPatch, typed: str, wanted: float) -> None:
    assert _agreed(monkeypatch, typed, 0.0632) == wanted


def test_a_budget_of_nothing_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        _agreed(monkeypatch, "0\n", 0.0632)


def test_a_cost_that_is_unknown_is_agreed_to_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _agreed(monkeypatch, "y\n", None) is None
    with pytest.raises(SystemExit):
        _agreed(monkeypatch, "n\n", None)


def _agreed(monkeypatch: pytest.MonkeyPatch, typed: str, expected_usd: float | None) -> float | None:
    """What a person on a terminal agrees to."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _text: sys.stdin.readline().rstrip("\n"))
    return agree(60, expected_usd, whom="rented", budget=None, yes=False)
