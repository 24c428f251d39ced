"""The metrics that a proof asks for: built in, or a function of the user's.

    exact           the answers are equal, as `text.scoring` compares their kind
    graded          how much of the wanted answer is there: ROUGE-L for text, the share of fields for JSON
    valid           the answer is of the wanted form at all
    fields:NAME     the JSON field NAME, and what is below it, is the same on both sides
    length          neither more than twice nor less than half as long as the wanted answer (20 characters are free)
    module:f, path/to/file.py:f     f(wanted, got) gives a number from 0 to 1, or None for "cannot be scored"

A call counts as right when every metric reaches its mark: 1 unless one is written, as in `graded>=0.9`. That makes one
yes/no loss of any set of metrics, so contract A says "at most `risk` of the calls are answered locally and fail a
metric", exactly as before, and stays monotone in the threshold. The paired test compares each metric as the number that
it is, owned against provider, and all of them must certify. No correction of alpha is due for that: a wrong move needs
the very metric that is too bad to be certified, which alone has a chance of at most alpha (intersection-union; Berger
1982). What is divided is power, so more calls are needed.

Where the provider's answer was rated bad and nobody said what was wanted (`Example.is_rejected`), both sides count as
not equal: known of the provider, and the worst for the other. Metrics that look at the wanted answer are missing.

Where the provider gave no answer that could be wanted (`Example.is_aside`: a tool call, a refusal, a cut one), it is
right by definition: so it is with its clients now. An owned answer that would be used there is wrong under every
metric; none that would not, as the call is the provider's then.

A score of None is missing: -1 in the paired test, and wrong at its confidence in the cascade. A function that throws,
or gives anything else, ends the proof with an error that names it and the call.

Not covered: judges (a model that scores), corrections of alpha for metrics of which any one may pass.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from freehold.errors import DataError, SettingError
from freehold.model.example import Example
from freehold.model.ids import sha256_hex
from freehold.text.scoring import Score, field_name, normal_text, score

Scoring = Callable[[str, str, Score], object]
"""(wanted, got, their comparison) to a number from 0 to 1; None where there is none."""

BUILT_IN = ("exact", "graded", "valid", "fields:NAME", "length")
_AGREEMENT = ("exact", "graded")
_FREE_CHARACTERS = 20
_LONGEST_TIMES = 2.0
_ROUNDING = 1e-9
_FIELDS_SHOWN = 12
_HINT = f"Built in: {', '.join(BUILT_IN)}; yours: module:function or path/to/file.py:function. A mark: graded>=0.9."


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric; `source` is a digest of a user's function's file, `field` the JSON field that it looks at, if any."""

    name: str
    mark: float
    scoring: Scoring
    source: str = ""
    field: str = ""

    @property
    def is_agreement(self) -> bool:
        """Whether it says no more than how near an answer is to the wanted one: what people compare in its place."""
        return self.built_in in _AGREEMENT

    @property
    def built_in(self) -> str:
        """Its name without a mark."""
        return self.name.partition(">=")[0].strip()

    def passes(self, value: float) -> bool:
        """Whether a value reaches the mark; NaN, which is missing, does not."""
        return value >= self.mark - _ROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One answer under all metrics; `score.is_exact` says whether every mark is reached, `values` hold NaN if missing.

    `is_equal` is whether the answer is the wanted one, whatever the metrics say.
    """

    score: Score
    values: tuple[float, ...]
    is_equal: bool


def read_metrics(text: str) -> tuple[Metric, ...]:
    """The metrics that a setting names, commas between them; SettingError for one that cannot be found."""
    items = [item.strip() for item in text.split(",") if item.strip()]
    if not items:
        raise SettingError(f"prove.metrics = {text!r} names no metric.", hint=_HINT)
    metrics = tuple(_metric(item) for item in items)
    names = [metric.name for metric in metrics]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise SettingError(f"prove.metrics names {repeated!r} twice.", hint="Name each metric once.")
    return metrics


def metric_sources(text: str) -> tuple[str, ...]:
    """Digests of the files that the user's own functions stand in; empty where all metrics are built in."""
    return tuple(metric.source for metric in read_metrics(text) if metric.source)


def judge(kind: str, metrics: Sequence[Metric], example: Example, got: str) -> Judged:
    """Put one answer to an example to every metric; DataError where a function of the user's fails."""
    wanted, call_id = example.target, example.id
    plain = score(kind, wanted, got)
    if example.is_rejected:
        return _judge_unknown(metrics, replace(plain, is_exact=False, graded=0.0, fields={}))
    values = tuple(_value(metric, wanted, got, plain, call_id) for metric in metrics)
    is_right = all(metric.passes(value) for metric, value in zip(metrics, values, strict=True))
    return Judged(score=replace(plain, is_exact=is_right), values=values, is_equal=plain.is_exact)


def judge_aside(metrics: Sequence[Metric], *, is_used: bool, is_valid: bool = True) -> Judged:
    """One side of a call whose answer is set aside: wrong under every metric where an owned answer would be used."""
    value = 0.0 if is_used else 1.0
    score_of = Score(is_exact=not is_used, graded=value, is_valid=is_valid)
    return Judged(score=score_of, values=(value,) * len(metrics), is_equal=not is_used)


