"""The demonstration: a shop leaves its rented model, from the first recorded call to the first owned answer.

Everything is real but the provider: HTTP, the OpenAI SDK, a gateway process, training, export, llama.cpp, proof. Each
scene is kept, so that a demonstration that was stopped goes on where it was. With a data folder the same road is walked
on its rows.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from freehold.core import Verdict
from freehold.core.ids import sha256_hex
from freehold.core.scoring import score
from freehold.core.spoken import count, ms, usd
from freehold.demo.desk import CustomerMessage, app_request, messages
from freehold.demo.resume import freeze_before, send_missing
from freehold.demo.rows import as_text, default_prompt, read_folder, requests, write_answers
from freehold.demo.traffic import GENTLE_CONCURRENCY, Request
from freehold.demo.venue import Venue, venue
from freehold.errors import DataError
from freehold.loop.estate import Estate, open_estate
from freehold.loop.faring import live_views
from freehold.loop.locks import locked
from freehold.loop.moving import move_plan, put_route
from freehold.loop.overview import overviews
from freehold.loop.progress import Reporter
from freehold.loop.sorting import read_call, sort_new_calls
from freehold.loop.training import pull_base
from freehold.loop.walks import prove_task, train_task
from freehold.settings import load_settings
from freehold.store import CallFilter
from freehold.terminal import next_command, program, reporting, say, say_json, tell

MESSAGES_BEFORE = 2600
MESSAGES_AFTER = 300
STREAMED_EVERY = 4
CORRECTED_SHARE = 0.6
SPEED = 20.0
ENGINE_START_S = 3.0
"""What a gateway needs to see a new route and to load its model; until then the provider answers everything."""
SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is played: traffic before and after the move; `answers` are the stand-in's, None for the shop's provider."""

    title: str
    before: Sequence[Request]
    after: Sequence[Request]
    answers: Path | None
    is_desk: bool


def run_demo(*, folder: Path, data: Path | None, minutes: float, fresh: bool, as_json: bool) -> None:
    """Play the whole demonstration in `folder` and end with a summary and the next command."""
    name = "desk" if data is None else f"rows-{data.resolve().name}"
    where = folder / name
    began = time.monotonic()
    with locked(folder / f"{name}.lock", "This demonstration"):
        if fresh and where.exists():
            shutil.rmtree(where)
        where.mkdir(parents=True, exist_ok=True)
        script = _desk_script() if data is None else _rows_script(data, where)
        _play(script, where, minutes, as_json=as_json, began=began)


def _play(script: Script, where: Path, minutes: float, *, as_json: bool, began: float) -> None:
    tell(f"{script.title}\nThe rented provider is simulated: its answers, latency and prices are made up.\n")
    with venue(where, minutes=minutes, speed=SPEED, answers=script.answers, seed=SEED) as place, reporting() as report:
        settings = load_settings(place.config, environment={})
        estate = open_estate(settings)
        try:
            _scene("1  the base: an open model that the team owns")
            pull_base(settings, settings.text("train.base"), report)
            _scene(f"2  the product's traffic goes through Freehold ({place.base_url})")
            send_missing(estate, place.base_url, script.before, part="before", report=report)
            task = _largest_task(estate)
            corrected = _correct_some(estate, script)
            verdict = _from_dataset_to_verdict(estate, task, report, corrected)
            if verdict.decision == "move":
                _scene("6  the route moves")
                _move(estate, task)
            _scene(f"{6 + (verdict.decision == 'move')}  the product's traffic goes on, its code unchanged")
            send_missing(
                estate, place.base_url, script.after, part="after", report=report, concurrency=GENTLE_CONCURRENCY
            )
            _summary(estate, task, script, verdict, place, as_json=as_json, began=began)
        finally:
            estate.store.close()


def _from_dataset_to_verdict(estate: Estate, task: str, report: Reporter, corrected: int) -> Verdict:
    _scene(f"3  the calls of task {task!r} become a dataset")
    if corrected:
        tell(f"{corrected} answers were corrected by people of the desk.")
    dataset = freeze_before(estate, task, report)
    tell("kept " + ", ".join(f"{n:,} {split}" for split, n in dataset.manifest.counts.items()))
    tell("dropped " + (", ".join(f"{n:,} {why}" for why, n in dataset.manifest.dropped.items() if n) or "none"))
    _scene("4  an open model is fine-tuned on it, exported and checked")
    card = train_task(estate, task, report)
    tell(f"model {card.id}: {card.parity.get('words', '')}")
    _scene("5  the proof, on calls that it has never seen")
    verdict = prove_task(estate, task, None, report)
    tell((Path(verdict.report_path).parent / "report.txt").read_text(encoding="utf-8").rstrip())
    return verdict


