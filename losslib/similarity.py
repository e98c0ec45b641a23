r"""Losses of pairs and triplets: what belongs together lies close, what does not lies apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from losslib._array import (
    Array,
    lift,
    namespace,
    relu,
    remake_masks,
    stop_gradient,
)
from losslib._checks import (
    check_floating,
    check_option,
    check_real,
    check_same_shape,
    check_vectors,
)
from losslib.objective import Reduction, reduce


@remake_masks
def hinge_embedding_loss(
    input: Array,
    target: Array,
    *,
    margin: float = 1.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Hinge loss of a distance: :math:`x` for a pair that belongs together, else a hinge.

    .. math:: \ell = \begin{cases} x & y = 1 \\ \max(0,\; m - x) & y = -1 \end{cases}

    Parameters
    ----------
    input : array, any shape
        Distances :math:`x`, real floating.
    target : array, shape of `input`
        :math:`y`: 1 for a pair that belongs together, -1 for one that does not; any real dtype.
        Any other value counts as both, as in PyTorch.
    margin : float
        The distance :math:`m` from which a pair is far enough apart.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In units of `input`, its dtype: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the shapes differ, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([0.3, 0.3]), np.array([1, -1])
    >>> print(hinge_embedding_loss(x, y, reduction="none"))
    [0.3 0.7]

    References
    ----------
    Hadsell, Chopra and LeCun (2006), Dimensionality reduction by learning an invariant mapping.
    """
    xp = namespace(input=input, target=target)
    check_floating(input=input)
    check_real(target=target)
    check_same_shape(input=input, target=target)
    x = lift(input)
    none = xp.zeros_like(x)
    together = xp.where(target == -1, none, x)
    apart = xp.where(target == 1, none, relu(margin - x))
    return reduce(together + apart, reduction, like=input)


