"""What the tests of losslib share: the three array libraries, behind one small interface."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

hypothesis.settings.register_profile(
    "losslib", deadline=None, derandomize=True, max_examples=60
)
hypothesis.settings.load_profile("losslib")
torch.set_num_threads(1)

SHAPES = [
    (3,),
    (4, 3),
    (4, 3, 2),
    (2, 3, 2, 2),
    (2, 3, 2, 1, 3),
]  # (C) … (N, C, d1, d2, d3)
REDUCTIONS = ["none", "mean", "sum"]
LABEL_DTYPES = [
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]
ROUND_OFF = {
    "float64": 1e-12,
    "float32": 2e-5,
    "float16": 4e-3,
    "bfloat16": 3e-2,
}


@dataclass(frozen=True)
class Backend:
    """One array library: how to make an array of it, and how to look at one."""

    name: str
    xp: Any
    floats: tuple[str, ...]
    make: Callable[..., Any]

    def array(self, x: Any, dtype: str | None = None) -> Any:
        """Return `x` (None stays None) as an array of this library."""
        return None if x is None else self.make(np.asarray(x), dtype)

    def numpy(self, x: Any) -> np.ndarray:
        """Return an array of this library as float64 (or integers) of NumPy."""
        if self.name == "torch":
            x = x.detach()
            return (
                x.double().numpy() if x.is_floating_point() else x.numpy()
            )
        y = np.asarray(x)
        return y if y.dtype.kind in "biu" else y.astype(np.float64)

    def dtype_of(self, x: Any) -> str:
        return str(x.dtype).removeprefix("torch.")

    def gradient(self, f: Callable[..., Any], x: Any) -> np.ndarray:
        """Return the gradient of the sum of ``f(x)``, by the library's own differentiation."""
        if self.name == "jax":
            return self.numpy(jax.grad(lambda leaf: jnp.sum(f(leaf)))(x))
        leaf = x.clone().requires_grad_()
        f(leaf).sum().backward()
        return self.numpy(leaf.grad)


def _numpy(x: np.ndarray, dtype: str | None) -> np.ndarray:
    return x if dtype is None else x.astype(dtype)


def _torch(x: np.ndarray, dtype: str | None) -> torch.Tensor:
    tensor = torch.from_numpy(np.array(x))
    return tensor if dtype is None else tensor.to(getattr(torch, dtype))


def _jax(x: np.ndarray, dtype: str | None) -> jax.Array:
    return jnp.asarray(x, dtype=dtype)


HALVES = ("float16", "bfloat16")
NUMPY = Backend("numpy", np, ("float64", "float32", "float16"), _numpy)
TORCH = Backend("torch", torch, ("float64", "float32", *HALVES), _torch)
JAX = Backend("jax", jnp, ("float64", "float32", *HALVES), _jax)
BACKENDS = [NUMPY, TORCH, JAX]
BY_DTYPE = [
    pytest.param(b, d, id=f"{b.name}-{d}")
    for b in BACKENDS
    for d in b.floats
]


@pytest.fixture(params=BACKENDS, ids=lambda b: b.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param


@pytest.fixture(params=[TORCH, JAX], ids=lambda b: b.name)
def differentiable(request: pytest.FixtureRequest) -> Backend:
    return request.param


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240229)


@pytest.fixture
def compiled() -> Iterator[Callable[..., Any]]:
    """Yield ``torch.compile(fullgraph=True)``, with a clean slate before and after."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`torch.jit.script_method`", DeprecationWarning
        )
        import torch._inductor.compile_fx  # warns of itself when it is first imported
    torch.compiler.reset()
    yield lambda f: torch.compile(f, fullgraph=True)
    torch.compiler.reset()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests left under ``record_property("peers", line)``: counts by operator."""
    lines = [
        value
        for report in terminalreporter.stats.get("passed", [])
        for key, value in report.user_properties
        if key == "peers"
    ]
    if lines:
        terminalreporter.section("PyTorch's own test material")
        for line in sorted(lines):
            terminalreporter.write_line(line)
