"""What a move stands on, looked at again before it is made: the verdict, its receipt, and the file that was proven.

Not covered: the whole chain of receipts and the other files that they name (`ops.receipts`, `ops.artifact_checks`).
"""

from __future__ import annotations

from freehold.errors import DataError
from freehold.model import ModelCard, Verdict
from freehold.model.model_card import MODEL_FILE
from freehold.model.receipt import Receipt
from freehold.model.statement import agrees
from freehold.model.task import Task
from freehold.ops.receipts import neighbours
from freehold.pipeline.workspace import Workspace
from freehold.train.run.train import model_file


def check_grounds(workspace: Workspace, task: Task, verdict: Verdict, card: ModelCard) -> None:
    """DataError unless a receipt in its place says of the verdict what the record says, and of the file what it is.

    StateError when the file of the model is not there, or another one.
    """
    receipt = workspace.store.receipts.of_verdict(verdict.id)
    again = f"Prove it again: freehold prove {task.name} --fresh. What was changed: freehold receipts verify --files"
    if receipt is None:
        raise DataError(f"The verdict {verdict.id!r} has no receipt, so nothing shows that it was proven.", hint=again)
    if not _is_in_place(workspace, receipt):
        raise DataError(f"Receipt {receipt.number}, of the verdict {verdict.id!r}, was changed.", hint=again)
    content = receipt.content
    if not agrees(content, verdict):
        raise DataError(f"The verdict {verdict.id!r} is not what receipt {receipt.number} says of it.", hint=again)
    model_file(task, card)
    if _proven_file(content) != card.served_sha256:
        raise DataError(
            f"The file of model {card.id} is not the one that receipt {receipt.number} says was proven.", hint=again
        )


def _is_in_place(workspace: Workspace, receipt: Receipt) -> bool:
    """Whether a receipt has the hash of what it says and both of its neighbours know it."""
    beside = neighbours(workspace, receipt)
    if isinstance(beside.before, str) or isinstance(beside.after, str) or not receipt.is_sealed:
        return False
    follows = receipt.number == 1 or (beside.before is not None and beside.before.hash == receipt.previous)
    return follows and (beside.after is None or beside.after.previous == receipt.hash)


def _proven_file(content: dict[str, object]) -> object:
    model = content.get("model")
    files = model.get("files") if isinstance(model, dict) else None
    return files.get(MODEL_FILE) if isinstance(files, dict) else None
