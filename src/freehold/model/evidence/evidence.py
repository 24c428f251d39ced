"""Every figure of a proof: what the report shows and the verdict keeps.

Not covered: computing the figures (`prove.evidence`), the verdict (`model.verdict`).
"""

from __future__ import annotations

import msgspec

from freehold.model.evidence.answers import (
    ApartFigures,
    BinFigures,
    DifferenceFigures,
    FieldFigures,
    MetricFigures,
    NoiseFigures,
    SideFigures,
    SliceFigures,
    SpeedFigures,
)
from freehold.model.evidence.calls import DatasetFigures, ReasonFigures, UsedCalls
from freehold.model.evidence.decision import (
    CascadeFigures,
    ComparedFigures,
    OutcomeFigures,
    PairedFigures,
    SensitivityFigures,
    SpentFigures,
)
from freehold.model.evidence.lenient import as_json, read
from freehold.model.evidence.outlook import BorneFigures, RampFigures, RollbackFigures, SavingsFigures
from freehold.model.evidence.terms import FactsFigures, SettingsFigures

_ABSENT = ("noise", "judged", "unlike", "borne", "rollback", "ramp")
"""What a document lacks where a proof has none of it; everything else stands there, perhaps as null."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one proof; None is unknown, or was not known to the version that made the proof.

    Names and order are those of the JSON document (`to_json`), which others read. `used` is kept word for word as the
    verdict has it; `used_calls` is its typed form. `noise` is where earlier versions kept what `facts` holds now.
    """

    task: str = ""
    kind: str = ""
    calls: int | None = None
    users: int | None = None
    busiest_user_calls: int | None = None
    is_agreement: bool | None = None
    known_calls: int = 0
    corrected_calls: int | None = None
    rejected_calls: int = 0
    asked_calls: int | None = None
    scored_calls: int | None = None
    aside: tuple[ReasonFigures, ...] = ()
    left_alone: tuple[ReasonFigures, ...] = ()
    unspoken: tuple[ReasonFigures, ...] = ()
    unspoken_share: float | None = None
    kinds: dict[str, int] = {}
    learnt_inputs: int = 0
    outcome: OutcomeFigures = OutcomeFigures()
    apart: tuple[ApartFigures, ...] = ()
    sides: tuple[SideFigures, ...] = ()
    passing_baselines: tuple[str, ...] = ()
    needs_no_model: bool | None = None
    paired: PairedFigures = PairedFigures()
    judged: ComparedFigures | None = None
    cascade: CascadeFigures = CascadeFigures()
    calls_that_would_decide: int | None = None
    attempt: int | None = None
    level: float | None = None
    used: dict[str, object] = {}
    spent: SpentFigures = SpentFigures()
    metrics: tuple[MetricFigures, ...] = ()
    ranking: float | None = None
    confidence: tuple[BinFigures, ...] = ()
    contract: str = ""
    withheld: tuple[str, ...] = ()
    slices_of: str = ""
    slice_limit: float | None = None
    slices: tuple[SliceFigures, ...] = ()
    fields: tuple[FieldFigures, ...] = ()
    fields_left_out: int = 0
    differences: tuple[DifferenceFigures, ...] = ()
    differences_in_all: int = 0
    speed: SpeedFigures = SpeedFigures()
    savings: SavingsFigures = SavingsFigures()
    unlike: float | None = None
    borne: BorneFigures | None = None
    rollback: RollbackFigures | None = None
    ramp: RampFigures | None = None
    sensitivity: SensitivityFigures = SensitivityFigures()
    settings: SettingsFigures = SettingsFigures()
    facts: FactsFigures = FactsFigures()
    dataset: DatasetFigures = DatasetFigures()
    freehold: str = ""
    noise: dict[str, object] = {}

    @property
    def provider(self) -> SideFigures:
        """The provider's side; without figures where the document has none."""
        return self.sides[0] if self.sides else SideFigures()

    @property
    def owned(self) -> SideFigures:
        """The owned model's side; without figures where the document has none."""
        return self.sides[1] if len(self.sides) > 1 else SideFigures()

    @property
    def baselines(self) -> tuple[SideFigures, ...]:
        """What went through the same proof as the owned model, to see whether a model is needed at all."""
        return self.sides[2:]

    @property
    def used_calls(self) -> UsedCalls:
        """The calls that the proof used up."""
        return read(UsedCalls, self.used)

    @property
    def self_consistency(self) -> NoiseFigures:
        """How often the provider agrees with itself; figures are None where it was not asked again."""
        return read(NoiseFigures, self.noise or self.facts.noise)

    def to_json(self) -> dict[str, object]:
        """The JSON document; a number that is not finite is null, and `_ABSENT` lists what may be missing in it."""
        document = as_json(self)
        return {name: item for name, item in document.items() if name not in _ABSENT or item not in (None, {})}

    @classmethod
    def from_json(cls, document: object) -> Evidence:
        """The figures in a document of any version (`lenient`)."""
        return read(cls, document)
