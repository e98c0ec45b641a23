r"""Losses of a real-valued prediction: each the negative log-likelihood of a noise density.

Gaussian noise gives the squared error, Laplace noise the absolute one, Huber's density the one
between. Throughout, :math:`r = x - y` is the residual of prediction and target.
"""

from __future__ import annotations

import math

from losslib._array import Array, cast, clip, lift, namespace, stop_gradient
from losslib._checks import (
    check_broadcasts,
    check_floating,
    check_not_negative,
    check_option,
    check_same_shape,
    given,
)
from losslib.objective import Reduction, reduce


def mse_loss(
    input: Array,
    target: Array,
    *,
    reduction: Reduction = "mean",
    weight: Array | None = None,
) -> Array:
    r"""Squared error :math:`w\,(x-y)^2`, the loss of Gaussian noise; it estimates the mean.

    Parameters
    ----------
    input : array, any shape
        Predictions :math:`x`, real floating.
    target : array, shape of `input`
        Targets :math:`y`, real floating.
    reduction : {"none", "mean", "sum"}
        With weights, the mean divides by their sum.
    weight : array, shape of `input`, optional
        A weight :math:`w` per element.

    Returns
    -------
    array
        In squared units of `input`, its dtype: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no real floating array, or comes from another library.
    ValueError
        If the shapes differ, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> print(mse_loss(np.array([1.0, 4.0]), np.array([2.0, 2.0])))
    2.5

    References
    ----------
    Gauss (1809), Theoria motus corporum coelestium.
    """
    residual, weight = _residual(input, target, weight)
    return _reduced(residual * residual, weight, reduction, input)


def l1_loss(
    input: Array,
    target: Array,
    *,
    reduction: Reduction = "mean",
    weight: Array | None = None,
) -> Array:
    r"""Absolute error :math:`w\,|x-y|`, the loss of Laplace noise; it estimates the median.

    Parameters
    ----------
    input : array, any shape
        Predictions :math:`x`, real floating.
    target : array, shape of `input`
        Targets :math:`y`, real floating.
    reduction : {"none", "mean", "sum"}
        With weights, the mean divides by their sum.
    weight : array, shape of `input`, optional
        A weight :math:`w` per element.

    Returns
    -------
    array
        In units of `input`, its dtype: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no real floating array, or comes from another library.
    ValueError
        If the shapes differ, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> print(l1_loss(np.array([1.0, 4.0]), np.array([2.0, 2.0])))
    1.5

    References
    ----------
    Laplace (1774), Mémoire sur la probabilité des causes par les évènements.
    """
    residual, weight = _residual(input, target, weight)
    return _reduced(
        namespace(input=input).abs(residual), weight, reduction, input
    )


def huber_loss(
    input: Array,
    target: Array,
    *,
    reduction: Reduction = "mean",
    delta: float = 1.0,
    weight: Array | None = None,
) -> Array:
    r"""Huber loss: squared error near the target, absolute error beyond :math:`\delta`.

    .. math:: \ell = w\,c\,\bigl(r - \tfrac c2\bigr), \qquad c = \max(-\delta, \min(r, \delta)).

    Parameters
    ----------
    input : array, any shape
        Predictions, real floating.
    target : array, shape of `input`
        Targets, real floating.
    reduction : {"none", "mean", "sum"}
        The mean divides by the number of elements, with weights too, as in PyTorch.
    delta : float
        Where the square turns into a line; above 0.
    weight : array, shape of `input`, optional
        A weight :math:`w` per element.

    Returns
    -------
    array
        In squared units of `input`, its dtype: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no real floating array, or comes from another library.
    ValueError
        If the shapes differ, `delta` is not above 0, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> print(huber_loss(np.array([0.5, 4.0]), np.zeros(2), reduction="none"))
    [0.125 3.5  ]

    References
    ----------
    Huber (1964), Robust estimation of a location parameter.
    """
    check_option(delta=delta)
    residual, weight = _residual(input, target, weight)
    loss = _huber(residual, delta)
    return reduce(
        loss if weight is None else weight * loss, reduction, like=input
    )


