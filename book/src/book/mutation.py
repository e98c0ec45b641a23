"""Change losslib or equalsign in one place at a time, and see whether the tests notice.

``python -m book.mutation`` lets mutmut change every module of losslib, and runs against each change
the tests that bear the module's name: its file, and of the checks over the whole registry those of
its functions (their ids end with the module's name), on NumPy and PyTorch. JAX and `torch.compile`
take long and run mostly the same lines: only what those tests miss is tried against them. With
``--product equalsign`` it changes the checks (``tex.parser`` names a module of a folder), and runs
the files of tests that are about the module, as far as they reach the change. What an exception
named ``…Error`` says is left alone, and so are the words of what the grammar refuses (in its
modules, a text that fills a line); the rest of such a ``raise``, the place to which it points, is
changed like all else. What was found goes to ``benchmarks/mutation.json`` or
``benchmarks/mutation-equalsign.json``; given modules are measured again, the others stay as they
are. ``--tenth`` tries one change in ten, those whose number ends in 7, and says which were missed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from book import ROOT

SCRATCH = ROOT / "mutants"
RESULTS = {
    "losslib": ROOT / "benchmarks" / "mutation.json",
    "equalsign": ROOT / "benchmarks" / "mutation-equalsign.json",
}
SOURCES = {
    "losslib": ROOT / "losslib",
    "equalsign": ROOT / "equalsign" / "src" / "equalsign",
}
# What carries all others is tested through them, too.
TESTS = {
    "_chunks": ["vocabulary"],
    "_array": [
        "array",
        "multiclass",
        "binary",
        "margin",
        "vocabulary",
        "ctc",
        "ranking",
        "transport",
    ],
    "_checks": [
        "checks",
        "elementwise",
        "multiclass",
        "binary",
        "margin",
        "vocabulary",
    ],
    "_classes": ["classes", "multiclass", "focal", "vocabulary"],
    "_vectors": ["distance", "similarity"],
    "divergence": ["divergence", "elementwise"],
    "focal": ["focal", "classes"],
    "information": ["information", "elementwise"],
    "regression": ["regression", "elementwise"],
    "objective": ["objective", "regression", "multiclass"],
}
CONFIG = """
[tool.mutmut]
source_paths = ["{product}"]
only_mutate = ["{product}/{module}.py"]
do_not_mutate_patterns = {wording}
process_isolation = "forkserver"
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-k", "{chosen}"]
"""
# What an exception says. Of what the grammar refuses, the words stand on lines of their own in the
# copy that is changed; the parser's own refusals point at the next token, and give words only.
WORDING = [r"raise \w+Error\("]
TEX_WORDING = [*WORDING, r"self\._fail\(", r'^\s*r?f?"[^"]*",?$']
REFUSAL = re.compile(r'(raise [A-Z]\w+\()\s*(r?f?"[^"\n]*"),\s*')
EVERYWHERE = ["errors", "everywhere", "extremes"]
SLOW = "compile or jax or graph or finite"

CHECKS = ["checks_of_python", "derivations"]
TEX = [
    "tex",
    "tex_lines",
    "tex_places",
    "tex_values",
    "tex_reading",
    "derivations_refused",
]
EQUALSIGN_TESTS = {
    "layout": ["layout"],
    "_rates": ["rates", "derivations", "derivations_refused"],
    "accounts": ["accounts", "checks_of_python"],
    "findings": ["findings"],
    "_digest": ["findings"],
    "_formula": ["formula", *CHECKS],
    "_points": ["points", *CHECKS],
    "_records": ["records", *CHECKS],
    "_words": ["words", *CHECKS],
    "samplers": ["samplers", *CHECKS],
    "derivations": [
        "derivations",
        "derivations_frozen",
        "derivations_refused",
    ],
}
# Slow (every formula with one sign changed), in another process, or about the stored chapters.
EQUALSIGN_SLOW = (
    "not single_error and not notebook and not stressed and not book_shows"
)


def modules(product: str = "losslib") -> list[str]:
    """Return the names of the modules that are changed."""
    folder = SOURCES[product]
    names = {
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
    }
    return sorted(x for x in names if x.rpartition(".")[2][:2] != "__")


def prepare(module: str, product: str = "losslib") -> Path:
    """Return a folder with the product, its tests, and what mutmut is to do with the module."""
    folder = SCRATCH / product / module
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source, name in (
        (SOURCES[product], product),
        (ROOT / "tests", "tests"),
    ):
        shutil.copytree(
            source,
            folder / name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    if product == "losslib":
        # mutmut passes by what is decorated; this decorator is for the compiler only
        source = folder / "losslib" / f"{module}.py"
        text = source.read_text(encoding="utf-8")
        source.write_text(text.replace("\n@remake_masks\n", "\n"), "utf-8")
        names = TESTS.get(module, [module])
        tests = [
            f"tests/losslib/test_{name}.py"
            for name in [*names, *EVERYWHERE]
        ]
        chosen = f"({' or '.join(names)}) and not ({SLOW})"
    else:
        names = EQUALSIGN_TESTS.get(
            module, TEX if module.startswith("tex.") else CHECKS
        )
        tests = [f"tests/equalsign/test_{name}.py" for name in names]
        chosen = EQUALSIGN_SLOW
    wording = WORDING
    if module.startswith("tex."):
        wording = TEX_WORDING
        source = folder / product / f"{module.replace('.', '/')}.py"
        text = source.read_text(encoding="utf-8")
        source.write_text(REFUSAL.sub("\\1\n\\2,\n", text), "utf-8")
    config = CONFIG.format(
        product=product,
        module=module.replace(".", "/"),
        tests=tests,
        chosen=chosen,
        wording=json.dumps(wording),
    )
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(settings + config, "utf-8")
    return folder


def without(paths: str, product: str) -> str:
    """Return a search path on which the product is not: the changed one is to be found."""
    away = SOURCES[product].parent
    return os.pathsep.join(
        x for x in paths.split(os.pathsep) if x and Path(x) != away
    )


def environment(module: str, product: str, *paths: str) -> dict[str, str]:
    """Return the environment of a run: the changed product, and of the registry what it has."""
    inherited = without(os.environ.get("PYTHONPATH", ""), product)
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([*paths, inherited]),
        "LOSSLIB_MODULES": " ".join(TESTS.get(module, [module])),
    }


def measure(
    module: str, children: int, product: str = "losslib", which: str = "*"
) -> dict[str, object]:
    """Return how many changes of a module were made, and which of them no test noticed."""
    folder, bin_ = prepare(module, product), Path(sys.executable).parent
    mutmut = [str(bin_ / "mutmut")]
    run = subprocess.run(
        [*mutmut, "run", "--max-children", str(children), which],
        cwd=folder,
        text=True,
        env=environment(module, product),
        stdout=subprocess.PIPE,
    )
    if run.returncode and "could not find any test case" not in run.stdout:
        raise SystemExit(f"{module}: mutmut fails\n{run.stdout[-3000:]}")
    listing = subprocess.run(
        [*mutmut, "results", "--all", "true"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    status = {
        name: what
        for name, what in (
            line.strip().split(": ")
            for line in listing.splitlines()
            if line
        )
        if fnmatch(name, which)
    }
    # mutmut says "timeout", too, where pytest stops at once
    late = sum(what == "timeout" for what in status.values())
    if late > 5 + len(status) / 20:
        raise SystemExit(f"{module}: {late} of {len(status)} take too long")
    missed = sorted(
        name
        for name, what in status.items()
        if what not in ("killed", "timeout")
    )
    if product == "losslib" and missed:
        missed = unnoticed(folder, module, missed)
    return {
        **Counter(status.values()),
        "changes": listing.count("__mutmut_"),
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


def unnoticed(folder: Path, module: str, names: list[str]) -> list[str]:
    """Return those of the changes that the tests with JAX and compilers do not notice either."""
    source = folder / "losslib" / f"{module}.py"
    unchanged = source.read_bytes()
    about = TESTS.get(module, [module])
    tests = [
        *[sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider"],
        *["-k", f"({' or '.join(about)}) and ({SLOW})"],
        *[f"tests/losslib/test_{x}.py" for x in [*about, *EVERYWHERE]],
    ]

    def run(
        *command: str, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment(module, "losslib", "."),
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    begin = time.monotonic()
    first = run(*tests)
    limit = 60 + 5 * (time.monotonic() - begin)
    if first.returncode:
        raise SystemExit(
            f"{module}: fails unchanged\n{first.stdout[-3000:]}"
        )
    missed = []
    for name in names:
        applied = run(
            str(Path(sys.executable).parent / "mutmut"), "apply", name
        )
        if applied.returncode or source.read_bytes() == unchanged:
            raise SystemExit(f"{name} is not applied\n{applied.stderr}")
        with suppress(subprocess.TimeoutExpired):
            # a test fails, or the tests cannot even be read
            if run(*tests, timeout=limit).returncode not in (1, 2):
                missed.append(name)
        source.write_bytes(unchanged)
    return missed


def changed(shown: str) -> list[str]:
    """Return the lines that a change takes away and puts in."""
    lines = shown.splitlines()
    return [
        line
        for line in lines
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]


def score(rows: Mapping[str, Any]) -> tuple[float, float]:
    """Return the share of all changes that is noticed, and its standard error.

    Each module counts by its changes, of which a sample may have been tried.

    >>> half = {"changes": 10, "mutants": 10, "missed": dict.fromkeys(range(5))}
    >>> score({"one": half, "other": {**half, "changes": 30, "missed": {}}})
    (0.875, 0.0)
    """
    changes = sum(row["changes"] for row in rows.values())
    share = variance = 0.0
    for row in rows.values():
        noticed = 1 - len(row["missed"]) / row["mutants"]
        weight = row["changes"] / changes
        share += weight * noticed
        if row["mutants"] < row["changes"]:
            variance += weight**2 * noticed * (1 - noticed) / row["mutants"]
    return share, math.sqrt(variance)


def main() -> None:
    """Measure the given modules, and store what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module", nargs="*", help="all if none is given")
    parser.add_argument(
        "--product", choices=sorted(SOURCES), default="losslib"
    )
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tenth", action="store_true")
    options = parser.parse_args()
    product, results = options.product, RESULTS[options.product]
    stored = (
        json.loads(results.read_text("utf-8")) if results.exists() else {}
    )
    found = {} if options.tenth and not options.module else stored
    for module in options.module or modules(product):
        row = measure(
            module,
            options.children,
            product,
            "*7" if options.tenth else "*",
        )
        row["missed"] = {
            name: changed(text) for name, text in row["missed"].items()
        }
        found[module] = row
        noticed = row["mutants"] - len(row["missed"])
        if not row["mutants"]:  # nothing in it that mutmut changes
            del found[module]
        print(f"{module:14}{noticed:5} of {row['mutants']}", flush=True)
        if options.tenth:
            for name, lines in row["missed"].items():
                print(f"# {name}", *lines, sep="\n", flush=True)
        results.write_text(
            json.dumps(dict(sorted(found.items())), indent=1) + "\n",
            "utf-8",
        )
    if found:
        share, error = score(found)
        print(f"{share:.1%} ± {error:.1%} of all changes are noticed")


if __name__ == "__main__":
    main()
