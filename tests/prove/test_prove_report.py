"""The report of a verdict: one story in three forms, harmless text, bounded size, readable colours."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from scripted_proof import FACTS, make_dataset, model

import freehold.prove
from freehold.model.verdict import Verdict
from freehold.prove import ProofSettings, prove
from freehold.prove.report import dots, pictures
from freehold.prove.report.report import render, write_reports
from freehold.prove.report.sentences import tell

CSS = Path(freehold.prove.__file__).parent / "report" / "templates" / "report.css"
LARGEST_PAGE = 1_500_000


def words(text: str) -> set[str]:
    return set(text.split())


TAGS = words(
    "html head meta title style body main header p b bdi h1 h2 h3 h4 span dl dt dd div data ul li section table thead"
    " tbody tfoot tr th td figure figcaption i svg desc line text polyline polygon rect circle article pre mark details"
    " summary code"
)
ATTRIBUTES = words(
    "lang charset name content http-equiv class id value scope data-name dir viewbox role tabindex aria-label"
    " aria-hidden points x y x1 x2 y1 y2 cx cy r rx width height text-anchor"
)
VOID = {"meta"}
HOSTILE = (
    "</pre></td></style><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>",
    "\"' onmouseover='alert(1)' x=\"",
    "\u202egnp.exe\u2066\u2069\u200e\u200b\ufeff\u00ad",
    "\x1b[2J\x1b]0;title\x07\x00\x08\x9b31m\r",
    "{{ 7 * 7 }}{% raw %}<!--]]><![CDATA[ &lt;b&gt; &#x202e;",
    "Z" + "\u0301" * 500,
    "\ud800 lone \udfff",
    "word " * 20_000,
)
OPTIONAL: dict[str, Any] = {
    "noise": {"n": 200, "agreement": 0.93, "low": 0.885, "high": 0.959, "owned_agreement": 0.9, "owned_low": 0.85,
              "owned_high": 0.934, "proposed_margin": 0.04, "cost_usd": 0.4},
    "judged": {"judge": "judge-1", "judged": 300, "n": 240, "by_people": 210, "owned_better": 30, "provider_better": 22,
               "difference": 0.04, "low": -0.01, "high": 0.09, "judge_mean": 0.1, "judge_low": 0.05, "judge_high": 0.15,
               "is_aided": True, "variance_left": 0.6, "margin": 0.02, "is_certified": True, "decided_at": 2,
               "log_goal": 3.4, "log_wealth": [[1, 1.0], [2, 3.5], [3, 3.6]],
               "powered": {"mean": 0.05, "low": 0.0, "high": 0.1, "rho": 0.63}},
    "ramp": {"harm": 0.02, "worse": 0.01, "better": 0.0, "tends_to": 1.0, "pairs_until_half": 500,
             "pairs_until_all": 2000, "steps": [{"pairs": 0, "share": 0.02, "low": 0.02, "high": 0.02}, {"pairs": 500,
             "share": 0.5, "low": 0.4, "high": 0.6}, {"pairs": 2000, "share": 1, "low": 0.8, "high": 1}]},
    "metrics": [
        {"name": "exact", "n": 400, "missing": 3, "owned": 0.9, "incumbent": 1.0, "difference": -0.1, "low": -0.13,
         "high": -0.07, "is_certified": False},
        {"name": "valid", "n": 400, "missing": 0, "owned": 1.0, "incumbent": 1.0, "difference": 0.0, "low": -0.01,
         "high": 0.01, "is_certified": True},
    ],
}  # fmt: skip
SHOWN_WHEN = {
    "noise": "The provider beside itself",
    "judged": "What people preferred",
    "ramp": "How a ramp would open",
    "metrics": "Every metric must pass",
    "slices": "Slice by slice",
    "sensitivity": "How near it was",
    "fields": "By field",
}


class Page(HTMLParser):
    """Checks that a page is well formed out of known parts, and collects its figures, ids and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.figures: dict[str, str] = {}
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES, attrs
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        if tag == "data":
            self.figures[found["id"] or ""] = found["value"] or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """A verdict `move` with every part that a proof alone gives."""
    folder = tmp_path_factory.mktemp("proven")
    return prove(
        make_dataset(folder / "dataset", proof=200),
        answer=model(0.9, is_telling=False),
        settings=ProofSettings(risk=0.2),
        facts=replace(FACTS, harm=0.02),
        out_dir=folder / "out",
    )