def smooth_l1_loss(
    input: Array,
    target: Array,
    *,
    reduction: Reduction = "mean",
    beta: float = 1.0,
) -> Array:
    r"""Smooth L1 loss: the Huber loss with :math:`\delta=\beta`, divided by :math:`\beta`.

    Parameters
    ----------
    input : array, any shape
        Predictions, real floating.
    target : array, shape of `input`
        Targets, real floating.
    reduction : {"none", "mean", "sum"}
        What to return.
    beta : float
        Where the square turns into a line; at 0 it is the absolute error.

    Returns
    -------
    array
        In units of `input`, its dtype: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no real floating array, or comes from another library.
    ValueError
        If the shapes differ, `beta` is negative, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> print(smooth_l1_loss(np.array([0.5, 4.0]), np.zeros(2), reduction="none"))
    [0.125 3.5  ]

    References
    ----------
    Girshick (2015), Fast R-CNN.
    """
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    check_option(beta=beta)
    residual, _ = _residual(input, target)
    return reduce(_huber(residual, beta) / beta, reduction, like=input)


def gaussian_nll_loss(
    input: Array,
    target: Array,
    var: Array | float,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> Array:
    r"""Negative log-likelihood of a Gaussian whose variance is predicted as well.

    .. math:: \ell = \tfrac12\Bigl(\log v + \frac{(x-y)^2}{v}\Bigr)
              \;\bigl[+\,\tfrac12\log2\pi\bigr], \qquad v = \max(\mathrm{var}, \varepsilon).

    The gradient flows to `var` as if it were not held at :math:`\varepsilon`, as in PyTorch.

    Parameters
    ----------
    input : array, shape (…, d)
        Predicted means :math:`x`, real floating.
    target : array, broadcasts to the shape of `input`
        Targets :math:`y`, real floating.
    var : array or float
        Predicted variances: the shape of `input`, that shape with one axis of length 1, that shape
        without its last axis, or one number.
    full : bool
        Add the constant :math:`\tfrac12\log2\pi`.
    eps : float
        The least variance that is used; above 0.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no real floating array, or comes from another library.
    ValueError
        If shapes do not match, a variance is negative, `eps` is not above 0, or `reduction` is
        unknown.

    Examples
    --------
    >>> import numpy as np
    >>> x, y, var = np.array([1.0]), np.array([3.0]), np.array([4.0])
    >>> print(f"{gaussian_nll_loss(x, y, var):.4f}")
    1.1931

    References
    ----------
    Nix and Weigend (1994), Estimating the mean and variance of the target probability distribution.
    """
    check_option(eps=eps)
    xp = namespace(input=input, target=target)
    check_floating(input=input, target=target)
    check_broadcasts(tuple(input.shape), target=target)
    x, v = lift(input), _variance(input, var, eps)
    loss = 0.5 * (xp.log(v) + (x - cast(target, x.dtype)) ** 2 / v)
    return reduce(
        loss + 0.5 * math.log(2 * math.pi) if full else loss,
        reduction,
        like=input,
    )


def _residual(
    input: Array, target: Array, weight: Array | None = None
) -> tuple[Array, Array | None]:
    arrays = {"input": input, "target": target, **given(weight=weight)}
    namespace(**arrays)
    check_floating(**arrays)
    check_same_shape(**arrays)
    x = lift(input)
    return x - cast(target, x.dtype), None if weight is None else cast(
        weight, x.dtype
    )


def _reduced(
    loss: Array, weight: Array | None, reduction: Reduction, like: Array
) -> Array:
    loss = loss if weight is None else weight * loss
    return reduce(loss, reduction, weight=weight, like=like)


def _huber(residual: Array, delta: float) -> Array:
    near = clip(residual, delta)
    return near * (residual - 0.5 * near)


def _variance(input: Array, var: Array | float, eps: float) -> Array:
    """Return the variances at least at `eps`, in a shape that broadcasts against `input`."""
    if isinstance(var, float | int):
        var = namespace(input=input).full_like(input, float(var))
    xp = namespace(input=input, var=var)
    check_floating(var=var)
    if tuple(var.shape) == tuple(input.shape[:-1]) != tuple(input.shape):
        var = xp.expand_dims(var, axis=-1)
    short = [
        a for a, b in zip(var.shape, input.shape, strict=False) if a != b
    ]
    if var.ndim != input.ndim or short not in ([], [1]):
        raise ValueError(
            f"var must have the shape of input, {tuple(input.shape)}, with one axis of length 1 "
            f"or without the last axis at most, got {tuple(var.shape)}"
        )
    check_not_negative(var=var)
    v = cast(var, lift(input).dtype)
    held = xp.maximum(v, xp.full_like(v, eps))
    return v + stop_gradient(held - v)
