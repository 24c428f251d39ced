"""The layout of the design holds: who may import whom, no cycles, and a light import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import freehold

PACKAGE = Path(freehold.__file__).parent
STAGES = {"record", "tasks", "dataset", "train", "serve", "prove", "route"}
BASE = {"core", "errors"}
MAY_IMPORT: dict[str, set[str]] = {
    "core": BASE,
    "errors": set(),
    "settings": BASE,
    "terminal": {"loop"},
    "store": BASE,
    **{stage: BASE for stage in STAGES},
    "gateway": BASE | STAGES | {"store"},
    "loop": BASE | STAGES | {"store", "settings"},
    "demo": BASE | {"loop", "settings", "store", "terminal"},
    "app": BASE | STAGES | {"store", "settings", "loop", "gateway", "console"},
    "console": BASE | {"loop", "settings"},
    "cli": BASE | {"app", "loop", "settings", "demo", "console", "terminal", "store", "dataset"},
    "__main__": {"cli"},
    "__init__": set(),
}
HEAVY = {
    "torch",
    "transformers",
    "peft",
    "xllamacpp",
    "gguf",
    "numpy",
    "scipy",
    "sqlalchemy",
    "dbos",
    "aiohttp",
    "rich",
}


def _modules() -> dict[str, ast.Module]:
    files = sorted(PACKAGE.rglob("*.py"))
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def _part(name: str) -> str:
    return name.split("/")[0].removesuffix(".py")


def _imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_each_part_imports_only_what_it_may() -> None:
    modules = _modules()
    wrong = []
    for name, tree in modules.items():
        part = _part(name)
        for target in _imports(tree):
            pieces = target.split(".")
            if pieces[0] != "freehold" or len(pieces) < 2 or pieces[1] == "__version__":
                continue
            if pieces[1] != part and pieces[1] not in MAY_IMPORT[part]:
                wrong.append(f"{name} imports {target}")
    assert not wrong
    assert len(modules) > 40


def test_core_and_errors_need_only_the_standard_library() -> None:
    checked = 0
    for name, tree in _modules().items():
        if _part(name) in ("core", "errors"):
            checked += 1
            roots = {target.split(".")[0] for target in _imports(tree)}
            assert roots <= set(sys.stdlib_module_names) | {"freehold"}, name
    assert checked > 10


def test_there_are_no_import_cycles_between_modules() -> None:
    names = {name.removesuffix(".py").replace("/", "."): tree for name, tree in _modules().items()}
    known = {f"freehold.{n.removesuffix('.__init__')}": n for n in names}
    graph: dict[str, set[str]] = {}
    for name, tree in names.items():
        top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        targets = _imports(ast.Module(body=list(top), type_ignores=[]))
        graph[name] = {known[t] for t in targets if t in known and known[t] != name}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for target in sorted(graph[name]):
                if not target.endswith("__init__"):
                    visit(target, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())
    assert len(done) > 40


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, freehold.cli.commands; print(' '.join(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "click" in done.stdout.split()
    assert not HEAVY & set(done.stdout.split())


def test_no_module_has_grown_into_a_place_where_things_are_put() -> None:
    long = {n: len((PACKAGE / n).read_text(encoding="utf-8").splitlines()) for n in _modules()}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


def test_every_module_says_what_it_is() -> None:
    modules = _modules()
    silent = [name for name, tree in modules.items() if not ast.get_docstring(tree)]
    assert silent == []
