"""The one place that knows about array libraries: namespaces, checks, what the standard lacks.

The losses above are written once against the Python array API standard. NumPy and JAX arrays
carry their namespace with them; PyTorch tensors get theirs from ``array_api_compat``. A tensor is
never converted: what comes from one library, dtype and device goes back to it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import wraps
from typing import Any, TypeAlias, TypeVar

import numpy as np

Array: TypeAlias = Any
"""An array of NumPy, PyTorch or JAX. The three share no base class, so the type is open."""

State = TypeVar("State")
Loss = TypeVar("Loss", bound=Callable[..., Any])


def library(x: Array) -> Any:
    """Return the array namespace of one array."""
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    import array_api_compat.torch as xp

    return xp


def is_array(x: object) -> bool:
    """Tell whether `x` is an array of a library that the losses run on."""
    torch = sys.modules.get("torch")
    return hasattr(x, "__array_namespace__") or (
        torch is not None and torch.is_tensor(x)
    )


def given(**arrays: Array | None) -> dict[str, Array]:
    """Return those of the named optional arrays that are not None."""
    return {name: x for name, x in arrays.items() if x is not None}


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


def _library_name(xp: Any) -> str:
    return (
        str(xp.__name__).removeprefix("array_api_compat.").partition(".")[0]
    )


def concrete(x: Array) -> bool:
    """Tell whether the values of `x` can be looked at: not while a compiler or `vmap` traces."""
    if hasattr(x, "__array_namespace__"):
        jax = sys.modules.get("jax")
        return jax is None or not isinstance(x, jax.core.Tracer)
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or x.device.type == "meta":
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
    """Return half-precision `x` in float32, in which losses on it are computed; else `x` itself."""
    xp = library(x)
    return cast(x, xp.float32) if xp.finfo(x.dtype).bits == 16 else x


def stop_gradient(x: Array) -> Array:
    """Return `x` as a constant: its value, with a gradient of zero."""
    if hasattr(x, "detach"):
        return x.detach()
    jax = sys.modules.get("jax")
    return (
        jax.lax.stop_gradient(x) if jax and isinstance(x, jax.Array) else x
    )


def log(x: Array) -> Array:
    """Natural logarithm; minus infinity at 0, where NumPy would warn."""
    xp = library(x)
    with np.errstate(divide="ignore") if xp is np else nullcontext():
        return xp.log(x)


def log1p(x: Array) -> Array:
    """Return log(1 + x); minus infinity at -1, where NumPy would warn."""
    xp = library(x)
    with np.errstate(divide="ignore") if xp is np else nullcontext():
        return xp.log1p(x)


def quotient(x: Array, y: Array | int) -> Array:
    """Return x / y; nan for 0 / 0, where NumPy would warn."""
    with (
        np.errstate(divide="ignore", invalid="ignore")
        if library(x) is np
        else nullcontext()
    ):
        return x / y


def xlogy(x: Array, y: Array) -> Array:
    r"""Return :math:`x\log y`, and 0 wherever `x` is 0, whatever `y` is (also in the gradient)."""
    xp = library(x)
    absent = x == 0
    return xp.where(absent, 0.0, x * log(xp.where(absent, 1.0, y)))


def times(share: Array, x: Array) -> Array:
    """Return share · x, and 0 wherever `share` is 0 and `x` is minus infinity."""
    xp = library(x)
    total = xp.sum(x)
    if concrete(total) and bool(total > -math.inf):
        return share * x
    return share * xp.where((share == 0) & (x == -math.inf), 0.0, x)


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


def clip(x: Array, bound: float) -> Array:
    """Return x held between -bound and bound, where its slope is 0."""
    if hasattr(x, "detach"):
        from torch.nn.functional import hardtanh

        return hardtanh(x, -bound, bound)  # for the same reason
    return library(x).clip(x, -bound, bound)


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


def fold(
    step: Callable[[State, tuple[Array, ...]], State],
    state: State,
    *rows: Array,
) -> State:
    """Return the last state of ``state = step(state, row)`` along the first axis of `rows`.

    A loop; JAX, which would compile each round of it anew, has its own.
    """
    jax = sys.modules.get("jax")
    if jax and isinstance(rows[0], jax.Array):
        last: State
        last, _ = jax.lax.scan(
            lambda s, row: (step(s, row), None), state, rows
        )
        return last
    for row in zip(*rows, strict=True):
        state = step(state, row)
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


def check_floating(**arrays: Array) -> None:
    """Raise a TypeError that names the first of the arrays without a real floating dtype."""
    for name, x in arrays.items():
        if not library(x).isdtype(x.dtype, "real floating"):
            raise TypeError(
                f"{name} must have a real floating dtype, got {x.dtype}"
            )


def check_real(**arrays: Array) -> None:
    """Raise a TypeError that names the first of the arrays with a complex dtype."""
    for name, x in arrays.items():
        if library(x).isdtype(x.dtype, "complex floating"):
            raise TypeError(f"{name} must have a real dtype, got {x.dtype}")


def check_same_shape(**arrays: Array) -> None:
    """Raise a ValueError that names the first of the arrays whose shape is not the first one's."""
    (first, x), *rest = arrays.items()
    for name, y in rest:
        if tuple(y.shape) != tuple(x.shape):
            raise ValueError(
                f"{name} must have the shape of {first}, {tuple(x.shape)}, got {tuple(y.shape)}"
            )


