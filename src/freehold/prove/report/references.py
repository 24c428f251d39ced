"""Where the methods of a report come from, and what its words mean.

Only what a report uses is listed. Not covered: the methods themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from freehold.model.evidence.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Reference:
    """A source: what it is used for, who wrote it, and where it is found."""

    used_for: str
    source: str


_BETTING = Reference("evidence by betting", "Waudby-Smith & Ramdas 2020, arXiv 2010.09686")
_STAR = Reference("bets that aim at the planned sample", "STaR-Bets 2025, arXiv 2505.22422")
_TANGO = Reference("paired interval and cross-check", "Tango 1998, Statistics in Medicine 17:891")
_RUNNING = Reference("a mean that may change", "Howard, Ramdas, McAuliffe & Sekhon 2021, arXiv 1810.08240")
_RCPS = Reference("contract A", "Bates et al. 2021, arXiv 2101.02703")
_LTT = Reference("contract B", "Angelopoulos et al. 2021, arXiv 2110.01052")
_EXACT = Reference("exact bounds of a share", "Clopper & Pearson 1934, Biometrika 26:404")
_WILSON = Reference("intervals that are shown", "Wilson 1927, JASA 22:209")
_PPI = Reference("a judge corrected by people", "PPI++: Angelopoulos et al. 2023, arXiv 2311.01453")
_DETECTOR = Reference("rollback after the move", "Shin, Ramdas & Rinaldo 2022, arXiv 2203.03532")
GLOSSARY = (
    ("agreement", "The share of calls on which the owned model answers as the provider did. It says nothing of truth."),
    ("audit", "A call that was answered locally and is asked of the provider too, so that both can be compared."),
    ("confidence", "A number from 0 to 1 made of the model's own token probabilities. It orders answers; no promise"
     " rests on it."),
    ("contract", "What is promised of moved traffic: how many calls may be answered locally and wrong."),
    ("coverage", "The share of calls that the owned model answers itself."),
    ("evidence", "What a bet of 1 on the owned model would have grown to. If the model were too bad, it would reach"
     " 1/α with a probability of at most α."),
    ("held-out calls", "Newer calls that neither training nor tuning has seen. Each proof uses them up."),
    ("interval", "The values that the data leave plausible; 95% where nothing else is said."),
    ("margin", "How far the owned model alone may fall below the provider, to replace it wholly."),
    ("n", "How many calls a figure rests on."),
    ("points", "Differences of percentages: from 90% to 88% are 2 points."),
    ("slice", "A part of the traffic, such as one label, one language, or long inputs."),
    ("wanted", "What a correction says; where nobody corrected an answer, what the provider answered."),
    ("withheld", "A slice that stays with the provider, as the model was wrong there too often."),
)  # fmt: skip
"""Words of a report for those who do not read statistics."""


def references(evidence: Evidence) -> tuple[Reference, ...]:
    """The sources that this evidence rests on."""
    found = [_BETTING, _STAR, _LTT if evidence.contract == "B" else _RCPS, _EXACT, _WILSON]
    if evidence.paired.tango_z is not None:
        found.append(_TANGO)
    if evidence.paired.running_low is not None:
        found.append(_RUNNING)
    if evidence.judged is not None and evidence.judged.judge:
        found.append(_PPI)
    if evidence.rollback is not None:
        found.append(_DETECTOR)
    return tuple(found)
