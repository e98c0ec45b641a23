"""Time of losslib's losses against PyTorch's own and SciPy's, in one run.

``python benchmarks/bench_losses.py`` prints two tables. The candidates take turns within each
round, in an order drawn anew, so that neither a slow moment of the machine nor what the one before
left behind favours any; medians are compared, as ratios.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F  # noqa: N812

import losslib

Step = Callable[[], Any]
KEPT = dict.fromkeys(
    ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(2**40)
)
AIMS = {
    "eager": 1.6,  # losslib over PyTorch, both eager: geometric mean
    "worst": 3.0,  # the same, of any one loss
    "compiled": 0.65,  # losslib compiled over PyTorch eager
    "compilers": 0.8,  # losslib compiled over PyTorch compiled
}


def cases(scale: float, device: str) -> Iterator[tuple[str, str, tuple]]:
    """Yield (loss, note, arguments); those that require a gradient get one.

    `scale` shortens the first axis, to try the script.
    """
    torch.manual_seed(0)

    def rows(n: int) -> int:
        return max(4, int(n * scale))

    def leaf(x: torch.Tensor) -> torch.Tensor:
        return x.to(device).requires_grad_()

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape)

    for n, c in [(rows(4096), 1000), (rows(1024), 32000)]:
        z, t = normal(n, c), torch.randint(c, (n,)).to(device)
        yield "cross_entropy", "index", (leaf(z), t)
        yield "nll_loss", "index", (leaf(torch.log_softmax(z, 1)), t)
    n, c = rows(4096), 1000
    y = torch.softmax(normal(n, c), 1).to(device)
    yield "cross_entropy", "probability", (leaf(normal(n, c)), y)

    shape = (rows(1024), 1024)
    x, target = normal(*shape), normal(*shape).to(device)
    share = torch.rand(shape).to(device)
    sign = torch.sign(target)
    yield "binary_cross_entropy", "", (leaf(torch.sigmoid(x)), share)
    yield "binary_cross_entropy_with_logits", "", (leaf(x), share)
    yield "soft_margin_loss", "", (leaf(x), sign)
    yield "mse_loss", "", (leaf(x), target)
    yield "l1_loss", "", (leaf(x), target)
    yield "smooth_l1_loss", "", (leaf(x), target)
    yield "huber_loss", "", (leaf(x), target)
    variance = leaf(torch.rand(shape) + 0.1)
    yield "gaussian_nll_loss", "", (leaf(x), target, variance)
    counts = torch.poisson(torch.ones(shape)).to(device)
    yield "poisson_nll_loss", "", (leaf(x), counts)
    log_q = torch.log_softmax(x, 1)
    yield "kl_div", "", (leaf(log_q), torch.softmax(target, 1))
    yield "hinge_embedding_loss", "", (leaf(x.abs()), sign)
    yield "margin_ranking_loss", "", (leaf(x), leaf(normal(*shape)), sign)
    yield "multilabel_soft_margin_loss", "", (leaf(x), (sign > 0).float())

    n, c = rows(4096), 1000
    t = torch.randint(c, (n,)).to(device)
    yield "multi_margin_loss", "", (leaf(normal(n, c)), t)
    n, c, most = rows(512), 100, 5
    listed = torch.full((n, c), -1)
    listed[:, :most] = torch.stack(
        [torch.randperm(c)[:most] for _ in range(n)]
    )
    yield (
        "multilabel_margin_loss",
        "",
        (
            leaf(normal(n, c)),
            listed.to(device),
        ),
    )

    n, d = rows(8192), 128
    a, p, q = (leaf(normal(n, d)) for _ in range(3))
    same = torch.sign(normal(n)).to(device)
    yield "cosine_embedding_loss", "", (a, p, same)
    yield "triplet_margin_loss", "", (a, p, q)
    yield "triplet_margin_with_distance_loss", "", (a, p, q)

    frames, n, c, labels = 200, rows(32), 64, 40
    yield (
        "ctc_loss",
        "",
        (
            leaf(torch.log_softmax(normal(frames, n, c), -1)),
            torch.randint(1, c, (n, labels)).to(device),
            torch.full((n,), frames, device=device),
            torch.full((n,), labels, device=device),
        ),
    )


def step(loss: Callable[..., torch.Tensor], args: tuple) -> Step:
    """Return a function that runs `loss` forward and backward once."""
    leaves = [x for x in args if x.requires_grad]
    wait = torch.cuda.synchronize if leaves[0].is_cuda else None

    def run() -> None:
        torch.autograd.grad(loss(*args), leaves)
        if wait is not None:
            wait()

    return run


def interleaved_medians(
    steps: dict[str, Step], rounds: int
) -> dict[str, float]:
    """Return the median seconds of each step, over rounds in which each of them runs once."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(2):
        for run in steps.values():
            run()
    order = random.Random(0)
    for _ in range(rounds):
        for name in order.sample(sorted(steps), len(steps)):
            start = time.perf_counter()
            steps[name]()
            times[name].append(time.perf_counter() - start)
    return {
        name: statistics.median(values) for name, values in times.items()
    }


