r"""Losses of a real-valued prediction: each the negative log-likelihood of a noise density.

Gaussian noise gives the squared error, Laplace noise the absolute one, Huber's density the one
between. Throughout, :math:`r = x - y` is the residual of prediction and target. Two are no
likelihoods: `beta_nll` weighs one by its own variance, and the CRPS scores a whole predicted
distribution by its quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from losslib._array import (
    Array,
    absolute,
    cast,
    clip,
    concrete,
    erf,
    is_array,
    library,
    lift,
    minus,
    namespace,
    number,
    numbers,
    relu,
    remake_masks,
    spoiled,
    stop_gradient,
    with_slope,
)
from losslib._checks import (
    at_least_zero,
    check_at_least,
    check_between,
    check_flag,
    check_floating,
    check_number,
    check_option,
    elements,
    given,
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
    loss = weighted(_huber(x - y, float(delta)), w)
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
    beta = float(beta)  # one of NumPy may overflow where it is compared
    x, y = elements(input=input, target=target)
    span = library(x).finfo(x.dtype)
    if beta > float(span.max):
        raise ValueError(
            f"beta must be at most the largest {x.dtype}, {float(span.max)}, got {beta!r}"
        )
    if beta < float(span.smallest_normal):  # the square has no room
        return reduce(absolute(x - y), reduction, like=input)
    return reduce(_huber(x - y, beta, beta), reduction, like=input)


def log_cosh_loss(
    input: Array,
    target: Array,
    *,
    reduction: Reduction = "mean",
    weight: Array | None = None,
) -> Array:
    r"""Log-cosh loss :math:`w\log\cosh(x-y)`: half the square near the target, a line far away.

    It is the negative log-likelihood of hyperbolic secant noise, up to a constant.

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
        Of the dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, or an option has the wrong
        type.
    ValueError
        If the shapes differ, or `reduction` is unknown.

    See Also
    --------
    huber_loss : the same idea with a scale, and a seam between square and line.

    Notes
    -----
    It turns from the square into the line at residuals of about 1: what 1 is, the unit of the data
    decides. For a scale :math:`s`, give it :math:`x/s` and :math:`y/s`.

    Gradient: :math:`w\tanh(x-y)`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([1e-4, 1.0, 1000.0])
    >>> print(log_cosh_loss(x, np.zeros(3), reduction="none").round(10))
    [5.00000000e-09 4.33780830e-01 9.99306853e+02]

    References
    ----------
    Green (1990), Bayesian reconstructions from emission tomography data using a modified EM
    algorithm. https://doi.org/10.1109/42.52985
    """
    x, y, w = elements(input=input, target=target, weight=weight)
    xp, size = library(x), absolute(x - y)
    # log cosh r = log(1 + 2 sinh²(r/2)), which keeps all digits near 0 and overflows far away
    near = xp.log1p(2 * xp.sinh(clip(size, 1.0) / 2) ** 2)
    far = size + xp.log1p(xp.exp(-2 * size)) - math.log(2)
    loss = weighted(xp.where(size < 1, near, far), w)
    return reduce(loss, reduction, weight=w, like=input)


@remake_masks
def quantile_loss(
    input: Array,
    target: Array,
    q: float | Sequence[float] | Array = 0.5,
    *,
    reduction: Reduction = "mean",
    weight: Array | None = None,
) -> Array:
    r"""Quantile or pinball loss, of one level or of several; it estimates a quantile.

    .. math:: \ell = w\bigl((1-q)\max(0, x-y) + q\max(0, y-x)\bigr).

    Parameters
    ----------
    input : array, any shape; (…, Q) for a list of Q levels
        Predictions :math:`x` of the quantile, real floating; one per level on the last axis.
    target : array, shape of `input`; (…) or (…, 1) for a list of levels
        Targets :math:`y`, real floating; each is compared with its prediction at every level.
    q : float, or a list or array of Q floats
        The level: the share of targets that shall lie below the prediction, between 0 and 1. The
        gradient flows to an array of the library of `input`.
    reduction : {"none", "mean", "sum"}
        With weights, the mean divides by their sum; levels count as elements.
    weight : array, shape of `target`, optional
        A weight :math:`w` per target; one of 0 silences whatever stands there.

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
        If the shapes do not match, a level is not between 0 and 1, or `reduction` is unknown.

    See Also
    --------
    l1_loss : twice this loss at the level 1/2.
    crps_gaussian : twice its integral over all levels, for a normal distribution.

    Notes
    -----
    The predictions of several levels are fitted one by one: nothing keeps them in order. Where
    the levels rise, sort them along the last axis: the loss does not rise.

    Gradient: :math:`w(1-q)` above the target, :math:`-wq` below, and 0 at the kink :math:`x=y`.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.array([[1.0, 2.0, 4.0]]), np.array([3.0])
    >>> print(quantile_loss(x, y, [0.1, 0.5, 0.9], reduction="none"))
    [[0.2 0.5 0.1]]

    References
    ----------
    Koenker and Bassett (1978), Regression quantiles. https://doi.org/10.2307/1913643
    """
    if not is_number(q):
        q, target, weight = _per_level(input, q, target, weight)
    else:
        _check_levels(q)
    x, y, w = elements(input=input, target=target, weight=weight)
    level = q if is_number(q) else cast(q, x.dtype)
    loss = (1 - level) * relu(x - y) + level * relu(y - x)
    return reduce(weighted(loss, w), reduction, weight=w, like=input)


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
    beta_nll : the same, with samples of a large variance not left out.
    crps_gaussian : another proper score of the same prediction, in units of the target.

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
    loss = _gaussian(x - y, _variance(x, var, eps), full)
    return reduce(loss, reduction, like=input)


def beta_nll(
    input: Array,
    target: Array,
    var: Array | float,
    *,
    beta: float = 0.5,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> Array:
    r"""Gaussian negative log-likelihood, weighted by a power of its own variance.

    .. math:: \ell = \lfloor v^\beta\rfloor\;\tfrac12\Bigl(\log v + \frac{(x-y)^2}{v}
              \;\bigl[+\log2\pi\bigr]\Bigr), \qquad v = \max(\mathrm{var}, \varepsilon).

    No gradient flows through the weight :math:`\lfloor v^\beta\rfloor`. It gives back what the
    likelihood takes: the mean is pulled by :math:`v^{\beta-1}(x-y)`, by all samples alike at
    :math:`\beta=1`, and at :math:`\beta=0` it is the plain likelihood.

    Parameters
    ----------
    input : array, shape (…, d)
        Predicted means :math:`x`, real floating.
    target : array, broadcasts to the shape of `input`
        Targets :math:`y`, real floating.
    var : array or float
        Predicted variances, in the shapes that `gaussian_nll_loss` takes.
    beta : float
        The power :math:`\beta` in [0, 1].
    full : bool
        Add the constant :math:`\log2\pi` in the bracket; through the weight it changes values, not
        gradients.
    eps : float
        The least variance that is used; above 0.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        Nats times a variance to the power :math:`\beta`, dtype of `input`: its shape for "none",
        else a scalar array. Losses of two models cannot be compared: their weights differ.

    Raises
    ------
    TypeError
        If an array is not real floating or comes from another library, or an option has the wrong
        type.
    ValueError
        If shapes do not match, a variance is negative, `beta` is not in [0, 1], `eps` is not above
        0, or `reduction` is unknown.

    See Also
    --------
    gaussian_nll_loss : the same without the weight.
    crps_gaussian : a score of the same prediction whose pull on the mean is bounded.

    Notes
    -----
    Gradient: :math:`v^{\beta-1}(x-y)` in :math:`x`, and
    :math:`\tfrac12v^{\beta-1}\bigl(1-\tfrac{(x-y)^2}v\bigr)` in :math:`v`.

    Examples
    --------
    >>> import numpy as np
    >>> x, y, var = np.array([1.0]), np.array([3.0]), np.array([4.0])
    >>> print(f"{beta_nll(x, y, var):.4f}")  # twice that of gaussian_nll_loss
    2.3863

    References
    ----------
    Seitzer, Tavakoli, Antic and Martius (2022), On the pitfalls of heteroscedastic uncertainty
    estimation with probabilistic neural networks. https://arxiv.org/abs/2203.09168
    """
    check_between(0, 1, beta=beta)
    check_option(eps=eps)
    check_flag(full=full)
    x, y = elements(input=input, target=target, broadcast=("target",))
    v = _variance(x, var, eps)
    loss = stop_gradient(v) ** beta * _gaussian(x - y, v, full)
    return reduce(loss, reduction, like=input)


def crps_gaussian(
    input: Array,
    target: Array,
    std: Array | float,
    *,
    reduction: Reduction = "mean",
) -> Array:
    r"""Continuous ranked probability score of a normal distribution whose spread is predicted.

    .. math:: \ell = r\,\bigl(2\Phi(z)-1\bigr) + \sigma\Bigl(2\varphi(z)
              - \frac1{\sqrt\pi}\Bigr), \qquad r = x-y,\quad z = \frac r\sigma,

    with the standard normal density :math:`\varphi` and distribution function :math:`\Phi`. It is
    strictly proper, in units of the target, and the absolute error where :math:`\sigma=0`.

    Parameters
    ----------
    input : array, shape (…, d)
        Predicted means :math:`x`, real floating.
    target : array, broadcasts to the shape of `input`
        Targets :math:`y`, real floating.
    std : array or float
        Predicted standard deviations :math:`\sigma`, at least 0 (not variances): the shape of
        `input`, where any axes may have length 1, or its shape without the last axis, or one
        number.
    reduction : {"none", "mean", "sum"}
        What to return.

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
        If shapes do not match, a standard deviation is negative, or `reduction` is unknown.

    See Also
    --------
    quantile_loss : its integral over the levels, twice, is this score.
    gaussian_nll_loss : the log score of the same prediction.

    Notes
    -----
    Gradient: :math:`2\Phi(z)-1` in :math:`x`, between -1 and 1, and
    :math:`2\varphi(z)-1/\sqrt\pi` in :math:`\sigma`.

    Examples
    --------
    >>> import numpy as np
    >>> x, y, std = np.array([0.0, 1.0]), np.array([0.0, 3.0]), np.array([1.0, 0.0])
    >>> print(crps_gaussian(x, y, std, reduction="none").round(4))
    [0.2337 2.    ]

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, section
    4.2. https://doi.org/10.1198/016214506000001437
    """
    x, y = elements(input=input, target=target, broadcast=("target",))
    xp, residual = library(x), x - y
    s = number(std, x) if is_number(std) else _spread(x, std, "std")
    s = at_least_zero(s, "std")
    # beyond 40 deviations all is settled: z stops there, and a deviation of 0 does no harm
    finite = clip(residual, float(xp.finfo(residual.dtype).max))
    held = xp.maximum(s, stop_gradient(absolute(finite)) / 40)
    z = finite / xp.where(held == 0, 1.0, held)
    density = math.sqrt(2 / math.pi) * xp.exp(-0.5 * z * z)
    loss = residual * erf(z * math.sqrt(0.5)) + s * (
        density - math.sqrt(1 / math.pi)
    )
    return reduce(loss, reduction, like=input)


def _gaussian(residual: Array, v: Array, full: bool) -> Array:
    """Return the negative log-likelihood of residuals with variances."""
    constant = 0.5 * math.log(2 * math.pi) if full else 0.0
    # the residual is not squared first: that may overflow
    return 0.5 * (library(v).log(v) + residual * (residual / v)) + constant


def _check_levels(*levels: Any) -> None:
    """Raise an error unless each is a number between 0 and 1."""
    for level in levels:
        check_number(q=level)
        if not 0 < level < 1:
            raise ValueError(
                f"q must be above 0 and below 1, got {level!r}"
            )


def _per_level(
    x: Array, q: Any, y: Array, w: Array | None
) -> tuple[Array, Array, Array | None]:
    """Return levels, targets and weights, for predictions of each level on their last axis."""
    xp = namespace(input=x, target=y, **given(weight=w))
    check_floating(input=x)
    if is_array(q):
        namespace(q=q)
    levels = q.tolist() if is_array(q) and concrete(q) else q
    if is_array(levels):
        q = spoiled(q, ~((q > 0) & (q < 1)))
    elif isinstance(levels, Sequence) and not isinstance(levels, str):
        _check_levels(*levels)
        own = is_array(q) and library(q) is xp
        q = numbers(q if own else levels, lift(x))
    else:
        raise TypeError(
            f"q must be a real number or a list of such, got {levels!r}"
        )
    if q.ndim != 1 or tuple(q.shape) != tuple(x.shape[-1:]):
        raise ValueError(
            "input must hold a prediction for each level of q on its last axis: "
            f"got q of shape {tuple(q.shape)} and input of shape {tuple(x.shape)}"
        )
    whole, found = tuple(x.shape), {}
    for name, a in (("target", y), ("weight", w)):
        if a is not None and tuple(a.shape) == whole[:-1]:
            a = xp.expand_dims(a, axis=-1)
        elif a is not None and tuple(a.shape) != (*whole[:-1], 1):
            raise ValueError(
                f"{name} must have the shape of input without its levels, {whole[:-1]}, "
                f"got {tuple(a.shape)}"
            )
        found[name] = a if a is None else xp.broadcast_to(a, whole)
    return q, found["target"], found["weight"]


def _huber(residual: Array, delta: float, unit: float = 1.0) -> Array:
    """Return the Huber loss over `unit`, with its slope: the residual, held at `delta`."""
    return with_slope(
        lambda r, held: _huber_and_slope(r, held)[0],
        _huber_and_slope,
        residual,
        (delta, unit),
    )


def _huber_and_slope(
    residual: Array, held: tuple[float, float]
) -> tuple[Array, Array]:
    """Return the loss and its slope; it is divided by the unit first, as products may overflow."""
    delta, unit = held
    most = float(library(residual).finfo(residual.dtype).max)
    near = clip(residual, min(delta, most))
    share = near if unit == 1 else near / unit
    return share * minus(residual, 0.5, near), share


def _variance(x: Array, var: Array | float, eps: float) -> Array:
    """Return the variances at least at `eps`, in a shape that broadcasts against `x`."""
    v = number(var, x) if is_number(var) else _spread(x, var, "var")
    v = at_least_zero(v, "var")
    lifted = library(v).where(v < eps, eps - v, 0.0)
    return v + stop_gradient(lifted)


def _spread(x: Array, spread: Array, name: str) -> Array:
    """Return a predicted spread in the dtype of `x`, and in a shape that broadcasts against it."""
    xp = namespace(**{"input": x, name: spread})
    check_floating(**{name: spread})
    if tuple(spread.shape) == tuple(x.shape[:-1]) != tuple(x.shape):
        spread = xp.expand_dims(spread, axis=-1)
    if spread.ndim != x.ndim or any(
        a not in (1, b) for a, b in zip(spread.shape, x.shape, strict=True)
    ):
        raise ValueError(
            f"{name} must have the shape of input, {tuple(x.shape)}, with any axes of length 1, "
            f"or without the last axis, got {tuple(spread.shape)}"
        )
    return cast(spread, x.dtype)
