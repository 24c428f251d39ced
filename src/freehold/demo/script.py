"""What the demo plays: two fields of the desk's triage, few calls of it (`--fast`), all of it (`--whole`), or own rows.

A script fixes the traffic and how much is learnt from it. Both are counts, never minutes, so that what comes of it does
not depend on how busy the machine is. Not covered: playing it (`demo.pipeline`).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from freehold.demo.answers import Triage, reworded, seeded
from freehold.demo.desk import CustomerMessage, app_request, lookup_request, messages
from freehold.demo.rows import as_text, default_prompt, read_folder, requests, write_answers
from freehold.demo.traffic import Request
from freehold.model.ids import canonical_json, sha256_hex
from freehold.settings import Value

SEED = 7
STREAMED_EVERY = 4
LOOKUP_FIELDS = ("order", "language")
WRONG_SHARE, REWORDED_SHARE = 0.025, 0.10
"""How often the lookup's provider is wrong, and how often it words an answer differently, as the triage's is."""
_LOOKUP_PASSES = 3.0
"""After one pass it moved 17% of the calls in one run and 75% in another, after two 54% or 94%: that leaves too much to
chance. The lower layers see an example once, so that the third pass costs half of the first."""
_WHOLE_BEFORE, _WHOLE_AFTER = 1900, 150
_ROWS_BEFORE, _ROWS_AFTER = 1900, 150

Tables = Mapping[str, Mapping[str, Value]]

_PATIENT: Tables = {
    "train": {"minutes": 0.0, "epochs": 1.0, "batch_size": 8, "learning_rate": 0.003, "layers": 10},
    "route": {"engine_timeout_s": 120.0, "slack_ms": 600_000.0},
    "watch": {"slow_ms": 120_000.0, "audit_wait_s": 600.0},
}
"""Bounded by work: passes over the training split, and no answer is late because another program is busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is played: traffic before and after the move.

    `about` says what happens and how long that takes, `tables` are settings by section. `answers` is the stand-in's
    file of answers, None for the shop's own provider. `is_corrected` says whether people correct some of its mistakes.
    """

    title: str
    about: str
    before: Sequence[Request]
    after: Sequence[Request]
    tables: Tables
    answers: Path | None = None
    is_corrected: bool = False

    @property
    def digest(self) -> str:
        """What tells this script from another one: its traffic and its settings."""
        rows = [[request.row, request.arguments, request.gold] for request in (*self.before, *self.after)]
        return sha256_hex(canonical_json([rows, {name: dict(table) for name, table in self.tables.items()}]))


@dataclass(frozen=True, slots=True)
class Size:
    """How much of the lookup is played: calls before and after the move, and the share held out for the proof."""

    before: int
    after: int
    proof_share: float
    how_long: str


USUAL = Size(560, 60, 0.35, "about 5 minutes on 2 quiet cores, less where they multiply bf16")
FAST = Size(420, 40, 0.40, "about 4 minutes on 2 quiet cores, less where they multiply bf16")


def lookup_script(where: Path, size: Size = USUAL) -> Script:
    """Two fields of the triage, order and language: quickly learnt, and still too much for a bag of words."""
    written = list(messages(size.before + size.after, SEED))
    golds: list[Triage] = [{name: message.gold[name] for name in LOOKUP_FIELDS} for message in written]
    asked = [
        _desk_request(index, message, lookup_request(message), gold, teacher=_said(gold, message.text))
        for index, (message, gold) in enumerate(zip(written, golds, strict=True))
    ]
    answers = where / "answers.jsonl"
    write_answers(answers, asked)
    others = "" if size is FAST else "\nIn a hurry? --fast does it with fewer calls. --whole has more to learn."
    return Script(
        title="Tidewell, an online shop, asks a rented model for the order number and language of every message.",
        about=_about(asked[: size.before], asked[size.before :], size.how_long) + others,
        before=asked[: size.before],
        after=asked[size.before :],
        tables={
            **_PATIENT,
            "train": {**_PATIENT["train"], "epochs": _LOOKUP_PASSES},
            "freeze": {"proof_share": size.proof_share, "dev_share": 0.1},
        },
        answers=answers,
        is_corrected=True,
    )


def whole_script() -> Script:
    """The whole triage of the desk: four fields, one of them with 16 values."""
    written = list(messages(_WHOLE_BEFORE + _WHOLE_AFTER, SEED))
    asked = [_desk_request(index, message, app_request(message), message.gold) for index, message in enumerate(written)]
    return Script(
        title="Tidewell, an online shop, asks a rented model to triage every message to its support desk.",
        about=_about(
            asked[:_WHOLE_BEFORE], asked[_WHOLE_BEFORE:], "15 minutes on 2 quiet cores, less where they multiply bf16"
        ),
        before=asked[:_WHOLE_BEFORE],
        after=asked[_WHOLE_BEFORE:],
        tables={**_PATIENT, "freeze": {"proof_share": 0.21, "dev_share": 0.07}},
        is_corrected=True,
    )


def rows_script(data: Path, where: Path) -> Script:
    """A user's rows: those of train.jsonl as traffic, those of the held-out file afterwards."""
    train_rows, test_rows, test_name = read_folder(data)
    prompt = default_prompt(train_rows)
    before = requests(train_rows, prompt=prompt, seed=SEED)[:_ROWS_BEFORE]
    after = requests(test_rows, prompt=prompt, seed=SEED)[:_ROWS_AFTER]
    answers = where / "answers.jsonl"
    write_answers(answers, [*before, *after])
    return Script(
        title=f"{data.name}: {len(before):,} rows of train.jsonl as traffic, {len(after):,} of {test_name} afterwards.",
        about=_about(before, after, "about 10 minutes on 2 quiet cores, more for rows longer than a mail"),
        before=before,
        after=after,
        tables=_PATIENT,
        answers=answers,
    )


def _about(before: Sequence[Request], after: Sequence[Request], how_long: str) -> str:
    """What happens and how long it takes, in lines that fit any terminal."""
    return (
        f"What happens: {len(before):,} calls go through Freehold and become a dataset.\n"
        "An open model learns from most of them, and is proven on calls that it\n"
        f"never saw. If the proof says so, the route moves. Then {len(after):,} more calls follow.\n"
        f"How long: {how_long}.\n"
        "Beside other programs it takes longer and comes to the same. Ctrl-C stops it;\n"
        "the same command goes on from there."
    )


def _desk_request(
    index: int, message: CustomerMessage, arguments: dict[str, object], gold: Triage, teacher: str | None = None
) -> Request:
    return Request(
        row=str(message.id),
        arguments=arguments,
        gold=as_text(gold),
        session=message.session,
        is_stream=index % STREAMED_EVERY == 0,
        teacher=teacher,
    )


def _said(gold: Triage, text: str) -> str:
    """What the lookup's provider answers: mostly right, now and then wrong, and often worded differently."""
    rng = seeded("lookup", SEED, text)
    said = _wrong(gold, rng) if rng.random() < WRONG_SHARE else gold
    return reworded(said, rng) if rng.random() < REWORDED_SHARE else as_text(said)


def _wrong(gold: Triage, rng: random.Random) -> Triage:
    """A plausible mistake: the order number is overlooked, or the language taken for another."""
    if gold["order"] is not None:
        return {**gold, "order": None}
    return {**gold, "language": rng.choice([code for code in ("en", "de", "nl", "fr") if code != gold["language"]])}