def cosine_embedding_loss(
    input1: Array,
    input2: Array,
    target: Array,
    *,
    margin: float = 0.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Loss of the cosine of two vectors.

    .. math:: \ell = \begin{cases} 1-\cos(x_1,x_2) & y = 1 \\
              \max\bigl(0,\; \cos(x_1,x_2) - m\bigr) & y = -1 \end{cases}

    The cosine is exact for tiny and for huge vectors, where PyTorch's is not; with a vector of
    zeros it is 0.

    Parameters
    ----------
    input1, input2 : array, shape (D) or (N, D)
        The vectors, real floating.
    target : array, shape () or (N)
        :math:`y`: 1 for a pair that belongs together, -1 for one that does not; any real dtype.
        For any other value the loss is 0, as in PyTorch.
    margin : float
        The cosine :math:`m` from which a pair is far enough apart.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        Dtype of `input1`: the shape of `target` for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If shapes do not match, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> x1, x2 = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[3.0, 4.0], [3.0, 4.0]])
    >>> print(cosine_embedding_loss(x1, x2, np.array([1, -1]), reduction="none"))
    [0.4 0.6]

    References
    ----------
    Chopra, Hadsell and LeCun (2005), Learning a similarity metric discriminatively.
    """
    xp = namespace(input1=input1, input2=input2, target=target)
    check_floating(input1=input1, input2=input2)
    check_real(target=target)
    check_same_shape(input1=input1, input2=input2)
    if input1.ndim not in (1, 2):
        raise ValueError(
            f"input1 must have shape (D) or (N, D), got {tuple(input1.shape)}"
        )
    if tuple(target.shape) != tuple(input1.shape[:-1]):
        raise ValueError(
            f"target must have one entry per pair of vectors (D) or (N, D), got shapes "
            f"{tuple(target.shape)} and {tuple(input1.shape)}"
        )
    cosine = _cosine(lift(input1), lift(input2))
    none = xp.zeros_like(cosine)
    together = xp.where(target == 1, 1 - cosine, none)
    apart = xp.where(target == -1, relu(cosine - margin), none)
    return reduce(together + apart, reduction, like=input1)


def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Array:
    r"""Triplet loss: the positive lies nearer to the anchor than the negative, by a margin.

    .. math:: \ell = \max\bigl(0,\; m + d(a, p) - d(a, n)\bigr), \qquad
              d(u,v) = \|u - v + \varepsilon\|_p

    Parameters
    ----------
    anchor, positive, negative : array, same shape (D) or (N, D)
        The vectors, real floating.
    margin : float
        :math:`m`, above 0.
    p : float
        The order of the norm, above 0; may be infinite.
    eps : float
        :math:`\varepsilon`, added to every difference. It makes :math:`d` asymmetric, a little.
    swap : bool
        Take the negative's distance from the positive instead where that is the smaller.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In units of the vectors, dtype of `anchor`: shape () or (N) for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no real floating array, or comes from another library.
    ValueError
        If the shapes differ, `margin` or `p` is not above 0, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> a, p, n = np.zeros(2), np.array([3.0, 4.0]), np.array([0.0, 4.5])
    >>> print(f"{triplet_margin_loss(a, p, n):.4f}")
    1.5000

    References
    ----------
    Schroff, Kalenichenko and Philbin (2015), FaceNet.
    Balntas et al. (2016), Learning local feature descriptors with triplets (swap).
    """
    check_option(p=p)

    def distance(u: Array, v: Array) -> Array:
        return _norm(u - v + eps, p)

    return triplet_margin_with_distance_loss(
        anchor,
        positive,
        negative,
        distance_function=distance,
        margin=margin,
        swap=swap,
        reduction=reduction,
    )


def triplet_margin_with_distance_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    distance_function: Callable[[Array, Array], Array] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Array:
    r"""Triplet loss :math:`\max\bigl(0,\; m + d(a,p) - d(a,n)\bigr)` with a distance of one's own.

    Parameters
    ----------
    anchor, positive, negative : array, same shape (…, D)
        The vectors, real floating.
    distance_function : callable, optional
        :math:`d`: takes two of the arrays and returns one distance per vector. The Euclidean
        distance by default, with :math:`10^{-6}` added to every difference.
    margin : float
        :math:`m`, above 0.
    swap : bool
        Take the negative's distance from the positive instead where that is the smaller.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        Dtype of `anchor`: the shape of the distances for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no real floating array, or comes from another library.
    ValueError
        If the shapes differ, `margin` is not above 0, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> a, p, n = np.zeros(2), np.array([3.0, 4.0]), np.array([0.0, 4.5])
    >>> manhattan = lambda u, v: np.sum(np.abs(u - v), axis=-1)
    >>> print(triplet_margin_with_distance_loss(a, p, n, distance_function=manhattan))
    3.5

    References
    ----------
    Schroff, Kalenichenko and Philbin (2015), FaceNet.
    """
    check_option(margin=margin)
    xp = namespace(anchor=anchor, positive=positive, negative=negative)
    check_floating(anchor=anchor, positive=positive, negative=negative)
    check_same_shape(anchor=anchor, positive=positive, negative=negative)
    check_vectors(anchor=anchor)
    distance = distance_function or (lambda u, v: _norm(u - v + 1e-6, 2.0))
    a, near, far = lift(anchor), lift(positive), lift(negative)
    apart = distance(a, far)
    if swap:
        apart = xp.minimum(apart, distance(near, far))
    return reduce(
        relu(margin + distance(a, near) - apart), reduction, like=anchor
    )


def _scale(x: Array) -> tuple[Array, Any]:
    """Return the largest size along the last axis as a constant, 1 in place of 0, and the space."""
    xp = namespace(x=x)
    top = stop_gradient(xp.max(xp.abs(x), axis=-1, keepdims=True))
    return xp.where(
        (top > 0) & xp.isfinite(top), top, xp.ones_like(top)
    ), xp


def _cosine(u: Array, v: Array) -> Array:
    (size_u, xp), (size_v, _) = _scale(u), _scale(v)
    u, v = u / size_u, v / size_v  # no square of them overflows or vanishes
    squares = xp.sum(u * u, axis=-1) * xp.sum(v * v, axis=-1)
    return xp.sum(u * v, axis=-1) / xp.sqrt(
        xp.where(squares == 0, xp.ones_like(squares), squares)
    )


def _norm(x: Array, p: float) -> Array:
    """Return the p-norm along the last axis; at 0 its gradient is 0."""
    xp = namespace(x=x)
    if p == 1:
        return xp.sum(xp.abs(x), axis=-1)
    if math.isinf(p):
        return xp.max(xp.abs(x), axis=-1)
    total = xp.sum(x * x if p == 2 else xp.abs(x) ** p, axis=-1)
    root = xp.where(total == 0, xp.ones_like(total), total) ** (1 / p)
    return xp.where(total == 0, xp.zeros_like(total), root)
