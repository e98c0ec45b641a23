"""Memory and time of the cross-entropy of a linear layer with many classes, in one run.

``python benchmarks/bench_vocabulary.py`` prints one table: what losslib and PyTorch need, as
ratios to all logits at once. Memory is what a step, forward and backward, takes at its worst
beyond its arguments, gradients included, in a process of its own. On a CPU it is the growth of the
resident memory, which counts whole pages and all that the allocator keeps; on a GPU it is what
PyTorch has allocated. For the times the candidates take turns within each round, so that a slow
moment of the machine hits all of them, and medians are compared.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from bench_losses import KEPT, interleaved_medians, step

import losslib

SIZES = (4096, 512, 32000)  # tokens, features, classes
SMALL = (256, 64, 4000)
AIMS = {"memory": 0.2, "time": 1.0}  # losslib over all logits at once


def all_logits(
    x: torch.Tensor, w: torch.Tensor, t: torch.Tensor
) -> torch.Tensor:
    return F.cross_entropy(x @ w.T, t)


def torch_chunked(
    x: torch.Tensor, w: torch.Tensor, t: torch.Tensor
) -> torch.Tensor:
    options = torch.nn.LinearCrossEntropyOptions()
    return F.linear_cross_entropy(x, w, t, options=options)


CANDIDATES: dict[str, Callable[..., torch.Tensor]] = {
    "F.cross_entropy(x @ w.T, t)": all_logits,
    "F.linear_cross_entropy": torch_chunked,
    "losslib.linear_cross_entropy": losslib.linear_cross_entropy,
}
BASE = next(iter(CANDIDATES))


def arguments(
    sizes: tuple[int, int, int], device: str
) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    n, features, classes = sizes
    x = torch.randn(n, features, device=device)
    w = torch.randn(classes, features, device=device) / features**0.5
    t = torch.randint(classes, (n,), device=device)
    return x.requires_grad_(), w.requires_grad_(), t


def peak(name: str, sizes: tuple[int, int, int], device: str) -> int:
    """Return the bytes that one step takes at its worst; to be called once in a process."""
    loss = CANDIDATES[name]
    step(
        loss, arguments((8, 8, 8), device)
    )()  # what is loaded on first use
    args = arguments(sizes, device)
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(loss, args)()
        return torch.cuda.max_memory_allocated() - before
    before = highest(forget=True)
    step(loss, args)()
    return highest() - before


def highest(forget: bool = False) -> int:
    """Return the most resident memory so far, in bytes; Linux can be told to start afresh."""
    try:
        if forget:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("VmHWM:")]
        return 1024 * int(line.split()[1])
    except OSError:  # another system: without forgetting
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_elsewhere(name: str, small: bool, device: str) -> int:
    """Return `peak`, measured by a fresh process with the system's own way to give memory back."""
    command = [sys.executable, __file__, "--peak", name, "--device", device]
    done = subprocess.run(
        command + ["--small"] * small,
        check=True,
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k not in KEPT},
    )
    return int(done.stdout)


def results(
    small: bool, rounds: int, device: str = "cpu"
) -> list[dict[str, Any]]:
    """Return a row for each candidate: its memory and time, also as ratios to all logits."""
    sizes = SMALL if small else SIZES
    memory = {
        name: peak_elsewhere(name, small, device) for name in CANDIDATES
    }
    args = arguments(sizes, device)
    times = interleaved_medians(
        {name: step(loss, args) for name, loss in CANDIDATES.items()},
        rounds,
    )
    return [
        {
            "candidate": name,
            "shape": list(sizes),
            "bytes": memory[name],
            "memory": memory[name] / memory[BASE],
            "ms": 1e3 * times[name],
            "time": times[name] / times[BASE],
        }
        for name in CANDIDATES
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--small", action="store_true", help="tiny sizes, to try the script"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--peak", choices=CANDIDATES, help="print the bytes of one only"
    )
    options = parser.parse_args()
    sizes = SMALL if options.small else SIZES
    if options.peak:
        print(peak(options.peak, sizes, options.device))
        return
    print("{} tokens, {} features, {} classes, float32,".format(*sizes))
    print("forward and backward; memory beyond the arguments.\n")
    header = f"{'':30}{'MB':>8}{'memory':>9}{'ms':>10}{'time':>7}"
    print(header + "\n" + "-" * len(header))
    rows = results(options.small, options.rounds, options.device)
    for row in rows:
        print(
            f"{row['candidate']:30}{row['bytes'] / 1e6:8.0f}{row['memory']:9.2f}"
            f"{row['ms']:10.1f}{row['time']:7.2f}"
        )
    for key, aim in AIMS.items():
        verdict = "met" if rows[-1][key] <= aim else "missed"
        print(f"losslib's {key}: {rows[-1][key]:.2f}, aim {aim}: {verdict}")


if __name__ == "__main__":
    main()