def _judge_unknown(metrics: Sequence[Metric], plain: Score) -> Judged:
    """What can be said of an answer where it is only known that the provider's was wrong."""
    known = {"exact": 0.0, "valid": float(plain.is_valid)}
    values = tuple(known.get(metric.built_in, math.nan) for metric in metrics)
    is_right = all(metric.passes(value) for metric, value in zip(metrics, values, strict=True))
    return Judged(score=replace(plain, is_exact=is_right), values=values, is_equal=False)


def check_fields(kind: str, metrics: Sequence[Metric], wanted: Sequence[str]) -> None:
    """SettingError where a metric looks at a JSON field that no wanted answer has: it would pass whatever came."""
    asked = [metric for metric in metrics if metric.field]
    if not asked:
        return
    paths = dict.fromkeys(path for text in wanted for path in score(kind, text, text).fields)
    for metric in asked:
        if not any(_is_within(path, metric.field) for path in paths):
            known = ", ".join(list(dict.fromkeys(map(field_name, paths)))[:_FIELDS_SHOWN]) or "none, they are not JSON"
            raise SettingError(
                f"The metric {metric.name!r} looks at a field that no wanted answer has.", hint=f"Fields: {known}."
            )


def _value(metric: Metric, wanted: str, got: str, plain: Score, call_id: str) -> float:
    told = f"The metric {metric.name!r} failed on call {call_id!r}: "
    hint = "Mend it, then prove again: it must give a number from 0 to 1, or None where it cannot score."
    try:
        value = metric.scoring(wanted, got, plain)
    except (Exception, SystemExit) as error:  # a function that ends the process would look like a verdict
        raise DataError(f"{told}{_in_a_line(error)}.", hint=hint) from error
    if value is None:
        return math.nan
    try:
        if isinstance(value, str | bytes):
            raise TypeError("a text")
        number = float(value)  # type: ignore[arg-type]  # whatever a user's function gives; what is no number is told
    except Exception as error:
        raise DataError(f"{told}it gave {str(value)[:80]!r}, which is no number.", hint=hint) from error
    if not 0.0 <= number <= 1.0:
        raise DataError(f"{told}it gave {number!r}, which is not from 0 to 1.", hint=hint)
    return number


def _metric(item: str) -> Metric:
    name, sign, mark_text = (part.strip() for part in item.partition(">="))
    try:
        mark = float(mark_text) if sign else 1.0
    except ValueError:
        mark = math.nan
    if not 0.0 < mark <= 1.0:
        raise SettingError(f"The mark of the metric {item!r} is not above 0 and up to 1.", hint=_HINT)
    match name:
        case "exact":
            return Metric(name=name, mark=mark, scoring=lambda _wanted, _got, plain: float(plain.is_exact))
        case "graded":
            return Metric(name=name, mark=mark, scoring=lambda _wanted, _got, plain: plain.graded)
        case "valid":
            return Metric(name=name, mark=mark, scoring=lambda _wanted, _got, plain: float(plain.is_valid))
        case "length":
            return Metric(name=name, mark=mark, scoring=lambda wanted, got, _plain: _is_alike_long(wanted, got))
    if name.startswith("fields:") and len(name) > len("fields:"):
        field = name.removeprefix("fields:")
        return Metric(name=name, mark=mark, scoring=lambda _wanted, _got, plain: _agrees(field, plain), field=field)
    if ":" in name and not name.startswith("fields:"):
        return _of_user(name, mark)
    raise SettingError(f"There is no metric {name!r}.", hint=_HINT)


def _is_alike_long(wanted: str, got: str) -> float:
    shorter, longer = sorted(max(len(normal_text(text)), _FREE_CHARACTERS) for text in (wanted, got))
    return float(longer <= _LONGEST_TIMES * shorter)


def _agrees(field: str, plain: Score) -> float:
    """Whether all paths at or below the field are the same; where no JSON was wanted, whether the texts are."""
    if not plain.fields:
        return float(plain.is_exact)
    return float(all(is_same for path, is_same in plain.fields.items() if _is_within(path, field)))


def _is_within(path: str, field: str) -> bool:
    name = field_name(path)
    return name == field or name.startswith((f"{field}.", f"{field}[", f"{field}{{"))


def _of_user(name: str, mark: float) -> Metric:
    place, _, function_name = name.rpartition(":")
    try:
        module = _load(place)
        origin = Path(module.__file__ or "")
        source = origin.read_bytes() if origin.is_file() else b""
    except (Exception, SystemExit) as error:
        raise SettingError(f"The metric {name!r} cannot be loaded: {_in_a_line(error)}.", hint=_HINT) from error
    function = vars(module).get(function_name)
    if not callable(function):
        raise SettingError(f"The metric {name!r} cannot be loaded: no function {function_name!r} there.", hint=_HINT)
    return Metric(
        name=name, mark=mark, scoring=lambda wanted, got, _plain: function(wanted, got), source=sha256_hex(source)
    )


def _in_a_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _load(place: str) -> ModuleType:
    """A module by its name, or by its file; a file is run anew each time it is asked for."""
    if not (place.endswith(".py") or "/" in place or "\\" in place):
        return importlib.import_module(place)
    spec = importlib.util.spec_from_file_location(f"freehold_metric_{sha256_hex(place)[:12]}", Path(place).absolute())
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look there for the module that they were made in
    spec.loader.exec_module(module)
    return module