def check_vectors(**arrays: Array) -> None:
    """Raise a ValueError that names the first of the arrays that has no axis to sum over."""
    for name, x in arrays.items():
        if x.ndim == 0:
            raise ValueError(
                f"{name} must have at least one axis, got shape ()"
            )


def check_unit_interval(*, slack: float = 0.0, **arrays: Array) -> None:
    """Raise a ValueError that names the first of the arrays with a value outside [0, 1 + slack]."""
    for name, x in arrays.items():
        if library(x).isdtype(x.dtype, "unsigned integer"):
            x = cast(x, library(x).float32)  # PyTorch does not compare them
        if concrete(x) and not _within_unit_interval(x, slack):
            outside = first_where(x, ~((x >= 0) & (x <= 1 + slack)))
            raise ValueError(
                f"{name} must hold probabilities in [0, 1], got {outside}"
            )


def _within_unit_interval(x: Array, slack: float) -> bool:
    xp = library(x)
    if xp.isdtype(x.dtype, "bool") or not math.prod(x.shape):
        return True
    x = stop_gradient(x)
    least, most = xp.min(x), xp.max(x)
    return not concrete(least) or (
        bool(least >= 0) and bool(most <= 1 + slack)  # false for nan
    )


def check_not_negative(**arrays: Array) -> None:
    """Raise a ValueError that names the first of the arrays with a negative value."""
    for name, x in arrays.items():
        if seen(x < 0):
            raise ValueError(
                f"{name} must not be negative, got {first_where(x, x < 0)}"
            )


def check_option(**options: float) -> None:
    """Raise an error that names the first of the options that is no number above 0."""
    for name, value in options.items():
        if not hasattr(value, "__float__"):
            raise TypeError(f"{name} must be a real number, got {value!r}")
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value!r}")


def check_axis(axis: int, **arrays: Array) -> None:
    """Raise a ValueError that names the first of the arrays without such an axis."""
    for name, x in arrays.items():
        if not (isinstance(axis, int) and -x.ndim <= axis < x.ndim):
            raise ValueError(
                f"axis must be an axis of {name}, {x.ndim}-dimensional, got {axis!r}"
            )


def check_broadcasts(to: tuple[int, ...], **arrays: Array) -> None:
    """Raise a ValueError that names the first of the arrays that does not broadcast to a shape."""
    for name, x in arrays.items():
        shape = tuple(x.shape)
        padded = (1,) * (len(to) - len(shape)) + shape
        if len(shape) > len(to) or any(
            a not in (1, b) for a, b in zip(padded, to, strict=False)
        ):
            raise ValueError(
                f"{name} must broadcast to the shape of input, {to}, got {shape}"
            )


def check_class_weight(weight: Array | None, n_classes: int) -> None:
    """Raise a ValueError unless `weight` is None or holds one number per class."""
    if weight is None:
        return
    if tuple(weight.shape) != (n_classes,):
        raise ValueError(
            f"weight must hold one number per class, shape ({n_classes},), "
            f"got shape {tuple(weight.shape)}"
        )


def check_classification(
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int | None = -100,
) -> tuple[Any, Array]:
    """Check scores ``(C,)`` or ``(N, C, d1, …)`` against class indices of any integer dtype.

    Returns
    -------
    tuple
        The namespace, and the indices in the dtype that indexes: PyTorch compares a uint8 with
        -100 as if that were 156, and NumPy takes no uint64.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the shapes do not match, or a target class is neither in 0 … C-1 nor `ignore_index`.
    """
    xp = namespace(input=input, target=target, **given(weight=weight))
    check_floating(input=input, **given(weight=weight))
    check_vectors(input=input)
    axis = class_axis(input)
    n_classes = input.shape[axis]
    check_class_weight(weight, n_classes)
    expected = tuple(input.shape[:axis]) + tuple(input.shape[axis + 1 :])
    samples = (
        f"one class per sample of input {tuple(input.shape)} "
        f"with its classes on axis {axis}"
    )
    return xp, check_class_indices(
        target, n_classes, expected, samples, ignore_index
    )


def check_class_indices(
    target: Array,
    n_classes: int,
    shape: tuple[int, ...],
    samples: str,
    ignore_index: int | None,
) -> Array:
    """Return class indices of any integer dtype in the one that indexes, or raise if they are none.

    The shape is the one expected, and `samples` says in words why.
    """
    xp = library(target)
    if not xp.isdtype(target.dtype, "integral"):
        raise TypeError(
            f"target must hold class indices of an integer dtype, got {target.dtype}"
        )
    if tuple(target.shape) != shape:
        raise ValueError(
            f"target must have shape {shape}, {samples}, got {tuple(target.shape)}"
        )
    target = cast(target, xp.arange(0).dtype)
    outside, or_else = (target < 0) | (target >= n_classes), ""
    if ignore_index is not None:
        outside = outside & (target != ignore_index)
        or_else = f" (or ignore_index={ignore_index})"
    if seen(outside):
        raise ValueError(
            f"target must hold classes in 0 … {n_classes - 1}{or_else}, "
            f"got {first_where(target, outside)}"
        )
    return target


def first_where(x: Array, mask: Array) -> str:
    xp = library(mask)
    first = int(xp.argmax(cast(xp.reshape(mask, (-1,)), xp.int8)))
    position = tuple(
        int(i) for i in np.unravel_index(first, tuple(mask.shape))
    )
    return f"{x[position]} at position {position}"
