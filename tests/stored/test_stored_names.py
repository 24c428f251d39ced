"""Names that others have stored or script against: a change in the code's own words must not change them.

What is here is in databases, journals, receipts, scripts and dashboards of others. A name that has to change takes a
migration or an alias with it, and only then `names.json` changes: `python tests/stored/test_stored_names.py` writes it.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "prove")]

from scripted_proof import FACTS, make_dataset, model

from freehold.cli.commands import cli
from freehold.gateway.telemetry import metrics
from freehold.model.dataset import Manifest
from freehold.model.key import Key
from freehold.model.model_card import ModelCard
from freehold.model.receipt import Receipt
from freehold.model.route import Route
from freehold.model.tags import RESERVED
from freehold.model.verdict import Verdict
from freehold.pipeline.run_serializer import WORKFLOW
from freehold.pipeline.workflow import WORKFLOW_VERSION
from freehold.prove import ProofSettings, prove
from freehold.record.read import Decision, Exchange, RequestSide, ResponseSide
from freehold.settings import SETTINGS, TASK_SETTINGS
from freehold.settings.providers import PROVIDER_SETTINGS
from freehold.store import schema

GOLDEN = Path(__file__).parent / "names.json"


def test_stored_names_are_what_they_were(tmp_path: Path) -> None:
    kept, found = json.loads(GOLDEN.read_text(encoding="utf-8")), names(tmp_path)
    assert found.keys() == kept.keys()
    for kind in kept:
        gone, new = sorted(set(kept[kind]) - set(found[kind])), sorted(set(found[kind]) - set(kept[kind]))
        assert (gone, new) == ([], []), f"{kind}: gone {gone}, new {new}"


def names(folder: Path) -> dict[str, list[str]]:
    """All names by what holds them."""
    return {
        "columns": [f"{table.name}.{column.name}" for table in schema.metadata.sorted_tables for column in table.c],
        "journal": [f"{side.__name__}.{name}" for side in _SIDES for name in side.__struct_fields__],
        "documents": [f"{one.__name__}.{field.name}" for one in _DOCUMENTS for field in dataclasses.fields(one)],
        "evidence": sorted(set(paths(_evidence(folder)))),
        "tags": sorted(RESERVED),
        "workflow": [WORKFLOW, WORKFLOW_VERSION],
        "verbs": sorted(_verbs(("freehold",), cli)),
        "settings": [
            *(f"{one.key} {one.variable}" for one in SETTINGS),
            *(f"tasks.NAME.{name}" for name in TASK_SETTINGS),
            *(f"providers.NAME.{name}" for name in PROVIDER_SETTINGS),
        ],
        "metrics": sorted(_metrics()),
    }


_SIDES: tuple[type[msgspec.Struct], ...] = (Exchange, RequestSide, Decision, ResponseSide)
_DOCUMENTS: tuple[type[Any], ...] = (Verdict, Route, ModelCard, Manifest, Receipt, Key)


def paths(value: object, above: str = "") -> Iterator[str]:
    """The paths to all that is in a JSON value; the places of a list have one path."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield f"{above}{name}"
            yield from paths(below, f"{above}{name}.")
    elif isinstance(value, list | tuple):
        for below in value:
            yield from paths(below, f"{above}[].")


def _evidence(folder: Path) -> dict[str, Any]:
    """The evidence of a proof with slices, a cascade and costs."""
    verdict = prove(
        make_dataset(folder / "dataset", proof=200),
        answer=model(0.9, is_telling=False),
        settings=ProofSettings(risk=0.2),
        facts=dataclasses.replace(FACTS, harm=0.02),
        out_dir=folder / "out",
    )
    return json.loads(json.dumps(verdict.evidence))


def _verbs(words: tuple[str, ...], command: click.Command) -> Iterator[str]:
    """Each verb, and each with its options and arguments."""
    verb = " ".join(words[1:])
    yield verb or "freehold"
    for parameter in command.params:
        for name in (*parameter.opts, *parameter.secondary_opts):
            yield f"{verb} {name}".strip()
    for name, below in command.commands.items() if isinstance(command, click.Group) else ():
        yield from _verbs((*words, name), below)


def _metrics() -> Iterator[str]:
    for name, (_, labels) in metrics._COUNTERS.items():
        yield f"{name}_total {{{', '.join(labels)}}}"
    for name, (_, labels, bounds) in metrics._SPREADS.items():
        yield f"{name} {{{', '.join(labels)}}} {bounds}"
    yield from metrics._GAUGES
    yield f"{metrics._LAG} {metrics._LAG_LANES}"
    for name in metrics._LEVELS:
        yield f"{name} {{{', '.join(metrics._BY_ROUTE)}}}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        GOLDEN.write_text(json.dumps(names(Path(scratch)), indent=1) + "\n", encoding="utf-8")
