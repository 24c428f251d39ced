"""The seams: tables of what can be put in place of another, open to other packages.

A package adds to a table by an entry point of the group `freehold.TABLE`, in its pyproject.toml:

    [project.entry-points."freehold.alarms"]
    pager = "my_package.pager:PagerAlarm"

What is of Freehold itself is in the same table, and loaded the same way. Nothing is imported before it is asked for.
What an entry has to be is said by a protocol in the folder of its stage, which each table names.

Not covered: what is done where a plugin takes too long, or raises in the gateway: that is for its caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from freehold.errors import DataError, FreeholdError, SettingError, in_a_line

PREFIX = "freehold."


@dataclass(frozen=True, slots=True)
class Seam:
    """One table; `own` are Freehold's entries, as `module:name`; `needs` are the attributes that every entry has."""

    name: str
    own: Mapping[str, str]
    needs: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """All names that can be asked for."""
        return tuple(sorted({*self.own, *(entry.name for entry in self._others())}))

    def load(self, name: str) -> Any:
        """What a name stands for.

        SettingError for an unknown name, for one that two packages offer, for one that cannot be imported, and for one
        that lacks what the table's protocol asks for.
        """
        found = [entry for entry in self._others() if entry.name == name]
        if name in self.own:
            found.insert(0, EntryPoint(name, self.own[name], PREFIX + self.name))
        if not found:
            raise SettingError(f"There is no {name!r} among {self.name}.", hint=f"Known: {', '.join(self.names())}.")
        if len(found) > 1:
            offered = ", ".join(_package(entry) for entry in found)
            raise SettingError(
                f"{name!r} of {self.name} is offered by several packages: {offered}.", hint="Uninstall all but one."
            )
        return self._loaded(found[0])

    def load_own(self, name: str) -> Any:
        """Freehold's own entry, whoever else offers that name; KeyError where there is none."""
        return self._loaded(EntryPoint(name, self.own[name], PREFIX + self.name))

    @contextmanager
    def errors_of(self, name: str) -> Iterator[None]:
        """Around calls of an entry: what one of another package raises becomes a DataError of one line."""
        try:
            yield
        except FreeholdError:
            raise
        except Exception as error:
            if name in self.own:
                raise
            raise DataError(
                f"{name!r} of {self.name} failed: {in_a_line(error)}.",
                hint="Upgrade or uninstall the package that offers it.",
            ) from error

    def _loaded(self, entry: EntryPoint) -> Any:
        hint = "Upgrade or uninstall that package."
        what = f"{entry.name!r} of {self.name} cannot be loaded from {_package(entry)}"
        try:
            loaded = entry.load()
        except (Exception, SystemExit) as error:  # whatever a package's own code raises when it is imported
            raise SettingError(f"{what}: {in_a_line(error)}.", hint=hint) from error
        missing = [need for need in self.needs if not hasattr(loaded, need)]
        if missing:
            raise SettingError(f"{what}: it has no {', '.join(missing)}.", hint=hint)
        return loaded

    def _others(self) -> list[EntryPoint]:
        return list(entry_points(group=PREFIX + self.name))


def _package(entry: EntryPoint) -> str:
    """The package that offers an entry."""
    return entry.dist.name if entry.dist is not None else "freehold"


ALARMS = Seam(
    "alarms",
    {"log": "freehold.watch.alarms.log:LogAlarm", "webhook": "freehold.watch.alarms.webhook:WebhookAlarm"},
)
"""What sends a notice when a route changes by itself: `freehold.watch.alarms.Factory`."""

_BUILT_IN = "freehold.prove.scorers.built_in"
SCORERS = Seam(
    "scorers",
    {
        "exact": f"{_BUILT_IN}:Exact",
        "graded": f"{_BUILT_IN}:Graded",
        "valid": f"{_BUILT_IN}:Valid",
        "fields": f"{_BUILT_IN}:Fields",
        "length": f"{_BUILT_IN}:Length",
    },
)
"""What gives an answer a score, by `prove.metrics`: `freehold.prove.scorers.Factory`."""

ENGINES = Seam(
    "engines",
    {"llamacpp": "freehold.serve.engines.llamacpp.engine:LlamaCpp"},
    needs=("can", "start", "wait", "stop", "body", "greedy"),
)
"""What serves a model on this machine, by `serve.engine`: `freehold.serve.engines.Engine`."""

TRAINERS = Seam("trainers", {"lora": "freehold.train.trainers.lora:Lora"}, needs=("needs", "command", "environment"))
"""What trains a model, in a process of its own, by `train.trainer`: `freehold.train.trainers.Trainer`."""

BASES = Seam(
    "bases",
    {"llama": "freehold.train.bases.llama:Llama"},
    needs=(
        *("template", "read_shape", "load_tokenizer", "load_model", "layers"),
        *("render", "answer", "gguf_name", "rotated_heads"),
    ),
)
"""How a base is loaded, templated, named in GGUF and measured, by its architecture: `freehold.train.bases.Base`."""

STUDENTS = Seam(
    "students",
    {"generator": "freehold.pipeline.students.generator:Generator"},
    needs=("kinds", "train", "check", "answering"),
)
"""What can be trained to answer a task, by `train.student`: `freehold.pipeline.students.Student`."""

PROMPT_STEPS = Seam("prompt_steps", {"strip": "freehold.freeze.prompt_steps.strip:Strip"})
"""What is done to a request before an owned model sees it, by `freeze.prompt_steps`: `freehold.freeze.prompt_steps`."""

IMPORTERS = Seam("importers", {"jsonl": "freehold.ingest.importers.jsonl:JsonLines"}, needs=("read",))
"""What reads calls that others have recorded (`read_calls`): `freehold.ingest.importers.Importer`."""

REDACTORS = Seam("redactors", {"patterns": "freehold.freeze.redactors.patterns:Patterns"}, needs=("redact",))
"""What takes secrets out of a text (`load_redactor`): `freehold.freeze.redactors.Redactor`."""

DIALECTS = Seam(
    "dialects",
    {
        "openai-chat": "freehold.dialects.openai_chat:FORM",
        "openai-responses": "freehold.dialects.openai_responses:FORM",
        "openai-completions": "freehold.dialects.openai_completions:FORM",
        "openai-embeddings": "freehold.dialects.openai_completions:EMBEDDINGS_FORM",
        "anthropic-messages": "freehold.dialects.anthropic_messages:FORM",
        "other": "freehold.dialects.other:FORM",
    },
    needs=("read_request", "read_answer", "paths"),
)
"""How the requests and answers at a path are read and rendered: `freehold.dialects.form.Form`."""
