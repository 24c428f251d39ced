"""Train: a registered dataset becomes a registered model, exported, and checked to be what was trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from freehold.errors import ParityError, StateError
from freehold.freeze import load
from freehold.model import Example, ModelCard
from freehold.model.evidence.terms import TrainingFigures
from freehold.model.ids import canonical_json, sha256_hex
from freehold.model.model_card import DEFAULT_ENGINE, MODEL_FILE
from freehold.model.task import Task
from freehold.pipeline.progress import Progress, Reporter
from freehold.pipeline.workspace import Workspace
from freehold.plugins import BASES, ENGINES
from freehold.serve import check_parity, export_gguf, load_engine, pull, read_adapter, serving
from freehold.settings import Settings
from freehold.store import DatasetRow
from freehold.system.files import file_sha256
from freehold.system.gguf import architecture_of
from freehold.train import Progress as TrainProgress
from freehold.train import Recipe, Trained, Undertrained, default_epochs, fit, undertrained
from freehold.train.bases import base_of
from freehold.train.trainers import DEFAULT as DEFAULT_TRAINER

PARITY_EXAMPLES = 16
_LEAST_OUTPUT_TOKENS = 24
_BYTES_PER_TOKEN = 2.0
_SHORT_MINUTES = 20.0


def pull_base(settings: Settings, name: str, report: Reporter) -> Path:
    """Fetch a base into the state folder; needs no database."""
    return pull(name, settings.state, lambda note: report(Progress(stage="pull", note=note)))


def train_model(workspace: Workspace, task: Task, dataset: DatasetRow, report: Reporter) -> ModelCard:
    """Train and export; the same dataset, base and recipe are trained once, in a folder of that name.

    A model's id says which file is served, too. Where the clock ends a training, the same work gives other weights
    another time: those are another model, and no verdict on the first is one on them.
    """
    longest = _longest_answer(load(Path(dataset.path)).train)
    name = workspace.settings.text("train.base")
    base = pull(name, workspace.state, lambda note: report(Progress(stage="base", note=note)))
    recipe = _recipe(workspace.settings, dataset)
    trainer = workspace.settings.text("train.trainer")
    named = [] if trainer == DEFAULT_TRAINER else [trainer]
    work = sha256_hex(canonical_json([dataset.id, file_sha256(base), asdict(recipe), *named]))[:16]
    folder = workspace.folder("models") / work
    trained = fit(Path(dataset.path), base, folder, recipe, _telling(report), trainer=trainer)
    report(Progress(stage="export", note="merging the adapter, writing the GGUF"))
    gguf = folder / MODEL_FILE
    before = [card for card in workspace.store.registry.models(task.id) if Path(card.path).name == work]
    if not gguf.exists() or (before and file_sha256(gguf) not in {card.served_sha256 for card in before}):
        _export(base, trained, gguf)
    card = _card(task, dataset, trained, base=name, gguf=gguf, longest=longest)
    if trainer != DEFAULT_TRAINER:
        card = replace(card, recipe=card.recipe | {"trainer": trainer})
    known = next((known for known in before if known.files == card.files), None)
    if known is not None:
        card = replace(known, created_at=card.created_at)
    workspace.store.registry.put_model(card)
    return card


def _export(base: Path, trained: Trained, gguf: Path) -> None:
    kind = base_of(base)
    with BASES.errors_of(architecture_of(base)):
        adapter = read_adapter(trained.adapter_dir, kind)
        export_gguf(base, adapter, gguf, names=kind, chat_template=kind.template)


def model_file(task: Task, card: ModelCard) -> Path:
    """The file that is served; StateError when it is not there or not the one that was exported."""
    path = Path(card.path) / MODEL_FILE
    if not path.is_file() or file_sha256(path) != card.served_sha256:
        state = f"not that of model {card.id}" if path.exists() else "not there"
        raise StateError(f"The model file {str(path)!r} is {state}.", hint=f"Run: freehold train {task.name}")
    return path


def undertraining(card: ModelCard | None) -> Undertrained | None:
    """Whether more of the same training would take this model further, and how; None where not, or not known."""
    return None if card is None else undertrained(card.metrics, card.recipe)


def training_facts(card: ModelCard, task: Task) -> TrainingFigures | None:
    """What a proof's report says of the training; None unless it was too little or had room left."""
    found = undertraining(card)
    if found is None:
        return None
    return TrainingFigures(**asdict(found), words=found.sentence, next=found.command(task.name))


