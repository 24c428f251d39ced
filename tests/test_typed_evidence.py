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
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=True)
    paths = set()
    for template in sorted(TEMPLATES.glob("*.j2")):
        for node in environment.parse(template.read_text(encoding="utf-8")).find_all(nodes.Getattr):
            path = _path(node)
            if path[:1] == ["e"]:
                paths.add(".".join(path[1:]))
                assert _leads_somewhere(Evidence, path[1:]), f"{template.name}: {'.'.join(path)}"
    assert len(paths) > 30
    assert not _leads_somewhere(Evidence, ["judged", "by_peopel"])


def _path(node: nodes.Node) -> list[str]:
    if isinstance(node, nodes.Getattr):
        above = _path(node.node)
        return [*above, node.attr] if above else []
    return [node.name] if isinstance(node, nodes.Name) else []


def _leads_somewhere(kind: Any, path: list[str]) -> bool:
    if not path:
        return True
    inner = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    if not inner:
        return hasattr(dict, path[0]) if "dict" in str(kind) else False
    (struct,) = inner
    name, *rest = path
    if name in struct.__struct_fields__:
        return _leads_somewhere(get_type_hints(struct)[name], rest)
    found = getattr(struct, name, None)
    return isinstance(found, property) and _leads_somewhere(get_type_hints(found.fget)["return"], rest)
