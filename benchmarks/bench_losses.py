"""Time of losslib's losses against PyTorch's own, forward and backward, in one run.

``python benchmarks/bench_losses.py`` prints one table. The candidates take turns within each
round, so that a slow moment of the machine hits all of them; medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812

import losslib

Step = Callable[[], None]
AIMS = {
    "eager": 1.7,
    "compiled": 1.0,
}  # of PyTorch's eager time, for cross_entropy


def cases(
    small: bool,
) -> list[tuple[str, tuple[int, int], str, tuple[torch.Tensor, ...]]]:
    """Return (loss, shape, what the target is, (input, target)) for each line of the table."""
    torch.manual_seed(0)
    rows = []
    for shape in [(256, 100)] if small else [(4096, 1000), (1024, 32000)]:
        logits, labels = (
            torch.randn(shape),
            torch.randint(shape[1], shape[:1]),
        )
        rows.append(("cross_entropy", shape, "index", (logits, labels)))
        rows.append(
            (
                "nll_loss",
                shape,
                "index",
                (torch.log_softmax(logits, 1), labels),
            )
        )
    shape = (256, 100) if small else (4096, 1000)
    logits, target = torch.randn(shape), torch.rand(shape)
    rows.append(
        (
            "cross_entropy",
            shape,
            "probability",
            (logits, torch.softmax(target, 1)),
        )
    )
    rows.append(
        ("binary_cross_entropy", shape, "", (torch.sigmoid(logits), target))
    )
    rows.append(
        ("binary_cross_entropy_with_logits", shape, "", (logits, target))
    )
    rows.append(
        ("soft_margin_loss", shape, "", (logits, torch.sign(target - 0.5)))
    )
    return rows


def step(
    loss: Callable[..., torch.Tensor],
    input: torch.Tensor,
    target: torch.Tensor,
) -> Step:
    """Return a function that runs `loss` forward and backward once."""
    leaf = input.clone().requires_grad_()

    def run() -> None:
        leaf.grad = None
        loss(leaf, target).backward()

    return run


def interleaved_medians(
    steps: dict[str, Step], rounds: int
) -> dict[str, float]:
    """Return the median seconds of each step, over rounds in which each of them runs once."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(2):
        for run in steps.values():
            run()
    for _ in range(rounds):
        for name, run in steps.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {
        name: statistics.median(values) for name, values in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--small", action="store_true", help="tiny sizes, to try the script"
    )
    parser.add_argument(
        "--no-compile", action="store_true", help="eager only"
    )
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*torch.jit.script_method.*")

    print(
        f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, float32,"
    )
    print(
        f"forward and backward, medians of {options.rounds} interleaved rounds, milliseconds."
    )
    print("Ratios are to PyTorch's eager function; below 1 is faster.\n")
    header = f"{'loss':34}{'shape':>14}{'target':>13}"
    header += f"{'torch':>8}{'eager':>8}{'ratio':>7}{'compiled':>10}{'ratio':>7}  aim"
    print(header)
    print("-" * len(header))
    for name, shape, kind, arrays in cases(options.small):
        ours, theirs = getattr(losslib, name), getattr(F, name)
        steps = {
            "torch": step(theirs, *arrays),
            "eager": step(ours, *arrays),
        }
        if not options.no_compile:
            torch.compiler.reset()
            steps["compiled"] = step(
                torch.compile(ours, fullgraph=True), *arrays
            )
        medians = interleaved_medians(steps, options.rounds)
        ratios = {
            key: medians[key] / medians["torch"]
            for key in medians
            if key != "torch"
        }
        line = (
            f"{name:34}{shape!s:>14}{kind:>13}{1e3 * medians['torch']:8.1f}"
        )
        line += f"{1e3 * medians['eager']:8.1f}{ratios['eager']:7.2f}"
        if "compiled" in ratios:
            line += f"{1e3 * medians['compiled']:10.1f}{ratios['compiled']:7.2f}"
        if name == "cross_entropy" and kind == "index":
            missed = [
                key for key, ratio in ratios.items() if ratio > AIMS[key]
            ]
            line += (
                f"  {'missed: ' + ', '.join(missed) if missed else 'met'}"
            )
        print(line, flush=True)
    print(
        f"\nAims for cross_entropy: eager ≤ {AIMS['eager']}, compiled ≤ {AIMS['compiled']}."
    )


if __name__ == "__main__":
    main()