def with_all(verdict: Verdict) -> Verdict:
    return replace(verdict, evidence={**verdict.evidence, **OPTIONAL})


def without(verdict: Verdict, *keys: str) -> Verdict:
    return replace(verdict, evidence={key: value for key, value in verdict.evidence.items() if key not in keys})


def at(evidence: dict[str, Any], path: str) -> Any:
    value: Any = evidence
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def sentences(verdict: Verdict) -> list[str]:
    story = tell(verdict)
    return [story.headline, *story.moves, *story.saves, *story.risks, *story.stays, *story.unshown, *story.notices]


def test_the_three_forms_tell_one_story(proven: Verdict, tmp_path: Path) -> None:
    verdict = write_reports(with_all(proven), tmp_path)
    page = " ".join(Page((tmp_path / "report.html").read_text("utf-8")).text.split())
    text = " ".join((tmp_path / "report.txt").read_text("utf-8").split())
    told = json.loads((tmp_path / "report.json").read_text("utf-8"), parse_constant=pytest.fail)["evidence"]["story"]
    assert len(sentences(verdict)) > 12
    for sentence in sentences(verdict):
        assert sentence in page
        assert sentence in text
        assert sentence in json.dumps(told, ensure_ascii=False)
    assert verdict.words in page
    assert verdict.words.upper() in text


def test_every_figure_at_the_top_is_that_of_the_json(proven: Verdict, tmp_path: Path) -> None:
    held = replace(proven, decision="hold", coverage=None)
    needy = replace(proven, decision="need", need=70, evidence={**proven.evidence, "outcome": {"need": 70}})
    checked = 0
    for verdict in (proven, held, needy):
        write_reports(verdict, tmp_path)
        evidence = json.loads((tmp_path / "report.json").read_text("utf-8"))["evidence"]
        for path, value in Page((tmp_path / "report.html").read_text("utf-8")).figures.items():
            assert float(value) == at(evidence, path)
            checked += 1
    assert checked == 12


@pytest.mark.parametrize("decision", ["hold", "need"])
def test_what_does_not_move_promises_nothing(proven: Verdict, decision: Any) -> None:
    evidence = {**proven.evidence, "outcome": {"decision": decision, "reason": "So it is.", "need": 70}}
    verdict = replace(proven, decision=decision, need=70, coverage=None, threshold=None, evidence=evidence)
    for template in ("report.html.j2", "report.txt.j2"):
        said = " ".join(render(template, verdict).split())
        assert "nothing changes for your users" in said
        assert "Nothing is claimed." in said
        for word in ("freehold move", "What it saves", "a month", "used from", "chosen:", "Promise"):
            assert word not in said, word


def test_every_error_rate_is_of_all_proofs_of_the_task(proven: Verdict) -> None:
    third = replace(proven, attempt=3, level=2 / 35, evidence={**proven.evidence, "spent": {"alpha": 0.00286}})
    said = " ".join(render("report.txt.j2", third).split())
    assert "let through at most once in ten, over all proofs of the task together." in said
    assert "This is proof 3 of the task." in said
    assert "α spent by it: 0.00286" in said
    assert "δ spent by it: unknown" in said


@pytest.mark.parametrize("key", sorted(SHOWN_WHEN))
def test_a_part_is_shown_when_it_is_there_and_left_out_when_not(proven: Verdict, key: str) -> None:
    whole = with_all(proven)
    assert SHOWN_WHEN[key] in Page(render("report.html.j2", whole)).text
    assert SHOWN_WHEN[key] not in Page(render("report.html.j2", without(whole, key))).text
    render("report.txt.j2", without(whole, key))


def test_comparisons_that_do_not_count_yet_are_no_row_of_unknowns(proven: Verdict) -> None:
    waiting = {**OPTIONAL["judged"], "n": 0, "by_people": 0, "difference": None, "low": -1.0, "high": 1.0,
               "powered": None, "variance_left": None, "is_certified": False}  # fmt: skip
    said = Page(render("report.html.j2", replace(proven, evidence={**proven.evidence, "judged": waiting}))).text
    assert "No comparison counts yet." in said
    assert "unknown [" not in said