def least_bytes(args: tuple) -> int:
    """Return what must move: every input read forward and backward, every gradient written."""
    size = sum(x.numel() * x.element_size() for x in args)
    return 2 * size + sum(
        x.numel() * x.element_size() for x in args if x.requires_grad
    )


def bandwidth(device: str, rounds: int) -> float:
    """Return the bytes that a plain copy moves in a second."""
    source = torch.zeros(2**26, device=device)
    copy = torch.empty_like(source)
    wait = torch.cuda.synchronize if source.is_cuda else lambda: None
    run = {"copy": lambda: (copy.copy_(source), wait())}
    return 2 * source.nbytes / interleaved_medians(run, rounds)["copy"]


def against_pytorch(
    scale: float, rounds: int, device: str, only: str
) -> list[dict[str, Any]]:
    """Time every loss, and return a row for each."""
    moved = bandwidth(device, rounds)
    found = []
    for name, note, args in cases(scale, device):
        if only not in name or not hasattr(losslib, name):
            continue
        ours, theirs = getattr(losslib, name), getattr(F, name)
        steps = {"torch": step(theirs, args), "eager": step(ours, args)}
        torch.compiler.reset()
        for key, f in [("compiled", ours), ("torch_compiled", theirs)]:
            steps[key] = step(torch.compile(f), args)
        medians = interleaved_medians(steps, rounds)
        base = medians.pop("torch")
        row = {
            "loss": name,
            "shape": list(args[0].shape),
            "note": note,
            "torch_ms": 1e3 * base,
            **{key: value / base for key, value in medians.items()},
        }
        fastest = base * min(row["eager"], row["compiled"])
        row["bandwidth"] = least_bytes(args) / fastest / moved
        found.append(row)
        print(as_line(row), flush=True)
    return found


HEADER = (
    f"{'loss':34}{'shape':>16}{'target':>13}{'torch ms':>10}"
    f"{'eager':>8}{'compiled':>10}{'compilers':>11}{'bandwidth':>11}"
)


def as_line(row: dict[str, Any]) -> str:
    shape = "×".join(map(str, row["shape"]))
    line = f"{row['loss']:34}{shape:>16}{row['note']:>13}"
    line += f"{row['torch_ms']:10.2f}{row['eager']:8.2f}"
    line += f"{row['compiled']:10.2f}"
    line += f"{row['compiled'] / row['torch_compiled']:11.2f}"
    return line + f"{row['bandwidth']:11.2f}"


