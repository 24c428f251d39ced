"""The demonstration: a shop leaves its rented model, from the first recorded call to the first owned answer.

Everything is real but the provider: HTTP, the OpenAI SDK, a gateway process, training, export, llama.cpp, proof. Each
scene is kept, so that a demonstration that was stopped goes on where it was.

Not covered: what is played and how much of it (`demo.script`).
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from freehold.demo.engine import wait_for_engine
from freehold.demo.resume import freeze_before, send_missing
from freehold.demo.script import FAST, SEED, Script, lookup_script, rows_script, whole_script
from freehold.demo.traffic import GENTLE_CONCURRENCY
from freehold.demo.venue import Venue, venue
from freehold.errors import DataError
from freehold.model import Verdict
from freehold.model.ids import sha256_hex
from freehold.pipeline.locks import locked
from freehold.pipeline.overview import TaskOverview, overviews
from freehold.pipeline.progress import Reporter
from freehold.pipeline.runs import prove_task, train_task
from freehold.pipeline.workspace import Workspace, open_workspace
from freehold.route.run.move import move_plan, put_route
from freehold.route.run.route_status import route_statuses
from freehold.settings import load_settings
from freehold.sort.run.sort import sort_new_calls
from freehold.store import CallFilter
from freehold.terminal import next_command, program, reporting, say, say_json, tell
from freehold.text.formatting import count, ms, usd
from freehold.text.read_call import read_call
from freehold.text.scoring import score
from freehold.train.run.train import pull_base

CORRECTED_SHARE = 0.6
SPEED = 20.0
_SCRIPT_FILE = "script.json"


@dataclass(frozen=True, slots=True)
class _Scene:
    """One scene: `report` shows how it gets on, `notes` are told when it is over."""

    report: Reporter
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Scenes:
    """The scenes as they are played: numbered, and with the seconds that each took in this run."""

    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def scene(self, name: str, title: str) -> Iterator[_Scene]:
        """Say what happens now, and afterwards what came of it and how long it took."""
        tell(f"\n── {len(self.seconds) + 1}  {title}")
        start = time.monotonic()
        with reporting() as report:
            played = _Scene(report)
            yield played
        self.seconds[name] = round(time.monotonic() - start, 1)
        tell("\n".join([*played.notes, f"({self.seconds[name]:.0f} s)"]))

    @property
    def took_s(self) -> float:
        """Seconds since the demonstration began, in this run."""
        return time.monotonic() - self.began


Part = Literal["usual", "fast", "whole"]
"""How much of the shop's task is played."""


def run_demo(*, folder: Path, data: Path | None, part: Part, fresh: bool, as_json: bool) -> None:
    """Play the whole demonstration in `folder` and end with a summary and the next command.

    With `data` it is played with the rows of that folder, else with a part of the shop's task. DataError where `folder`
    holds another demonstration than the one that would be played.
    """
    scenes = _Scenes()
    name = "desk" if part == "usual" else f"desk-{part}"
    name = name if data is None else f"rows-{data.resolve().name}"
    where = folder / name
    with locked(folder / f"{name}.lock", "This demonstration"):
        if fresh and where.exists():
            shutil.rmtree(where)
        where.mkdir(parents=True, exist_ok=True)
        _play(_script(data, part, where), where, scenes, as_json=as_json)


def _script(data: Path | None, part: Part, where: Path) -> Script:
    """The script of a part of the shop's task, or of a user's rows, once it is known to be that of the folder."""
    if data is not None:
        script = rows_script(data, where)
    elif part == "whole":
        script = whole_script()
    else:
        script = lookup_script(where, FAST) if part == "fast" else lookup_script(where)
    check_same(script, where)
    return script


def check_same(script: Script, where: Path) -> None:
    """Write down which script is played in the folder; DataError where it was another one."""
    path = where / _SCRIPT_FILE
    if path.exists():
        is_same = path.read_text(encoding="utf-8") == json.dumps(script.digest)
    else:
        is_same = not (where / "freehold.toml").exists()
    if not is_same:
        raise DataError(
            f"{str(where)!r} holds a demonstration with other traffic or settings.",
            hint="Begin anew with --fresh, or choose another --folder.",
        )
    path.write_text(json.dumps(script.digest), encoding="utf-8")


def _play(script: Script, where: Path, scenes: _Scenes, *, as_json: bool) -> None:
    tell(f"{script.title}\nThe rented provider is simulated: its answers, latency and prices are made up.\n")
    tell(script.about)
    with venue(where, tables=script.tables, speed=SPEED, answers=script.answers, seed=SEED) as place:
        settings = load_settings(place.config, environment={})
        workspace = open_workspace(settings)
        try:
            with scenes.scene("base", "the base: an open model that the team owns") as scene:
                pull_base(settings, settings.text("train.base"), scene.report)
            task = _traffic_before(workspace, script, place, scenes)
            verdict = _from_dataset_to_verdict(workspace, task, scenes)
            if verdict.decision == "move":
                with scenes.scene("move", "the route moves") as scene:
                    scene.notes.extend(_move(workspace, task, scene.report))
            with scenes.scene("after", "the product's traffic goes on, its code unchanged") as scene:
                send_missing(
                    workspace,
                    place.base_url,
                    script.after,
                    part="after",
                    report=scene.report,
                    concurrency=GENTLE_CONCURRENCY,
                )
            _summary(workspace, task, script, verdict, place, scenes, as_json=as_json)
        finally:
            workspace.store.close()


