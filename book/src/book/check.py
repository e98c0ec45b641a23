"""What an author runs all day: style, gates, one notebook and the tests of one module, in seconds.

``python -m book.check focal`` (a chapter, or a module of losslib) or ``python -m book.check
focal_loss`` (a function of losslib): `make check NB=focal`, `make check LOSS=focal_loss`. The tests
are those on NumPy and PyTorch; `make test` runs all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import losslib
from book import ROOT

HOW = """\
Say what is to be checked:
    make check NB=focal           a chapter, by the name of its notebook
    make check LOSS=focal_loss    a function of losslib; its chapter too, if it has one
`make test` checks everything."""
QUICK = (
    "not compile and not jax and not transformations and not every_shape"
)
MILLS = [
    f"tests/losslib/test_{mill}.py"
    for mill in ("errors", "everywhere", "extremes")
]


@dataclass(frozen=True)
class Step:
    """A command, and what to call it."""

    name: str
    command: list[str]


def subject(name: str) -> str | None:
    """Give the name that a chapter, its module and its tests share, or None."""
    function = getattr(losslib, name, None)
    if callable(function):
        return str(function.__module__).rpartition(".")[2]
    known = any(path.is_file() for path in rooms(name))
    return name if known else None


def rooms(name: str) -> list[Path]:
    """Give the files that bear a name."""
    return [
        ROOT / "chapters" / f"{name}.ipynb",
        ROOT / "losslib" / f"{name}.py",
        ROOT / "tests" / "losslib" / f"test_{name}.py",
    ]


def touched(name: str) -> list[str]:
    """Give the files of that name, and those that differ from what is committed."""
    command = ["git", "-C", str(ROOT), "status", "--porcelain", "-z", "-uall"]  # fmt: skip
    git = subprocess.run(
        command, capture_output=True, text=True, check=False
    )
    # Without git, the files of that name.
    entries = git.stdout.split("\0") if git.returncode == 0 else []
    changed = {ROOT / entry[3:] for entry in entries}
    return sorted(
        str(path.relative_to(ROOT))
        for path in {*rooms(name), *changed}
        if path.suffix in (".py", ".ipynb") and path.is_file()
    )


def steps(name: str, tried: str) -> list[list[Step]]:
    """Give the steps, in rows that run side by side.

    What runs over the registry runs for what is `tried`: a function, or all of the module.
    """
    notebook, module, tests = rooms(name)
    python = sys.executable
    files = touched(name)
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    first = [
        Step("style", [python, "-m", "ruff", "check", *files]),
        Step("layout", [python, "-m", "ruff", "format", "--check", *files]),
    ]
    second = []
    if notebook.is_file():
        gates = f"{name}- or test_contents or test_three_rooms or test_page"
        second += [
            Step("the notebook, run again", [*pytest, "--nbval", str(notebook)]),
            Step("gates", [*pytest, "tests/book/test_gates.py", "-k", gates]),
        ]  # fmt: skip
    if module.is_file():
        second += [
            Step("types", [python, "-m", "mypy"]),
            Step("tests on NumPy and PyTorch", [*pytest, str(module), str(tests), "-k", QUICK]),
        ]  # fmt: skip
    if any(subject(function) == name for function in losslib.__all__):
        chosen = ["-k", f"{tried} and {QUICK}"]
        second.append(Step("the registry's tests", [*pytest, *MILLS, *chosen]))  # fmt: skip
    return [first, second]


def run(row: list[Step]) -> bool:
    """Run steps side by side, show what they say, and return whether all passed."""
    start = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            step.command, cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for step in row
    ]  # fmt: skip
    passed = True
    for step, process in zip(row, running, strict=True):
        output, _ = process.communicate()
        good = process.returncode == 0
        passed = passed and good
        mark = "✓" if good else f"✗ (exit {process.returncode})"
        print(f"{mark} {step.name}, {time.perf_counter() - start:.0f} s", flush=True)  # fmt: skip
        if not good:
            print(output.rstrip(), flush=True)
    return passed


def main(names: list[str]) -> int:
    """Check what is named; the exit code says whether all of it passed."""
    if not names:
        print(HOW)
        return 2
    passed = True
    for name in names:
        found = subject(name)
        if found is None:
            print(
                f"There is no chapter, module or function {name!r}.\n{HOW}"
            )
            return 2
        print(f"==> Checking {found}", flush=True)
        for row in steps(found, name):
            passed = run(row) and passed
    print("==> All of it passed" if passed else "==> Not all of it passed")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
