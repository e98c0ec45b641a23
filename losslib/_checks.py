"""What an argument must be, and what is said where it is not.

Every check names the argument, what came and what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

from losslib._array import (
    Array,
    cast,
    class_axis,
    concrete,
    library,
    lift,
    namespace,
    number,
    seen,
    spoiled,
    stop_gradient,
)

OPTIONAL = ("weight", "pos_weight", "mask")
"""The arguments of a loss of one element each that may be None."""


def elements(
    *,
    labels: Sequence[str] = (),
    broadcast: Sequence[str] = (),
    **arrays: Array | float | None,
) -> tuple[Array, ...]:
    """Check the arguments of a loss of one element each, and return them ready for its formula.

    All are of one library. Those named in `labels` have any real dtype, a `mask` has bool, the
    others are real floating. A mask and those named in `broadcast` broadcast to the shape of the
    first, the others have that shape. An optional one may be None, and `pos_weight` a number.

    Returns
    -------
    tuple
        The arrays in the order given, in the dtype of the first, lifted to float32 at least. Where
        a weight is 0 or a mask is False, what is not a weight is 0, to be silent in the loss *and*
        in its gradient, whatever stood there.
    """
    given = {
        name: x
        for name, x in arrays.items()
        if x is not None or name not in OPTIONAL
    }
    first, like = next(iter(given.items()))
    namespace(**{first: like})
    check_floating(**{first: like})
    like = lift(like)
    pos_weight = given.get("pos_weight")
    if is_number(pos_weight):
        given["pos_weight"] = number(pos_weight, like)
    xp = namespace(**given)
    spread = [name for name in given if name in (*broadcast, "mask")]
    for name, x in given.items():
        if name == "mask":
            check_mask(mask=x)
        elif name in labels:
            check_real(**{name: x})
        else:
            check_floating(**{name: x})
    check_same_shape(**{n: x for n, x in given.items() if n not in spread})
    check_broadcasts(tuple(like.shape), **{n: given[n] for n in spread})
    ready = {name: cast(x, like.dtype) for name, x in given.items()}
    if "mask" in ready:
        ready["mask"] = xp.broadcast_to(ready["mask"], tuple(like.shape))
    for weight in ("weight", "mask"):
        if weight in ready:
            silent = ready[weight] == 0
            if seen(silent) or not concrete(silent):
                ready |= {
                    name: xp.where(silent, 0.0, x)
                    for name, x in ready.items()
                    if name not in OPTIONAL or name == weight
                }
    return tuple(ready.get(name) for name in arrays)


def given(**arrays: Array | None) -> dict[str, Array]:
    """Return those of the named optional arrays that are not None."""
    return {name: x for name, x in arrays.items() if x is not None}


def check_floating(**arrays: Array) -> None:
    """Raise a TypeError that names the first of the arrays without a real floating dtype."""
    for name, x in arrays.items():
        if not library(x).isdtype(x.dtype, "real floating"):
            raise TypeError(
                f"{name} must have a real floating dtype, got {x.dtype}"
            )


def check_mask(**arrays: Array) -> None:
    """Raise a TypeError that names the first of the arrays whose dtype is not bool."""
    for name, x in arrays.items():
        if not library(x).isdtype(x.dtype, "bool"):
            raise TypeError(f"{name} must have dtype bool, got {x.dtype}")


def check_real(**arrays: Array) -> None:
    """Raise a TypeError that names the first of the arrays that is complex, or holds no numbers."""
    for name, x in arrays.items():
        words = getattr(x.dtype, "kind", "f") in "OSUTMm"  # NumPy's alone
        if words or library(x).isdtype(x.dtype, "complex floating"):
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


def check_classes(axis: int, **arrays: Array) -> None:
    """Raise a ValueError that names the first of the arrays that has no class along an axis."""
    for name, x in arrays.items():
        if not x.shape[axis]:
            raise ValueError(
                f"{name} must have at least one class, got shape {tuple(x.shape)}"
            )


def check_rows(**arrays: Array) -> None:
    """Raise a ValueError that names the first of the arrays whose vectors do not fit the first's.

    The last axis holds the coordinates, one at least and as many in all; the others broadcast.
    """
    (first, x), *rest = arrays.items()
    check_vectors(**arrays)
    if not x.shape[-1]:
        raise ValueError(
            f"{first} must have at least one coordinate, got shape {tuple(x.shape)}"
        )
    rows: tuple[int, ...] = tuple(x.shape[:-1])
    for name, y in rest:
        if y.shape[-1] != x.shape[-1]:
            raise ValueError(
                f"{name} must have {x.shape[-1]} coordinates on its last axis, as {first} of shape "
                f"{tuple(x.shape)}, got shape {tuple(y.shape)}"
            )
        try:
            rows = np.broadcast_shapes(rows, tuple(y.shape[:-1]))
        except ValueError:
            raise ValueError(
                f"{name} must broadcast to the rows of {first}, shape {rows}, "
                f"got shape {tuple(y.shape)}"
            ) from None


def check_unit_interval(*, slack: float = 0.0, **arrays: Array) -> None:
    """Raise a ValueError that names the first of the arrays with a value outside [0, 1 + slack]."""
    for name, x in arrays.items():
        xp = library(x)
        if xp.isdtype(x.dtype, "real floating"):
            x = lift(x) if xp.finfo(x.dtype).bits == 8 else x
        elif xp.isdtype(x.dtype, "unsigned integer"):
            x = cast(x, xp.float32)  # PyTorch compares neither
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


def probabilities(x: Array, name: str, *, slack: float = 0.0) -> Array:
    """Return `x`, whose values lie in [0, 1 + slack]: else raise, or nan where they are hidden."""
    check_unit_interval(slack=slack, **{name: x})
    return x if concrete(x) else spoiled(x, ~((x >= 0) & (x <= 1 + slack)))


def at_least_zero(x: Array, name: str) -> Array:
    """Return `x`, none of whose values is negative: else raise, or nan where they are hidden."""
    check_not_negative(**{name: x})
    return x if concrete(x) else spoiled(x, x < 0)


def above_zero(x: Array, name: str) -> Array:
    """Return `x`, all of whose values are above 0: else raise, or nan where they are hidden."""
    wrong = ~(x > 0)
    if seen(wrong):
        raise ValueError(
            f"{name} must be above 0, got {first_where(x, wrong)}"
        )
    return x if concrete(x) else spoiled(x, wrong)


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether `value` is a real number of Python or NumPy; an array or a bool is none."""
    return isinstance(
        value, int | float | np.integer | np.floating
    ) and not isinstance(value, bool)