def test_what_decided_is_said_beside_its_evidence(proven: Verdict) -> None:
    """Where people's comparisons decide, theirs is the evidence that is drawn, else that of the scores."""
    outcome = {**proven.evidence["outcome"], "scope": "whole"}
    whole = with_all(replace(proven, evidence={**proven.evidence, "outcome": outcome}))
    by_corrections = replace(whole, evidence={**whole.evidence, "is_agreement": False})
    uncounted = without(whole, "judged")
    people, alone = "The evidence of people's comparisons", "The evidence for the owned model alone"
    for verdict, shown, hidden in ((whole, people, alone), (by_corrections, alone, people), (uncounted, alone, people)):
        said = " ".join(Page(render("report.html.j2", verdict)).text.split())
        assert shown in said
        assert hidden not in said
        assert "and did not decide here" not in said
    said = " ".join(Page(render("report.html.j2", without(proven, "judged"))).text.split())
    assert "and did not decide here" in said


def test_the_bottom_names_estimands_and_what_is_tested_more_than_once(proven: Verdict) -> None:
    said = " ".join(Page(render("report.html.j2", with_all(proven))).text.split())
    for part in ("Tested more than once", "P(confidence ≥ τ and wrong), the share of all calls", "E[D], the mean",
                 "at most α + δ = 0.15", "(Bonferroni)", "Proofs of the task: the k-th may spend"):  # fmt: skip
        assert part in said
    outcome = {**proven.evidence["outcome"], "scope": "whole"}
    whole = replace(proven, evidence={**proven.evidence, "outcome": outcome})
    assert "P(the provider alone is right | slice)" in Page(render("report.html.j2", whole)).text


def test_a_name_without_a_space_does_not_leave_the_terminal(proven: Verdict) -> None:
    long = replace(proven, evidence={**proven.evidence, "task": "t" * 300})
    told = render("report.txt.j2", long).split("next: ")[0]
    assert [line for line in told.splitlines() if len(line) > 80 and "report.html" not in line] == []


def test_a_verdict_with_nothing_in_it_is_still_drawn(tmp_path: Path) -> None:
    bare = Verdict(id="v", task_id="t", model_id="m", dataset_hash="d", decision="hold", margin=0.02, risk=0.05)
    for verdict in (
        bare,
        replace(bare, decision="move"),
        replace(bare, decision="need", evidence={"sides": [None, 3]}),
    ):
        write_reports(verdict, tmp_path)
        assert "unknown" in Page((tmp_path / "report.html").read_text("utf-8")).text


def test_what_is_not_finite_reads_unknown(proven: Verdict) -> None:
    odd = with_all(proven)
    evidence = json.loads(json.dumps(odd.evidence))
    replaced = 0
    for holder, key in _numbers(evidence):
        holder[key] = (math.nan, math.inf, -math.inf)[replaced % 3]
        replaced += 1
    assert replaced > 400
    for template in ("report.html.j2", "report.txt.j2"):
        page = render(template, replace(odd, evidence=evidence))
        said = Page(page).text if template.endswith("html.j2") else page
        assert "unknown" in said
        assert not re.search(r"\b(nan|inf|infinity)\b", said, re.IGNORECASE)
        assert not re.search(r'="-?(nan|inf)', page, re.IGNORECASE)


