"""What the tests of losslib share: the three array libraries, behind one small interface."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

# What JAX compiles is kept on disk as long as the run lasts: its workers share it, and a module's
# end can free what JAX holds of it in memory.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    KEPT = TemporaryDirectory(prefix="jax-", ignore_cleanup_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = KEPT.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from book.registry import TABLE, Entry

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
# JAX compiles every operation anew for every shape and dtype. What runs over all shapes and dtypes
# on NumPy and PyTorch runs there over two shapes (conftest.py), and over one half and float32.
TRACED_SHAPES = [(3,), (4, 3, 2)]
BY_DTYPE = [
    pytest.param(b, d, id=f"{b.name}-{d}")
    for b in BACKENDS
    for d in b.floats
    if b is not JAX or d in ("float32", "bfloat16")
]


def free_compilers() -> None:
    """Let go of all programs that JAX and PyTorch hold."""
    jax.clear_caches()
    torch.compiler.reset()
    gc.collect()


def as_dtype(backend: Backend, x: Any, dtype: str | None) -> Any:
    """Return an array of NumPy as one of `backend`, its floats in `dtype`; all else as it is."""
    if not isinstance(x, np.ndarray | np.generic):
        return x
    return backend.array(x, dtype if x.dtype.kind == "f" else None)


def agrees_with_pytorch(
    backend: Backend,
    dtype: str,
    loss: Callable[..., Any],
    arrays: list[np.ndarray],
    leaves: int,
    options: dict[str, Any],
) -> None:
    """Compare a loss and its first gradients with PyTorch's float64, on the rounded arrays."""

    def exact(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            return x
        return torch.tensor(backend.numpy(as_dtype(backend, x, dtype)))

    arrays = [
        np.asarray(x) if isinstance(x, np.generic) else x for x in arrays
    ]
    own = [as_dtype(backend, x, dtype) for x in arrays]
    mine = {key: as_dtype(backend, x, dtype) for key, x in options.items()}
    got = loss(*own, **mine)
    assert backend.dtype_of(got) == dtype
    theirs = [exact(x) for x in arrays]
    for x in theirs[:leaves]:
        x.requires_grad_()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "reduction: 'mean' divides")
        expected = getattr(F, loss.__name__)(
            *theirs, **{key: exact(x) for key, x in options.items()}
        )
    assert tuple(got.shape) == tuple(expected.shape)
    close = partial(
        np.testing.assert_allclose,
        rtol=ROUND_OFF[dtype],
        atol=ROUND_OFF[dtype],
    )
    close(backend.numpy(got), expected.detach())
    if backend.name == "numpy":
        return
    expected.sum().backward()
    for i in range(leaves):
        f = lambda x, i=i: loss(*own[:i], x, *own[i + 1 :], **mine)  # noqa: E731
        close(backend.gradient(f, own[i]), theirs[i].grad)


def differentiates_and_traces(
    loss: Callable[..., Any],
    arrays: list[np.ndarray],
    leaves: int,
    options: dict[str, Any],
) -> None:
    """Check gradients by finite differences, and the loss under ``jit``, ``grad`` and ``vmap``."""
    names = [k for k, x in options.items() if isinstance(x, np.ndarray)]
    fixed = {k: x for k, x in options.items() if k not in names}
    given = [*arrays, *(options[name] for name in names)]
    n = len(arrays)

    def f(*xs: Any, reduction: str = "mean") -> Any:
        extra = dict(zip(names, xs[n:], strict=True))
        return loss(*xs[:n], **extra, **fixed, reduction=reduction)

    tensors = [TORCH.array(x) for x in given]
    for x in tensors[:leaves]:
        x.requires_grad_()
    assert torch.autograd.gradcheck(f, tensors)
    assert torch.autograd.gradgradcheck(f, tensors)

    each = partial(f, reduction="none")
    lead = arrays[0].shape[0]
    axes = tuple(
        0
        if x.ndim == arrays[0].ndim or (k < n and x.shape[0] == lead)
        else None
        for k, x in enumerate(given)
    )
    close = partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-14)
    plain = [x.detach() for x in tensors]
    values = each(*plain)
    close(torch.func.vmap(each, axes)(*plain), values)
    loss_ = f(*tensors)
    (slope,) = torch.autograd.grad(loss_, tensors[0])

    @jax.jit
    def traced(*xs: Any) -> Any:
        return *jax.value_and_grad(f)(*xs), jax.vmap(each, axes)(*xs)

    got = traced(*(JAX.array(x) for x in given))
    for mine, theirs in zip(
        got, (loss_.detach(), slope, values), strict=True
    ):
        close(mine, theirs)


def compiles(
    compiled: Callable[..., Any],
    loss: Callable[..., Any],
    arrays: list[np.ndarray],
    options: dict[str, Any],
) -> None:
    """Check the value and gradient of a loss that ``torch.compile`` took in one graph."""
    mine = {key: as_dtype(TORCH, x, None) for key, x in options.items()}
    first, *rest = [TORCH.array(x) for x in arrays]
    leaf, other = (first.clone().requires_grad_() for _ in range(2))
    f = partial(loss, **mine)
    got, expected = compiled(f)(leaf, *rest), f(other, *rest)
    got.backward()
    expected.backward()
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        leaf.grad, other.grad, rtol=1e-12, atol=1e-12
    )


def refuses(
    backend: Backend,
    loss: Callable[..., Any],
    args: tuple[Any, ...],
    options: dict[str, Any],
    words: str,
) -> None:
    """Check that a loss refuses its arguments, by a message that names the one at fault."""
    arrays = [as_dtype(backend, x, None) for x in args]
    mine = {key: as_dtype(backend, x, None) for key, x in options.items()}
    with pytest.raises((TypeError, ValueError), match=words) as caught:
        loss(*arrays, **mine)
    of_type = (
        "dtype",
        "array",
        "must be an integer",
        "must be a real number",
    )
    kind = TypeError if any(w in words for w in of_type) else ValueError
    assert caught.type is kind, caught.value


# Modules of losslib, if not all are to be tried (book.mutation sets it).
ONLY = os.environ.get("LOSSLIB_MODULES", "").split()


def by_entry(
    chosen: Callable[[Entry], Any] = lambda entry: True,
    arrays: Callable[[Entry], Any] = lambda entry: [None],
) -> list[Any]:
    """Return the names of entries of the registry, each marked with its module's name.

    With `arrays`, pairs of a name and of one of those arguments.
    """
    return [
        pytest.param(name, id=f"{name}-{entry.module}")
        if key is None
        else pytest.param(name, key, id=f"{name}-{entry.module}-{key}")
        for name, entry in TABLE.items()
        if chosen(entry) and (not ONLY or entry.module in ONLY)
        for key in arrays(entry)
    ]
