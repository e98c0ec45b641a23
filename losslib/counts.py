r"""Losses of counts: the negative log-likelihood of a Poisson distribution.

It is the KL divergence between two Poisson distributions, up to what the prediction cannot change.
"""

from __future__ import annotations

import math

from losslib._array import Array, cast, lift, namespace
from losslib._checks import (
    check_floating,
    check_option,
    check_real,
    check_same_shape,
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
        Counts :math:`y`, any real dtype.
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
        If the shapes differ, `eps` is not above 0, or `reduction` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> print(f"{poisson_nll_loss(np.array([0.0, 1.0]), np.array([1, 2])):.4f}")
    0.8591

    References
    ----------
    Nelder and Wedderburn (1972), Generalized linear models.
    """
    check_option(eps=eps)
    xp = namespace(input=input, target=target)
    check_floating(input=input)
    check_real(target=target)
    check_same_shape(input=input, target=target)
    x = lift(input)
    y = cast(target, x.dtype)
    loss = xp.exp(x) - y * x if log_input else x - y * xp.log(x + eps)
    if full:
        above = xp.where(y > 1, y, xp.ones_like(y))
        stirling = (
            above * xp.log(above)
            - above
            + 0.5 * xp.log(2 * math.pi * above)
        )
        loss = loss + xp.where(y > 1, stirling, xp.zeros_like(y))
    return reduce(loss, reduction, like=input)