def means(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return what the aims are about: geometric means over the losses, and the worst."""
    mean = statistics.geometric_mean
    return {
        "eager": mean(row["eager"] for row in rows),
        "worst": max(row["eager"] for row in rows),
        "compiled": mean(row["compiled"] for row in rows),
        "compilers": mean(
            row["compiled"] / row["torch_compiled"] for row in rows
        ),
    }


def against_scipy(scale: float, rounds: int) -> list[dict[str, Any]]:
    """Time what SciPy has too, on NumPy arrays of 1024 × 1024 in float64."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(max(4, int(1024 * scale)), 1024))
    p, q = (losslib.softmax(rng.normal(size=z.shape)) for _ in range(2))
    log_q, special = np.log(q), scipy.special
    pairs: dict[str, tuple[Step, Step]] = {
        "logsumexp": (
            lambda: losslib.logsumexp(z, axis=-1),
            lambda: special.logsumexp(z, axis=-1),
        ),
        "softmax": (
            lambda: losslib.softmax(z, axis=-1),
            lambda: special.softmax(z, axis=-1),
        ),
        "log_softmax": (
            lambda: losslib.log_softmax(z, axis=-1),
            lambda: special.log_softmax(z, axis=-1),
        ),
        "sigmoid": (lambda: losslib.sigmoid(z), lambda: special.expit(z)),
        "log_sigmoid": (
            lambda: losslib.log_sigmoid(z),
            lambda: special.log_expit(z),
        ),
        "huber_loss": (
            partial(losslib.huber_loss, z, p, reduction="none"),
            lambda: special.huber(1.0, z - p),
        ),
        "kl_div": (
            partial(losslib.kl_div, log_q, p, reduction="none"),
            lambda: special.rel_entr(p, np.exp(log_q)),
        ),
        "entropy": (
            lambda: losslib.entropy(p),
            lambda: scipy.stats.entropy(p, axis=-1),
        ),
        "kl_divergence": (
            lambda: losslib.kl_divergence(p, q),
            lambda: scipy.stats.entropy(p, q, axis=-1),
        ),
    }
    found = []
    for name, (ours, theirs) in pairs.items():
        np.testing.assert_allclose(ours(), theirs(), rtol=1e-9, atol=1e-12)
        medians = interleaved_medians(
            {"ours": ours, "theirs": theirs}, rounds
        )
        row = {
            "function": name,
            "scipy_ms": 1e3 * medians["theirs"],
            "ratio": medians["ours"] / medians["theirs"],
        }
        found.append(row)
        print(f"{name:34}{row['scipy_ms']:10.2f}{row['ratio']:8.2f}")
    return found


def passes(rounds: int) -> dict[str, float]:
    """Time operations of PyTorch on a million numbers, on one thread, over a product."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    x, y, out = torch.randn(3, 1024, 1024)
    above = x > 0
    steps: dict[str, Step] = {
        "product": lambda: torch.mul(x, y, out=out),
        "absolute value": lambda: torch.abs(x, out=out),
        "comparison": lambda: torch.gt(x, y, out=above),
        "exponential": lambda: torch.exp(x, out=out),
        "choice by a mask (where)": lambda: torch.where(
            above, x, y, out=out
        ),
    }
    medians = interleaved_medians(steps, rounds)
    torch.set_num_threads(threads)
    return {key: t / medians["product"] for key, t in medians.items()}


def keep_memory() -> None:
    """Start the script again with an allocator that gives no memory back to the system.

    Else, by the luck of what was freed before, a step pays for new pages or does not: up to eight
    times the work of a loss.
    """
    if not os.environ.keys() >= KEPT.keys():
        python = [sys.executable, *sys.argv]
        os.execve(sys.executable, python, {**os.environ, **KEPT})


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument(
        "--scale", type=float, default=1.0, help="of the sizes"
    )
    options.add_argument(
        "--only", default="", help="losses whose name has this"
    )
    options.add_argument(
        "--device", default="cpu", help="of PyTorch: cpu or cuda"
    )
    return options


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Print both tables, and return their rows."""
    warnings.filterwarnings("ignore", message=".*torch.jit.script_method.*")
    print("Forward and backward, float32, medians of interleaved rounds.")
    print("eager, compiled: losslib over PyTorch's eager function.")
    print("compilers: both compiled. bandwidth: share of a plain copy's.\n")
    print(HEADER + "\n" + "-" * len(HEADER))
    rows = against_pytorch(
        options.scale, options.rounds, options.device, options.only
    )
    found = means(rows)
    for key, aim in AIMS.items():
        verdict = "met" if found[key] <= aim else "missed"
        print(f"{key:12}{found[key]:6.2f}, aim {aim}: {verdict}")
    print(f"\n{'NumPy over SciPy':34}{'scipy ms':>10}{'ratio':>8}")
    numpy = against_scipy(options.scale, options.rounds)
    return {
        "losses": rows,
        "means": found,
        "aims": AIMS,
        "scipy": numpy,
        "passes": passes(options.rounds),
    }


if __name__ == "__main__":
    keep_memory()
    run(parser().parse_args())
