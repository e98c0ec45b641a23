"""Execute notebooks and store them normalised, so that a diff shows only what changed.

Usage: ``python -m book.refresh [NAME ...]``; without a name, every notebook of ``chapters/``.

Each is executed twice, the second time with other kernels of the processor: the slow ones, which
every machine has. Sums are then taken in another order, and an output that differs would differ
from machine to machine; such a notebook is not stored.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from difflib import unified_diff
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from threadpoolctl import threadpool_info

from book import ROOT

CHAPTERS = ROOT / "chapters"
KERNELSPEC = {
    "display_name": "Python 3",
    "language": "python",
    "name": "python3",
}
NOT_COMPARED = "image/svg+xml"
"""A picture's bytes may differ in a last digit; the summary of its data beside it is compared."""


def other_processor() -> dict[str, str]:
    """Give the settings by which the libraries compute as an old processor would.

    PyTorch, its MKL and oneDNN, OpenBLAS, XLA; and what NumPy picks at run time.
    """
    numpy = import_module("numpy._core._multiarray_umath")
    here = {str(pool.get("architecture")) for pool in threadpool_info()}
    cores = ("Sandybridge", "Nehalem", "ARMV8")
    optional = [
        name
        for name in numpy.__cpu_dispatch__
        if numpy.__cpu_features__[name]
    ]
    return {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": next(c for c in cores if c not in here),
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
        "NPY_DISABLE_CPU_FEATURES": " ".join(optional),
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


def execute(
    path: Path, settings: Mapping[str, str] | None = None
) -> nbformat.NotebookNode:
    """Execute a notebook from a clean kernel, and return it normalised."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name=KERNELSPEC["name"],
        resources={"metadata": {"path": path.parent}},
    ).execute(env={**os.environ, **(settings or {})})
    return normalise(notebook)


def differences(
    one: nbformat.NotebookNode, other: nbformat.NotebookNode
) -> list[str]:
    """Name each cell whose outputs differ, and show the lines that do."""
    found = []
    for number, (a, b) in enumerate(
        zip(one.cells, other.cells, strict=True), start=1
    ):
        if a.cell_type != "code":
            continue
        pairs: Any = zip_longest(a.outputs, b.outputs, fillvalue={})
        lines = [line for pair in pairs for line in _differing_lines(*pair)]
        if lines:
            first = a.source.strip().partition("\n")[0][:60]
            found.append(
                "\n".join([f"cell {number} (it begins {first!r}):", *lines])
            )
    return found


def _differing_lines(one: Any, other: Any) -> list[str]:
    texts, others = _texts(one), _texts(other)
    return [
        f"    {line[:200]}"
        for kind in {**texts, **others}
        for line in unified_diff(
            texts.get(kind, "").splitlines(),
            others.get(kind, "").splitlines(),
            n=0,
            lineterm="",
        )
        if not line.startswith(("---", "+++", "@@"))
    ]


def _texts(output: Any) -> dict[str, str]:
    data = output.get("data") or {
        key: output[key] for key in ("text", "evalue") if key in output
    }
    return {
        kind: value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
        for kind, value in data.items()
        if kind != NOT_COMPARED
    }


def refresh(path: Path) -> bool:
    """Execute a notebook on two kinds of processor; write it back if both agree."""
    start = time.perf_counter()
    notebook = execute(path)
    found = differences(notebook, execute(path, other_processor()))
    took = f"{time.perf_counter() - start:.1f} s"
    if found:
        print(
            f"{path.name}: not stored ({took}). Another processor gives other outputs:",
            "(- is what this one gives, + what the other does)",
            *found,
            "Print the digits that both give, or what follows from them; or compute in float64.",
            sep="\n",
            flush=True,
        )
        return False
    nbformat.write(notebook, path)
    print(f"{path.name}: executed twice, and stored ({took})", flush=True)
    return True


READERS = {"errata", "ledger"}
"""Notebooks that read what the others have stored."""


def named(names: list[str]) -> list[Path]:
    """Return the named notebooks, or all; last those that read the others."""
    known = {path.stem: path for path in sorted(CHAPTERS.glob("*.ipynb"))}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(
            f"no chapter named {', '.join(unknown)}; there are: {', '.join(known)}"
        )
    return [
        known[n] for n in sorted(names or known, key=READERS.__contains__)
    ]


def main(names: list[str]) -> None:
    """Refresh the named notebooks."""
    # The arrays are small: threads only wait.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    stored = [refresh(path) for path in named(names)]
    if not all(stored):
        sys.exit(f"{stored.count(False)} of {len(stored)} were not stored")


if __name__ == "__main__":
    main(sys.argv[1:])
