"""Importers: our own calls come back as they were, what is not faithful is counted, and a failure is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made import a_call, a_workspace, triage_calls
from msgspec import structs

from freehold.errors import DataError, NotFoundError, SettingError
from freehold.ingest.importers import Fidelity, read_calls
from freehold.model.coins import Coins
from freehold.record.run.call_lookup import CallFilter, find_calls

Offer = Callable[[str, str, str], None]


def test_calls_that_were_exported_come_back_as_they_were(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "state")
    sent = triage_calls(5)
    sent[1] = structs.replace(
        sent[1], tags={"a": "ü"}, arm="audit", parent_id=sent[0].id, propensity=0.5, cost_usd=0.25
    )
    sent[2] = structs.replace(sent[2], coins=Coins(audit="due", audit_rate=0.05, coin="owned", new_prompt=2))
    workspace.store.calls.add(sent)
    path = tmp_path / "calls.jsonl"
    rows = [view.plain() for view in find_calls(workspace, CallFilter())]
    path.write_text("".join(json.dumps(row) + "\n\n" for row in rows), "utf-8")
    fidelity = Fidelity()
    read = list(read_calls("jsonl", str(path), fidelity))
    kept = list(workspace.store.calls.stream(CallFilter()))
    workspace.store.close()
    assert sorted(read, key=lambda call: call.id) == sorted(kept, key=lambda call: call.id)
    assert len(read) == 5
    assert fidelity.words == "5 calls"


def test_what_is_not_faithful_is_counted(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "state")
    workspace.store.calls.add([a_call(request_body=b'{"a": "\xff"}'), a_call(redaction="deleted", request_body=b"")])
    rows = [view.plain() for view in find_calls(workspace, CallFilter())]
    workspace.store.close()
    rows += [
        rows[0] | {"id": "0199", "of_the_future": 1},
        rows[0] | {"status": "fine"},
        rows[0] | {"arm": "leg"},
        rows[0] | {"response_body": {"a": 1}},
        {name: value for name, value in rows[0].items() if name != "path"},
    ]
    lines = [*map(json.dumps, rows), "{", "[1]", "[" * 100_000]
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    fidelity = Fidelity()
    assert len(list(read_calls("jsonl", str(path), fidelity))) == fidelity.calls == 3
    assert fidelity.changed == {
        "bytes of request_body that were no UTF-8": 2,
        "the field 'of_the_future' is left out": 1,
    }
    assert fidelity.missing == {"request_body": 1, "response_body": 1}
    assert sum(fidelity.skipped.values()) == 7
    assert fidelity.skipped["no JSON"] == 2
    assert fidelity.skipped["no JSON object"] == fidelity.skipped["response_body is no text"] == 1
    assert len(fidelity.examples) == 5
    assert fidelity.examples[0].startswith("line 4: Expected `int`, got `str` - at `$.status`")
    assert "3 calls; skipped 1: " in fidelity.words


def test_a_source_that_is_none_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="cannot be read: No such file") as caught:
        list(read_calls("jsonl", str(tmp_path / "nothing"), Fidelity()))
    assert "freehold calls -n 0 --json" in caught.value.hint
    (tmp_path / "other.txt").write_text("Dear all,\n", "utf-8")
    with pytest.raises(DataError, match=r"There is no call in .* that 'jsonl' can read\. line 1: no JSON"):
        list(read_calls("jsonl", str(tmp_path / "other.txt"), Fidelity()))


def test_the_importer_of_another_package_is_read_and_may_fail(offer: Offer) -> None:
    offer("importers", "words", "seams.importers_of_others:Words")
    fidelity = Fidelity()
    assert [call.request_body for call in read_calls("words", "a ? b", fidelity)] == [b"a", b"b"]
    assert fidelity.words == "2 calls; skipped 1: no word; missing in 2: response_body"
    with pytest.raises(DataError, match="'words' failed after 1 calls of 'a ! b': IndexError: a word is torn"):
        list(read_calls("words", "a ! b", Fidelity()))
    with pytest.raises(DataError, match="This is no list of words"):
        list(read_calls("words", "#", Fidelity()))
    with pytest.raises(SettingError, match="There is no 'letters' among importers"):
        list(read_calls("letters", "", Fidelity()))
    calls = read_calls("words", "a b", Fidelity())
    next(calls)
    calls.close()
