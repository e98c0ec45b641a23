r"""Losses of counts and of positive numbers: negative log-likelihoods, and deviances.

A deviance is twice a KL divergence between two members of one family, times the dispersion: of two
Poisson distributions, of two gamma distributions, of two that Tweedie's power chooses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from losslib._array import (
    Array,
    library,
    lift,
    log,
    log_gamma,
    namespace,
    number,
    quiet,
    stop_gradient,
    times,
)
from losslib._checks import (
    above_zero,
    at_least_zero,
    check_flag,
    check_floating,
    check_number,
    check_option,
    elements,
    is_number,
)
from losslib.logits import softplus
from losslib.objective import Reduction, reduce


def poisson_nll_loss(
    input: Array,
    target: Array,
    *,
    log_input: bool = True,
    full: bool | Literal["exact"] = False,
    eps: float = 1e-8,
    reduction: Reduction = "mean",
) -> Array:
    r"""Negative log-likelihood of a count whose rate is predicted.

    .. math:: \begin{aligned}
              \ell &= e^{x} - y\,x \quad\text{or, from rates,}\quad
              \ell = x - y\log(x+\varepsilon), \\
              &\quad\bigl[+\ y\log y - y + \tfrac12\log2\pi y \ \text{ where } y>1\bigr].
              \end{aligned}

    Parameters
    ----------
    input : array, any shape
        Logarithms of the rates :math:`x`, or the rates with ``log_input=False``; real floating.
    target : array, shape of `input`
        Counts :math:`y`, at least 0, any real dtype.
    log_input : bool
        Whether `input` holds logarithms.
    full : bool or "exact"
        Add Stirling's approximation of :math:`\log y!` where the count exceeds 1, as PyTorch does;
        with "exact" add :math:`\log y!` itself.
    eps : float
        What is added to a rate before its logarithm is taken; above 0.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the shapes differ, a count or a rate is negative, `eps` is not above 0, or `full` or
        `reduction` is unknown.

    See Also
    --------
    poisson_deviance : twice the same, less its least value.
    negative_binomial_nll_loss : the same for counts that scatter more.
    gaussian_nll_loss : the likelihood of a real number.
    cross_entropy : the likelihood of one class of many.

    Notes
    -----
    Where the count is 0, the loss is the rate alone: 0 at :math:`x=-\infty`, and so is its slope.

    With "exact" and a mean near a count from 20, it is computed as half a deviance plus what is
    left at :math:`\mu=y`, so that no large terms cancel.

    Gradient: :math:`e^x-y`, or from rates :math:`1-\frac y{x+\varepsilon}`.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{poisson_nll_loss(np.array([0.0, 1.0]), np.array([1, 2])):.4f}")
    0.8591

    References
    ----------
    Nelder and Wedderburn (1972), Generalized linear models. https://doi.org/10.2307/2344614
    """
    check_option(eps=eps)
    check_flag(log_input=log_input)
    log_factorial = _log_factorial(full)
    x, y = elements(input=input, target=target, labels=("target",))
    xp, y = library(x), at_least_zero(y, "target")
    if log_input:
        loss = xp.exp(x) - times(y, x)
    else:
        x = at_least_zero(x, "input")
        loss = x - y * xp.log(x + eps)
    if log_factorial:
        loss = loss + log_factorial(y)
    if full == "exact":
        mean = _held_exp(x) if log_input else x + eps
        near = (y >= _MANY) & (xp.abs(mean - y) < y / 2)
        mean, y = xp.where(near, mean, _MANY), xp.where(near, y, _MANY)
        close = 0.5 * _deviance(mean, y, 1) + _factorial_rest(y)
        loss = xp.where(near, close if log_input else close - eps, loss)
    return reduce(loss, reduction, like=input)


def negative_binomial_nll_loss(
    input: Array,
    target: Array,
    dispersion: Array | float,
    *,
    log_input: bool = True,
    eps: float = 1e-8,
    reduction: Reduction = "mean",
) -> Array:
    r"""Negative log-likelihood of a count that scatters more than a Poisson count does.

    With the mean :math:`\mu=e^x`, the dispersion :math:`\alpha` and :math:`r=1/\alpha`,

    .. math:: \ell = \log y! - \log\frac{\Gamma(y+r)}{\Gamma(r)}
              + r\log(1+\alpha\mu) + y\log\frac{1+\alpha\mu}{\alpha\mu}.

    The variance is :math:`\mu+\alpha\mu^2`: the parametrisation that is called NB2. At
    :math:`\alpha=0` this is the Poisson likelihood, in the gradient too.

    Parameters
    ----------
    input : array, any shape
        Logarithms of the means :math:`x`, or the means with ``log_input=False``; real floating.
    target : array, shape of `input`
        Counts :math:`y`, at least 0, any real dtype.
    dispersion : array or float
        :math:`\alpha`, at least 0: one number, or an array that broadcasts to the shape of `input`,
        real floating; the gradient flows to it.
    log_input : bool
        Whether `input` holds logarithms.
    eps : float
        What is added to a mean; above 0.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, dtype of `input`: its shape for "none", else a scalar array. No constant is left
        out.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the shapes do not match, a count, a mean or a dispersion is negative, `eps` is not above
        0, or `reduction` is unknown.

    See Also
    --------
    poisson_nll_loss : its limit at a dispersion of 0, with ``full="exact"``.
    binary_cross_entropy_with_logits : the same with the logit :math:`x+\log\alpha`, where the
        positive label has the weight :math:`y` and the negative one :math:`r`.

    Notes
    -----
    For a count from 20 it is computed as half a deviance plus what is left at :math:`\mu=y`, so
    that no large terms cancel.

    Gradient: :math:`\frac{\mu-y}{1+\alpha\mu}` in :math:`x`, never above :math:`1/\alpha`.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{negative_binomial_nll_loss(np.array([0.0, 1.0]), np.array([1, 2]), 0.5):.4f}")
    1.4686

    References
    ----------
    Cameron and Trivedi (1986), Econometric models based on count data.
    https://doi.org/10.1002/jae.3950010104
    """
    check_option(eps=eps)
    check_flag(log_input=log_input)
    if is_number(dispersion):
        namespace(input=input)
        check_floating(input=input)
        dispersion = number(dispersion, lift(input))
    x, y, a = elements(
        input=input,
        target=target,
        dispersion=dispersion,
        labels=("target",),
        broadcast=("dispersion",),
    )
    y, a = at_least_zero(y, "target"), at_least_zero(a, "dispersion")
    if log_input:
        mean = _held_exp(x)
    else:
        mean = at_least_zero(x, "input") + eps
        x = library(x).log(mean)
    xp, few = library(y), y < _MANY
    less, score = xp.where(few, y, 0.0 * y), xp.where(few, x, 0.0)
    loss = (
        _trials(score, less, a) - _log_rising(less, a) + log_gamma(less + 1)
    )
    return reduce(_unless_many(loss, x, mean, y, a), reduction, like=input)


def poisson_deviance(
    input: Array, target: Array, *, reduction: Reduction = "mean"
) -> Array:
    r"""Poisson deviance :math:`2\bigl(y\log\frac y\mu-y+\mu\bigr)`.

    It is twice the KL divergence of Poisson distributions, from the mean :math:`y` to :math:`\mu`.

    Parameters
    ----------
    input : array, any shape
        Predicted means :math:`\mu`, above 0, real floating.
    target : array, shape of `input`
        Counts :math:`y`, at least 0, any real dtype.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, never negative, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the shapes differ, a mean is not above 0, a count is negative, or `reduction` is unknown.

    See Also
    --------
    poisson_nll_loss : half of it and what the prediction cannot change.
    tweedie_deviance : the same with ``power=1``.

    Notes
    -----
    Gradient: :math:`\frac{2(\mu-y)}\mu`.

    Examples
    --------
    >>> import numpy as np
    >>> mean, y = np.array([0.5, 0.5, 2.0, 2.0]), np.array([2, 0, 1, 4])
    >>> print(f"{poisson_deviance(mean, y):.4f}")
    1.4260

    References
    ----------
    Nelder and Wedderburn (1972), Generalized linear models. https://doi.org/10.2307/2344614
    """
    x, y = elements(input=input, target=target, labels=("target",))
    x, y = above_zero(x, "input"), at_least_zero(y, "target")
    return reduce(_deviance(x, y, 1), reduction, like=input)


def gamma_deviance(
    input: Array, target: Array, *, reduction: Reduction = "mean"
) -> Array:
    r"""Gamma deviance :math:`2\bigl(\log\frac\mu y+\frac y\mu-1\bigr)`.

    It is twice the KL divergence of exponential distributions, from the mean :math:`y` to
    :math:`\mu`, and depends on their ratio alone. Its half is the divergence of Itakura and Saito.

    Parameters
    ----------
    input : array, any shape
        Predicted means :math:`\mu`, above 0, real floating.
    target : array, shape of `input`
        Numbers :math:`y`, above 0, any real dtype.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        In nats, never negative, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the shapes differ, a mean or a target is not above 0, or `reduction` is unknown.

    See Also
    --------
    poisson_deviance : for counts.
    tweedie_deviance : the same with ``power=2``.

    Notes
    -----
    Gradient: :math:`\frac{2(\mu-y)}{\mu^2}`.

    Examples
    --------
    >>> import numpy as np
    >>> mean, y = np.array([0.5, 0.5, 2.0, 2.0]), np.array([2, 0.5, 1, 4])
    >>> print(f"{gamma_deviance(mean, y):.4f}")
    1.0569

    References
    ----------
    Nelder and Wedderburn (1972), Generalized linear models. https://doi.org/10.2307/2344614
    """
    x, y = elements(input=input, target=target, labels=("target",))
    x, y = above_zero(x, "input"), above_zero(y, "target")
    return reduce(_deviance(x, y, 2), reduction, like=input)


def tweedie_deviance(
    input: Array,
    target: Array,
    *,
    power: float = 0.0,
    reduction: Reduction = "mean",
) -> Array:
    r"""Tweedie deviance: noise whose variance is the mean to the power :math:`\nu`.

    .. math:: d = 2\Bigl(\frac{y^{2-\nu}}{(1-\nu)(2-\nu)}-\frac{y\,\mu^{1-\nu}}{1-\nu}
              +\frac{\mu^{2-\nu}}{2-\nu}\Bigr) = 2\int_\mu^y\frac{y-t}{t^\nu}\,dt,

    where the first term is 0 for a negative target and a negative power, and the integral then
    ends at 0.

    Parameters
    ----------
    input : array, any shape
        Predicted means :math:`\mu`, above 0 unless the power is 0, real floating.
    target : array, shape of `input`
        Numbers :math:`y`, any real dtype: of at least 0 for a power from 1, above 0 for a power
        from 2.
    power : float
        :math:`\nu`, at most 0 or at least 1. At 0 this is the squared error, at 1 the Poisson
        deviance, at 2 the gamma deviance, at 3 that of the inverse Gaussian distribution.
    reduction : {"none", "mean", "sum"}
        What to return.

    Returns
    -------
    array
        Never negative, dtype of `input`: its shape for "none", else a scalar array.

    Raises
    ------
    TypeError
        If an argument is no array, comes from another library, or has the wrong kind of dtype.
    ValueError
        If the shapes differ, `power` is between 0 and 1 or infinite, a mean or a target is not what
        it must be for that power, or `reduction` is unknown.

    See Also
    --------
    mse_loss : the same with ``power=0``.
    poisson_deviance : the same with ``power=1``.
    gamma_deviance : the same with ``power=2``.

    Notes
    -----
    Between 1 and 2 it suits a total of a random number of amounts, which is 0 if there are none.
    It is convex in the mean at the powers 0 and 1 alone.

    Gradient: :math:`\frac{2(\mu-y)}{\mu^\nu}`. Where the deviance, or a power on the way to the
    gradient, overflows, it may be nan.

    Examples
    --------
    >>> import numpy as np
    >>> mean, y = np.array([0.5, 0.5, 2.0, 2.0]), np.array([2, 0, 1, 4])
    >>> print(f"{tweedie_deviance(mean, y, power=1.5):.4f}")
    1.7782

    References
    ----------
    Jørgensen (1987), Exponential dispersion models.
    https://doi.org/10.1111/j.2517-6161.1987.tb01685.x
    """
    check_number(power=power)
    if not (power <= 0 or power >= 1) or math.isinf(power):
        raise ValueError(
            f"power must be at most 0 or at least 1, and finite, got {power!r}"
        )
    x, y = elements(input=input, target=target, labels=("target",))
    if power:
        x = above_zero(x, "input")
    if power >= 2:
        y = above_zero(y, "target")
    elif power >= 1:
        y = at_least_zero(y, "target")
    return reduce(_deviance(x, y, power), reduction, like=input)


# Gauss and Legendre's rule on [0, 1], the factor 1 - t of the integrand in its weights.
_NODES = [
    ((1 + float(t)) / 2, (1 - float(t)) * float(w) / 4)
    for t, w in zip(*np.polynomial.legendre.leggauss(8), strict=True)
]


def _deviance(x: Array, y: Array, power: float) -> Array:
    """Return twice the integral of (y - t) / t^power over t from x to y.

    Near the target its formula is a small difference of large numbers. There the integral is summed
    up, whose integrand has one sign: what comes is never negative, and right to nearly all digits.
    """
    r = y - x
    if power == 0:
        return r * r
    xp = library(x)
    near = xp.abs(r) < min(0.2, 1.5 / abs(power)) * x
    unit = stop_gradient(x)  # no square of x is formed in the gradient
    part = xp.where(near, r, 0.0) / unit / (x / unit)
    total = sum(w * (1 + t * part) ** -power for t, w in _NODES)
    x, y, scale = _in_range(x, y, 2 - power)
    integral = xp.where(near, x, 1.0) ** (2 - power) * part * part * total
    x, y = xp.where(near, 1.0, x), xp.where(near, 1.0, y)
    return scale * (2 * xp.where(near, integral, _formula(x, y, power)))


def _in_range(
    x: Array, y: Array, b: float
) -> tuple[Array, Array, Array | float]:
    """Return x and y in a unit in which their powers b are finite, and that power of the unit."""
    if -0.5 <= b <= 1:
        return x, y, 1.0
    xp = library(x)
    most = float(xp.finfo(x.dtype).max)
    bound = math.sqrt(most) ** (1 / b)  # where x^b is √most
    if b > 0:
        unit = xp.clip(xp.maximum(x, y) / bound, min=1.0)
    else:
        unit = xp.clip(xp.minimum(x, y) / bound, max=1.0)
    unit = stop_gradient(unit)
    with quiet(x, over="ignore"):
        scale = xp.clip(unit**b, max=most / 4)  # times 0 it is 0
    return x / unit, y / unit, scale


def _formula(x: Array, y: Array, power: float) -> Array:
    """Return half the deviance, in closed form; around the powers 1 and 2 by what grows little."""
    xp, a, b = library(x), 1 - power, 2 - power
    held = xp.where(y > 0, y, 1.0)
    # the logarithm of y / x: a ratio that may overflow, where that of the roots does not
    ratio = 2 * xp.log(xp.sqrt(held) / xp.sqrt(x))
    if abs(a) < 0.5:
        return x**a * (y * _growth(a, ratio) - y + x) / b
    if abs(b) < 0.1:
        ratio = xp.where(y > 0, ratio, -math.inf)
        return x**b * (y / x - 1 - _growth(b, ratio)) / -a
    above = xp.where(y > 0, held**b, 0.0)
    root = xp.where(y == 0, stop_gradient(x), x) ** (a / 2)
    return above / (a * b) - y * root * root / a + x**b / b


def _growth(rate: float, u: Array) -> Array:
    """Return (e^(rate u) - 1) / rate, and its limit u at the rate 0."""
    return library(u).expm1(rate * u) / rate if rate else u


def _trials(x: Array, y: Array, a: Array) -> Array:
    """Return (y + 1/α) log(1 + αμ) - y log μ, for the logarithm x of μ; at α = 0 μ - y log μ."""
    xp, rate = library(x), _log1p_rate(x, a)
    few = x + log(a) < -2.5
    near = y * _share(xp.where(few, a, 0.0), rate) - times(y, x)
    log_a = xp.log(xp.where(few, 1.0, a))
    far = y * (softplus(-(xp.where(few, 0.0, x) + log_a)) + log_a)
    return rate + xp.where(few, near, far)


def _log_rising(y: Array, a: Array) -> Array:
    """Return log Γ(y + r) - log Γ(r) + y log α, for r = 1/α; at α = 0 it is 0.

    For a whole y it is the logarithm of (1 + α)(1 + 2α) … (1 + (y - 1)α). Where α is small, the
    first two are large and nearly equal: there Stirling's series gives their difference.
    """
    xp = library(y)
    few = a < 0.05
    small = xp.where(few, a, 0.0)
    grown = y * small
    near = (
        y * (_log1p_ratio(grown) - 1)
        + (y - 0.5) * xp.log1p(grown)
        + _beyond_stirling(small / (1 + grown))
        - _beyond_stirling(small)
    )
    large = xp.where(few, 1.0, a)
    far = log_gamma(y + 1 / large) - log_gamma(1 / large)
    return xp.where(few, near, far + y * xp.log(large))


# From this count on Stirling's series holds, and what is large in log y! cancels by its formula.
_MANY = 20.0


def _unless_many(
    loss: Array, x: Array, mean: Array, y: Array, a: Array
) -> Array:
    """Return the loss, but for large counts the sum of half a deviance and the loss at μ = y."""
    xp = library(x)
    many = y >= _MANY
    y, x = xp.where(many, y, _MANY), xp.where(many, x, math.log(_MANY))
    near = many & (xp.abs(y - mean) < 0.3 * mean)
    mean = xp.where(near, mean, y)
    close = _near_mean(mean, y, a)
    wide, odds, large = _odds(y, a)
    inverse, small = 1 / large, xp.where(wide, 0.0, a)
    beyond = xp.log(large) + xp.log(y) + xp.log1p(inverse / y)
    grown = xp.where(wide, beyond, xp.log1p(odds))
    share = xp.where(wide, 1 / (inverse + y), small / (1 + odds))
    least = (
        _factorial_rest(y)
        + 0.5 * grown
        + _beyond_stirling_at(a)
        - _beyond_stirling(share)
    )
    half = xp.where(near, close, _far_from_mean(x, y, a))
    return xp.where(many, half + least, loss)


def _near_mean(mean: Array, y: Array, a: Array) -> Array:
    """Return the integral of (y - t) / (t + αt²) over t from a mean near y to y."""
    xp, unit = library(y), stop_gradient(mean)
    one = mean / unit  # no power of the mean is formed, nor in a gradient
    part = (y - mean) / unit / one
    wide, odds, large = _odds(unit, a)
    few = many = 0.0
    for t, w in _NODES:
        at = 1 + t * part
        few = few + w / (at * (1 / one + odds * at))
        many = many + w / (at * (1 / one / unit / large + at))
    scale = xp.where(wide, 1 / large, unit)
    return part * part * scale * xp.where(wide, many, few)


def _far_from_mean(x: Array, y: Array, a: Array) -> Array:
    """Return (y + 1/α) log((1 + αμ) / (1 + αy)) - y log(μ / y), for the logarithm x of μ."""
    xp, rate = library(x), _log1p_rate(x, a)
    wide, odds, large = _odds(y, a)
    # the logarithm of (1 + αμ) y / (1 + αy) μ, of which the first parts cancel where α is large
    share = _share(xp.where(wide, 0.0, a), rate)
    ratio = xp.log(y) - x - xp.log1p(odds) + share
    few = y * (ratio - _log1p_ratio(odds))
    log_a, inverse = xp.log(large), 1 / large
    beyond = xp.log1p(inverse / y)
    many = y * (softplus(-x - log_a) - beyond) - inverse * (
        log_a + xp.log(y) + beyond
    )
    return rate + xp.where(wide, many, few)


def _odds(y: Array, a: Array) -> tuple[Array, Array, Array]:
    """Return whether αy is above 1, αy where it is not, and α where it is: no product overflows."""
    xp = library(y)
    wide = a > 1 / y
    return wide, xp.where(wide, 0.0, a) * y, xp.where(wide, a, 1.0)


def _log1p_rate(x: Array, a: Array) -> Array:
    """Return log(1 + αμ) / α, for the logarithm x of μ; at α = 0 it is μ."""
    xp = library(x)
    few = x + log(a) < -2.5
    mean = xp.exp(xp.where(few, x, 0.0))
    near = mean * _log1p_ratio(_share(xp.where(few, a, 0.0), mean))
    a = xp.where(few, 1.0, a)
    return xp.where(
        few, near, softplus(xp.where(few, 0.0, x) + xp.log(a)) / a
    )


def _share(a: Array, mean: Array) -> Array:
    """Return their product, and 0 for a share of 0, though the mean overflows."""
    xp = library(mean)
    most = float(xp.finfo(mean.dtype).max)
    return a * xp.where(mean < most, mean, most)


def _held_exp(x: Array) -> Array:
    """Return the exponential, held at a finite number: times a slope of 0 it is 0."""
    xp = library(x)
    most = math.log(float(xp.finfo(x.dtype).max)) - 1
    return xp.exp(xp.clip(x, max=most))


def _log1p_ratio(u: Array) -> Array:
    """Return log(1 + u) / u for u above -1: 1 at 0, where it is as smooth as elsewhere."""
    xp = library(u)
    few = xp.abs(u) < 0.1
    held = xp.where(few, u, 0.0)
    square, series = (held / (2 + held)) ** 2, 0.0  # of twice the artanh
    for k in (13, 11, 9, 7, 5, 3):
        series = (series + 1 / k) * square
    u = xp.where(few, 1.0, u)
    return xp.where(few, 2 * (1 + series) / (2 + held), xp.log1p(u) / u)


def _beyond_stirling(b: Array) -> Array:
    """Return what log Γ(1/b) has beyond Stirling's approximation, for b of at most 0.05."""
    square, series = b * b, 0.0
    for c in (1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = series * square + c
    return b * series


def _beyond_stirling_at(a: Array) -> Array:
    """Return the same for any dispersion of at least 0."""
    xp = library(a)
    few = a < 0.05
    large = xp.where(few, 1.0, a)
    r = 1 / large
    far = log_gamma(r) + (r - 0.5) * xp.log(large) + r
    return xp.where(
        few,
        _beyond_stirling(xp.where(few, a, 0.0)),
        far - 0.5 * math.log(2 * math.pi),
    )


def _factorial_rest(y: Array) -> Array:
    """Return log y! - y log y + y, for y of at least 20."""
    return 0.5 * library(y).log(2 * math.pi * y) + _beyond_stirling(1 / y)


def _log_factorial(full: bool | str) -> Callable[[Array], Array] | None:
    """Return what the option adds to the Poisson likelihood, or raise if it is unknown."""
    if isinstance(full, bool | np.bool):
        return _stirling if full else None
    if isinstance(full, str) and full == "exact":
        return lambda y: log_gamma(y + 1)
    error = ValueError if isinstance(full, str) else TypeError
    raise error(f"full must be True, False or 'exact', got {full!r}")


def _stirling(y: Array) -> Array:
    """Return Stirling's approximation of log y! where y is above 1, else 0."""
    xp = library(y)
    above = xp.where(y > 1, y, 1.0)
    log_factorial = (
        above * xp.log(above) - above + 0.5 * xp.log(2 * math.pi * above)
    )
    return xp.where(y > 1, log_factorial, 0.0 * y)  # nan stays nan
