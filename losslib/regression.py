r"""Losses of a real-valued prediction: each the negative log-likelihood of a noise density.

Gaussian noise gives the squared error, Laplace noise the absolute one, Huber's density the one
between. Throughout, :math:`r = x - y` is the residual of prediction and target.
"""

from __future__ import annotations

import math

from losslib._array import (
    Array,
    absolute,
    cast,
    clip,
    library,
    minus,
    namespace,
    number,
    stop_gradient,
)
from losslib._checks import (
    at_least_zero,
    check_at_least,
    check_flag,
    check_floating,
    check_option,
    elements,
    is_number,
)
from losslib.objective import Reduction, reduce, weighted


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
        A weight :math:`w` per element; one of 0 silences whatever stands there.

    Returns
    -------
    array
        In squared units of `input`, its dtype: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, or an option has the wrong
        type.
    ValueError
        If the shapes differ, or `reduction` is unknown.

    See Also
    --------
    gaussian_nll_loss : the same noise, whose variance is predicted too.
    huber_loss : the same near the target, a line beyond.
    brier_score : the squared error of probabilities.

    Notes
    -----
    Gradient: :math:`2\,w\,(x-y)`.

    Examples
    --------
    >>> import numpy as np
    >>> print(mse_loss(np.array([1.0, 4.0]), np.array([2.0, 2.0])))
    2.5

    References
    ----------
    Gauss (1809), Theoria motus corporum coelestium; see Stigler (1981), Gauss and the invention of
    least squares. https://doi.org/10.1214/aos/1176345451
    """
    x, y, w = elements(input=input, target=target, weight=weight)
    residual = x - y
    loss = weighted(residual * residual, w)
    return reduce(loss, reduction, weight=w, like=input)


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
        A weight :math:`w` per element; one of 0 silences whatever stands there.

    Returns
    -------
    array
        In units of `input`, its dtype: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, or an option has the wrong
        type.
    ValueError
        If the shapes differ, or `reduction` is unknown.

    See Also
    --------
    smooth_l1_loss : the same with the kink rounded off.
    l1_penalty : the absolute value of parameters.

    Notes
    -----
    Gradient: :math:`w\,\operatorname{sign}(x-y)`, which is 0 at the kink :math:`x=y`, in all
    libraries.

    Examples
    --------
    >>> import numpy as np
    >>> print(l1_loss(np.array([1.0, 4.0]), np.array([2.0, 2.0])))
    1.5

    References
    ----------
    Laplace (1774), Mémoire sur la probabilité des causes par les évènements; in English:
    https://doi.org/10.1214/ss/1177013621
    """
    x, y, w = elements(input=input, target=target, weight=weight)
    loss = weighted(absolute(x - y), w)
    return reduce(loss, reduction, weight=w, like=input)


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
        A weight :math:`w` per element; one of 0 silences whatever stands there.

    Returns
    -------
    array
        In squared units of `input`, its dtype: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, or an option has the wrong
        type.
    ValueError
        If the shapes differ, `delta` is not above 0, or `reduction` is unknown.

    See Also
    --------
    smooth_l1_loss : the same over :math:`\delta`.
    mse_loss : twice its limit for a large :math:`\delta`.

    Notes
    -----
    Gradient: :math:`w\,c`, the residual, held between :math:`-\delta` and :math:`\delta`.

    Examples
    --------
    >>> import numpy as np
    >>> print(huber_loss(np.array([0.5, 4.0]), np.zeros(2), reduction="none"))
    [0.125 3.5  ]

    References
    ----------
    Huber (1964), Robust estimation of a location parameter.
    https://doi.org/10.1214/aoms/1177703732
    """
    check_option(delta=delta)
    x, y, w = elements(input=input, target=target, weight=weight)
    loss = weighted(_huber(x - y, delta), w)
    return reduce(loss, reduction, like=input)


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
        If an array is not real floating or comes from another library, or an option has the wrong
        type.
    ValueError
        If the shapes differ, `beta` is negative or beyond what the dtype holds, or `reduction` is
        unknown.

    See Also
    --------
    huber_loss : the same times :math:`\beta`.
    l1_loss : its limit for :math:`\beta\to0`.

    Notes
    -----
    Gradient: :math:`c/\beta` with :math:`c=\max(-\beta,\min(x-y,\beta))`; at :math:`\beta=0` the
    sign of :math:`x-y`, and 0 at the kink.

    Examples
    --------
    >>> import numpy as np
    >>> print(smooth_l1_loss(np.array([0.5, 4.0]), np.zeros(2), reduction="none"))
    [0.125 3.5  ]

    References
    ----------
    Girshick (2015), Fast R-CNN. https://doi.org/10.1109/ICCV.2015.169
    """
    check_at_least(0, beta=beta)
    x, y = elements(input=input, target=target)
    span = library(x).finfo(x.dtype)
    if beta > float(span.max):
        raise ValueError(
            f"beta must be at most the largest {x.dtype}, {float(span.max)}, got {beta!r}"
        )
    if beta < float(span.smallest_normal):  # the square has no room
        return reduce(absolute(x - y), reduction, like=input)
    return reduce(_huber(x - y, beta, beta), reduction, like=input)


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
        Predicted variances, in squared units of `input`: its shape, where any axes may have length
        1, or its shape without the last axis (each row one variance), or one number.
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
        If an array is not real floating or comes from another library, or an option has the wrong
        type.
    ValueError
        If shapes do not match, a variance is negative, `eps` is not above 0, or `reduction` is
        unknown.

    See Also
    --------
    mse_loss : the same at a variance that is fixed.

    Notes
    -----
    Gradient: :math:`\frac{x-y}v` in :math:`x`, and
    :math:`\tfrac1{2v}\bigl(1-\tfrac{(x-y)^2}v\bigr)` in :math:`v`.

    Examples
    --------
    >>> import numpy as np
    >>> x, y, var = np.array([1.0]), np.array([3.0]), np.array([4.0])
    >>> print(f"{gaussian_nll_loss(x, y, var):.4f}")
    1.1931

    References
    ----------
    Nix and Weigend (1994), Estimating the mean and variance of the target probability distribution.
    https://doi.org/10.1109/ICNN.1994.374138
    """
    check_option(eps=eps)
    check_flag(full=full)
    x, y = elements(input=input, target=target, broadcast=("target",))
    v, residual = _variance(x, var, eps), x - y
    # the residual is not squared first: that may overflow
    loss = 0.5 * (library(x).log(v) + residual * (residual / v))
    constant = 0.5 * math.log(2 * math.pi) if full else 0.0
    return reduce(loss + constant, reduction, like=input)


def _huber(residual: Array, delta: float, unit: float = 1.0) -> Array:
    """Return the Huber loss over `unit`, divided first: the product of both may overflow."""
    most = float(library(residual).finfo(residual.dtype).max)
    near = clip(residual, min(delta, most))
    share = near if unit == 1 else near / unit
    return share * minus(residual, 0.5, near)


def _variance(x: Array, var: Array | float, eps: float) -> Array:
    """Return the variances at least at `eps`, in a shape that broadcasts against `x`."""
    v = number(var, x) if is_number(var) else _spread(x, var)
    v = at_least_zero(v, "var")
    held = library(v).maximum(v, library(v).full_like(v, eps))
    return v + stop_gradient(held - v)


def _spread(x: Array, var: Array) -> Array:
    """Return the variances in the dtype of `x`, and in a shape that broadcasts against it."""
    xp = namespace(input=x, var=var)
    check_floating(var=var)
    if tuple(var.shape) == tuple(x.shape[:-1]) != tuple(x.shape):
        var = xp.expand_dims(var, axis=-1)
    if var.ndim != x.ndim or any(
        a not in (1, b) for a, b in zip(var.shape, x.shape, strict=True)
    ):
        raise ValueError(
            f"var must have the shape of input, {tuple(x.shape)}, with any axes of length 1, "
            f"or without the last axis, got {tuple(var.shape)}"
        )
    return cast(var, x.dtype)
