"""Tags that the gateway itself keeps cannot be set by a caller, in any way that a caller has."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway.scripted_town import Plan, Town, route
from test_gateway_bytes import CHAT_PATH, asking, send
from test_gateway_owned import ask

import freehold
from freehold.gateway.refusal_counts import REFUSED_TAG, SAMPLES
from freehold.model.coins import COIN_NAMES
from freehold.model.tags import RESERVED, is_reserved

PACKAGE = Path(freehold.__file__).parent
SPELLINGS = ("{}=due", " {} = due", "team=a,{}=due", "{}")


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_tag_of_the_gateways_own_is_refused(town: Town, plan: Plan, name: str) -> None:
    plan.route = route("cascade")
    spelled = [form.format(one) for one in (name, name.upper(), name.replace("_", "-")) for form in SPELLINGS]
    for header in spelled:
        status, headers, body = send(town.port, "POST", CHAT_PATH, asking("chat"), {"freehold-tags": header})
        assert (status, dict(headers)["freehold-error"]) == (400, "reserved_tag")
        assert name in json.loads(body)["error"]["message"].casefold().replace("-", "_")
    assert len(spelled) == 12
    assert len(town.shelf.calls) == SAMPLES
    for call in town.shelf.calls:
        assert (call.status, call.error, call.arm) == (400, "reserved_tag", "rented")
        assert set(call.tags) <= {"team", REFUSED_TAG}
        assert not call.coins.is_audit_due
        assert not call.coins.is_shadow_due
    assert town.upstream.seen == []


def test_names_are_known_however_they_are_written() -> None:
    reserved = ("audit_rate", " audit_rate ", "Audit-Rate", "freehold-task", "freehold_anything", "FREEHOLD")
    assert all(map(is_reserved, reserved))
    assert not any(map(is_reserved, ("team", "env", "row", "auditor", "owner", "", "free", "a-owned")))


def test_the_docs_list_them() -> None:
    words = (PACKAGE.parents[1] / "docs" / "gateway.md").read_text(encoding="utf-8")
    assert {name for name in RESERVED if f"`{name}`" not in words} == set()


def test_a_body_sets_none_of_them(town: Town, plan: Plan) -> None:
    plan.route = route("rented")
    metadata = dict.fromkeys(sorted(RESERVED), "due") | {"freehold_task": "triage"}
    for more in ({"metadata": metadata}, {"tags": metadata}, {"freehold-tags": metadata}):
        assert send(town.port, "POST", CHAT_PATH, asking("chat", messages=ask("x"), **more))[0] == 200
    assert len(town.shelf.calls) == 3
    assert [set(call.tags) for call in town.shelf.calls] == [{"freehold-task"}, set(), set()]


def test_ordinary_tags_are_kept(town: Town) -> None:
    send(town.port, "POST", CHAT_PATH, asking("chat"), {"freehold-tags": "team=a,auditor=b"})
    assert town.shelf.calls[0].tags == {"team": "a", "auditor": "b"}


def test_every_tag_that_the_gateway_writes_is_reserved() -> None:
    written: set[str] = set()
    for folder in ("gateway", "record"):
        trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (PACKAGE / folder).rglob("*.py")]
        named = ast.parse((PACKAGE / "model" / "tags.py").read_text(encoding="utf-8"))
        constants = {name: value for tree in (named, *trees) for name, value in _constants(tree)}
        for tree in trees:
            written |= {constants.get(name, name) for name in _written(tree)}
    written -= {"tag"}  # a parameter: its values are the arguments below
    assert written >= {"hedge", "attempts", "traceparent", "request_encoding", "response_encoding", "response_not_kept"}
    assert written.isdisjoint(COIN_NAMES)  # coins are fields
    assert {name for name in written if not is_reserved(name)} == set()
    assert len(written) >= 10


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names, values = node.targets[0], node.value
            pairs = zip(names.elts, values.elts, strict=True) if _are_tuples(names, values) else [(names, values)]
            for name, value in pairs:
                if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield name.id, value.value


def _are_tuples(*nodes: Any) -> bool:
    return all(isinstance(node, ast.Tuple) for node in nodes)


def _written(tree: ast.Module) -> Iterator[str]:
    """The keys that are put into anything called tags or note."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="tags" | "note", value=value):
                yield from _keys(value)
            case ast.Assign(targets=[target], value=value) | ast.AugAssign(target=target, value=value):
                yield from _keys_of(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield from _keys_of(target, value)
            case ast.Call(func=ast.Name(id="_plain"), args=arguments):
                yield from (argument.value for argument in arguments if isinstance(argument, ast.Constant))


def _keys_of(target: ast.expr, value: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Subscript) and _name(target.value) in ("tags", "note", "_note"):
        yield _text(target.slice)
    elif _name(target) in ("tags", "note", "_note"):
        yield from _keys(value)


def _keys(value: ast.expr) -> Iterator[str]:
    for node in ast.walk(value):
        if isinstance(node, ast.Dict):
            yield from (_text(key) for key in node.keys if key is not None)


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else _name(node)


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
