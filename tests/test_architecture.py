"""The layout of the design holds: who may import whom, no cycles, a light import, small modules, whole docs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import freehold
from freehold.cli.reference import reference

PACKAGE = Path(freehold.__file__).parent
ROOT = Path(__file__).parent.parent
STAGES = {"record", "ingest", "sort", "freeze", "train", "serve", "prove", "route", "watch"}
PURE = {"model", "text", "dialects", "system", "errors", "sanitizer"}
DRIVERS = {"run", "pipeline", "ops", "net"}
"""What may read the store and run stages; `run` is the folder of that name in each stage."""
MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(PURE, PURE),
    "dialects": PURE | {"plugins"},
    "errors": {"sanitizer"},
    "sanitizer": set(),
    "httpd": set(),
    "settings": {"errors", "sanitizer"},
    "plugins": {"errors"},
    "terminal": {"pipeline", "sanitizer"},
    "store": PURE,
    **dict.fromkeys(STAGES, PURE | {"plugins"}),
    **dict.fromkeys(DRIVERS, PURE | STAGES | DRIVERS | {"store", "settings", "plugins"}),
    "gateway": PURE | STAGES | {"store", "httpd"},
    "demo": PURE | DRIVERS | {"settings", "store", "terminal"},
    "app": PURE | STAGES | DRIVERS | {"store", "settings", "gateway", "httpd", "console", "plugins"},
    "console": PURE | DRIVERS,
    "cli": PURE | DRIVERS | {"app", "settings", "demo", "terminal"},
    "__main__": {"cli"},
    "api": PURE | DRIVERS | {"settings"},
    "__init__": {"api", "errors", "model", "pipeline"},
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
    "opentelemetry",
    "uvicorn",
    "starlette",
    "openai",
    "rich",
}
LONGEST_MODULE, LONGEST_FUNCTION = 500, 45
MIGRATIONS = "store/migrations/"


def _modules() -> dict[str, ast.Module]:
    files = sorted(PACKAGE.rglob("*.py"))
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def _part(name: str) -> str:
    """The room of a module, by its path or its dotted name without the package's; drivers of stages are one room."""
    pieces = name.removesuffix(".py").replace("/", ".").split(".")
    return "run" if pieces[0] in STAGES and pieces[1:2] == ["run"] else pieces[0]


def _imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def _functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_each_part_imports_only_what_it_may() -> None:
    modules = _modules()
    wrong = []
    for name, tree in modules.items():
        part = _part(name)
        for target in _imports(tree):
            pieces = target.split(".")
            if pieces[0] != "freehold" or len(pieces) < 2 or pieces[1] == "__version__":
                continue
            room = _part(".".join(pieces[1:]))
            if room not in {part, *MAY_IMPORT[part]}:
                wrong.append(f"{name} imports {target}")
    assert not wrong
    assert len(modules) > 150


