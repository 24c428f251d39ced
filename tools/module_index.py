"""Write the last chapter of docs/flow.md: every module that the chapters before do not name, room by room.

    python tools/module_index.py [--check]

A line is the first sentence of the module's docstring. A module is named by a link to its file; `--check` writes
nothing and ends with 1 where the chapter is not what it should be, or a module is linked more than once.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE, FLOW = ROOT / "src" / "freehold", ROOT / "docs" / "flow.md"
HEADING = "## Every other module"
ABOUT = """\
What the chapters above do not name, by room, in the words of each module itself. `python tools/module_index.py` writes
this chapter; a test holds that the page links each module once.
"""
_LINK = re.compile(r"\]\(\.\./src/freehold/([\w/]+\.py)\)")
_NOT_SHOWN = ("__main__.py", "migrations/")


def main() -> int:
    """Write the chapter, or check it."""
    text = FLOW.read_text(encoding="utf-8")
    problems = [f"{name} is linked {count} times." for name, count in linked(text).items() if count > 1]
    if "--check" in sys.argv[1:]:
        problems += [] if text == with_index(text) else ["The chapter is not up to date: python tools/module_index.py"]
    elif not problems:
        FLOW.write_text(with_index(text), encoding="utf-8")
    sys.stdout.writelines(f"docs/flow.md: {problem}\n" for problem in problems)
    return 1 if problems else 0


def modules() -> list[str]:
    """All modules that have something to say, by path within the package."""
    names = (path.relative_to(SOURCE).as_posix() for path in sorted(SOURCE.rglob("*.py")))
    return [name for name in names if not any(part in name for part in _NOT_SHOWN) and first_sentence(name)]


def linked(text: str) -> Counter[str]:
    """How often each module is linked."""
    return Counter(_LINK.findall(text))


def with_index(text: str) -> str:
    """The page with its last chapter as it should be."""
    before = text.partition(f"\n{HEADING}\n")[0].rstrip()
    return f"{before}\n\n{HEADING}\n\n{ABOUT}{''.join(_rooms(linked(before)))}"


def _rooms(named: Counter[str]) -> Iterator[str]:
    room = None
    for name in sorted(modules(), key=lambda name: (name.rpartition("/")[0], name)):
        if name in named:
            continue
        folder = name.rpartition("/")[0]
        if folder != room:
            room = folder
            yield f"\n### `{folder or 'freehold'}/`\n\n"
        yield f"- [{Path(name).stem}](../src/freehold/{name}): {first_sentence(name)}\n"


def first_sentence(name: str) -> str:
    """The first sentence of a module's docstring, on one line; empty where it has none."""
    told = ast.get_docstring(ast.parse((SOURCE / name).read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(told.partition("\n\n")[0].split())
    ended = re.match(r"(.+?[.])(?: |$)", paragraph)
    sentence = ended[1] if ended else paragraph
    return sentence.rstrip(".") + "." if sentence else ""


if __name__ == "__main__":
    sys.exit(main())
