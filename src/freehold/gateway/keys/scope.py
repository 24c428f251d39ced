"""What a gateway key may be used for: methods, paths, models and tasks.

A limit of models holds for every model that a body names, also those that may answer instead, and a body that can be
read in two ways is refused (`dialects.once`). A limit of paths holds for the path as the provider may understand
it: one with empty or relative parts, or with an escaped slash, is refused.

Not covered: how much a key may use (`gateway.keys.admission`, `gateway.keys.budgets`).
"""

from __future__ import annotations

from dataclasses import dataclass

from freehold.dialects import BadBodyError
from freehold.dialects.once import named_models
from freehold.dialects.paths import path_model
from freehold.gateway.errors import RefusedError
from freehold.gateway.request_context import RequestContext
from freehold.model.key import Key
from freehold.sort.names import slug

_ESCAPES = (b"%2f", b"%5c", b"%2e", b"\\", b"//", b"/./", b"/../")
_MODELS = "/v1/models"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that was let in with a key."""

    key: Key

    @property
    def key_id(self) -> str:
        """The public part of the key; it stands in the record."""
        return self.key.id

    def allows(self, context: RequestContext) -> None:
        """RefusedError when the key is not for this method, path or model."""
        key = self.key
        if key.paths or key.methods:
            path = context.target.partition(b"?")[0].lower() + b"/"
            is_plain = not key.paths or not any(part in path for part in _ESCAPES)
            if not is_plain or not key.allows_request(context.method, context.path):
                raise _not_for(
                    "path_not_allowed",
                    f"The gateway key {key.name!r} may not be used for {context.method} {context.path!r}.",
                    [*key.methods, *key.paths],
                )
        is_list = context.method == "GET" and context.path.rstrip("/") == _MODELS
        if key.models and not is_list:
            self._allows_models(context)

    def _allows_models(self, context: RequestContext) -> None:
        key, named = self.key, [context.model, *named_models(read_plainly(context))]
        of_path = path_model(context.path)
        if of_path is not None:
            named.append(of_path)  # which of two names counts is the provider's to say
        for model in named:
            if not key.allows_model(model):
                raise _not_for(
                    "model_not_allowed",
                    f"The gateway key {key.name!r} may not be used for "
                    + (f"the model {model!r}." if model is not None else "a request that names no model."),
                    key.models,
                )

    def allows_task(self, *, task_key: str | None, task_name: str | None) -> None:
        """RefusedError when the key is not for this task; `task_name` is the one that the caller gave."""
        if not self.key.allows_task(task_key, slug(task_name) if task_name else None):
            raise RefusedError(
                403,
                "task_not_allowed",
                f"The gateway key {self.key.name!r} may not be used for "
                + (f"the task {task_name!r}." if task_name else "this task."),
                hint=f"It is for: {', '.join(self.key.tasks)}. The header freehold-task names a request's task.",
            )


def read_plainly(context: RequestContext) -> dict[str, object]:
    """The body of a request whose key has limits; RefusedError when it can be read in two ways, or not at all."""
    try:
        return context.read_once()
    except BadBodyError as error:
        hint = "A key with limits takes a plain JSON object, in which each name stands once."
        raise RefusedError(400, "bad_body", str(error), hint=hint) from error


def _not_for(code: str, message: str, allowed: list[str] | tuple[str, ...]) -> RefusedError:
    return RefusedError(403, code, message, hint=f"It is for: {', '.join(allowed)}.")
