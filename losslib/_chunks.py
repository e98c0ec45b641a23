"""Sums over many rows, some rows at a time, with gradients that do not hold all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from losslib._array import Array, cast, concrete, library, matmul


def in_chunks(
    f: Callable[..., Array],
    size: int,
    rows: tuple[Array | None, ...],
    shared: tuple[Array | None, ...],
) -> Array:
    """Return ``f(*rows, *shared)``, made of `size` rows at a time; f takes each row by itself.

    The gradient makes each chunk again, rather than keep what came up on the way. Only PyTorch's
    function transforms (``torch.func``), which know no such thing, keep it.
    """
    jax = sys.modules.get("jax")
    first = rows[0]
    if jax and isinstance(first, jax.Array) and first.shape[0] > size:
        again = jax.checkpoint(f)
        return jax.lax.map(
            lambda row: again(*map(_alone, row), *shared)[0],
            rows,
            batch_size=size,
        )
    if hasattr(first, "detach") and not _in_torch_func(*rows, *shared):
        from torch.utils.checkpoint import checkpoint

        f = partial(
            checkpoint, f, use_reentrant=False, preserve_rng_state=False
        )
    return library(first).concat(
        [f(*chunk, *shared) for chunk in _chunks(rows, size)], axis=0
    )


def behind_layer(f: Callable[..., Array]) -> Callable[..., Array]:
    """Return f of the logits of a linear layer as a function of the arguments of the layer."""

    def g(
        x: Array,
        t: Array,
        share: Array | None,
        matrix: Array,
        bias: Array | None,
        w: Array | None,
    ) -> Array:
        return f(_linear(x, matrix, bias), t, share, w)

    return g


def sum_in_chunks(
    f: Callable[..., Array],
    size: int,
    rows: tuple[Array | None, ...],
    shared: tuple[Array | None, ...],
) -> Array:
    """Return the sum of what `in_chunks` returns of f behind its linear layer.

    Its gradient is known up to a factor as soon as the chunk is made. PyTorch, where it runs
    eagerly and without forward derivatives, makes each chunk once, and takes the gradient then.
    """
    arrays = [x for x in (*rows, *shared) if x is not None]
    torch = sys.modules.get("torch")
    if (
        torch
        and torch.is_tensor(rows[0])
        and all(
            concrete(x)
            and torch.autograd.forward_ad.unpack_dual(x).tangent is None
            for x in arrays
        )
        and any(x.requires_grad for x in arrays)
        and torch.is_grad_enabled()
    ):
        return _sum_ahead().apply(f, size, *rows, *shared)
    return library(rows[0]).sum(
        in_chunks(behind_layer(f), size, rows, shared)
    )


def _linear(x: Array, matrix: Array, bias: Array | None) -> Array:
    logits = matmul(x, matrix.T)
    return logits if bias is None else logits + bias


def _alone(x: Array | None) -> Array | None:
    return None if x is None else x[None]


def _chunks(
    rows: Sequence[Array | None], size: int
) -> list[list[Array | None]]:
    n = next(x.shape[0] for x in rows if x is not None)
    return [
        [None if x is None else x[i : i + size] for x in rows]
        for i in range(0, max(n, 1), size)
    ]


def _in_torch_func(*arrays: Array | None) -> bool:
    torch = sys.modules["torch"]
    return not torch.compiler.is_compiling() and any(
        torch._C._functorch.is_functorch_wrapped_tensor(x)
        for x in arrays
        if x is not None
    )


@cache
def _sum_ahead() -> Any:
    """Return `sum_in_chunks` for PyTorch, as a function that comes with its gradient."""
    import torch

    def leaf(x: Array, gradient: Array | None) -> Array:
        if x is not None:
            x = x.detach().requires_grad_(gradient is not None)
            x.grad = gradient  # to be added to in place
        return x

    class SumAhead(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(
            ctx: Any,
            f: Callable[..., Array],
            size: int,
            *arrays: Array | None,
        ) -> Array:
            gradients = [
                torch.zeros_like(x) if needed else None
                for x, needed in zip(
                    arrays, ctx.needs_input_grad[2:], strict=True
                )
            ]
            *rows, matrix, bias, w = arrays
            *d_rows, d_matrix, d_bias, dw = gradients
            w = leaf(w, dw)

            def part(
                x: Array,
                t: Array,
                share: Array | None,
                dx: Array | None,
                dt: Array | None,
                d_share: Array | None,
            ) -> Array:
                logits = _linear(x, matrix, bias).requires_grad_()
                with torch.enable_grad():
                    own = leaf(t, dt), leaf(share, d_share)
                    value = f(logits, *own, w).sum()
                value.backward()
                slope = cast(logits.grad, x.dtype)
                if dx is not None:
                    torch.mm(slope, matrix, out=dx)
                if d_matrix is not None:
                    d_matrix.addmm_(slope.T, x)
                if d_bias is not None:
                    d_bias.add_(slope.sum(0))
                return value.detach()

            ctx.f, ctx.size = f, size
            ctx.save_for_backward(*arrays, *gradients)
            return sum(
                part(*chunk) for chunk in _chunks([*rows, *d_rows], size)
            )

        @staticmethod
        def backward(ctx: Any, upstream: Array) -> tuple[Array | None, ...]:
            # read once: inside a checkpoint, each read would make them anew
            saved = ctx.saved_tensors
            half = len(saved) // 2
            if not torch.is_grad_enabled():
                gradients = saved[half:]
                scaled = (
                    None if x is None else upstream * x for x in gradients
                )
                return None, None, *scaled
            # a gradient that is to be differentiated itself, at views, which depend on no other
            arrays = tuple(
                None if x is None else x.view_as(x) for x in saved[:half]
            )
            f, rows, shared = behind_layer(ctx.f), arrays[:3], arrays[3:]
            total = in_chunks(f, ctx.size, rows, shared).sum()
            needed = ctx.needs_input_grad[2:]
            leaves = [
                x for x, need in zip(arrays, needed, strict=True) if need
            ]
            found = iter(
                torch.autograd.grad(
                    total, leaves, upstream, create_graph=True
                )
            )
            exact = (next(found) if need else None for need in needed)
            return None, None, *exact

    return SumAhead
