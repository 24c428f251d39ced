"""The metrics that a proof asks for: scorers, built in or of others, each with a mark that must be reached.

    exact           the answers are equal, as `text.scoring` compares their kind
    graded          how much of the wanted answer is there: ROUGE-L for text, the share of fields for JSON
    valid           the answer is of the wanted form at all
    fields:NAME     the JSON field NAME, and what is below it, is the same on both sides
    length          neither more than twice nor less than half as long as the wanted answer (20 characters are free)
    NAME, NAME:ARGUMENT             a scorer that another package offers (`freehold.plugins.SCORERS`)
    module:f, path/to/file.py:f     f(prompt, wanted, got) gives a number from 0 to 1, or None for "cannot be scored";
                                    so does f(wanted, got)

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

A score of None is missing: -1 in the paired test, and wrong at its confidence in the cascade. A scorer of others that
raises, takes longer than LIMIT_S for one answer or gives anything else ends the proof with an error that names it and
the call.

Not covered: what a scorer is (`prove.scorers`), judges (a model that scores), corrections of alpha for metrics of which
any one may pass.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from freehold.errors import DataError, FreeholdError, SettingError, in_a_line
from freehold.model.example import Example
from freehold.model.ids import sha256_hex
from freehold.plugins import SCORERS
from freehold.prove.scorers import Factory, Scorer
from freehold.prove.scorers.built_in import compared, is_within
from freehold.prove.scorers.function import FunctionScorer
from freehold.system.time_limit import TimeLimit
from freehold.text.scoring import Score, field_name

BUILT_IN = ("exact", "graded", "valid", "fields:NAME", "length")
LIMIT_S = 300.0
"""Seconds that a scorer of others may take to be loaded, and for each answer."""
_AGREEMENT = ("exact", "graded")
_ROUNDING = 1e-9
_FIELDS_SHOWN = 12
T = TypeVar("T")
_HINT = f"Built in: {', '.join(BUILT_IN)}; yours: module:function or path/to/file.py:function. A mark: graded>=0.9."


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: a scorer for each kind of output, and the mark that its scores have to reach.

    Of a scorer of others, `limit` is what calls it and `source` the SHA-256 of the file that it stands in. `field` is
    the JSON field that a metric looks at, if any.
    """

    name: str
    mark: float
    scorer_of: Callable[[str], Scorer]
    limit: TimeLimit | None = None
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
    """Digests of the files that scorers of others stand in; empty where all metrics are built in."""
    return tuple(metric.source for metric in read_metrics(text) if metric.source)


def judge(kind: str, metrics: Sequence[Metric], example: Example, got: str) -> Judged:
    """Put one answer to an example to every metric; DataError where a scorer of others fails."""
    plain = compared(kind, example.target, got)
    if example.is_rejected:
        return _judge_unknown(metrics, replace(plain, is_exact=False, graded=0.0, fields={}))
    values = tuple(_value(metric, kind, example, got) for metric in metrics)
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
    paths = dict.fromkeys(path for text in wanted for path in compared(kind, text, text).fields)
    for metric in asked:
        if not any(is_within(path, metric.field) for path in paths):
            known = ", ".join(list(dict.fromkeys(map(field_name, paths)))[:_FIELDS_SHOWN]) or "none, they are not JSON"
            raise SettingError(
                f"The metric {metric.name!r} looks at a field that no wanted answer has.", hint=f"Fields: {known}."
            )


def _value(metric: Metric, kind: str, example: Example, got: str) -> float:
    told = f"The metric {metric.name!r} failed on call {example.id!r}: "
    hint = "Mend it, then prove again: it must give a number from 0 to 1, or None where it cannot score."
    try:
        value: object = _score(metric, kind, example, got)
    except (Exception, SystemExit) as error:  # a function that ends the process would look like a verdict
        raise DataError(f"{told}{in_a_line(error)}.", hint=hint) from error
    if value is None:
        return math.nan
    try:
        if isinstance(value, str | bytes):
            raise TypeError("a text")
        number = float(value)  # type: ignore[arg-type]  # whatever a scorer gives; what is no number is told
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
    scorer, _, argument = name.partition(":")
    if scorer in SCORERS.own:
        return _built_in(name, mark, scorer, argument)
    if scorer in SCORERS.names():
        return _of_package(name, mark, scorer, argument)
    if argument:
        return _of_user(name, mark)
    others = ", ".join(sorted({*SCORERS.names()} - {*SCORERS.own}))
    raise SettingError(f"There is no metric {name!r}.", hint=f"{_HINT}{f' Of packages: {others}.' if others else ''}")


def _score(metric: Metric, kind: str, example: Example, got: str) -> float | None:
    if metric.limit is None:
        return metric.scorer_of(kind).score(example.prompt, example.target, got)
    return metric.limit.call(lambda: metric.scorer_of(kind).score(example.prompt, example.target, got))


def _built_in(name: str, mark: float, scorer: str, argument: str) -> Metric:
    factory: Factory = SCORERS.load(scorer)
    factory("text", argument)  # what is wrong with the argument is wrong for every kind
    field = argument if scorer == "fields" else ""
    return Metric(name=name, mark=mark, scorer_of=lru_cache(lambda kind: factory(kind, argument)), field=field)


def _of_package(name: str, mark: float, scorer: str, argument: str) -> Metric:
    """A scorer of another package; it is made once for each kind of output, when it is first asked for."""
    limit = TimeLimit(f"freehold-scorer-{scorer}", LIMIT_S)

    def load() -> tuple[Factory, str]:
        factory: Factory = SCORERS.load(scorer)
        module = inspect.getmodule(factory)
        origin = Path(module.__file__ or "") if module else Path()
        return factory, sha256_hex(origin.read_bytes() if origin.is_file() else b"")

    factory, source = _loaded(name, limit, load)
    scorer_of = lru_cache(lambda kind: factory(kind, argument))
    return Metric(name=name, mark=mark, scorer_of=scorer_of, limit=limit, source=source)


def _of_user(name: str, mark: float) -> Metric:
    """A function of the user's own."""
    place, _, function = name.rpartition(":")
    limit = TimeLimit("freehold-scorer", LIMIT_S)
    scorer = _loaded(name, limit, lambda: FunctionScorer(place, function))
    return Metric(name=name, mark=mark, scorer_of=lambda _kind: scorer, limit=limit, source=scorer.source)


def _loaded(name: str, limit: TimeLimit, load: Callable[[], T]) -> T:
    """What `load` gives, called where its scores are made; SettingError where it fails or takes too long."""
    try:
        return limit.call(load)
    except FreeholdError:
        raise
    except (Exception, SystemExit) as error:
        raise SettingError(f"The metric {name!r} cannot be loaded: {in_a_line(error)}.", hint=_HINT) from error