def _desk_script() -> Script:
    written = list(messages(MESSAGES_BEFORE + MESSAGES_AFTER, SEED))
    asked = [_desk_request(index, message) for index, message in enumerate(written)]
    return Script(
        title="Tidewell, an online shop, asks a rented model to triage every message to its support desk.",
        before=asked[:MESSAGES_BEFORE],
        after=asked[MESSAGES_BEFORE:],
        answers=None,
        is_desk=True,
    )


def _desk_request(index: int, message: CustomerMessage) -> Request:
    return Request(
        row=str(message.id),
        arguments=app_request(message),
        gold=as_text(message.gold),
        session=message.session,
        is_stream=index % STREAMED_EVERY == 0,
    )


def _rows_script(data: Path, where: Path) -> Script:
    train_rows, test_rows, test_name = read_folder(data)
    prompt = default_prompt(train_rows)
    before = requests(train_rows, prompt=prompt, seed=SEED)[:MESSAGES_BEFORE]
    after = requests(test_rows, prompt=prompt, seed=SEED)[:MESSAGES_AFTER]
    answers = where / "answers.jsonl"
    write_answers(answers, [*before, *after])
    return Script(
        title=f"{data.name}: {len(before):,} rows of train.jsonl as traffic, {len(after):,} of {test_name} afterwards.",
        before=before,
        after=after,
        answers=answers,
        is_desk=False,
    )


def _largest_task(estate: Estate) -> str:
    sort_new_calls(estate)
    found = overviews(estate)
    if not found:
        raise DataError("No task was found in the traffic.", hint="Look into it with: freehold calls --failed")
    view = found[0]
    figures = view.figures
    tell(
        f"task {view.name!r} was found in the traffic: {figures.calls:,} calls with {view.kind} answers, "
        f"{count(figures.input_tokens)} + {count(figures.output_tokens)} tokens, spend {usd(figures.cost_usd)}"
    )
    return view.name


def _correct_some(estate: Estate, script: Script) -> int:
    """The desk's people notice most of the provider's mistakes and say what the answer should have been."""
    gold = {request.row: request.gold for request in script.before} if script.is_desk else {}
    known = 0
    for call in estate.store.calls.stream(CallFilter(arm="rented", is_failed=False)):
        wanted = gold.get(call.tags.get("row", ""))
        if wanted is None or call.tags.get("part") != "before":
            continue
        is_wrong = not score("json", wanted, read_call(call).answer_text).is_exact
        if is_wrong and int(sha256_hex(call.tags["row"])[:8], 16) < CORRECTED_SHARE * 16**8:
            known += 1
            if not estate.store.calls.feedback_of(call.id):
                estate.store.calls.add_feedback(call.id, "correction", wanted, time.time())
    return known


def _move(estate: Estate, task: str) -> None:
    plan = move_plan(estate, task)
    tell(plan.text)
    if estate.store.book.route(task_id := plan.route.task_id).verdict_id != plan.route.verdict_id:
        put_route(estate, replace(plan.route, decided_by="demo"))
    tell(f"route of {task!r}: version {estate.store.book.route(task_id).version}")
    time.sleep(ENGINE_START_S)


def _summary(
    estate: Estate, task: str, script: Script, verdict: Verdict, place: Venue, *, as_json: bool, began: float
) -> None:
    right, local, total = _after(estate, task, script)
    view = next(view for view in live_views(estate) if view.task == task)
    took = time.monotonic() - began
    if as_json:
        summary = view.plain() | {"verdict": verdict.words, "report": verdict.report_path, "seconds": round(took)}
        say_json(summary | {"after": total, "after_local": local, "after_right": right})
        return
    say(f"\nVerdict on {task!r}: {verdict.words}. Report: {verdict.report_path}")
    say(
        f"Of {total:,} calls after the proof, {local:,} ({local / max(1, total):.0%}) were answered by the owned model."
    )
    say(f"{right:,} ({right / max(1, total):.1%}) of all {total:,} answers were right, whoever gave them.")
    say(f"Audits that agree with the provider: {view.agreement_text}. Saved so far: {usd(view.figures.saved_usd)}.")
    say(f"Median latency: owned {ms(view.figures.owned_p50_ms)}, rented {ms(view.figures.rented_p50_ms)} (simulated).")
    say(f"Took {took / 60:.1f} minutes.")
    next_command(f"{program()} --config {place.config} status   (or: up, then open {place.console_url})")


def _after(estate: Estate, task: str, script: Script) -> tuple[int, int, int]:
    gold = {request.row: request.gold for request in script.after}
    kind = estate.task(task).kind
    answered = {
        call.tags["row"]: call
        for call in estate.store.calls.stream(CallFilter(is_failed=False))
        if call.parent_id is None and call.tags.get("part") == "after" and call.tags.get("row") in gold
    }
    right = sum(score(kind, gold[row], read_call(call).answer_text).is_exact for row, call in answered.items())
    return right, sum(call.arm == "owned" for call in answered.values()), len(answered)


def _scene(title: str) -> None:
    tell(f"\n── {title}")
