"""Begin a chapter: ``python -m book.new name "Its title"`` copies the template to ``chapters/``.

The template has one of each thing that a chapter is made of, and runs as it stands.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from book import ROOT

TEMPLATE = Path(__file__).with_name("template.ipynb")


def written(name: str, title: str) -> str:
    """Return the text of the template, with the name and the title of the chapter.

    >>> "ch-hinge" in written("hinge", "Hinges")
    True
    """
    text = TEMPLATE.read_text(encoding="utf-8")
    return text.replace("NAME", name).replace("TITLE", title)


def begin(name: str, title: str = "", root: Path = ROOT) -> Path:
    """Write the chapter, and return where it lies; one that is there is left alone."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SystemExit(
            f"{name!r} is no name of a module: lower-case letters, digits and _"
        )
    path = root / "chapters" / f"{name}.ipynb"
    if path.exists():
        raise SystemExit(f"{path} is there already")
    title = title or name.replace("_", " ").capitalize()
    path.write_text(written(name, title), encoding="utf-8")
    return path


def main(arguments: list[str]) -> None:
    """Begin the chapter that is named, and say what to do next."""
    if not 1 <= len(arguments) <= 2:
        raise SystemExit(
            'say how it is called: make chapter NB=name (TITLE="Its title")'
        )
    name = arguments[0]
    print(
        f"{begin(*arguments)}: next, its line in _toc.yml, and make findings NB={name} refresh"
    )


if __name__ == "__main__":
    main([argument for argument in sys.argv[1:] if argument])