def check_number(**options: float) -> None:
    """Raise a TypeError that names the first of the options that is no real number."""
    for name, value in options.items():
        if not is_number(value):
            raise TypeError(f"{name} must be a real number, got {value!r}")


def check_option(**options: float) -> None:
    """Raise an error that names the first of the options that is no number above 0."""
    check_number(**options)
    for name, value in options.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value!r}")


def check_at_least(least: float, **options: float) -> None:
    """Raise an error that names the first of the options that is no number of at least `least`."""
    check_number(**options)
    for name, value in options.items():
        if not value >= least:
            raise ValueError(
                f"{name} must be a number of at least {least}, got {value!r}"
            )


def check_between(least: float, most: float, **options: float) -> None:
    """Raise an error that names the first of the options outside [least, most]."""
    check_number(**options)
    for name, value in options.items():
        if not least <= value <= most:
            raise ValueError(
                f"{name} must be in [{least}, {most}], got {value!r}"
            )


def check_whole(least: int, **options: int) -> None:
    """Raise an error that names the first of the options not whole or below `least`."""
    check_number(**options)
    for name, value in options.items():
        if not (value >= least and value % 1 == 0):
            raise ValueError(
                f"{name} must be a whole number of at least {least}, got {value!r}"
            )


def check_flag(**options: bool) -> None:
    """Raise a TypeError that names the first of the options that is neither True nor False."""
    for name, value in options.items():
        if not isinstance(value, bool | np.bool):
            raise TypeError(f"{name} must be True or False, got {value!r}")


def check_axis(axis: int, **arrays: Array) -> None:
    """Raise a ValueError that names the first of the arrays without such an axis."""
    for name, x in arrays.items():
        if (
            not isinstance(axis, int | np.integer)
            or isinstance(axis, bool)
            or not -x.ndim <= axis < x.ndim
        ):
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


def check_sample_weight(
    sample_weight: Array | None, shape: tuple[int, ...]
) -> None:
    """Raise a ValueError unless `sample_weight` is None or holds one number per sample."""
    if sample_weight is not None and tuple(sample_weight.shape) != shape:
        raise ValueError(
            f"sample_weight must hold one number per sample, shape {shape}, "
            f"got shape {tuple(sample_weight.shape)}"
        )


def check_ignore_index(ignore_index: int | None) -> None:
    """Raise a TypeError unless `ignore_index` is None or a whole number."""
    if ignore_index is not None and not hasattr(ignore_index, "__index__"):
        raise TypeError(
            f"ignore_index must be an integer, got {ignore_index!r}"
        )


def check_classification(
    input: Array,
    target: Array,
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
    xp = namespace(input=input, target=target)
    check_floating(input=input)
    check_vectors(input=input)
    axis = class_axis(input)
    n_classes = input.shape[axis]
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
