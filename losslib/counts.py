r"""Losses of counts: the negative log-likelihood of a Poisson distribution.

It is the KL divergence between two Poisson distributions, up to what the prediction cannot change.
"""

from __future__ import annotations

import math

from losslib._array import Array, library, times
from losslib._checks import (
    at_least_zero,
    check_flag,
    check_option,
    elements,
)
from losslib.objective import Reduction, reduce


def poisson_nll_loss(
    input: Array,
    target: Array,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: Reduction = "mean",
) -> Array:
    r"""Negative log-likelihood of a count whose rate is predicted.

    .. math:: \ell = e^{x} - y\,x \quad\text{or, from rates,}\quad
              \ell = x - y\log(x+\varepsilon), \qquad
              \bigl[+\ y\log y - y + \tfrac12\log2\pi y \ \text{ where } y>1\bigr].

    Parameters
    ----------
    input : array, any shape
        Logarithms of the rates :math:`x`, or the rates with ``log_input=False``; real floating.
    target : array, shape of `input`
        Counts :math:`y`, at least 0, any real dtype.
    log_input : bool
        Whether `input` holds logarithms.
    full : bool
        Add Stirling's approximation of :math:`\log y!` where the count exceeds 1, as PyTorch does.
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
        If the shapes differ, a count or a rate is negative, `eps` is not above 0, or `reduction` is
        unknown.

    See Also
    --------
    gaussian_nll_loss : the likelihood of a real number.
    cross_entropy : the likelihood of one class of many.

    Notes
    -----
    Where the count is 0, the loss is the rate alone: 0 at :math:`x=-\infty`, and so is its slope.

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
    check_flag(log_input=log_input, full=full)
    x, y = elements(input=input, target=target, labels=("target",))
    xp, y = library(x), at_least_zero(y, "target")
    if log_input:
        loss = xp.exp(x) - times(y, x)
    else:
        x = at_least_zero(x, "input")
        loss = x - y * xp.log(x + eps)
    return reduce(
        loss + _stirling(y) if full else loss, reduction, like=input
    )


def _stirling(y: Array) -> Array:
    """Return Stirling's approximation of log y! where y is above 1, else 0."""
    xp = library(y)
    above = xp.where(y > 1, y, 1.0)
    log_factorial = (
        above * xp.log(above) - above + 0.5 * xp.log(2 * math.pi * above)
    )
    return xp.where(y > 1, log_factorial, 0.0 * y)  # nan stays nan
