"""The one place that knows about array libraries: namespaces, and what the standard lacks.

The losses above are written once against the Python array API standard. NumPy and JAX arrays
carry their namespace with them; PyTorch tensors get theirs from ``array_api_compat``. A tensor is
never converted: what comes from one library, dtype and device goes back to it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from itertools import accumulate
from typing import Any, TypeAlias, TypeVar

import numpy as np

Array: TypeAlias = Any
"""An array of NumPy, PyTorch or JAX. The three share no base class, so the type is open."""

State = TypeVar("State", bound=tuple[Any, ...])
Loss = TypeVar("Loss", bound=Callable[..., Any])


def library(x: Array) -> Any:
    """Return the array namespace of one array."""
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    import array_api_compat.torch as xp

    return xp


def is_array(x: object) -> bool:
    """Tell whether `x` is an array of a library that the losses run on.

    NumPy's matrices and masked arrays are none: their products and sums are others.
    """
    if hasattr(x, "__array_namespace__"):
        return not isinstance(x, np.matrix | np.ma.MaskedArray)
    torch = sys.modules.get("torch")
    return torch is not None and torch.is_tensor(x)


def namespace(**arrays: Array) -> Any:
    """Return the one namespace of the named arrays.

    Raises
    ------
    TypeError
        If one is not an array, or if they come from two libraries.
    """
    first, xp = "", None
    for name, x in arrays.items():
        if not is_array(x):
            raise TypeError(
                f"{name} must be an array of NumPy, PyTorch or JAX, got {type(x).__name__}"
            )
        if hasattr(x, "detach") and not _dense(x):
            kind = "nested" if x.is_nested else x.layout
            raise TypeError(
                f"{name} must be a dense tensor, got a {kind} one"
            )
        if xp is None:
            first, xp = name, library(x)
        elif library(x) is not xp:
            raise TypeError(
                f"{name} must come from the same array library as {first}: "
                f"{first} is of {type(arrays[first]).__name__!r}, "
                f"{name} of {type(x).__name__!r} ({_library_name(xp)} and "
                f"{_library_name(library(x))})"
            )
    return xp


def _dense(x: Array) -> bool:
    """Tell whether a tensor of PyTorch has one number for each place."""
    return not x.is_nested and x.layout == sys.modules["torch"].strided


def _library_name(xp: Any) -> str:
    return (
        str(xp.__name__).removeprefix("array_api_compat.").partition(".")[0]
    )


def concrete(x: Array) -> bool:
    """Tell whether the values of `x` can be looked at.

    Not while a compiler or `vmap` traces, nor while a CUDA graph is captured.
    """
    if hasattr(x, "__array_namespace__"):
        jax = sys.modules.get("jax")
        return jax is None or not isinstance(x, jax.core.Tracer)
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or x.device.type == "meta":
        return False
    if x.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        return False
    return not torch._C._functorch.is_functorch_wrapped_tensor(x)


def seen(mask: Array) -> bool:
    """Tell whether a mask holds anywhere, as far as its values can be looked at."""
    return concrete(mask) and bool(library(mask).any(mask))


def cast(x: Array, dtype: Any) -> Array:
    """Return `x` in another dtype, `x` itself if it has that dtype already."""
    if x.dtype == dtype:
        return x
    return x.astype(dtype) if hasattr(x, "astype") else x.to(dtype)


def lift(x: Array) -> Array:
    """Return `x` of 16 bits or fewer in float32, in which its loss is computed; else `x` itself."""
    xp = library(x)
    return cast(x, xp.float32) if xp.finfo(x.dtype).bits <= 16 else x


def stop_gradient(x: Array) -> Array:
    """Return `x` as a constant: its value, with a gradient of zero."""
    if hasattr(x, "detach"):
        return x.detach()
    jax = sys.modules.get("jax")
    return (
        jax.lax.stop_gradient(x) if jax and isinstance(x, jax.Array) else x
    )


def quiet(x: Array, **kinds: Any) -> AbstractContextManager[Any]:
    """Return a context in which NumPy, if `x` is of it, does not warn as PyTorch and JAX do not."""
    return np.errstate(**kinds) if library(x) is np else nullcontext()


def log(x: Array) -> Array:
    """Natural logarithm; minus infinity at 0."""
    with quiet(x, divide="ignore"):
        return library(x).log(x)


def log1p(x: Array) -> Array:
    """Return log(1 + x); minus infinity at -1."""
    with quiet(x, divide="ignore"):
        return library(x).log1p(x)


def quotient(x: Array, y: Array | int) -> Array:
    """Return x / y; nan for 0 / 0."""
    with quiet(x, divide="ignore", invalid="ignore"):
        return x / y


def xlogy(x: Array, y: Array) -> Array:
    r"""Return :math:`x\log y`, and 0 wherever `x` is 0, whatever `y` is (also in the gradient)."""
    xp = library(x)
    absent = x == 0
    return xp.where(absent, 0.0, x * log(xp.where(absent, 1.0, y)))


def log_gamma(x: Array) -> Array:
    r"""Return :math:`\log\Gamma(x)` for `x` of at least 0; infinite at 0."""
    if hasattr(x, "detach"):
        return x.lgamma()
    jax = sys.modules.get("jax")
    if jax and isinstance(x, jax.Array):
        from jax.scipy.special import gammaln

        return gammaln(x)
    wide = np.asarray(x, dtype=np.float64)
    inside = (wide > 0) & (wide < 1e305)  # beyond, it is more than there is
    found = _LOG_GAMMA(np.where(inside, wide, 1.0))
    outside = np.where(wide >= 0, math.inf, math.nan)
    return np.where(inside, found, outside).astype(x.dtype)


_LOG_GAMMA = np.frompyfunc(math.lgamma, 1, 1)


def times(share: Array, x: Array) -> Array:
    """Return share · x, and 0 wherever `share` is 0 and `x` is minus infinity."""
    xp = library(x)
    total = xp.sum(x)
    if concrete(total) and bool(total > -math.inf):
        return share * x
    return share * xp.where((share == 0) & (x == -math.inf), 0.0, x)


def sum_along(
    x: Array, axis: int | tuple[int, ...], *, keepdims: bool = False
) -> Array:
    """Return the sum along an axis, on NumPy in float64: but for the last it adds one by one."""
    total = library(x).sum(x, axis=axis, keepdims=keepdims, **wider(x))
    return cast(total, x.dtype)


def wider(x: Array) -> dict[str, Any]:
    """Return the dtype in which NumPy is to add what is in single precision, as an option."""
    single = library(x) is np and x.dtype == np.float32
    return {"dtype": np.float64} if single else {}


def product_sum(share: Array, x: Array, axis: int) -> Array:
    """Return the sum of share · x along an axis, where a share of 0 leaves out what is infinite."""
    xp = library(x)
    with quiet(x, invalid="ignore"):
        total = sum_along(share * x, axis)
    odd = xp.isnan(total)
    if concrete(odd) and not seen(odd):
        return total
    return sum_along(times(share, x), axis)


def relu(x: Array) -> Array:
    """Return x where it is above 0, else 0; the slope at 0 is 0."""
    if hasattr(x, "relu"):
        return x.relu()  # PyTorch's `where` takes twenty times as long
    return library(x).where(x <= 0, 0.0, x)


def remake_masks(loss: Loss) -> Loss:
    """Have ``torch.compile`` make the masks of a loss again in its backward pass.

    To store them in the forward pass takes it several times as long as all the rest of the loss.
    """

    @wraps(loss)
    def compiled_or_not(*args: Any, **options: Any) -> Array:
        torch = sys.modules.get("torch")
        if torch is None or not torch.compiler.is_compiling():
            return loss(*args, **options)
        from torch.utils.checkpoint import checkpoint

        return checkpoint(loss, *args, use_reentrant=False, **options)

    return compiled_or_not  # type: ignore[return-value]


def remade(formula: Callable[..., Array], *arrays: Array) -> Array:
    """Return ``formula(*arrays)``, whose masks ``torch.compile`` makes again in the backward pass.

    To store them in the forward pass takes it several times as long as all the rest of the loss.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.compiler.is_compiling():
        return formula(*arrays)
    from torch.utils.checkpoint import checkpoint

    return checkpoint(formula, *arrays, use_reentrant=False)