def _traffic_before(workspace: Workspace, script: Script, place: Venue, scenes: _Scenes) -> str:
    """Send the traffic before the move; returns the name of its largest task."""
    with scenes.scene("traffic", f"the product's traffic goes through Freehold ({place.base_url})") as scene:
        send_missing(workspace, place.base_url, script.before, part="before", report=scene.report)
        view = _largest_task(workspace)
        figures = view.figures
        scene.notes.append(
            f"task {view.name!r} was found in the traffic: {figures.calls:,} calls with {view.kind} answers, "
            f"{count(figures.input_tokens)} + {count(figures.output_tokens)} tokens, spend {usd(figures.cost_usd)}"
        )
        if corrected := _correct_some(workspace, script):
            scene.notes.append(f"{corrected} answers were corrected by people of the desk.")
    return view.name


def _from_dataset_to_verdict(workspace: Workspace, task: str, scenes: _Scenes) -> Verdict:
    with scenes.scene("freeze", f"the calls of task {task!r} become a dataset") as scene:
        manifest = freeze_before(workspace, task, scene.report).manifest
        scene.notes.append("kept " + ", ".join(f"{n:,} {split}" for split, n in manifest.counts.items()))
        dropped = ", ".join(f"{n:,} {why}" for why, n in manifest.dropped.items() if n)
        scene.notes.append(f"dropped {dropped or 'none'}")
    with scenes.scene("train", "an open model is fine-tuned on it, exported and checked") as scene:
        card = train_task(workspace, task, scene.report)
        scene.notes.append(f"model {card.id}: {card.parity.get('words', '')}")
    with scenes.scene("prove", "the proof, on calls that it has never seen") as scene:
        verdict = prove_task(workspace, task, None, scene.report)
        scene.notes.append((Path(verdict.report_path).parent / "report.txt").read_text(encoding="utf-8").rstrip())
    return verdict


def _largest_task(workspace: Workspace) -> TaskOverview:
    sort_new_calls(workspace)
    found = overviews(workspace)
    if not found:
        raise DataError("No task was found in the traffic.", hint="Look into it with: freehold calls --failed")
    return found[0]


def _correct_some(workspace: Workspace, script: Script) -> int:
    """The desk's people notice most of the provider's mistakes and say what the answer should have been."""
    gold = {request.row: request.gold for request in script.before} if script.is_corrected else {}
    known = 0
    for call in workspace.store.calls.stream(CallFilter(arm="rented", is_failed=False)):
        wanted = gold.get(call.tags.get("row", ""))
        if wanted is None or call.tags.get("part") != "before":
            continue
        is_wrong = not score("json", wanted, read_call(call).answer_text).is_exact
        if is_wrong and int(sha256_hex(call.tags["row"])[:8], 16) < CORRECTED_SHARE * 16**8:
            known += 1
            if not workspace.store.calls.feedback_of(call.id):
                workspace.store.calls.add_feedback(call.id, "correction", wanted, time.time())
    return known


def _move(workspace: Workspace, task: str, report: Reporter) -> list[str]:
    """Put the proven route in place and wait until its model is served; returns what there is to tell."""
    plan = move_plan(workspace, task)
    told = [plan.text]
    if workspace.store.registry.route(task_id := plan.route.task_id).verdict_id != plan.route.verdict_id:
        put_route(workspace, replace(plan.route, decided_by="demo"))
    told.append(f"route of {task!r}: version {workspace.store.registry.route(task_id).version}")
    if not wait_for_engine(workspace, str(plan.route.model_id), report):
        told.append("The owned model is not served yet: see gateway.log. Until it is, the provider answers everything.")
    return told


def _summary(
    workspace: Workspace, task: str, script: Script, verdict: Verdict, place: Venue, scenes: _Scenes, *, as_json: bool
) -> None:
    right, local, total = _after(workspace, task, script)
    view = next(view for view in route_statuses(workspace) if view.task == task)
    took = scenes.took_s
    if as_json:
        summary = view.plain() | {"verdict": verdict.words, "report": verdict.report_path, "seconds": round(took)}
        summary |= {"scenes": scenes.seconds}
        say_json(summary | {"after": total, "after_local": local, "after_right": right})
        return
    say(f"\nVerdict on {task!r}: {verdict.words}. Report: {verdict.report_path}")
    say(
        f"Of {total:,} calls after the proof, {local:,} ({local / max(1, total):.0%}) were answered by the owned model."
    )
    say(f"{right:,} ({right / max(1, total):.1%}) of all {total:,} answers were right, whoever gave them.")
    say(f"Audits that agree with the provider: {view.agreement_text}. Saved so far: {usd(view.figures.saved_usd)}.")
    say(f"Median latency: owned {ms(view.figures.owned_p50_ms)}, rented {ms(view.figures.rented_p50_ms)} (simulated).")
    stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in scenes.seconds.items())
    say(f"Took {took / 60:.1f} minutes: {stages}.")
    next_command(f"{program()} --config {place.config} status   (or: up, then open {place.console_url})")


def _after(workspace: Workspace, task: str, script: Script) -> tuple[int, int, int]:
    gold = {request.row: request.gold for request in script.after}
    kind = workspace.task(task).kind
    answered = {
        call.tags["row"]: call
        for call in workspace.store.calls.stream(CallFilter(is_failed=False))
        if call.parent_id is None and call.tags.get("part") == "after" and call.tags.get("row") in gold
    }
    right = sum(score(kind, gold[row], read_call(call).answer_text).is_exact for row, call in answered.items())
    return right, sum(call.arm == "owned" for call in answered.values()), len(answered)