def check_model(workspace: Workspace, task: Task, dataset: DatasetRow, model_id: str, report: Reporter) -> None:
    """Check that the served model is the trained one and write the result on its card; ParityError when it is not."""
    card = workspace.model(task, model_id)
    name = workspace.settings.text("serve.engine")
    if card.parity.get("is_ok") and card.engine == name:
        return
    engine = load_engine(name, "logprobs", "tokenize")
    report(Progress(stage="check", note="token ids and logprobs, served against trained"))
    gguf = model_file(task, card)
    examples = [example for example in load(Path(dataset.path)).dev if not example.is_aside][:PARITY_EXAMPLES]
    log = workspace.folder("logs") / f"engine-{card.id}.log"
    threads = workspace.settings.whole("serve.threads")
    with (
        ENGINES.errors_of(name),
        serving(engine, gguf, log=log, threads=threads, slots=1, sha256=card.served_sha256) as url,
    ):
        parity = check_parity(gguf.parent, examples, engine, url)
    result = asdict(parity) | {"words": parity.words} | ({} if name == DEFAULT_ENGINE else {"engine": name})
    workspace.store.registry.put_model(replace(card, parity=result))
    if not parity.is_ok:
        raise ParityError(
            f"Model {card.id} is not served as it was trained: {parity.reason}.",
            hint="It cannot be proven. Train again, or report this with the model's card.",
        )


def _recipe(settings: Settings, dataset: DatasetRow) -> Recipe:
    examples = dataset.manifest.counts["train"]
    minutes = settings.number("train.minutes")
    # More and smaller steps where the clock ends it early: the desk learnt with 8; never compared side by side.
    is_short = 0 < minutes < _SHORT_MINUTES
    return Recipe(
        batch_size=settings.whole("train.batch_size") or (8 if is_short else 16),
        learning_rate=settings.number("train.learning_rate"),
        lora_layers=settings.whole("train.layers"),
        epochs=settings.number("train.epochs") or default_epochs(examples),
        max_minutes=minutes or None,
        seed=settings.whole("train.seed"),
    )


def _telling(report: Reporter) -> Callable[[TrainProgress], None]:
    def tell(progress: TrainProgress) -> None:
        notes = [progress.note or progress.phase]
        if progress.loss is not None:
            notes.append(f"loss {progress.loss:.3f}")
        if progress.dev_loss is not None:
            notes.append(f"dev {progress.dev_loss:.3f}")
        if progress.tokens_per_s:
            notes.append(f"{progress.tokens_per_s:,.0f} tokens/s")
        if progress.left_s is not None:
            notes.append(f"{progress.left_s // 60:.0f}:{progress.left_s % 60:02.0f} left")
        report(Progress(stage="train", done=progress.step, total=progress.steps or 0, note=", ".join(notes)))

    return tell


def _card(task: Task, dataset: DatasetRow, trained: Trained, *, base: str, gguf: Path, longest: int) -> ModelCard:
    served = file_sha256(gguf)
    return ModelCard(
        id=sha256_hex(canonical_json([gguf.parent.name, served]))[:16],
        task_id=task.id,
        base=base,
        base_sha256=trained.base_sha256,
        dataset_hash=dataset.id,
        recipe=asdict(trained.recipe),
        seed=trained.recipe.seed,
        metrics=trained.metrics | {"max_output_tokens": longest},
        path=str(gguf.parent.absolute()),
        files=trained.files | {gguf.name: served},
        created_at=time.time(),
    )


def _longest_answer(examples: tuple[Example, ...]) -> int:
    """Tokens that an answer may have: generous for the longest seen, so that none is cut that should not be."""
    longest = max(len(example.target.encode()) for example in examples)
    return _LEAST_OUTPUT_TOKENS + int(longest / _BYTES_PER_TOKEN)