def absolute(x: Array) -> Array:
    """Return |x|; its slope at 0 is 0, the middle of all subgradients, in every library."""
    xp = library(x)
    jax = sys.modules.get("jax")
    if jax and isinstance(x, jax.Array):
        return x * xp.sign(x)  # the slope of JAX's `abs` is 1
    return xp.abs(x)


def erf(x: Array) -> Array:
    r"""Return the error function; :math:`2\Phi(x)-1` is that of :math:`x/\sqrt2`."""
    if hasattr(x, "erf"):
        return x.erf()
    jax = sys.modules.get("jax")
    if jax and isinstance(x, jax.Array):
        return jax.lax.erf(x)
    return np.vectorize(math.erf, otypes=[x.dtype])(x)  # NumPy has none


def minus(x: Array, share: float, y: Array) -> Array:
    """Return x - share · y, in one pass where the library has one."""
    if hasattr(x, "detach"):
        return x.sub(y, alpha=share)
    return x - share * y


def spoiled(x: Array, wrong: Array) -> Array:
    """Return x, and nan where a mask holds; so is the gradient there, whatever is done with x."""
    return x * library(x).where(wrong, math.nan, 1.0)


def number(value: float, like: Array) -> Array:
    """Return a number as an array without axes, in the library, dtype and device of `like`."""
    return library(like).full((), value, dtype=like.dtype, **_device(like))


