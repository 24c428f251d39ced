"""The sentences of a report, out of the templates that hold them: the story at the top, the checks at the bottom.

A block of such a template is a list, one sentence a line; what is put into a line has no line break. Not covered: the
pages that show them (`prove.report.report`).
"""

from __future__ import annotations

from dataclasses import dataclass

from freehold.model.verdict import Verdict
from freehold.prove.report.environment import environment
from freehold.prove.report.grounds import basis, grounds, is_enough
from freehold.prove.report.tiles import Tile, tiles

_STORY, _CHECKS = "story.txt.j2", "checks.txt.j2"
Row = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Sentences for someone who does not read statistics; `notices` stand above everything else."""

    headline: str
    notices: tuple[str, ...]
    tiles: tuple[Tile, ...]
    moves: tuple[str, ...]
    saves: tuple[str, ...]
    risks: tuple[str, ...]
    stays: tuple[str, ...]
    unshown: tuple[str, ...]
    next_command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One thing that was tested: of which quantity, what would be wrong, what is claimed, how, and what came of it."""

    name: str
    estimand: str
    null: str
    alternative: str
    test: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a statistician asks of a proof; rows are a name and what it says."""

    claim: str
    design: tuple[str, ...]
    hypotheses: tuple[Hypothesis, ...]
    multiplicity: tuple[str, ...]
    levels: tuple[Row, ...]
    data: tuple[Row, ...]
    missing: tuple[str, ...]
    assumptions: tuple[str, ...]
    references: tuple[Row, ...]
    glossary: tuple[Row, ...]


def tell(verdict: Verdict) -> Story:
    """Put a verdict into sentences."""
    (headline,), (next_command,) = (_lines(_STORY, name, verdict) for name in ("headline", "next_command"))
    return Story(
        headline=headline,
        notices=_lines(_STORY, "notices", verdict),
        tiles=tiles(verdict),
        moves=_lines(_STORY, "moves", verdict),
        saves=_lines(_STORY, "saves", verdict),
        risks=_lines(_STORY, "risks", verdict),
        stays=_lines(_STORY, "stays", verdict),
        unshown=_lines(_STORY, "unshown", verdict),
        next_command=next_command,
    )


def state(verdict: Verdict) -> Statement:
    """Put a verdict's statistics into words."""
    (claim,) = _lines(_CHECKS, "claim", verdict)
    tested = (_rows(name, verdict) for name in ("alone", "contract", "slices", "people"))
    return Statement(
        claim=claim,
        design=_lines(_CHECKS, "design", verdict),
        hypotheses=tuple(Hypothesis(**dict(rows)) for rows in tested if rows),
        multiplicity=_lines(_CHECKS, "multiplicity", verdict),
        levels=_rows("levels", verdict),
        data=_rows("data", verdict),
        missing=_lines(_CHECKS, "missing", verdict),
        assumptions=_lines(_CHECKS, "assumptions", verdict),
        references=_rows("references", verdict),
        glossary=_rows("glossary", verdict),
    )


def _lines(template: str, block: str, verdict: Verdict) -> tuple[str, ...]:
    """The sentences of one block."""
    page, figures = environment().get_template(template), verdict.figures
    told = page.new_context(
        {"verdict": verdict, "e": figures, "g": grounds(verdict), "basis": basis(figures), "is_enough": is_enough}
    )
    lines = "".join(page.blocks[block](told)).split("\n")
    return tuple(line.strip() for line in lines if line.strip())


def _rows(block: str, verdict: Verdict) -> tuple[Row, ...]:
    """The lines of a block that have a name before their first colon."""
    parted = (line.partition(": ") for line in _lines(_CHECKS, block, verdict))
    return tuple((name, said) for name, _, said in parted)
