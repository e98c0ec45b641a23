"""Run the cells of a notebook, and try its findings on other seeds and settings.

``python -m equalsign NOTEBOOK`` stores what it finds in the folder ``findings`` beside it.
"""

from __future__ import annotations

import ast
import json
import linecache
import os
import sys
import time
from pathlib import Path

from equalsign._base import CheckFailed
from equalsign.findings import stress


def run(notebook: Path) -> None:
    """Run the code cells of a notebook, one after the other, in its folder."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    scope = {"__name__": "__main__"}
    os.chdir(notebook.parent)
    with stress(Path("findings")):
        for number, cell in enumerate(cells, start=1):
            source = "".join(cell["source"])
            if cell["cell_type"] != "code":
                continue
            name = f"<cell {number} of {notebook.name}>"
            lines = source.splitlines(keepends=True)
            linecache.cache[name] = (len(source), None, lines, name)
            exec(compile(ast.parse(source), name, "exec"), scope)


def main() -> None:
    """Run the notebook that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m equalsign NOTEBOOK")
    start = time.perf_counter()
    notebook = Path(sys.argv[1]).resolve()
    try:
        run(notebook)
    except CheckFailed as failure:
        sys.exit(f"{notebook.name}: {failure}")
    print(f"{notebook.name}: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