def _numbers(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(item, dict | list):
            yield from _numbers(item)
        elif isinstance(item, int | float) and not isinstance(item, bool):
            yield value, key


def _texts(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(item, dict | list):
            yield from _texts(item)
        elif isinstance(item, str):
            yield value, key


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_breaks_nothing(proven: Verdict, tmp_path: Path, hostile: str) -> None:
    evidence = json.loads(json.dumps(with_all(proven).evidence))
    for holder, key in _texts(evidence):
        holder[key] = hostile
    evidence["facts"]["recipe"] = {hostile: hostile, "nested": [hostile] * 50}
    evidence["dataset"]["dropped"] = {hostile: 7}
    evidence["story"] = {}
    write_reports(replace(proven, evidence=evidence, model_id=hostile, withheld=(hostile,)), tmp_path)
    page = (tmp_path / "report.html").read_text("utf-8")
    text = (tmp_path / "report.txt").read_text("utf-8")
    assert len(page.encode()) < LARGEST_PAGE
    said = Page(page).text
    assert "alert(1)" in said or "alert" not in hostile
    for form in (page, text):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", form)
    assert not re.search(r"url\(|@import|https?://(?!evil)", page)
    assert "default-src 'none'" in page


def test_many_long_differences_are_cut_with_a_count(tmp_path: Path) -> None:
    long = '"<' * 5_000

    def shout(examples: Any) -> list[Any]:
        return [replace(a, text=a.text + long) for a in model(0.0)(examples)]

    verdict = prove(
        make_dataset(tmp_path / "dataset", kind="text", proof=260, dev=40, train=40),
        answer=shout,
        settings=ProofSettings(),
        facts=FACTS,
        out_dir=tmp_path / "out",
    )
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert len(page.encode()) < LARGEST_PAGE
    assert len(verdict.evidence["differences"]) == 200
    assert len(json.dumps(verdict.evidence)) < 3_000_000
    said = " ".join(Page(page).text.split())
    assert "25 of 260" in said
    assert "175 more stand in report.json, 60 nowhere" in said
    assert "more characters" in said


def test_the_text_report_fits_a_terminal(proven: Verdict, tmp_path: Path) -> None:
    write_reports(replace(with_all(proven), report_path="report.html"), tmp_path)
    lines = (tmp_path / "report.txt").read_text("utf-8").splitlines()
    assert len(lines) > 80
    assert [line for line in lines if len(line) > 80] == []


def test_the_pictures_are_well_formed_and_described(proven: Verdict) -> None:
    evidence = with_all(proven).figures
    drawn = [
        pictures.evidence_path(evidence.paired),
        pictures.coverage_risk(evidence),
        pictures.ramp(evidence),
    ]
    for picture in drawn:
        assert picture is not None
        root = ElementTree.fromstring(picture.svg)
        assert root.find("title") is not None
        assert root.findtext("desc") == picture.says
        assert len(picture.says) > 20
        for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy"):
            for element in root.iter():
                assert 0 <= float(element.get(name, "0")) <= 440
    for chart in (dots.sides(evidence), dots.slices(evidence)):
        assert chart is not None
        for row in chart.rows:
            assert ElementTree.fromstring(row.svg).get("aria-label", "").startswith(row.figure)


def test_a_report_has_at_most_five_charts_and_says_the_rest_in_figures(proven: Verdict) -> None:
    whole = with_all(proven)
    page = render("report.html.j2", whole)
    assert page.count('class="plot"') + page.count('<table class="dots') == 5
    assert page.count('class="plot"') == 3
    for row in (*dots.preferred(whole.figures), *dots.metrics(whole.figures), *dots.fields(whole.figures)):
        assert row.svg == ""
        assert f"<b>{row.figure}</b>" in page


def test_a_curve_of_one_point_is_seen(proven: Verdict) -> None:
    curve = proven.evidence["cascade"]["curve"][-1:]
    one = replace(proven, evidence={**proven.evidence, "cascade": {"curve": curve, "contract": "A"}})
    picture = pictures.coverage_risk(one.figures)
    assert picture is not None
    assert picture.svg.count("<circle") == 2


def test_why_a_judge_decides_nothing_is_said_to_its_end(proven: Verdict) -> None:
    why = "The plan holds about 20 labels of people, and 200 are the least with which the scores of a judge may enter"
    judged = {**OPTIONAL["judged"], "is_aided": False, "why_alone": why}
    alone = replace(proven, evidence={**proven.evidence, "judged": judged})
    (notice,) = (one for one in sentences(alone) if one.startswith("A judge"))
    assert f"Its scores did not enter the test. {why}. It leaves" in notice


def _palettes() -> list[dict[str, str]]:
    css = CSS.read_text("utf-8")
    first, dark, printed = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    light = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", first))
    return [
        light,
        *({**light, **dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", other))} for other in (dark, printed)),
    ]


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_every_text_colour_can_be_read_on_its_ground() -> None:
    checked = 0
    for palette in _palettes():
        for ink in ("ink", "soft", "own", "seen", "bad", "move", "hold", "need"):
            for ground in ("paper", "card"):
                light, dark = sorted((_luminance(palette[ink]), _luminance(palette[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground, palette[ink])
                checked += 1
        for ground in ("notice", "mark"):
            light, dark = sorted((_luminance(palette["ink"]), _luminance(palette[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, ground
    assert checked == 48
