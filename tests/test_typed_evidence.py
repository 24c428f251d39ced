"""Figures of a proof are read by typed names alone, so that a name that changes is an error and never "unknown"."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jinja2
import msgspec
from jinja2 import nodes

import freehold
from freehold.model.evidence.answers import SliceFigures
from freehold.model.evidence.evidence import Evidence

PACKAGE = Path(freehold.__file__).parent
TEMPLATES = PACKAGE / "prove" / "report" / "templates"
OWNERS = {"model/statement.py", "model/verdict.py", "model/route.py", "prove/report/report.py"}
DOCUMENTS = (".evidence", ".expected", "route.head", "verdict.head", "route.template")
"""How an expression ends that is a document as it was written; OWNERS may look into one: to seal, type and write it."""


def by_key(tree: ast.AST, names: tuple[str, ...]) -> Iterator[int]:
    """The lines that read an attribute of one of these names by a string key, or look for a key in it."""
    held = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_document(node.value, names, set())
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if any(_is_document(one, names, held) for one in _looked_into(node)):
            yield node.lineno  # type: ignore[attr-defined]  # an expression


def _looked_into(node: ast.AST) -> list[ast.expr]:
    """What an expression takes an item, the items or the keys of."""
    match node:
        case ast.Subscript():
            return [node.value]
        case ast.Attribute(attr="get" | "items" | "keys" | "values" | "pop"):
            return [node.value]
        case ast.Compare() if any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
            return node.comparators
        case _:
            return []


def _is_document(node: ast.AST, names: tuple[str, ...], held: set[str]) -> bool:
    if isinstance(node, ast.BoolOp):
        return any(_is_document(one, names, held) for one in node.values)
    if isinstance(node, ast.Name):
        return node.id in held
    return isinstance(node, ast.Attribute) and ast.unparse(node).endswith(names)


def test_no_reader_takes_a_document_by_string_key() -> None:
    wrong, files = [], 0
    for path in sorted(PACKAGE.rglob("*.py")):
        name, tree = str(path.relative_to(PACKAGE)), ast.parse(path.read_text(encoding="utf-8"))
        files += 1
        wrong += [f"{name}:{line}" for line in by_key(tree, DOCUMENTS) if name not in OWNERS]
    assert wrong == []
    assert files > 300


def test_the_look_for_string_keys_finds_them() -> None:
    for line in (
        'verdict.evidence["calls"]',
        'verdict.evidence.get("calls")',
        '(verdict.evidence or {})["calls"]',
        '"calls" in verdict.evidence',
        'e = verdict.evidence\ne["calls"]',
        "e = verdict.evidence\nfor name in e.items(): pass",
    ):
        assert list(by_key(ast.parse(line), DOCUMENTS)), line
    assert not list(by_key(ast.parse("verdict.figures.calls; write(verdict.evidence)"), DOCUMENTS))


def test_templates_read_names_that_the_evidence_has() -> None:
    environment = jinja2.Environment(autoescape=True)
    paths = set()
    for template in sorted(TEMPLATES.glob("*.j2")):
        tree = environment.parse(template.read_text(encoding="utf-8"))
        kinds = _kinds(tree)
        for node in tree.find_all(nodes.Getattr):
            name, *path = _path(node)
            for kind in kinds.get(name, ()):
                paths.add(f"{name}.{'.'.join(path)}")
                assert _type_at(kind, path) is not None, f"{template.name}: {name}.{'.'.join(path)}"
    assert {"e.facts.is_provider_simulated", "used.looked_at_before", "row.missing", "judged.is_aided"} <= paths
    assert len(paths) > 100
    assert _type_at(Evidence, ["judged", "by_peopel"]) is None
    assert _kinds(environment.parse("{% for row in e.slices if row.n %}{% endfor %}"))["row"] == [SliceFigures]


def _kinds(tree: nodes.Template) -> dict[str, list[Any]]:
    """What the names of a template stand for: `e`, and what is set or looped over out of it."""
    found: dict[str, list[Any]] = {"e": [Evidence]}
    for node in tree.find_all((nodes.Assign, nodes.For)):
        is_loop = isinstance(node, nodes.For)
        targets = node.target.items if isinstance(node.target, nodes.Tuple) else [node.target]
        source = node.iter if is_loop else node.node
        values = source.items if isinstance(source, nodes.Tuple) else [source]
        for target, value in zip(targets, values, strict=False):
            name, *path = _path(value) or [""]
            kinds = [_type_at(kind, path) for kind in found.get(name, ())]
            known = [get_args(kind)[0] if is_loop else kind for kind in kinds if kind is not None]
            if any(_struct(kind) for kind in known):
                found.setdefault(target.name, []).extend(known)
    return found


def _path(node: nodes.Node) -> list[str]:
    if isinstance(node, nodes.Getattr):
        above = _path(node.node)
        return [*above, node.attr] if above else [""]
    return [node.name] if isinstance(node, nodes.Name) else [""]


def _struct(kind: Any) -> type[msgspec.Struct] | None:
    inner = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    return inner[0] if inner else None


def _type_at(kind: Any, path: list[str]) -> Any:
    """The type of what lies at a path of names; None where nothing does."""
    if not path:
        return kind
    struct = _struct(kind)
    if struct is None:
        return object if hasattr(dict if "dict" in str(kind) else str, path[0]) else None
    name, *rest = path
    if name in struct.__struct_fields__:
        return _type_at(get_type_hints(struct)[name], rest)
    found = getattr(struct, name, None)
    return _type_at(get_type_hints(found.fget)["return"], rest) if isinstance(found, property) else None
