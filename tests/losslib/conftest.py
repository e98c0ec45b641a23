"""Fixtures of the tests of losslib, and the table of what was compared with PyTorch."""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.register_assert_rewrite("harness")

from harness import (  # noqa: E402
    BACKENDS,
    JAX,
    ONLY,
    TORCH,
    TRACED_SHAPES,
    Backend,
    free_compilers,
)


@pytest.fixture(params=BACKENDS, ids=lambda b: b.name)
def backend(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Backend:
    """Return each library in turn; for JAX the shapes of the module are two of all."""
    if request.param is JAX and hasattr(request.module, "SHAPES"):
        monkeypatch.setattr(
            request.module,
            "SHAPES",
            [x for x in request.module.SHAPES if x in TRACED_SHAPES]
            or request.module.SHAPES,
        )
    return request.param


@pytest.fixture(autouse=True, scope="module")
def free_what_was_compiled() -> Iterator[None]:
    """Let go of what the compilers hold for a module: a worker would end with gigabytes.

    Not where a change is tried: the quickest tests run first there, of any module.
    """
    yield
    if not ONLY:
        free_compilers()


@pytest.fixture(params=[TORCH, JAX], ids=lambda b: b.name)
def differentiable(request: pytest.FixtureRequest) -> Backend:
    return request.param


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture
def compiled() -> Iterator[Callable[..., Any]]:
    """Yield ``torch.compile(fullgraph=True)``, with a clean slate before and after.

    By "aot_eager": one graph, forward and backward, of which nothing is compiled to machine code.
    "inductor" is for where compiled code takes another way than what runs without.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`torch.jit.script_method`", DeprecationWarning
        )
        import torch._inductor.compile_fx  # warns of itself when it is first imported
    torch.compiler.reset()
    yield lambda f, backend="aot_eager": torch.compile(
        f, fullgraph=True, backend=backend
    )
    torch.compiler.reset()


# Where JAX runs: over the registry, where known faults are, and on the floors. It compiles each
# operation and each shape anew; the families' own tests run the same source on NumPy and PyTorch.
JAX_RUNS = {
    "array", "checks", "classes", "elementwise", "everywhere", "logits", "peers",
}  # fmt: skip


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave JAX to the tests over the registry, and to tests that are written for it."""
    left = [
        item
        for item in items
        if "[" in item.name
        and any(part == "jax" for part in re.split(r"[\[\]-]", item.name))
        and item.path.stem.removeprefix("test_") not in JAX_RUNS
        and item.path.parent.name == "losslib"
    ]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]


PEERS = ["sample", "reference", "module", "criterion", "function", "error"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests left under ``record_property("peers", (loss, counts))``.

    A row for each loss: how many inputs of each source were compared, or refused with a message,
    and their share in what PyTorch ships, which was counted before anything was compared.
    """
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for key, value in report.user_properties:
                if key == "peers":
                    rows[value[0]].update(value[1])
    if not rows:
        return
    write = terminalreporter.write_line
    terminalreporter.section("PyTorch's own test material")
    heads = [*PEERS, "gradients", "done"]
    write(f"{'':34}" + "".join(f"{head:>10}" for head in heads))
    rows = dict(sorted(rows.items()))
    rows["all"] = sum(rows.values(), Counter())
    for name, counts in rows.items():
        reasons = {k: n for k, n in counts.items() if ": " in k}
        done = sum(counts[source] for source in PEERS) + sum(
            n for k, n in reasons.items() if k.startswith("taken")
        )
        shipped = counts["shipped"] + counts["bad"]
        share = 100 * done // shipped if shipped else 0
        write(
            f"{name:34}"
            + "".join(f"{counts[head]:10}" for head in heads[:-1])
            + f"{share:8} %"
        )
        if name != "all":
            for reason, n in reasons.items():
                write(f"    of these {n} {reason}")
