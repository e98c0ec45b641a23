"""Try every finding of the book on seeds and settings that its page has not seen.

``python -m book.findings [NAME ...]``; without a name, every notebook that states a finding. Two
notebooks are run at a time. What is found is stored in ``chapters/findings``, a file a finding; a
finding whose words, code and settings are those of its record is not tried again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from book.refresh import named

AT_A_TIME = 2


def states_findings(path: Path) -> bool:
    """Tell whether a notebook states a finding."""
    return "finding(" in path.read_text(encoding="utf-8")


def stress(path: Path) -> int:
    """Stress one notebook, say how it went, and return its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "equalsign", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={"OMP_NUM_THREADS": "1", **os.environ, "MPLBACKEND": "Agg"},
    )
    if done.returncode:
        print(
            done.stderr.strip()
            or f"{path.name}: exit code {done.returncode}",
            flush=True,
        )
        print(
            "    A finding that fails elsewhere: say what does hold (at which step, with which "
            "penalty), or take it out.",
            flush=True,
        )
    else:
        print(done.stdout.strip().splitlines()[-1], flush=True)
    return done.returncode


def main(names: list[str]) -> int:
    """Stress the named notebooks, and return 1 if a finding of theirs does not hold."""
    paths = [path for path in named(names) if states_findings(path)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        codes = list(pool.map(stress, paths))
    for path in paths:
        print(f"then: make refresh NB={path.stem}")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
