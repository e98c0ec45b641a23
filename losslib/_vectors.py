"""Lengths and angles of vectors along the last axis: no square overflows, no slope is nan."""

from __future__ import annotations

import math

from losslib._array import (
    Array,
    absolute,
    concrete,
    library,
    quiet,
    relu,
    seen,
    stop_gradient,
)

_USUAL = (1e-30, 1e30)
"""Between these, a sum of powers has lost nothing to overflow or underflow, in any dtype."""


def norm(x: Array, p: float) -> Array:
    """Return the p-norm along the last axis; where a size is 0, it has no slope."""
    xp = library(x)
    if p == 1:
        return xp.sum(absolute(x), axis=-1)
    if math.isinf(p):
        return xp.max(absolute(x), axis=-1)
    _, total, scale = tamed(x, p)
    nothing = total == 0
    length = xp.where(nothing, 1.0, total) ** (1 / p)
    return scale * xp.where(nothing, 0.0, length)


def tamed(x: Array, p: float) -> tuple[Array, Array, Array | float]:
    """Return x over a scale, its sum of sizes to the power p along the last axis, and the scale.

    The scale is 1 where all those sums are usual numbers, else the largest size of each vector: no
    power overflows then, nor do all of them vanish.
    """
    xp = library(x)
    total = _power_sum(x, p)
    usual = (total > _USUAL[0]) & (total < _USUAL[1])
    if concrete(usual) and not seen(~usual):
        return x, total, 1.0
    top = xp.max(xp.abs(stop_gradient(x)), axis=-1)
    top = xp.where((top > 0) & xp.isfinite(top), top, 1.0)
    x = x / xp.expand_dims(top, axis=-1)
    return x, _power_sum(x, p), top


def _power_sum(x: Array, p: float) -> Array:
    """Return the sum of |x|^p along the last axis; infinity where it overflows."""
    xp = library(x)
    if p == 2:
        with quiet(x, over="ignore"):
            return xp.sum(x * x, axis=-1)
    size = absolute(x)
    none = size == 0
    with quiet(x, over="ignore"):
        power = xp.where(none, 1.0, size) ** p
        return xp.sum(xp.where(none, 0.0, power), axis=-1)


def root(square: Array) -> Array:
    """Return the square root; where the square is 0, it has no slope."""
    xp = library(square)
    nothing = square == 0
    return xp.where(nothing, 0.0, xp.sqrt(xp.where(nothing, 1.0, square)))


def cosines(u: Array, v: Array) -> tuple[Array, Array]:
    r"""Return 1 - cos and the cosine of vectors; with a vector of zeros 1 and 0, without a slope.

    For vectors of one length 1 - cos is :math:`\|u-v\|^2/(2\|v\|^2)`: never negative, and with all
    its digits where they are nearly parallel. It is never above 2.
    """
    xp = library(u)
    u, square_u, _ = tamed(u, 2)
    v, square_v, _ = tamed(v, 2)
    known = xp.isfinite(square_u) & xp.isfinite(square_v)
    nothing = known & ((square_u == 0) | (square_v == 0))
    length_u = xp.sqrt(xp.where(nothing, 1.0, square_u))
    length_v = xp.sqrt(xp.where(nothing, 1.0, square_v))
    gap = xp.expand_dims(length_v / length_u, axis=-1) * u - v
    one_less = xp.sum(gap * gap, axis=-1) / (2 * length_v * length_v)
    one_less = one_less - stop_gradient(relu(one_less - 2.0))  # by rounding
    cosine = xp.sum(u * v, axis=-1) / (length_u * length_v)
    return xp.where(nothing, 1.0, one_less), cosine
