"""Change losslib in one place at a time, and see whether its tests notice.

``python -m book.mutation`` lets mutmut change every module of losslib, and runs against each change
the tests that bear the module's name: its file, and of the checks over the whole registry those of
its functions (their ids end with the module's name), on NumPy and PyTorch; JAX and
`torch.compile` take long and run the same lines. The wording of error messages is left alone. What
was found goes to ``benchmarks/mutation.json``; given modules are measured again, the others stay as
they are.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from book import ROOT

SCRATCH = ROOT / "mutants"
RESULTS = ROOT / "benchmarks" / "mutation.json"
# What carries all others is tested through them, too.
TESTS = {
    "_chunks": ["vocabulary"],
    "_array": ["array", "multiclass", "binary", "margin", "vocabulary"],
    "_checks": ["checks", "multiclass", "binary", "margin", "vocabulary"],
    "_classes": ["classes", "multiclass", "focal", "vocabulary"],
    "objective": ["objective", "regression", "multiclass"],
}
CONFIG = """
[tool.mutmut]
source_paths = ["losslib"]
only_mutate = ["losslib/{module}.py"]
do_not_mutate_patterns = ['raise \\w+Error\\(']
process_isolation = "forkserver"
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-k", "{chosen}"]
"""
EVERYWHERE = ["errors", "everywhere", "extremes"]
SLOW = "not compile and not jax and not graph and not finite"


def modules() -> list[str]:
    """Return the names of the modules that are changed."""
    names = {path.stem for path in (ROOT / "losslib").glob("*.py")}
    return sorted(names - {"__init__"})


def prepare(module: str) -> Path:
    """Return a folder with losslib, the tests, and what mutmut is to do with the module."""
    folder = SCRATCH / module
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("losslib", "tests"):
        shutil.copytree(
            ROOT / name,
            folder / name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    # mutmut passes by what is decorated; this decorator is for the compiler only
    source = folder / "losslib" / f"{module}.py"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("\n@remake_masks\n", "\n"), "utf-8")
    names = TESTS.get(module, [module])
    tests = [
        f"tests/losslib/test_{name}.py" for name in [*names, *EVERYWHERE]
    ]
    chosen = f"({' or '.join(names)}) and {SLOW}"
    config = CONFIG.format(module=module, tests=tests, chosen=chosen)
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(settings + config, "utf-8")
    return folder


def measure(module: str, children: int) -> dict[str, object]:
    """Return how many changes of a module were made, and which of them no test noticed."""
    folder, bin_ = prepare(module), Path(sys.executable).parent
    mutmut = [str(bin_ / "mutmut")]
    subprocess.run(
        [*mutmut, "run", "--max-children", str(children)],
        cwd=folder,
        check=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "LOSSLIB_MODULES": " ".join(TESTS.get(module, [module])),
        },
        stdout=subprocess.DEVNULL,
    )
    listing = subprocess.run(
        [*mutmut, "results", "--all", "true"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    status = dict(
        line.strip().split(": ") for line in listing.splitlines() if line
    )
    missed = sorted(
        name
        for name, what in status.items()
        if what not in ("killed", "timeout")
    )
    return {
        **Counter(status.values()),
        "mutants": len(status),
        "missed": {
            name: subprocess.run(
                [*mutmut, "show", name],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            for name in missed
        },
    }


def changed(shown: str) -> list[str]:
    """Return the lines that a change takes away and puts in."""
    lines = shown.splitlines()
    return [
        line
        for line in lines
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]


def main() -> None:
    """Measure the given modules, and store what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", nargs="*", help="of losslib; all if none")
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    found = (
        json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    )
    for module in options.module or modules():
        row = measure(module, options.children)
        row["missed"] = {
            name: changed(text) for name, text in row["missed"].items()
        }
        found[module] = row
        noticed = row["mutants"] - len(row["missed"])
        print(f"{module:14}{noticed:5} of {row['mutants']}", flush=True)
        RESULTS.write_text(
            json.dumps(dict(sorted(found.items())), indent=1) + "\n",
            "utf-8",
        )
    total = sum(row["mutants"] for row in found.values())
    missed = sum(len(row["missed"]) for row in found.values())
    print(f"{1 - missed / total:.1%} of {total} changes were noticed")


if __name__ == "__main__":
    main()
