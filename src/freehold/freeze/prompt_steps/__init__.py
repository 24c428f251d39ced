"""Prompt steps: what is done to a request before the owned model sees it, the same in dataset, proof and live traffic.

The first step takes out the text that all requests of a task share. `freeze.prompt_steps` names those that follow; a
dataset keeps their names beside its template, and so does the route of a model that was trained on it. So live traffic
is prepared as the proof was, whatever the setting says by then. Packages offer more of them as entry points of the
group `freehold.prompt_steps` (`freehold.plugins`).

Not covered: where a request belongs (`route.run.directory`), learning a template (`text.prompts`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from freehold.errors import DataError, SettingError, in_a_line
from freehold.model.exchange import Asked, Message
from freehold.model.prompt import Prompt
from freehold.plugins import PROMPT_STEPS
from freehold.system.time_limit import TimeLimit
from freehold.text.prompts.template import Template

STRIP = "strip"
LIMIT_S = 1.0
"""Seconds that a step of others may take for a request, while the gateway's event loop waits for it."""
LOAD_S = 30.0
"""Seconds that it may take to be imported and made."""
_KEY = "steps"
_LOG = logging.getLogger("freehold.prompts")


class PromptStep(Protocol):
    """Changes prompts: it must give the same for the same prompt, today and in a year."""

    def prepare(self, prompt: Prompt) -> Prompt | None:
        """The prompt as the next step, or the owned model, sees it; None where the owned model is not asked.

        It runs for each call of a moved task, in the gateway's event loop: it must return at once. Whatever it raises
        ends a freeze with an error that names it, and leaves a live call to the provider. So does a request that takes
        longer than `LIMIT_S`, and from then on every request of that process.
        """


Factory = Callable[[Template], PromptStep]
"""Makes a step out of the template that the requests of a task share."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """The steps of one task's prompts, in order."""

    template: Template
    steps: Mapping[str, PromptStep]

    def messages(self, asked: Asked) -> tuple[Message, ...] | None:
        """What the owned model sees of a request; None where it is not asked. DataError where a step fails."""
        if len(self.steps) == 1:
            return self.template.strip(asked)  # what the first step does, without a prompt made for each live call
        prompt: Prompt | None = Prompt(
            messages=asked.messages, tools=asked.tools, response_format=asked.response_format
        )
        for step in self.steps.values():
            if prompt is None:
                return None
            prompt = step.prepare(prompt)
        return None if prompt is None else prompt.messages

    def of_version(self, template: Template) -> Preparation:
        """The same for requests of another version of the prompt, which share another text."""
        return replace(self, template=template, steps={**self.steps, STRIP: _first(template)})

    def written(self, template: Template) -> dict[str, Any]:
        """Such a template as a JSON object, with the names of the steps that follow."""
        later = [name for name in self.steps if name != STRIP]
        return template.to_json() | ({_KEY: later} if later else {})


def preparation(template: Template, names: str = STRIP) -> Preparation:
    """The steps that a setting names, commas between them; SettingError for one that cannot be loaded."""
    first, *later = [name.strip() for name in names.split(",") if name.strip()] or [""]
    if first != STRIP or len({*later, STRIP}) != len(later) + 1:
        raise SettingError(
            f"freeze.prompt_steps = {names!r} must begin with {STRIP}, and name each step once.",
            hint=f"Known: {', '.join(PROMPT_STEPS.names())}.",
        )
    return Preparation(template, {STRIP: _first(template)} | {name: _OfOthers(name, template) for name in later})


def live_preparation(written: Mapping[str, Any]) -> Preparation:
    """The steps that a dataset or a route keeps (`Preparation.written`), which never raise.

    Where one cannot be loaded, or fails for the first time, the log says so; the owned model is not asked then.
    """
    if not written.get(_KEY):
        template = Template.from_json(dict(written))
        return Preparation(template, {STRIP: _first(template)})
    return _live(msgspec.json.encode(written, order="sorted"))


@lru_cache(maxsize=64)
def _live(written: bytes) -> Preparation:
    data = msgspec.json.decode(written)
    template = Template.from_json(data)
    steps: dict[str, PromptStep] = {STRIP: _first(template)}
    for name in data[_KEY]:
        try:
            steps[name] = _Lenient(name, _OfOthers(name, template))
        except SettingError as error:
            _LOG.error("No owned model is asked about these prompts, so the provider answers: %s", error)
            steps[name] = _Refusing()
    return Preparation(template, steps)


def _first(template: Template) -> PromptStep:
    factory: Factory = PROMPT_STEPS.load_own(STRIP)
    return factory(template)


class _OfOthers:
    """A step of another package, which is given little time; DataError where it fails."""

    def __init__(self, name: str, template: Template) -> None:
        self._name = name

        def make() -> PromptStep:
            factory: Factory = PROMPT_STEPS.load(name)
            return factory(template)

        try:
            self._step = TimeLimit(f"freehold-step-{name}", LOAD_S).call(make)
        except SettingError:
            raise
        except Exception as error:
            raise SettingError(
                f"The prompt step {name!r} cannot be made: {in_a_line(error)}.", hint="Upgrade or uninstall it."
            ) from error
        self._limit = TimeLimit(f"freehold-step-{name}", LIMIT_S)

    def prepare(self, prompt: Prompt) -> Prompt | None:
        """What the step gives."""
        try:
            return self._limit.call(self._step.prepare, prompt)
        except Exception as error:
            raise DataError(
                f"The prompt step {self._name!r} failed: {in_a_line(error)}.",
                hint="Mend it, or take it out of freeze.prompt_steps and freeze again.",
            ) from error


@dataclass(slots=True)
class _Lenient:
    """A step whose failures leave the call to the provider; the first one is logged."""

    name: str
    step: PromptStep
    told: list[str] = field(default_factory=list)

    def prepare(self, prompt: Prompt) -> Prompt | None:
        """What the step gives; None where it fails."""
        try:
            return self.step.prepare(prompt)
        except DataError as error:
            if not self.told:
                self.told.append(error.message)
                _LOG.error("A call is left to the provider, as others may be: %s", error)
            return None


class _Refusing:
    """Stands for a step that cannot be loaded."""

    def prepare(self, prompt: Prompt) -> Prompt | None:
        """No prompt."""
        del prompt
        return None