def numbers(values: Sequence[float] | Array, like: Array) -> Array:
    """Return a list of numbers as an array, in the library, dtype and device of `like`.

    Or an array of that library, whose gradient goes on.
    """
    if hasattr(values, "detach"):
        return values.to(like)  # type: ignore[union-attr]
    return library(like).asarray(values, dtype=like.dtype, **_device(like))


def clip(x: Array, bound: float) -> Array:
    """Return x held between -bound and bound, where its slope is 0."""
    if hasattr(x, "detach"):
        from torch.nn.functional import hardtanh

        return hardtanh(x, -bound, bound)  # for the same reason
    return library(x).clip(x, -bound, bound)


def matmul(x: Array, y: Array) -> Array:
    """Return x @ y, worked out in their dtype: ``torch.autocast`` would take halves of them."""
    with without_autocast(x):
        return x @ y


def without_autocast(x: Array) -> Any:
    """Return a context in which PyTorch computes in the dtypes that it is given."""
    kind = x.device.type if hasattr(x, "detach") else ""
    if kind in ("", "meta") or not (
        sys.modules["torch"].is_autocast_enabled(kind)
    ):
        return nullcontext()
    return sys.modules["torch"].autocast(kind, enabled=False)


def poison(x: Array, bad: Array) -> Array:
    """Return `x`, nan with a gradient of nan where `bad` holds."""
    return x * library(x).where(bad, math.nan, cast(bad, x.dtype) + 1)


def silence(x: Array, weight: Array) -> Array:
    """Return `x`, but 0 where its weight is 0: what times 0 shall be 0 may be infinite."""
    none = weight == 0
    if concrete(none) and not seen(none):
        return x
    return library(x).where(none, 0.0, x)


def runs_eagerly(x: Array) -> bool:
    """Tell whether `x` is a tensor of PyTorch that no compiler traces."""
    return hasattr(x, "detach") and not (
        sys.modules["torch"].compiler.is_compiling()
    )


def writable(x: Array) -> bool:
    """Tell whether `x` is a tensor of PyTorch that no derivative and no `vmap` follows."""
    if not hasattr(x, "detach"):
        return False
    torch = sys.modules["torch"]
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    if torch._C._functorch.is_functorch_wrapped_tensor(x):
        return False
    return torch.autograd.forward_ad.unpack_dual(x).tangent is None


def class_axis(x: Array) -> int:
    """Return the axis of the classes: 0 for a single sample ``(C,)``, 1 for ``(N, C, d1, …)``."""
    return 0 if x.ndim == 1 else 1


def pick(x: Array, target: Array) -> Array:
    """Return, for each sample, the entry of `x` at its target class."""
    xp, axis = library(x), class_axis(x)
    index = xp.expand_dims(target, axis=axis)
    return xp.squeeze(xp.take_along_axis(x, index, axis=axis), axis=axis)


def class_indices(x: Array) -> Array:
    """Return 0 … C-1, on the device of `x`."""
    return positions(x, class_axis(x))


def positions(x: Array, axis: int) -> Array:
    """Return 0, 1, 2, … along an axis of `x`, on its device."""
    return library(x).arange(x.shape[axis], **_device(x))


def indices(x: Array | Sequence[int], like: Array) -> Array:
    """Return `x` in the dtype that indexes, in the library and on the device of `like`."""
    xp = library(like)
    return xp.asarray(x, dtype=xp.arange(0).dtype, **_device(like))


def _device(x: Array) -> dict[str, Any]:
    return {"device": x.device} if hasattr(x, "detach") else {}


def contiguous(x: Array) -> Array:
    """Return x with its elements in order in memory, which PyTorch is several times as fast on."""
    return x.contiguous() if hasattr(x, "contiguous") else x


