"""One data set's walk down the road; see `exit.py`."""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exit_measure import Outcome, measure, outcomes

from freehold.demo.resume import freeze_before, owned_answers, send_missing
from freehold.demo.rows import Row, default_prompt, read_folder, requests, write_answers
from freehold.demo.traffic import GENTLE_CONCURRENCY, Request
from freehold.demo.venue import venue
from freehold.errors import DataError
from freehold.model import Verdict
from freehold.model.evidence.lenient import as_json
from freehold.model.ids import sha256_hex
from freehold.pipeline.overview import overviews
from freehold.pipeline.runs import prove_task, train_task
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.route.run.move import move_plan, put_route
from freehold.settings import load_settings
from freehold.sort.run.sort import sort_new_calls
from freehold.terminal import reporting

PROMPTS = Path(__file__).parent / "prompts"
SPEED = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line's choices."""

    data: Path
    minutes: float
    prompt: Path | None
    teacher: str | None
    test: int
    proof: int
    dev: int
    seed: int
    folder: Path
    as_json: bool


def run(name: str, options: Options) -> dict[str, Any]:
    """Walk the road on one folder and return its figures."""
    train, held_out, test_name = _traffic(name, options)
    folder = options.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    answers = folder / "answers.jsonl"
    write_answers(answers, [*train, *held_out])
    clock = Clock()
    sys.stderr.write(f"\n{name}: {len(train):,} training rows as traffic, {len(held_out):,} held out ({test_name})\n")
    tables = {
        "train": {"minutes": options.minutes},
        "prove": {"undertrained": True},
        "route": {"slack_ms": 600_000.0},
    }
    with venue(folder, tables=tables, speed=SPEED, answers=answers, seed=options.seed) as place:
        workspace = open_workspace(load_settings(place.config, environment={}).override(_splits(options)))
        try:
            with reporting() as report:
                with clock.time("traffic"):
                    send_missing(workspace, place.base_url, train, part="before", report=report)
                    task = _largest_task(workspace)
                with clock.time("freeze"):
                    dataset = freeze_before(workspace, task, report)
                with clock.time("train"):
                    card = train_task(workspace, task, report)
                with clock.time("prove"):
                    verdict = prove_task(workspace, task, None, report)
                if verdict.decision == "move":
                    put_route(workspace, move_plan(workspace, task).route)
                    time.sleep(2)
                with clock.time("replay"):
                    send_missing(
                        workspace, place.base_url, held_out, part="after", report=report, concurrency=GENTLE_CONCURRENCY
                    )
                    found = outcomes(workspace, held_out, part="after")
                    alone = _complete(workspace, task, card.id, held_out, found, report)
        finally:
            workspace.store.close()
    return _result(name, test_name, options, clock, dataset.manifest.counts, card.metrics, verdict, alone)


class Clock:
    """Wall seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Count what happens in the block as this stage's."""
        start = time.monotonic()
        yield
        self.seconds[stage] = round(time.monotonic() - start, 1)


def _traffic(name: str, options: Options) -> tuple[list[Request], list[Request], str]:
    train_rows, test_rows, test_name = read_folder(options.data / name)
    prompt = _prompt(name, options, train_rows)
    if options.test and options.test < len(test_rows):
        test_rows = random.Random(options.seed).sample(test_rows, options.test)
    train = requests(train_rows, prompt=prompt, teacher=options.teacher, seed=options.seed)
    held_out = requests(test_rows, prompt=prompt, teacher=options.teacher, seed=None)
    if name == "viggo":
        train = _by_meaning(train)
    return train, held_out, test_name


def _by_meaning(requests_: list[Request]) -> list[Request]:
    """Paraphrases of one meaning as one session, one after the other, as sessions are."""
    first: dict[str, int] = {}
    for place, request in enumerate(requests_):
        first.setdefault(request.gold, place)
    ordered = sorted(requests_, key=lambda request: first[request.gold])
    return [replace(request, session=sha256_hex(request.gold)[:16]) for request in ordered]


def _prompt(name: str, options: Options, rows: list[Row]) -> str:
    path = options.prompt or PROMPTS / f"{name}.txt"
    if not path.exists():
        if options.prompt:
            raise DataError(f"There is no prompt file {str(path)!r}.", hint="Give an existing --prompt.")
        return default_prompt(rows)
    text = path.read_text(encoding="utf-8").strip()
    return text.replace("{labels}", "\n".join(sorted({row.gold for row in rows})))


def _splits(options: Options) -> dict[str, str | int | float | bool | None]:
    return {"freeze.proof_max": options.proof, "freeze.dev_max": options.dev, "train.seed": options.seed}


def _largest_task(workspace: Workspace) -> str:
    sort_new_calls(workspace)
    found = overviews(workspace)
    if not found:
        raise DataError("The traffic became no task.", hint="See: freehold calls")
    return found[0].name


def _complete(
    workspace: Workspace,
    task: str,
    model_id: str,
    held_out: list[Request],
    found: dict[str, Outcome],
    report: Callable[..., None],
) -> list[Outcome]:
    """Every held-out row with an owned answer: asked now where the route did not ask for one."""
    missing = [request for request in held_out if found[request.row].owned_text is None]
    answers = owned_answers(workspace, task, model_id, missing, report) if missing else []
    for request, answer in zip(missing, answers, strict=True):
        found[request.row] = replace(
            found[request.row], owned_text=answer.text, owned_tokens=answer.output_tokens, owned_ms=answer.latency_ms
        )
    return [found[request.row] for request in held_out]


def _result(
    name: str,
    test_name: str,
    options: Options,
    clock: Clock,
    counts: dict[str, int],
    metrics: dict[str, Any],
    verdict: Verdict,
    found: list[Outcome],
) -> dict[str, Any]:
    extra = ALSO.get(name)
    return {
        "data": name,
        "held_out": test_name,
        "minutes": options.minutes,
        "seed": options.seed,
        "teacher": options.teacher,
        "examples": counts,
        "seconds": clock.seconds,
        "training": metrics,
        "sides": [as_json(side) for side in verdict.figures.sides],
        "verdict": verdict.words,
        "threshold": verdict.threshold,
        "proof_coverage": verdict.coverage,
        "risk": verdict.risk,
        **measure(found, verdict, also=extra),
    }


def _names_only(text: str) -> str:
    """A meaning representation without its values: what published ViGGO figures compare."""
    return re.sub(r"\[[^\]]*\]", "", text)


def _final_number(text: str) -> str:
    numbers = re.findall(r"-?\d[\d,]*\.?\d*", text)
    return numbers[-1].replace(",", "").rstrip(".") if numbers else ""


ALSO: dict[str, tuple[str, Callable[[str], str]]] = {
    "viggo": ("names only", _names_only),
    "gsm8k": ("final number", _final_number),
}
