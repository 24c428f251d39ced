"""Writes the report of a proof three times, each from the verdict alone: text, JSON, and one HTML page.

The page loads nothing from anywhere and runs no script. Whatever stands in a call, an answer or a setting is made
harmless (`prove.report.words.visible`) and escaped, by the environment itself, so that no template can forget it; what
is too much for a page is cut with a count. Files are replaced whole, the JSON last, so that a report with JSON is
complete.

Not covered: figures (`prove.evidence`), sentences (`prove.report.sentences`), pictures (`prove.report.pictures`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from freehold.errors import StateError
from freehold.model.evidence.evidence import Evidence
from freehold.model.verdict import Verdict
from freehold.prove.report import differences, dots, pictures, reasons, words
from freehold.prove.report.environment import environment
from freehold.prove.report.grounds import basis, grounds
from freehold.prove.report.sentences import state, tell
from freehold.system.files import write_whole

_MOST_SHOWN = 25
_MOST_SHOWN_CHARS = 400_000
_MOST_SHOWN_ROWS = 40


def write_reports(verdict: Verdict, out_dir: Path) -> Verdict:
    """Write report.html, report.txt and report.json; the verdict comes back with its story in the evidence."""
    story = tell(verdict)
    told = json.loads(json.dumps(asdict(story), ensure_ascii=False))
    whole = replace(verdict, evidence={**verdict.evidence, "story": told})
    pages = {
        "report.html": render("report.html.j2", whole),
        "report.txt": render("report.txt.j2", whole),
        "report.json": json.dumps({**asdict(whole), "words": whole.words}, ensure_ascii=False, indent=1) + "\n",
    }
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            write_whole(out_dir / name, page.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise StateError(
            f"The report could not be written to {str(out_dir)!r}: {error.strerror}.",
            hint="Free space, then prove again.",
        ) from error
    return whole


def render(template: str, verdict: Verdict) -> str:
    """One report as text; `template` is a file of this package's `templates`."""
    evidence, turns = verdict.figures, grounds(verdict)
    page = environment().get_template(template)
    return page.render(
        verdict=verdict,
        e=evidence,
        story=tell(verdict),
        statement=state(verdict),
        basis=basis(evidence),
        g=turns,
        traffic=reasons.rows(evidence),
        pictures={
            "evidence": pictures.evidence_path(evidence.paired),
            "judged": pictures.evidence_path(evidence.judged, "pairs compared") if turns.is_compared else None,
            "risk": pictures.coverage_risk(evidence),
            "ramp": pictures.ramp(evidence) if verdict.decision == "move" else None,
        },
        charts={"sides": dots.sides(evidence), "slices": dots.slices(evidence)},
        tables={
            "noise": dots.noise(evidence),
            "preferred": dots.preferred(evidence),
            "metrics": dots.metrics(evidence),
            "fields": dots.fields(evidence),
        },
        differences=_shown_differences(evidence),
        most_rows=_MOST_SHOWN_ROWS,
    )


def _shown_differences(evidence: Evidence) -> list[differences.SideBySide]:
    """The first differences, as many as a page holds; the others stand in the JSON."""
    shown: list[differences.SideBySide] = []
    chars = 0
    for row in evidence.differences[:_MOST_SHOWN]:
        chars += sum(len(words.visible(text)) for text in (row.input, row.wanted, row.provider, row.owned))
        if shown and chars > _MOST_SHOWN_CHARS:
            break
        shown.append(differences.side_by_side(row))
    return shown
