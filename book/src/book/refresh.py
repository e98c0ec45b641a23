"""Execute notebooks and store them normalised, so that a diff shows only what changed.

Usage: ``python -m book.refresh [NAME ...]``; without a name, every notebook of ``chapters/``.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from book import ROOT

CHAPTERS = ROOT / "chapters"
KERNELSPEC = {
    "display_name": "Python 3",
    "language": "python",
    "name": "python3",
}


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what differs from machine to machine and from run to run."""
    notebook.metadata = {
        "kernelspec": KERNELSPEC,
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = merge_streams(cell.outputs)
    return notebook


def merge_streams(outputs: list[Any]) -> list[Any]:
    """Join neighbouring pieces of one stream, which a kernel may cut anywhere."""
    merged: list[Any] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if (
            last
            and output.output_type == "stream"
            and last.get("name") == output.name
        ):
            last.text += output.text
        else:
            merged.append(output)
    return merged


def refresh(path: Path) -> None:
    """Execute one notebook from a clean kernel and write it back."""
    start = time.perf_counter()
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": CHAPTERS}},
    ).execute()
    nbformat.write(normalise(notebook), path)
    print(
        f"{path.name}: executed in {time.perf_counter() - start:.1f} s",
        flush=True,
    )


def named(names: list[str]) -> list[Path]:
    """Return the named notebooks, or all; the ledger last, since it reads the others."""
    known = {path.stem: path for path in sorted(CHAPTERS.glob("*.ipynb"))}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(
            f"no chapter named {', '.join(unknown)}; there are: {', '.join(known)}"
        )
    return [
        known[name] for name in sorted(names or known, key="ledger".__eq__)
    ]


def main(names: list[str]) -> None:
    """Refresh the named notebooks."""
    os.environ.setdefault(
        "OMP_NUM_THREADS", "1"
    )  # the arrays are small: threads only wait
    for path in named(names):
        refresh(path)


if __name__ == "__main__":
    main(sys.argv[1:])