def test_pure_rooms_need_only_the_standard_library_and_a_quick_json_parser() -> None:
    checked = 0
    for name, tree in _modules().items():
        if _part(name) in PURE:
            checked += 1
            roots = {target.split(".")[0] for target in _imports(tree)}
            assert roots <= set(sys.stdlib_module_names) | {"freehold", "msgspec"}, name
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
    assert len(done) > 150


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, freehold.cli.commands; print(' '.join(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "click" in done.stdout.split()
    assert not HEAVY & set(done.stdout.split())


def test_no_module_has_grown_into_a_place_where_things_are_put() -> None:
    lines = {name: len((PACKAGE / name).read_text(encoding="utf-8").splitlines()) for name in _modules()}
    assert {name: count for name, count in lines.items() if count > LONGEST_MODULE} == {}


def test_no_function_is_too_long_to_see_at_once() -> None:
    lines = {
        f"{name}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for name, tree in _modules().items()
        for function in _functions(tree)
        if not name.startswith(MIGRATIONS)
    }
    assert {name: count for name, count in lines.items() if count > LONGEST_FUNCTION} == {}
    assert len(lines) > 800


def test_every_module_and_every_public_function_says_what_it_is() -> None:
    modules = _modules()
    silent = [name for name, tree in modules.items() if not ast.get_docstring(tree)]
    for name, tree in modules.items():
        public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
        silent += [f"{name}:{n.name}" for n in public if not n.name.startswith("_") and not ast.get_docstring(n)]
    assert silent == []


def test_nothing_is_defined_that_nothing_names() -> None:
    """A name of a module is said somewhere else, in the package, a benchmark or the project's table of entry points."""
    texts = [path.read_text(encoding="utf-8") for of in (PACKAGE, ROOT / "bench") for path in sorted(of.rglob("*.py"))]
    texts.append((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    said = Counter(word for text in texts for word in re.findall(r"\w+", text))
    defined = [
        (name, node) for name, tree in _modules().items() for node in tree.body if not name.startswith(MIGRATIONS)
    ]
    named = [(name, node) for name, node in defined if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    unsaid = [f"{name}:{node.name}" for name, node in named if said[node.name] < 2 and not _is_called_by_python(node)]
    assert unsaid == []
    assert len(named) > 1500


def _is_called_by_python(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether Python or a decorator calls it: module-level dunders, verbs of the command line."""
    is_verb = any(isinstance(one, ast.Call) and "command" in ast.unparse(one) for one in node.decorator_list)
    return is_verb or node.name.startswith("__")


def test_no_error_is_passed_over_in_silence() -> None:
    silent = []
    for name, tree in _modules().items():
        handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
        empty = [node for node in handlers if all(isinstance(line, ast.Pass) for line in node.body)]
        silent += [f"{name}:{node.lineno}" for node in empty]
    assert silent == []


def test_an_extra_that_an_error_names_can_be_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = set()
    for path in PACKAGE.rglob("*.py"):
        named |= set(re.findall(r'MissingExtraError\("(\w+)"', path.read_text(encoding="utf-8")))
    assert named >= {"train", "engine", "postgres", "demo"}
    assert named <= set(project["project"]["optional-dependencies"])


SUITES = {"abuse", "bench", "fidelity", "fuzz", "replay", "seams", "stored", "supply"}
"""Tests of the whole product from outside, and of what lies beside the package."""


def test_tests_lie_in_the_room_of_what_they_test() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    files = sorted((ROOT / "tests").rglob("*.py"))
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in files if path.parent != ROOT / "tests"}
    assert folders - rooms - SUITES == set(), "name it by the room, or say in SUITES and docs/design.md what it is"
    assert folders >= SUITES
    names = Counter(path.name for path in files if path.name != "conftest.py")
    assert {name for name, count in names.items() if count > 1} == set()
    assert len(files) > 200


def test_links_in_the_docs_lead_to_files() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))]
    local = [(page, link) for page, link in links if not link.startswith("http")]
    assert [f"{page.name}: {link}" for page, link in local if not (page.parent / link).exists()] == []
    assert len(local) > 150


def test_files_that_the_docs_name_in_code_are_there() -> None:
    places = [ROOT, ROOT / "tests", PACKAGE]
    wrong, checked = [], 0
    for page in (ROOT / "docs").glob("*.md"):
        for name in re.findall(r"(?<!new )`([a-z_0-9]+/[a-z_0-9/]+\.py)`", page.read_text(encoding="utf-8")):
            checked += 1
            wrong += [] if any((place / name).exists() for place in places) else [f"{page.name}: {name}"]
    assert wrong == []
    assert checked > 30


def test_the_reference_is_what_the_code_says() -> None:
    path = ROOT / "docs" / "reference.md"
    assert path.read_text(encoding="utf-8") == reference(), "run: python -m freehold.cli.reference > docs/reference.md"


RUNS_CODE = {"pickle", "_pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}


def test_nothing_is_loaded_by_what_can_run_code() -> None:
    wrong, loads = [], 0
    for name, tree in _modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                roots = {target.split(".")[0] for target in _imports(ast.Module(body=[node], type_ignores=[]))}
                is_error = isinstance(node, ast.ImportFrom) and [a.name for a in node.names] == ["UnpicklingError"]
                wrong += [f"{name}:{node.lineno} imports {root}" for root in roots & RUNS_CODE if not is_error]
            if isinstance(node, ast.Call):
                given = {k.arg: k.value for k in node.keywords}
                called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
                is_torch = called == "load" and ast.unparse(node.func) == "torch.load"
                loads += is_torch
                if is_torch and ast.unparse(given.get("weights_only", ast.Constant(None))) != "True":
                    wrong.append(f"{name}:{node.lineno} lets torch.load read a pickle")
                if called in ("read_pickle", "to_pickle") or "allow_pickle" in given:
                    wrong.append(f"{name}:{node.lineno} reads a pickle")
            if isinstance(node, ast.Name) and node.id in ("eval", "exec"):
                wrong.append(f"{name}:{node.lineno} runs text as code")
    assert wrong == []
    assert loads


def test_a_module_is_named_by_a_noun() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    kept = set(re.findall(r"`(\w+)`", glossary.rpartition("## Names of modules")[2]))
    verbs = {path.stem for path in PACKAGE.rglob("*.py") if re.search(r"(ing|ed)$", path.stem)}
    assert verbs - kept == set(), "name it by what it is, or say in docs/glossary.md why it stays"
    assert kept - verbs == set(), "the glossary lists modules that are gone"