def fold(
    step: Callable[[State, tuple[Array, ...]], State],
    state: State,
    *rows: Array,
) -> tuple[State, State]:
    """Return the last state of ``state = step(state, row)`` along the first axis of `rows`.

    And each state, stacked, without the one it began with. A loop; JAX, which would compile each
    round of it anew, has its own.
    """
    jax = sys.modules.get("jax")
    if jax and isinstance(rows[0], jax.Array):

        def both(
            state: State, row: tuple[Array, ...]
        ) -> tuple[State, State]:
            state = step(state, row)
            return state, state

        return jax.lax.scan(both, state, rows)  # type: ignore[no-any-return]
    states = list(accumulate(zip(*rows, strict=True), step, initial=state))
    xp = library(rows[0])
    stacked = (xp.stack(x)[1:] for x in zip(*states, strict=True))
    return states[-1], tuple(stacked)  # type: ignore[return-value]


def running(join: Callable[[State, State], State], *state: Array) -> State:
    """Return what `join` makes of all entries up to each, along the last axis.

    It must not matter where one begins to join. Of n entries, in log n steps, each over all at
    once.
    """
    xp, step = library(state[0]), 1
    while step < state[0].shape[-1]:
        joined = join(
            tuple(x[..., :-step] for x in state),  # type: ignore[arg-type]
            tuple(x[..., step:] for x in state),  # type: ignore[arg-type]
        )
        state = tuple(
            xp.concat([x[..., :step], y], axis=-1)
            for x, y in zip(state, joined, strict=True)
        )
        step *= 2
    return state  # type: ignore[return-value]


def log_add(x: Array, y: Array) -> Array:
    """Return log(exp(x) + exp(y)), with the true second derivative: `logaddexp` may have nan."""
    xp = library(x)
    if hasattr(x, "detach") and not sys.modules["torch"].is_grad_enabled():
        return xp.logaddexp(x, y)  # one pass
    top = xp.maximum(stop_gradient(x), stop_gradient(y))
    return xp.log(xp.exp(x - top) + xp.exp(y - top)) + top


def with_slope(
    value: Callable[..., Array],
    value_and_slope: Callable[..., tuple[Array, Array]],
    x: Array,
    *rest: Any,
    over: tuple[int, ...] = (),
) -> Array:
    """Return ``value(x, *rest)`` with the gradient that is written out.

    The slope has the shape of `x`. Values have it too, but for the axes `over` which x is summed;
    none depends on another's entries. Of the rest, the last is no array, the others are. Nothing
    else of the formula is kept for the backward pass. The second derivative is that of the slope.
    """
    jax = sys.modules.get("jax")
    if jax and isinstance(x, jax.Array):
        given = jax.custom_jvp(value, nondiff_argnums=(len(rest),))

        def jvp(last: Any, arguments: Any, tangents: Any) -> Any:
            y, slope = value_and_slope(*arguments, last)
            return y, (slope * tangents[0]).sum(axis=over)

        given.defjvp(jvp)
        return given(x, *rest)
    if over and _traced_alone(x):
        *tensors, last = rest
        name = _as_one(value_and_slope, over)
        one = getattr(sys.modules["torch"].ops.losslib, name)
        return one(x, tensors, last)[0]
    if not runs_eagerly(x) or not x.requires_grad:
        return value(x, *rest)
    return _given_slope().apply(value_and_slope, over, x, *rest)[0]


def _traced_alone(x: Array) -> bool:
    """Tell whether a compiler of PyTorch traces `x`, and no `torch.func` transform beside it."""
    if not hasattr(x, "detach") or runs_eagerly(x):
        return False
    active = sys.modules["torch"]._C._are_functorch_transforms_active
    return not active()


def _as_one(
    value_and_slope: Callable[..., tuple[Array, Array]],
    over: tuple[int, ...],
) -> str:
    """Make it one operation of PyTorch, whose loops a compiler does not unroll; return its name."""
    import torch

    name = value_and_slope.__name__
    if hasattr(torch.ops.losslib, name):
        return name

    def run(x: Any, rest: Any, last: int) -> Any:
        with torch.no_grad():
            value, slope = value_and_slope(x, *rest, last)
        return value.contiguous(), slope.contiguous()

    def shapes(x: Any, rest: Any, last: int) -> Any:
        kept = [n for axis, n in enumerate(x.shape) if axis not in over]
        return x.new_empty(kept), x.new_empty(x.shape)

    def keep(ctx: Any, inputs: Any, output: Any) -> None:
        x, rest, ctx.last = inputs
        ctx.save_for_backward(x, *rest, output[1])

    def backward(ctx: Any, g: Any, _: Any) -> Any:
        *tensors, slope = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated
            _, slope = value_and_slope(*tensors, ctx.last)
        none = [None] * (len(tensors) - 1)
        return spread(g, over) * slope, none, None

    one = torch.library.custom_op(
        f"losslib::{name}",
        run,
        mutates_args=(),
        schema="(Tensor x, Tensor[] rest, int last) -> (Tensor, Tensor)",
    )
    one.register_fake(shapes)
    one.register_autograd(backward, setup_context=keep)
    return name


