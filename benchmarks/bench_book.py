"""Time of checking and building the book, over the floor: the code of its notebooks, just run.

``python benchmarks/bench_book.py`` prints, for every notebook, the wall time of its comparison by
nbval over that of its code cells in one plain Python process (the same imports, the same cells, no
kernel); then both for the whole book, and the time in which the site is built.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"
AIM = 1.5  # nbval over the floor, for the whole book


def script(notebook: Path, folder: Path) -> Path:
    """Write the code cells of a notebook, one below the other, to a file in `folder`."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [
        "".join(cell["source"])
        for cell in cells
        if cell["cell_type"] == "code"
    ]
    path = folder / f"{notebook.stem}.py"
    path.write_text("\n\n".join(code) + "\n", encoding="utf-8")
    return path


def seconds(
    *command: str | Path, cwd: Path = ROOT, allowed: int = 0
) -> float:
    """Return the wall time of a command, whose exit status must be 0 or the one allowed."""
    environment = dict(os.environ, MPLBACKEND="agg")
    line = [str(part) for part in command]
    start = time.perf_counter()
    done = subprocess.run(
        line, cwd=cwd, env=environment, capture_output=True, text=True
    )
    took = time.perf_counter() - start
    if done.returncode not in (0, allowed):
        sys.exit(
            f"{' '.join(line)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    if done.returncode:
        print(
            f"Outputs differ in: {' '.join(Path(x).stem for x in line if '.ipynb' in x)}"
        )
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--no-site", action="store_true", help="leave the site out"
    )
    parser.add_argument(
        "names", nargs="*", help="chapters to time; all of them by default"
    )
    options = parser.parse_args()
    notebooks = [CHAPTERS / f"{name}.ipynb" for name in options.names]
    notebooks = notebooks or sorted(CHAPTERS.glob("*.ipynb"))
    pytest = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbval",
    ]

    print(
        f"Wall seconds, medians of {options.rounds} interleaved rounds.\n"
    )
    header = f"{'notebook':24}{'floor':>8}{'nbval':>8}{'ratio':>8}"
    print(header)
    print("-" * len(header))
    with tempfile.TemporaryDirectory() as folder:
        scripts = {
            notebook: script(notebook, Path(folder))
            for notebook in notebooks
        }
        floors: dict[Path, list[float]] = {
            notebook: [] for notebook in notebooks
        }
        checks: dict[Path, list[float]] = {
            notebook: [] for notebook in notebooks
        }
        book: list[float] = []
        for _ in range(options.rounds):
            for notebook in notebooks:
                floors[notebook].append(
                    seconds(sys.executable, scripts[notebook], cwd=CHAPTERS)
                )
                checks[notebook].append(
                    seconds(*pytest, notebook, allowed=1)
                )
            book.append(seconds(*pytest, *notebooks, allowed=1))
        for notebook in notebooks:
            floor, check = map(
                statistics.median, (floors[notebook], checks[notebook])
            )
            print(
                f"{notebook.stem:24}{floor:8.1f}{check:8.1f}{check / floor:8.2f}"
            )
        floor, check = (
            sum(map(statistics.median, floors.values())),
            statistics.median(book),
        )
        verdict = "met" if check <= AIM * floor else "missed"
        print("-" * len(header))
        print(
            f"{'all, in one run':24}{floor:8.1f}{check:8.1f}{check / floor:8.2f}",
            end="",
        )
        print(f"   aim ≤ {AIM}: {verdict}")
        if not options.no_site:
            build = (
                Path(sys.executable).with_name("jupyter-book"),
                "build",
                ROOT,
            )
            site = seconds(*build, "--path-output", folder)
            print(
                f"{'site, built from nothing':24}{floor:8.1f}{site:8.1f}{site / floor:8.2f}"
            )


if __name__ == "__main__":
    main()