# Run while a compiler traces, not traced: what torch.compiler.assume_constant_result would mark.
vars(_as_one)["_dynamo_marked_constant"] = True


def spread(x: Array, axes: tuple[int, ...]) -> Array:
    """Return x with axes of length 1 put in."""
    for axis in axes:
        x = library(x).expand_dims(x, axis=axis)
    return x


@cache
def _given_slope() -> Any:
    """Return the function of PyTorch with the slope that it is given."""
    import torch

    class GivenSlope(torch.autograd.Function):  # type: ignore[misc]
        generate_vmap_rule = True

        @staticmethod
        def forward(value_and_slope: Any, _: Any, *arguments: Any) -> Any:
            return value_and_slope(*arguments)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.value_and_slope, ctx.over, *arguments = inputs
            ctx.mark_non_differentiable(output[1])
            *tensors, ctx.last = arguments
            ctx.save_for_backward(*tensors, output[1])
            ctx.save_for_forward(*tensors)

        @staticmethod
        def backward(ctx: Any, g: Any, _: Any) -> Any:
            *tensors, slope = ctx.saved_tensors
            if (
                torch.is_grad_enabled()
            ):  # the gradient is to be differentiated
                _, slope = ctx.value_and_slope(*tensors, ctx.last)
            none = [None] * len(tensors)
            return None, None, spread(g, ctx.over) * slope, *none

        @staticmethod
        def jvp(ctx: Any, _: Any, __: Any, dx: Any, *rest: Any) -> Any:
            _, slope = ctx.value_and_slope(*ctx.saved_tensors, ctx.last)
            dy = slope * dx
            return dy.sum(dim=ctx.over) if ctx.over else dy, None

    return GivenSlope


def repeat(
    step: Callable[[tuple[Array, ...]], tuple[Array, ...]],
    state: tuple[Array, ...],
    times: int,
) -> tuple[Array, ...]:
    """Return the state after so many rounds of ``state = step(state)``, none differentiated.

    A loop; JAX and a compiled PyTorch, which would unroll it, have their own.
    """
    jax, torch = sys.modules.get("jax"), sys.modules.get("torch")
    if jax and isinstance(state[0], jax.Array):
        last: tuple[Array, ...] = jax.lax.fori_loop(
            0, times, lambda _, s: step(s), state
        )
        return last
    if torch and torch.is_tensor(state[0]):
        with torch.no_grad():
            if torch.compiler.is_compiling():
                left = torch.full((), times, device=state[0].device)
                _, *after = torch.while_loop(
                    lambda left, *_: left > 0,
                    lambda left, *s: (left - 1, *step(s)),
                    (left, *state),
                )
                return tuple(after)
            return _looped(step, state, times)
    return _looped(step, state, times)


def _looped(
    step: Callable[[tuple[Array, ...]], tuple[Array, ...]],
    state: tuple[Array, ...],
    times: int,
) -> tuple[Array, ...]:
    for _ in range(times):
        state = step(state)
    return state


def one_hot(target: Array, x: Array) -> Array:
    """Return 1 at the target class of each sample, 0 elsewhere, in the shape and dtype of `x`."""
    xp, axis = library(x), class_axis(x)
    classes = along_classes(class_indices(x), x)
    return cast(xp.expand_dims(target, axis=axis) == classes, x.dtype)


def listed_classes(labels: Array, listed: Array, x: Array) -> Array:
    """Tell for each class of `x` whether it is among the listed ones of the labels ``(…, S)``."""
    xp = library(x)
    if hasattr(x, "scatter_add"):  # compiled, S is C: to compare takes C·C
        ones = cast(listed, x.dtype)
        return xp.zeros_like(x).scatter_add(-1, labels, ones) > 0
    same = labels[..., None] == class_indices(x)
    return xp.any(same & listed[..., None], axis=-2)


def along_classes(weight: Array, x: Array) -> Array:
    """Return a weight per class ``(C,)`` in a shape that broadcasts against `x`."""
    axis = class_axis(x)
    return library(x).reshape(
        weight, (1,) * axis + (-1,) + (1,) * (x.ndim - axis - 1)
    )
